#!/bin/bash
# Evaluating a model of 7B shapes (a hole in a sparse file) on 4 x 2048 tokens keeps anonymous memory under 3 GB. Long.
# BLOCKS of them (32 in a real one): memory does not depend on their number, since one is in hand at a time.
. "${srcdir:-.}/tests/shell.sh"
bash "${srcdir:-.}/tests/make_shapes.sh" "$scratch/large" "${BLOCKS:-2}" 4096 11008 32000
{
    printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '<i4', 'fortran_order': False, 'shape': (4, 2048), }"
    head -c $((4 * 2048 * 4)) /dev/zero
} >"$scratch/tokens.npy"
"$SECATEUR" eval "$scratch/large" "$scratch/tokens.npy" >"$scratch/out" 2>&1 </dev/null &
child=$!
highest=0
while kill -0 $child 2>/dev/null; do
    now=$(awk '/^RssAnon/ { print $2 }' /proc/$child/status 2>/dev/null)
    [ "${now:-0}" -gt $highest ] && highest=$now
    sleep 0.2
done
wait $child || fail "$(cat "$scratch/out")"
says 'working memory'
says 'perplexity 32000'
grep -o 'working memory [^,]*' "$scratch/out"
echo "RssAnon at most $highest kB"
[ $highest -gt 0 ] && [ $highest -lt 3000000 ] || fail "RssAnon $highest kB"
conclude

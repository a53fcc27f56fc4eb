#!/bin/bash
# A model of 540 MB (a hole in a sparse file): the overview comes at once, and pruning it keeps anonymous memory under two
# of its largest matrices in f32 plus 32 MB. Long: it writes the whole copy.
. "${srcdir:-.}/tests/shell.sh"
bash "${srcdir:-.}/tests/make_shapes.sh" "$scratch/large" 1 4096 11008 8000
limit=$((2 * 4096 * 11008 * 4 / 1024 + 32 * 1024))

for pattern in unstructured global row 2:4 tile:16x16 rows cols "unstructured --compat reference"; do
    "$SECATEUR" prune "$scratch/large" "$scratch/out-folder" --sparsity 50% --pattern $pattern --force \
        >"$scratch/out" 2>&1 </dev/null &
    child=$!
    highest=0
    while kill -0 $child 2>/dev/null; do
        now=$(awk '/^RssAnon/ { print $2 }' /proc/$child/status 2>/dev/null)
        [ "${now:-0}" -gt $highest ] && highest=$now
        sleep 0.05
    done
    wait $child || fail "$pattern: $(cat "$scratch/out")"
    echo "$pattern: RssAnon at most $highest kB of $limit kB"
    [ $highest -lt $limit ] || fail "$pattern: RssAnon $highest kB, not below $limit kB"
done
conclude

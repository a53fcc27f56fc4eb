#!/bin/bash
# Blocks of 7B shapes with random weights, pruned by Wanda and by SparseGPT from 4 windows of 512 tokens: anonymous memory stays
# under 4 GB, and a run killed in the middle goes on to the same bytes. Long: minutes of products for each block.
# LARGE_BLOCKS sets how many blocks (2; 32 for the whole model, which takes 13 GB twice); LARGE_WHOLE=no leaves out the undisturbed
# run and the comparison with it.
. "${srcdir:-.}/tests/shell.sh"
make_large=${MAKE_LARGE:-tests/make_large}
blocks=${LARGE_BLOCKS:-2}
limit=$((4 * 1000 * 1000))
mkdir "$scratch/large"
"$make_large" "$scratch/large" 4096 11008 "$blocks" 32 32 32000 || exit 99

# start METHOD OUT: in the background, its pid in $child.
start() {
    "$SECATEUR" prune "$scratch/large" "$scratch/$2" --method "$1" --sparsity 50% --calibrate "$scratch/large/tokens.npy" \
        >"$scratch/out" 2>&1 </dev/null &
    child=$!
}

# follow: waits for $child and samples its memory into $highest.
follow() {
    highest=0
    while kill -0 $child 2>/dev/null; do
        now=$(awk '/^RssAnon/ { print $2 }' /proc/$child/status 2>/dev/null)
        [ "${now:-0}" -gt $highest ] && highest=$now
        sleep 0.1
    done
    wait $child
}

# whole METHOD: an undisturbed run, its seconds in $took.
whole() {
    begun=$SECONDS
    start "$1" whole
    follow || fail "$1: $(cat "$scratch/out")"
    took=$((SECONDS - begun))
    echo "$1: $blocks blocks in $took s, RssAnon at most $highest kB of $limit kB"
    [ "$highest" -lt $limit ] || fail "$1: RssAnon $highest kB, not below $limit kB"
}

# halves METHOD: a run killed once half of the output has been written, and the run that goes on.
halves() {
    begun=$SECONDS
    start "$1" halves
    until [ "$(du -sk "$scratch"/halves.* "$scratch"/.halves* 2>/dev/null | awk '{ n += $1 } END { print n + 0 }')" -gt $((size / 2)) ]; do
        kill -0 $child 2>/dev/null || break
        sleep 0.2
    done
    kill -KILL $child 2>/dev/null
    wait $child 2>/dev/null
    echo "$1: killed after $((SECONDS - begun)) s"
    start "$1" halves
    follow || fail "$1, again: $(cat "$scratch/out")"
    echo "$1: $blocks blocks in $((SECONDS - begun)) s with the kill, RssAnon at most $highest kB of $limit kB afterwards"
    [ "$highest" -lt $limit ] || fail "$1: RssAnon $highest kB, not below $limit kB"
    grep -q "earlier run" "$scratch/out" || fail "$1: did not say that it went on"
}

size=$(du -sk "$scratch/large" | cut -f1)
for method in wanda sparsegpt; do
    [ "${LARGE_WHOLE:-yes}" = no ] || whole $method
    halves $method
    if [ "${LARGE_WHOLE:-yes}" != no ]; then
        cmp -s "$scratch/whole/model.safetensors" "$scratch/halves/model.safetensors" || fail "$method: other bytes after a kill"
    fi
    "$SECATEUR" stat "$scratch/halves" | tail -n 3
    rm -rf "$scratch/whole" "$scratch/halves"
done
conclude

#!/bin/bash
# Blocks of 7B shapes with random weights, pruned by Wanda and by SparseGPT from 4 windows of 512 tokens: anonymous memory stays
# under 4 GB, and a run killed in the middle goes on to the same bytes. Long: minutes of products for each block.
# LARGE_BLOCKS sets how many blocks (2; 32 for the whole model, which takes 13 GB twice).
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

for method in wanda sparsegpt; do
    begun=$SECONDS
    start $method whole
    follow || fail "$method: $(cat "$scratch/out")"
    took=$((SECONDS - begun))
    echo "$method: $blocks blocks in $took s, RssAnon at most $highest kB of $limit kB"
    [ "$highest" -lt $limit ] || fail "$method: RssAnon $highest kB, not below $limit kB"
    start $method halves
    sleep $((took / 2 + 1))
    kill -KILL $child 2>/dev/null
    wait $child 2>/dev/null
    start $method halves
    follow || fail "$method, again: $(cat "$scratch/out")"
    grep -q "earlier run" "$scratch/out" || fail "$method: did not say that it went on"
    cmp -s "$scratch/whole/model.safetensors" "$scratch/halves/model.safetensors" || fail "$method: other bytes after a kill"
    rm -rf "$scratch/whole" "$scratch/halves"
done
conclude

#!/bin/bash
# Options of runs with data, end to end on the sample model: the order of inputs, rounds, reordered units, biases, a killed run.
. "${srcdir:-.}/tests/shell.sh"
text=$sample/stories.txt
export XDG_STATE_HOME=$scratch/state XDG_CACHE_HOME=$scratch/cache SECATEUR_CONFIG=off

# perplexity MODEL
perplexity() {
    "$SECATEUR" eval "$1" "$text" --windows 24 --csv 2>/dev/null </dev/null |
        awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "perplexity") at = i } NR == 2 { print $at }'
}

# below A B WHAT: A < B, both numbers.
below() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0 && a < b) }' || fail "$3: $1 is not below $2"
}

dense=$(perplexity "$sample")
prune() {
    out=$1
    shift
    run 0 prune "$sample" "$scratch/$out" --calibrate "$text" --windows 16 --compute f32 "$@"
}

prune wanda --method wanda --sparsity 70%
prune sparsegpt --method sparsegpt --sparsity 70%
says 'measured relative output error'
wanda=$(perplexity "$scratch/wanda")
sparsegpt=$(perplexity "$scratch/sparsegpt")
below "$dense" "$sparsegpt" 'pruning costs something'
below "$sparsegpt" "$wanda" 'sparsegpt repairs'

# Every order of inputs and every number of rounds gives a working model of the same sparsity.
for options in '--sequential yes' '--sequential dense' '--rounds 3'; do
    # shellcheck disable=SC2086 # words
    prune other --method sparsegpt --sparsity 70% --force $options
    says '(70.000 %)'
    below "$(perplexity "$scratch/other")" "$wanda" "sparsegpt $options"
done

# Reordering alone changes nothing that the model computes: keeping 31 of 32 costs next to nothing, whatever the order.
prune kept --method wanda --pattern 31:32 --permute
below "$(perplexity "$scratch/kept")" "$(awk -v d="$dense" 'BEGIN { print 1.05 * d }')" 'reordered units compute the same'
prune plain --method wanda --pattern 1:4
prune reordered --method wanda --pattern 1:4 --permute
below "$(perplexity "$scratch/reordered")" "$(perplexity "$scratch/plain")" 'a better order loses less at keep 1 of 4'

# killed LINES OPTIONS...: a run killed when its journal has that many lines, so amid a block, goes on to the bytes of $scratch/whole.
killed() {
    lines=$1
    shift
    rm -rf "$scratch/again" "$scratch"/.again*
    "$SECATEUR" prune "$sample" "$scratch/again" --calibrate "$text" --windows 16 --compute f32 "$@" >/dev/null 2>&1 </dev/null &
    child=$!
    while kill -0 $child 2>/dev/null; do
        [ "$(cat "$scratch"/.again.secateur-partial/.secateur-journal 2>/dev/null | wc -l)" -lt "$lines" ] || break
    done
    kill -KILL $child 2>/dev/null
    wait $child 2>/dev/null
    prune again "$@" --force
    cmp -s "$scratch/again/model.safetensors" "$scratch/whole/model.safetensors" ||
        fail "other bytes after a kill at $lines lines of the journal: $*"
}

# What a block's matrices see is remade for one that was left half done: in the new order, and round after round.
mv "$scratch/reordered" "$scratch/whole"
for lines in 3 5 12; do killed $lines --method wanda --pattern 1:4 --permute; done
prune whole --method sparsegpt --sparsity 50% --rounds 3 --force
for lines in 3 5 12; do killed $lines --method sparsegpt --sparsity 50% --rounds 3; done
# What later blocks see of the dense model is the same whether a block was pruned by this run or by the one before.
for options in '--sparsity 50% --rounds 2' '--pattern 2:4 --permute'; do
    # shellcheck disable=SC2086 # words
    prune whole --method wanda --sequential dense --force $options
    # shellcheck disable=SC2086
    killed 12 --method wanda --sequential dense $options
done

run 2 prune "$sample" "$scratch/none" --method wanda --sparsity 50% --calibrate "$text" --bias
complains 'bias compensation needs a bias'
run 2 prune "$sample" "$scratch/none" --method wanda --sparsity 50%
complains 'give --calibrate'
run 2 prune "$sample" "$scratch/none" --method dsnot --sparsity 50% --calibrate "$text"
complains 'magnitude+dsnot'
[ -e "$scratch/none" ] && fail 'a refused run left something behind'

opt=${SECATEUR_SHARED:-$SECATEUR_SOURCE/../shared}/golden/opt
if [ -d "$opt" ]; then
    for bias in no yes; do
        run 0 prune "$opt" "$scratch/opt-$bias" --method wanda --pattern 2:4 --calibrate "$opt/calib.npy" --bias=$bias
    done
    with=$("$SECATEUR" eval "$scratch/opt-yes" "$opt/heldout.npy" --csv | tail -1 | cut -d, -f11)
    without=$("$SECATEUR" eval "$scratch/opt-no" "$opt/heldout.npy" --csv | tail -1 | cut -d, -f11)
    below "$with" "$without" 'biases take up what pruned weights gave on average'
fi
conclude

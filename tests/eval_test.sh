#!/bin/bash
# The forward pass through the real program, on every reference model: logits, hidden states, losses, perplexity, greedy
# continuations and padding; the trained models' perplexities.
. "${srcdir:-.}/tests/shell.sh"
shared=${SECATEUR_SHARED:-$SECATEUR_SOURCE/../shared}
[ -d "$shared/golden" ] || exit 77

# near ACTUAL EXPECTED RELATIVE
near() {
    awk -v a="$1" -v e="$2" -v r="$3" 'BEGIN { d = a / e - 1; exit !(d <= r && -d <= r) }'
}

# compare WHAT FILE EXPECTED TOLERANCE [MASK]
compare() {
    what=$1
    shift
    tests/npy_compare "$@" >"$scratch/difference" || fail "$what differ by $(cat "$scratch/difference")"
}

# field NAME: of the last evaluation's CSV row.
field() {
    awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i } NR == 2 { print $at }' "$scratch/out"
}

check_forward() {
    run 0 eval "$folder" "$folder/tokens.npy" --csv --logits "$scratch/logits.npy" --hidden "$scratch/hidden.npy" \
        --nll "$scratch/nll.npy"
    compare "$name: logits" "$scratch/logits.npy" "$folder/logits.npy" "$tolerance"
    compare "$name: hidden states" "$scratch/hidden.npy" "$folder/hidden.npy" "$tolerance"
    compare "$name: losses" "$scratch/nll.npy" "$folder/nll.npy" "$tolerance"
    near "$(field perplexity)" "$(cat "$folder/perplexity.txt")" 1e-5 ||
        fail "$name: perplexity $(field perplexity), not $(cat "$folder/perplexity.txt")"
    [ "$(field verified)" = yes ] || fail "$name: not marked as verified"
}

check_padding() {
    for side in left right; do
        [ -f "$folder/pad_${side}_tokens.npy" ] || continue
        run 0 eval "$folder" "$folder/pad_${side}_tokens.npy" --mask "$folder/pad_${side}_mask.npy" --logits "$scratch/logits.npy"
        compare "$name: logits padded $side" "$scratch/logits.npy" "$folder/pad_${side}_logits.npy" "$tolerance" \
            "$folder/pad_${side}_mask.npy"
        says 'padding masked'
    done
}

check_greedy() {
    tests/npy_ids "$folder/greedy.npy" >"$scratch/greedy"
    cut -d' ' -f1-8 "$scratch/greedy" | while read -r prompt; do
        "$SECATEUR" generate "$folder" "$prompt" --greedy --tokens 16
    done >"$scratch/generated"
    cmp -s "$scratch/greedy" "$scratch/generated" || fail "$name: greedy continuations differ"
}

models=0
for folder in "$shared"/golden/*; do
    [ -f "$folder/logits.npy" ] || continue
    name=${folder##*/} tolerance=1e-4
    case $name in gpt_neo | mixtral) tolerance=2e-4 ;; esac
    check_forward
    check_padding
    check_greedy
    models=$((models + 1))
done
[ "$models" -ge 19 ] || fail "only $models reference models were found"

# Trained models, to the digits of their README.
while read -r name perplexity; do
    run 0 eval "$shared/models/$name" "$shared/golden/trained_$name/heldout.npy" --csv
    near "$(field perplexity)" "$perplexity" 5e-5 || fail "$name: perplexity $(field perplexity), not $perplexity"
    near "$(field perplexity)" "$(awk '{ print $1 }' "$shared/golden/trained_$name/ppl_dense.txt" 2>/dev/null || echo "$perplexity")" 1e-5 ||
        fail "$name: perplexity $(field perplexity) differs from the reference"
done <<END
sample 11.3590
stories260k 4.0534
llama-11m 18.0039
END

# Against itself nothing is lost; against a pruned copy something is.
sample_text=$shared/golden/trained_sample/heldout.npy
run 0 eval "$shared/models/sample" "$sample_text" --windows 8 --against "$shared/models/sample" --csv
near "$(field agreement)" 1 0 || fail "a model disagrees with itself"
[ "$(field kl)" = 0 ] || [ "$(field kl)" = -0 ] || near "$(field kl)" 1e-12 1e3 || fail "KL to itself is $(field kl)"
run 0 prune "$shared/models/sample" "$scratch/pruned" --sparsity 0.5
run 0 eval "$scratch/pruned" "$sample_text" --against "$shared/models/sample" --csv
awk -v kl="$(field kl)" -v d="$(field delta_perplexity)" 'BEGIN { exit !(kl > 0.05 && d > 0.5) }' ||
    fail "half the weights gone: KL $(field kl), difference $(field delta_perplexity)"
near "$(field perplexity)" "$(cat "$shared/golden/trained_sample/ppl_magnitude_50.txt")" 2e-3 ||
    fail "magnitude at 50 %: perplexity $(field perplexity)"

# Under a limit that the hidden states exceed they spill, and nothing changes.
run 0 eval "$shared/models/sample" "$sample_text" --csv
free=$(field nll)
run 0 eval "$shared/models/sample" "$sample_text" --csv --memory 72M
[ "$(field nll)" = "$free" ] || fail "spilled: $(field nll), not $free"
run 1 eval "$shared/models/sample" "$sample_text" --memory 1M
complains '1.0 MB'

# An option that the engine does not know and that changes the result reaches the user as one sentence, status 3.
mkdir "$scratch/unknown"
cp "$shared/golden/llama/model.safetensors" "$scratch/unknown"
sed 's/"hidden_act": "[a-z]*"/"hidden_act": "wobble"/' "$shared/golden/llama/config.json" >"$scratch/unknown/config.json"
run 3 eval "$scratch/unknown" "$shared/golden/llama/tokens.npy"
complains 'wobble'
[ "$(wc -l <"$scratch/err")" = 1 ] || fail "more than one line of error"
run 3 generate "$scratch/unknown" "5 6 7"
conclude

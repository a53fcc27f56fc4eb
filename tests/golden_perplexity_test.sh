#!/bin/bash
# What the published implementations' pruned models come to on held-out text, reproduced through the program: prune as
# they do, evaluate, and compare with their perplexity to 1e-5; where weights of equal score went otherwise, as far as is listed below.
. "${srcdir:-.}/tests/shell.sh"
shared=${SECATEUR_SHARED:-$SECATEUR_SOURCE/../shared}
[ -d "$shared/golden" ] || exit 77

# settings_of SUFFIX: the options of prune for "wanda_2_4", "sparsegpt_50_trueseq", ...
settings_of() {
    local method=${1%%_*} rest=${1#*_}
    case "$rest" in
    *_trueseq) echo "--method $method --sparsity ${rest%%_*}% --sequential yes" ;;
    *_*) echo "--method $method --pattern ${rest/_/:}" ;;
    *) echo "--method $method --sparsity $rest%" ;;
    esac
}

# allowed FOLDER SUFFIX: how far the perplexity may be off, relative, and why.
allowed() {
    case "$1 $2" in
    # Near-ties that fall as the compiler has it, and what they drag along: methods_golden_test holds both sides beside f64.
    "falcon sparsegpt_2_4" | "qwen3 sparsegpt_2_4" | "trained_stories260k sparsegpt_60") echo 1e-3 ;;
    "gpt2 sparsegpt_2_4") echo 2e-3 ;;
    # bf16 and f16 weights of equal size, which torch breaks in another order: 128 cells of a model that small, and 24.
    "mistral magnitude_2_4") echo 6e-2 ;;
    "opt magnitude_2_4") echo 3e-3 ;;
    # Equal bf16 weights again, and near-ties after them.
    "trained_sample magnitude_2_4" | "trained_sample sparsegpt_2_4") echo 1e-3 ;;
    "trained_sample magnitude_4_8" | "trained_sample sparsegpt_4_8") echo 3e-4 ;;
    "trained_sample sparsegpt_60") echo 1e-4 ;;
    *) echo 1e-5 ;;
    esac
}

# check FOLDER MODEL SUFFIX EXPECTED
check() {
    local folder=$1 model=$2 suffix=$3 expected=$4 limit
    # shellcheck disable=SC2046 # a list of words
    run 0 prune "$model" "$scratch/pruned" $(settings_of "${suffix%_nogate}") --calibrate "$shared/golden/$folder/calib.npy" \
        --compat reference --dtype f32 --force
    run 0 eval "$scratch/pruned" "$shared/golden/$folder/heldout.npy" --csv
    limit=$(allowed "$folder" "$suffix")
    awk -F, -v expected="$expected" -v limit="$limit" -v what="$folder $suffix" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == "perplexity_windows") at = i }
        NR == 2 { off = $at / expected - 1; off = off < 0 ? -off : off
            printf "%-36s %.6f, theirs %.6f, off by %.1e\n", what, $at, expected, off; exit !(off <= limit) }' \
        "$scratch/out" && return
    fail "$folder $suffix: beyond $limit"
}

run_all() {
    local folder model suffix
    for file in "$shared"/golden/*/ppl_*.txt; do
        folder=$(basename "$(dirname "$file")")
        suffix=$(basename "$file" .txt)
        suffix=${suffix#ppl_}
        model=$shared/golden/$folder
        [ "$folder" != trained_sample ] || model=$shared/models/sample
        [ -f "$model/config.json" ] && [ -f "$shared/golden/$folder/calib.npy" ] || continue
        case "$folder $suffix" in
        # The dense ones are those of eval_test; this file has its routers pruned as well, which ours never are.
        *" dense" | "mixtral wanda_2_4" | "mixtral magnitude"* | "qwen3_moe magnitude"* | "qwen3_moe wanda_2_4") continue ;;
        esac
        check "$folder" "$model" "$suffix" "$(cat "$file")"
        count=$((count + 1))
    done
}

count=0
run_all
echo "$count pruned models"
[ "$count" -ge 100 ] || fail "only $count reference results were found"
conclude

#!/bin/bash
# Budgets in every unit through the program: each is kept, from the right side, with locks and bounds; what cannot be
# reached is refused with what can.
. "${srcdir:-.}/tests/shell.sh"

allocate() { # SCRIPT LINES...: a plan in plan.csv
    printf '%s\n' "$@" "write $scratch/plan.csv" >"$scratch/script"
    run 0 --script "$scratch/script" "$sample"
}

# Weights that go and stay, from the plan and the matrices' sizes.
"$SECATEUR" stat "$sample" --csv >"$scratch/stat.csv" || fail "stat"
flops() { # 2 x the kept weights of all matrices that are multiplied with
    awk -F, 'NR == FNR { gone[$1] = $2; next }
        FNR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $at["role"] == "embedding" && tied == 0 { next }
        $at["role"] ~ /norm/ { next }
        { sum += 2 * ($at["count"] - int($at["count"] * gone[$at["name"]] + 0.5)) }
        END { printf "%.0f\n", sum }' tied="$1" "$2" "$scratch/stat.csv"
}

grep -q '"tie_word_embeddings": *true' "$sample/config.json" && tied=1 || tied=0
echo name,sparsity >"$scratch/none.csv"
dense=$(flops $tied "$scratch/none.csv")
limit=$(awk "BEGIN { printf \"%.0f\", 0.75 * $dense }")
allocate 'set 0.q 20%' 'lock 0.q' "allocate erk flops=$limit"
got=$(flops $tied "$scratch/plan.csv")
awk "BEGIN { exit !($got <= $limit && $got > $limit - 100) }" || fail "$got operations, $limit asked"
[ "$(column "$scratch/plan.csv" locked model.layers.0.self_attn.q_proj.weight)" = yes ] || fail "not locked"

run 2 allocate "$sample" uniform --flops 10
complains 'of 10 FLOPs per token cannot be reached'
run 2 allocate "$sample" uniform --bytes 10 --format f16
complains 'of 10 bytes cannot be reached'
run 2 allocate "$sample" uniform 50% --format f16
complains 'give bytes='
run 2 allocate "$sample" uniform 50% --flops 1000
complains 'give one budget'
run 0 allocate "$sample" uniform --bytes 3000000 --format f16
run 2 allocate "$sample" fisher 50%
complains 'gradients=FILE'
run 3 allocate "$sample" fisher 50% --gradients "$scratch/nothing.safetensors"
complains 'nothing.safetensors'
# Any tensors of the right names and shapes are gradients: the model's own do for a test of the file's way.
run 0 allocate "$sample" fisher 50% --gradients "$sample/model.safetensors" -o "$scratch/fisher.csv"
says 'total 50.00 %'
[ "$(cut -d, -f2 "$scratch/fisher.csv" | sort -u | wc -l)" -gt 5 ] || fail "fisher gave the same everywhere"
# Keep N of 4, N for each matrix, as many bytes as asked at the most.
run 0 allocate "$sample" knapsack --bytes 3500000 --group 4 --calibrate "$sample/stories.txt" -o "$scratch/group.csv"
grep -q ':4,' "$scratch/group.csv" || fail "no N:4: $(sed -n 2p "$scratch/group.csv")"
# The budget lock spreads a change in proportion, or where the forecast says that a weight costs least.
error_after() { # RULE
    printf '%s\n' "calibrate $sample/stories.txt windows=8" "set all 60" "budget now by=$1" "set 0.* 30" "forecast" >"$scratch/script"
    run 0 --script "$scratch/script" "$sample"
    says 'total 60.00 %'
    sed -n 's/^forecast: relative output errors add up to \([0-9.]*\).*/\1/p' "$scratch/out"
}
proportion=$(error_after proportion)
by_error=$(error_after error)
awk -v a="$by_error" -v b="$proportion" 'BEGIN { exit !(a > 0 && a < b) }' || fail "by error $by_error, in proportion $proportion"
printf '%s\n' "set all 60" "budget now by=error" >"$scratch/script"
XDG_CACHE_HOME=$scratch/none run 2 --script "$scratch/script" "$sample"
complains 'calibrate SOURCE first'
conclude

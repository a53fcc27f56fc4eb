#!/bin/sh
# How far knapsack should let a matrix stand from the budget: tests/tables/range.sh [MODEL ...] > range.csv
#
# Judged on validation text: a slice of the training text apart from the slice that slopes are measured on, from the
# calibration windows and from the held-out text that strategies.sh reports on, so that the choice is independent of the
# table. $SECATEUR is the program; $LEVELS, $METHODS and $RANGES what is tried.
. "$(dirname "$0")/common.sh"
tail -c 400000 "$shared/text/tinystories-train.txt" >"$scratch/measure.txt"
tail -c 1200000 "$shared/text/tinystories-train.txt" | head -c 400000 >"$scratch/validate.txt"
ranges=${RANGES:-0.03 0.05 0.07 0.1 0.15 0.2}
[ $# -gt 0 ] || set -- stories260k sample

make_plans() {
    {
        echo "calibrate $golden/calib.npy"
        echo "measure $scratch/measure.txt windows=24 length=$length around=$1%"
        echo "pattern all unstructured"
        for range in $ranges; do
            echo "allocate knapsack $1% parameter=$range"
            echo "write $scratch/plan-$range.csv"
        done
    } >"$scratch/script"
    "$program" --script "$scratch/script" "$shared/models/$model" >"$scratch/said" 2>&1
}

echo "model,sparsity,method,range,nll,standard_error"
for model; do
    golden=$shared/golden/trained_$model
    length=256
    [ "$model" = sample ] && length=128
    for level in ${LEVELS:-60 70 80}; do
        make_plans "$level"
        for method in ${METHODS:-wanda sparsegpt}; do
            for range in $ranges; do
                "$program" prune "$shared/models/$model" "$scratch/out" --force --plan "$scratch/plan-$range.csv" \
                    --method "$method" --compute f32 --measure=no --calibrate "$golden/calib.npy" >"$scratch/said"
                "$program" eval "$scratch/out" "$scratch/validate.txt" --compute f32 --windows 64 --length "$length" --csv |
                    awk -F, -v row="$model,$level,$method,$range" '
                        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
                        NR == 2 { print row "," $at["nll"] "," $at["nll_error"] }'
            done
        done
    done
done

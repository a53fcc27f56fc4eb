#!/bin/sh
# Perplexity after every strategy, as a table: tests/tables/strategies.sh [MODEL ...] > strategies.csv
#
# Calibrated on the reference files' calibration windows, measured and searched on another slice of the training text,
# judged on held-out text that neither has seen. difference: mean negative log-likelihood less that of the uniform plan
# on the same windows, with the standard error of that paired difference; error_to_knapsack: that of the difference to
# knapsack's plan. A search measures by the method that its plan is judged by. $SECATEUR is the program, $PAIRED the helper
# built from paired.c, $LEVELS, $METHODS and $STRATEGIES what is tried.
. "$(dirname "$0")/common.sh"
paired=${PAIRED:-tests/tables/paired}
tail -c 400000 "$shared/text/tinystories-train.txt" >"$scratch/other.txt"

levels=${LEVELS:-60 70 80}
methods=${METHODS:-wanda sparsegpt}
strategies=${STRATEGIES:-uniform global erk lamp owl dlp alpha atp influence knapsack search}
[ $# -gt 0 ] || set -- stories260k sample

# What the strategy needs beyond calibration.
before() {
    case $1 in
    alpha) echo "spectrum" ;;
    knapsack | search-*) echo "measure $scratch/other.txt windows=24 length=$length around=$2%" ;;
    esac
}

propose() {
    case $1 in
    search-*)
        echo "search-plan $scratch/other.txt sparsity=$2% length=$length generations=${GENERATIONS:-50} method=${1#search-} calibrate=$golden/calib.npy"
        ;;
    atp) echo "search-plan $scratch/other.txt from=atp sparsity=$2% length=$length generations=0" ;;
    *) echo "allocate $1 $2%" ;;
    esac
}

make_plan() {
    {
        echo "calibrate $golden/calib.npy"
        before "$1" "$2"
        echo "pattern all unstructured"
        propose "$1" "$2"
        echo "write $scratch/plan.csv"
    } >"$scratch/script"
    "$program" --script "$scratch/script" "$shared/models/$model" >"$scratch/said" 2>&1
}

judge() {
    "$program" prune "$shared/models/$model" "$scratch/out" --force --plan "$scratch/plan-$2.csv" --method "$1" \
        --compute f32 --measure=no --calibrate "$golden/calib.npy" >"$scratch/said"
    zeros=$(sed -n 's/.*pruned; \([0-9]*\) of their.*/\1/p' "$scratch/said")
    result=$(perplexity "$scratch/out" "$golden/heldout.npy" --compute f32 --nll "$scratch/nll-$2.npy")
    other=nan,nan
    [ ! -f "$scratch/nll-knapsack.npy" ] || other=$("$paired" "$scratch/nll-$2.npy" "$scratch/nll-knapsack.npy")
    echo "$model,$3,$1,$2,$zeros,$result,$("$paired" "$scratch/nll-$2.npy" "$scratch/nll-uniform.npy"),$other"
}

echo "model,sparsity,method,strategy,zeros,perplexity,difference,standard_error,to_knapsack,error_to_knapsack"
for model; do
    golden=$shared/golden/trained_$model
    length=256
    [ "$model" = sample ] && length=128
    for level in $levels; do
        made=
        tried=
        for strategy in $strategies; do
            [ "$strategy" != search ] || strategy=$(for method in $methods; do printf 'search-%s ' "$method"; done)
            tried="$tried $strategy"
        done
        for strategy in $tried; do
            if make_plan "$strategy" "$level"; then
                mv "$scratch/plan.csv" "$scratch/plan-$strategy.csv"
                made="$made $strategy"
            else
                echo "$model $level $strategy: $(tail -1 "$scratch/said")" >&2
            fi
        done
        for method in $methods; do
            rm -f "$scratch"/nll-*.npy
            for strategy in $made; do
                case $strategy in search-*) [ "$strategy" = "search-$method" ] || continue ;; esac
                judge "$method" "$strategy" "$level"
            done
        done
    done
done

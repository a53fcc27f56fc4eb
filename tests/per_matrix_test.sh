#!/bin/bash
# ALPS against SparseGPT, matrix by matrix, on trained models: the measured relative output error of every matrix, both methods
# seeing the dense model's inputs. At least 95 of 100 matrices are no worse by ALPS. Long: part of check-long.
. "${srcdir:-.}/tests/shell.sh"
shared=${SECATEUR_SHARED:-$SECATEUR_SOURCE/../shared}
[ -d "$shared/golden" ] || exit 77
export SECATEUR_CONFIG=off XDG_STATE_HOME=$scratch/state XDG_CACHE_HOME=$scratch/cache

# errors MODEL METHOD PATTERN SPARSITY: prune.csv in $scratch/METHOD.
errors() {
    echo "prune $scratch/pruned method=$2 pattern=$3 sparsity=$4 sequential=dense force calibrate=$shared/golden/trained_$1/calib.npy" >"$scratch/script"
    echo "report $scratch/$2" >>"$scratch/script"
    run 0 --compute f32 --script "$scratch/script" "$shared/models/$1"
}

for model in stories260k sample; do
    for cut in "unstructured 60%" "unstructured 70%" "unstructured 80%" "2:4 50%"; do
        for method in sparsegpt alps; do
            # shellcheck disable=SC2086
            errors "$model" "$method" $cut
        done
        awk -F, -v what="$model $cut" '
            FNR == 1 { for (i = 1; i <= NF; i++) { if ($i == "measured_error") column = i; if ($i == "name") name = i }; next }
            FNR == NR { other[$name] = $column; next }
            { all++; if ($column <= other[$name]) fewer++; ratio += log($column / other[$name]) }
            END { printf "%s: ALPS no worse on %d of %d matrices, error %.3f times in the geometric mean\n", what, fewer, all, exp(ratio / all)
                  exit !(all > 0 && fewer >= 0.95 * all) }' "$scratch/sparsegpt/prune.csv" "$scratch/alps/prune.csv" ||
            fail "$model, $cut"
    done
done
conclude

#!/bin/sh
# Perplexity after every method, as a table: tests/tables/methods.sh [MODEL ...] > methods.csv
#
# Needs the reference files ($SECATEUR_SHARED): their calibration windows and held-out windows, so that their own figures stand
# beside ours. $SECATEUR is the program to run (./secateur unless set), $METHODS what is tried.
. "$(dirname "$0")/common.sh"

methods=${METHODS:-magnitude obd wanda ria rowwise wanda+dsnot sparsegpt admm-fast alps iht lasso magnitude+repair wanda+repair rowwise+repair}
levels="50% 60% 70% 80% 2:4 4:8"
[ $# -gt 0 ] || set -- sample stories260k

# The reference implementation's figure, where its table has it: its rows are 50, 60, 70, 2:4, 4:8.
reference() {
    [ -f "$1/table.tsv" ] || return 0
    awk -F '\t' -v level="${2%\%}" -v method="$3" \
        'NR == 1 { for (i = 1; i <= NF; i++) if ($i == method) column = i } column && $1 == level { print $column }' "$1/table.tsv"
}

echo "model,method,level,perplexity,reference"
for model; do
    golden=$shared/golden/trained_$model
    echo "$model,dense,0%,$(perplexity "$shared/models/$model" "$golden/heldout.npy"),$(cat "$golden/ppl_dense.txt")"
    for method in $methods; do
        for level in $levels; do
            case $level in
            *:*) option="--pattern $level" ;;
            *) option="--sparsity $level" ;;
            esac
            # shellcheck disable=SC2086 # two words
            "$program" prune "$shared/models/$model" "$scratch/out" --force --method "$method" $option --compute f32 \
                --measure=no --calibrate "$golden/calib.npy" >/dev/null 2>&1 || continue # a pattern that makes no sense for it
            echo "$model,$method,$level,$(perplexity "$scratch/out" "$golden/heldout.npy"),$(reference "$golden" "$level" "$method")"
        done
    done
done

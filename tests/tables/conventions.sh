#!/bin/sh
# Whether our own conventions (exact counts, tokens counted) cost perplexity against the reference implementations'
# (--compat reference): both on the same calibration text, over eight seeds. tests/tables/conventions.sh [MODEL ...] > conventions.csv
#
# ratio is the geometric mean of ours / theirs, error the standard error of its logarithm over the seeds. Needs the reference files
# ($SECATEUR_SHARED). $SECATEUR is the program to run (./secateur unless set).
. "$(dirname "$0")/common.sh"
[ $# -gt 0 ] || set -- sample stories260k

# Perplexity of $1 pruned by method $2 to $3 with seed $4 and further options.
one() {
    case $3 in
    *:*) target="--pattern $3" ;;
    *) target="--sparsity $3" ;;
    esac
    model=$1 method=$2 seed=$4
    shift 4
    # shellcheck disable=SC2086 # two words
    "$program" prune "$shared/models/$model" "$scratch/out" --force --method "$method" $target --seed "$seed" --windows 64 \
        --length 128 --compute f32 --measure=no --calibrate "$shared/text/tinystories-train.txt" "$@" >/dev/null
    perplexity "$scratch/out" "$shared/golden/trained_$model/heldout.npy"
}

echo "model,method,level,ours,theirs,ratio,error"
for model; do
    for method in wanda sparsegpt; do
        for level in 50% 60% 70% 80% 2:4 4:8; do
            for seed in 1 2 3 4 5 6 7 8; do
                echo "$(one "$model" "$method" "$level" "$seed") $(one "$model" "$method" "$level" "$seed" --compat reference)"
            done | awk -v row="$model,$method,$level" '
                { x = log($1 / $2); sum += x; squares += x * x; ours += log($1); theirs += log($2) }
                END {
                    if (NR != 8) exit 1
                    mean = sum / NR
                    printf "%s,%.4f,%.4f,%.4f,%.4f\n", row, exp(ours / NR), exp(theirs / NR), exp(mean), sqrt((squares / NR - mean * mean) / (NR - 1))
                }'
        done
    done
done

#!/bin/sh
# Whether one method beats another however the calibration text falls out: mean perplexity over five seeds, as a table.
# tests/tables/seeds.sh [MODEL ...] > seeds.csv
#
# Needs the reference files ($SECATEUR_SHARED): models, text to calibrate with and held-out windows. $SECATEUR is the program to
# run (./secateur unless set).
. "$(dirname "$0")/common.sh"
[ $# -gt 0 ] || set -- sample stories260k

# Perplexity of $1 pruned by method $2 to sparsity $3 with seed $4.
one() {
    "$program" prune "$shared/models/$1" "$scratch/out" --force --method "$2" --sparsity "$3" --seed "$4" --windows 64 \
        --length 128 --compute f32 --measure=no --calibrate "$shared/text/tinystories-train.txt" >/dev/null
    perplexity "$scratch/out" "$shared/golden/trained_$1/heldout.npy"
}

echo "model,level,method,mean,lowest,highest"
for model; do
    for level in 60% 70% 80%; do
        for method in sparsegpt alps; do
            for seed in 1 2 3 4 5; do one "$model" "$method" "$level" "$seed"; done |
                awk -v row="$model,$level,$method" '
                    NR == 1 { low = high = $1 }
                    { sum += $1; low = $1 < low ? $1 : low; high = $1 > high ? $1 : high }
                    END { if (NR != 5) exit 1; printf "%s,%.4f,%.4f,%.4f\n", row, sum / NR, low, high }'
        done
    done
done

#!/bin/bash
# A run told to stop inside a large layer problem (4096 x 11008, whose products take seconds each) ends within two seconds,
# by every method that needs data and at several moments. Long: minutes of products. STOP_AFTER: when, in seconds.
. "${srcdir:-.}/tests/shell.sh"
make_large=${MAKE_LARGE:-tests/make_large}
limit=2000
mkdir "$scratch/large"
"$make_large" "$scratch/large" 4096 11008 1 32 32 1000 || exit 99
printf 'set *.down 50%%\nwrite %s\n' "$scratch/plan.csv" >"$scratch/plan"
"$SECATEUR" --script "$scratch/plan" "$scratch/large" >"$scratch/out" 2>&1 || fail "no plan: $(cat "$scratch/out")"

now() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); } # the point is the locale's

# stop METHOD SECONDS: the milliseconds from the signal to the end in $took; empty when it had ended before.
stop() {
    rm -rf "$scratch"/pruned "$scratch"/.pruned*
    "$SECATEUR" prune "$scratch/large" "$scratch/pruned" --plan "$scratch/plan.csv" --method "$1" --windows 2 \
        --calibrate "$scratch/large/tokens.npy" >"$scratch/out" 2>&1 </dev/null &
    child=$!
    sleep "$2"
    kill -TERM $child 2>/dev/null || { took=; wait $child || fail "$1: $(cat "$scratch/out")"; return; }
    begun=$(now)
    wait $child
    status=$?
    took=$(($(now) - begun))
    [ $status = 143 ] || [ $status = 130 ] || [ $status = 0 ] || fail "$1 after $2 s: status $status, $(cat "$scratch/out")"
}

for method in wanda rowwise wanda+dsnot sparsegpt alps admm-fast lasso iht wanda+repair; do
    for after in ${STOP_AFTER:-5 8 12 17 25}; do
        stop $method $after
        [ -n "$took" ] || break
        echo "$method: stopped after $after s, ended $took ms later"
        [ "$took" -lt $limit ] || fail "$method: ended $took ms after the signal, not within $limit ms"
    done
done
conclude

#!/bin/bash
# Searching for a plan through the program: the budget is kept, locked matrices stay, the same seed finds the same plan,
# and the result is no worse than what it began with.
. "${srcdir:-.}/tests/shell.sh"

text=$sample/stories.txt
search() {
    cat >"$scratch/script" <<END
calibrate $text windows=4
set 0.q 25%
lock 0.q
search-plan $text sparsity=50% from=$1 windows=8 length=64 generations=2 offspring=4 seed=7
write $scratch/$2.csv
END
    run 0 --script "$scratch/script" "$sample"
}

search best first
says 'total 50.00 %'
says 'search: 2 generations'
[ "$(column "$scratch/first.csv" sparsity model.layers.0.self_attn.q_proj.weight)" = 0.25 ] || fail "the locked matrix moved"
awk '/KL to the dense model/ { for (i = 1; i <= NF; i++) if ($i == "model") { now = $(i + 1) + 0; before = $(i + 2) + 0 } }
    END { exit !(now > 0 && now <= before) }' "$scratch/out" || fail "worse than at first: $(cat "$scratch/out")"
awk '/on text held back/ { seen = 1; for (i = 1; i <= NF; i++) if ($i == "KL") { now = $(i + 1) + 0; before = $(i + 2) + 0 } }
    END { exit !(seen && now > 0 && now <= before) }' "$scratch/out" || fail "worse on text held back: $(cat "$scratch/out")"
search best second
cmp -s "$scratch/first.csv" "$scratch/second.csv" || fail "the same seed found another plan"
search uniform third
says 'at first (uniform)'
search plan fourth
says 'at first (the plan)'

# A method that needs full Hessians keeps those of all blocks, where memory allows.
run 0 search-plan "$sample" "$text" --calibrate "$text" --method sparsegpt --from uniform --sparsity 60% --windows 8 --length 64 \
    --generations 2 --offspring 4 -o "$scratch/sparsegpt.csv"
says 'at first (uniform)'
run 0 search-plan "$sample" "$text" --calibrate "$text" --method wanda --from uniform --sparsity 60% --windows 8 --length 64 \
    --generations 0 -o "$scratch/wanda.csv"
first_of() { awk '/KL to the dense model/ { for (i = 1; i <= NF; i++) if ($i == "model") print $(i + 2) + 0 }' "$1"; }
wanda=$(first_of "$scratch/out")
run 0 search-plan "$sample" "$text" --calibrate "$text" --method sparsegpt --from uniform --sparsity 60% --windows 8 --length 64 \
    --generations 0 -o "$scratch/uniform.csv"
awk -v a="$(first_of "$scratch/out")" -v b="$wanda" 'BEGIN { exit !(a > 0 && a < b) }' || fail "sparsegpt does not repair: $wanda"

# Stopped on its way it keeps the best so far, and goes on from there.
cat >"$scratch/script" <<END
calibrate $text windows=4
search-plan $text sparsity=50% from=uniform windows=8 length=64 generations=100000 seed=7 out=$scratch/stopped.csv
END
"$SECATEUR" --script "$scratch/script" "$sample" >"$scratch/out" 2>"$scratch/err" </dev/null &
child=$!
sleep 6
kill -TERM $child
wait $child
status=$?
[ "$status" = 143 ] || fail "stopped: status $status, $(cat "$scratch/err")"
[ -f "$scratch/stopped.csv" ] || fail "stopped: no plan was kept"
cat >"$scratch/script" <<END
calibrate $text windows=4
load $scratch/stopped.csv
search-plan $text from=plan windows=8 length=64 generations=0 seed=7
END
run 0 --script "$scratch/script" "$sample"
says 'at first (the plan)'
says '50.00 %'
went_on=$(first_of "$scratch/out")
cat >"$scratch/script" <<END
calibrate $text windows=4
search-plan $text sparsity=50% from=uniform windows=8 length=64 generations=0 seed=7
END
run 0 --script "$scratch/script" "$sample"
awk -v a="$went_on" -v b="$(first_of "$scratch/out")" 'BEGIN { exit !(a > 0 && a < b) }' || fail "what was stopped is not what goes on: $went_on"

# ATP finds its one number by measuring; without generations its plan is the result: sparsity rises by a constant.
run 0 search-plan "$sample" "$text" --calibrate "$text" --from atp --sparsity 50% --windows 4 --length 64 --generations 0 -o "$scratch/atp.csv"
says 'at first (atp)'
run 2 allocate "$sample" atp 50%
complains 'from=atp'
awk -F, '/q_proj/ { s[n++] = $2 } END {
    for (i = 2; i < n; i++) { d = (s[i] - s[i - 1]) - (s[1] - s[0]); if (d > 1e-3 || d < -1e-3) exit 1 }
    exit !(n > 2) }' "$scratch/atp.csv" || fail "no arithmetic progression: $(grep q_proj "$scratch/atp.csv")"

cat >"$scratch/script" <<END
search-plan $text windows=8 length=64
END
run 2 --script "$scratch/script" "$sample"
complains 'needs a budget'
conclude

#!/bin/bash
# A forecast goes with the pruned model, and every evaluation of it adds a line that compares; a calibration goes on with
# more text, and refuses the same again.
. "${srcdir:-.}/tests/shell.sh"
export XDG_CACHE_HOME=$scratch/cache XDG_STATE_HOME=$scratch/state

yes 'The cat sat on the mat, and the dog, who had seen it, said nothing at all. ' | head -200 | nl >"$scratch/text.txt"
cat >"$scratch/script" <<END
calibrate $scratch/text.txt windows=4 length=64 measure=none
measure $scratch/text.txt windows=2 length=64
prune $scratch/pruned method=wanda sparsity=0.5 calibrate=$scratch/text.txt windows=4 length=64
calibrate $scratch/text.txt windows=4 length=64 seed=1 more=yes
END
run 0 --script "$scratch/script" "$sample"
says 'added to what was known'
grep -q '"forecast"' "$scratch/pruned/secateur.json" || fail "no forecast in secateur.json"
for windows in 2 3; do
    run 0 eval "$scratch/pruned" "$scratch/text.txt" --windows $windows --length 64
done
record=$scratch/state/secateur/forecasts.csv
[ "$(wc -l <"$record")" = 3 ] || fail "not two lines and a heading in forecasts.csv"
awk -F, 'NR > 1 && (NF != 10 || $3 != "wanda" || $4 != 0.5 || !($6 <= $5 && $5 <= $7) || !($8 > 0)) { exit 1 }' "$record" ||
    fail "forecasts.csv: $(tail -1 "$record")"
run 0 eval "$sample" "$scratch/text.txt" --windows 2 --length 64
[ "$(wc -l <"$record")" = 3 ] || fail "a model that was not pruned got a line"
echo "calibrate $scratch/text.txt windows=4 length=64 measure=none
calibrate $scratch/text.txt windows=4 length=64 more=yes" >"$scratch/script"
run 2 --script "$scratch/script" "$sample"
complains 'count twice'
conclude

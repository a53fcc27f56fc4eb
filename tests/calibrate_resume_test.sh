#!/bin/bash
# A calibration and a measurement that are killed or cancelled on their way: the same command goes on behind what they had
# found, and ends with the same tables.
. "${srcdir:-.}/tests/shell.sh"

text=$sample/stories.txt
export XDG_CACHE_HOME=$scratch/cache

# begin NAME COMMANDS...: the script NAME with these lines and a report of what they have found.
begin() {
    name=$1
    shift
    printf '%s\n' "$@" "report $scratch/$name" >"$scratch/$name.script"
    "$SECATEUR" --compute f32 --threads 1 --script "$scratch/$name.script" "$sample" >"$scratch/$name.out" 2>"$scratch/$name.err" </dev/null &
    child=$!
}

# interrupt SIGNAL: as soon as there is something in the cache, or something new.
interrupt() {
    local before
    before=$(stat -c %Y.%s.%i "$XDG_CACHE_HOME"/secateur/* 2>/dev/null)
    for ((i = 0; i < 3000; i++)); do
        [ "$(stat -c %Y.%s.%i "$XDG_CACHE_HOME"/secateur/* 2>/dev/null)" != "$before" ] && break
        kill -0 $child 2>/dev/null || break
        sleep 0.02
    done
    kill "-$1" $child 2>/dev/null
    wait $child 2>/dev/null
    status=$?
}

same_tables() {
    for table in sensitivity.csv activations.csv blocks.csv; do
        cmp -s "$scratch/whole/$table" "$scratch/$1/$table" || fail "$1: another $table"
    done
}

calibrate="calibrate $text windows=256"
measure="measure $text windows=8 length=128"
begin whole "$calibrate" "$measure"
wait $child || fail "a whole run: $(cat "$scratch/whole.err")"
rm -rf "$XDG_CACHE_HOME"

for signal in KILL TERM; do
    begin broken "$calibrate"
    interrupt $signal
    case $signal$status in KILL137 | TERM143) ;; *) fail "$signal: status $status" ;; esac
    begin again "$calibrate"
    wait $child || fail "again after $signal: $(cat "$scratch/again.err")"
    grep -q 'of 6 blocks were calibrated before: went on behind them' "$scratch/again.out" || fail "$signal: began anew"
    begin broken "$calibrate" "$measure"
    interrupt $signal
    case $signal$status in KILL137 | TERM143) ;; *) fail "measuring, $signal: status $status" ;; esac
    begin again "$calibrate" "$measure"
    wait $child || fail "again after $signal: $(cat "$scratch/again.err")"
    grep -q 'of these were measured before' "$scratch/again.out" || fail "measuring, $signal: began anew"
    same_tables again
    rm -rf "$XDG_CACHE_HOME"
done
conclude

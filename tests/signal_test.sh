#!/bin/bash
# Signals without a terminal: what runs is cancelled, the program dies of the signal, and the same command goes on.
. "${srcdir:-.}/tests/shell.sh"
bash "${srcdir:-.}/tests/make_shapes.sh" "$scratch/source" 2 512 1408 500

for signal in INT TERM HUP; do
    # A shell's background children ignore INT; this one must not.
    (trap - INT; exec "$SECATEUR" prune "$scratch/source" "$scratch/target" --sparsity 50% >/dev/null 2>"$scratch/err") &
    child=$!
    # Not before the shell in between has become the program: it would run this script's own traps.
    while kill -0 $child 2>/dev/null && [ "$(cat /proc/$child/comm 2>/dev/null)" != secateur ]; do sleep 0.002; done
    sleep 0.03
    kill -"$signal" $child 2>/dev/null
    wait $child
    status=$?
    number=$(kill -l $signal)
    # 0: it was done before the signal came.
    [ $status = $((128 + number)) ] || [ $status = 0 ] || [ $signal = INT ] || fail "$signal: status $status"
    [ -e "$scratch/target" ] || run 0 prune "$scratch/source" "$scratch/target" --sparsity 50%
    rm -rf "$scratch/target"
done
conclude

#!/bin/bash
# A run killed at random moments: the source is as it was, the target absent or whole, and the next run finishes with the
# same bytes. KILLS says how often; SEED makes it repeatable.
. "${srcdir:-.}/tests/shell.sh"
RANDOM=${SEED:-7}
kills=${KILLS:-12}

# A source large enough to be caught in the middle: the sample's blocks many times over would need a generator, so the
# largest model that there is without one is used, and the moments are spread over the time that a whole run takes.
source=$scratch/source
cp -r "$sample" "$source"
chmod -R u+w "$source"
before=$(cat "$source"/* | sha256sum)

started=$(date +%s%N)
run 0 prune "$source" "$scratch/expected" --sparsity 50%
took=$(($(date +%s%N) - started))
expected=$(sha256sum <"$scratch/expected/model.safetensors")
interrupted=0

for ((i = 0; i < kills; i++)); do
    delay=$((RANDOM * took / 32768))
    "$SECATEUR" prune "$source" "$scratch/target" --sparsity 50% >/dev/null 2>&1 </dev/null &
    child=$!
    sleep "$(printf '%d.%09d' $((delay / 1000000000)) $((delay % 1000000000)))"
    kill -KILL "$child" 2>/dev/null
    wait "$child" 2>/dev/null
    [ $? = 137 ] && interrupted=$((interrupted + 1))
    [ "$(cat "$source"/* | sha256sum)" = "$before" ] || fail "kill $i: the source changed"
    if [ -e "$scratch/target" ]; then
        [ "$(sha256sum <"$scratch/target/model.safetensors")" = "$expected" ] || fail "kill $i: the target is not whole"
    else
        run 0 prune "$source" "$scratch/target" --sparsity 50%
        [ "$(sha256sum <"$scratch/target/model.safetensors")" = "$expected" ] || fail "kill $i: resumed to other bytes"
    fi
    rm -rf "$scratch/target"
done
[ "$interrupted" -gt 0 ] || fail "no run was killed before its end"
echo "$interrupted of $kills runs were killed before their end"
leftovers=$(find "$scratch" -maxdepth 1 -name '*target*' | wc -l)
[ "$leftovers" = 0 ] || fail "$leftovers things were left beside the target"

# A file-size limit stands for a full disk: a clear error, nothing under the final name.
(
    ulimit -f 1000
    trap '' XFSZ
    "$SECATEUR" prune "$source" "$scratch/full" --sparsity 50% >"$scratch/out" 2>"$scratch/err" </dev/null
)
[ $? = 1 ] || fail "a full disk gave another status than 1"
grep -qi 'file too large\|no space' "$scratch/err" || fail "a full disk is not named: $(cat "$scratch/err")"
[ -e "$scratch/full" ] && fail "a full disk left a target"
conclude

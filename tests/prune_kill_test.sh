#!/bin/bash
# A run killed at random moments: the source is as it was, the target absent or whole, and the next run finishes with the
# same bytes; by magnitude and by a method that needs data. KILLS says how often; SEED makes it repeatable.
. "${srcdir:-.}/tests/shell.sh"
RANDOM=${SEED:-7}
kills=${KILLS:-12}
source=$scratch/source
cp -r "$sample" "$source"
chmod -R u+w "$source"
before=$(cat "$source"/* | sha256sum)

hash_of() {
    sha256sum <"$scratch/$1/model.safetensors"
}

# kill_once NAME SETTINGS...: one run killed within the time that a whole one takes, then the same command again.
kill_once() {
    local name=$1 delay=$((RANDOM * took / 32768)) child
    shift
    "$SECATEUR" prune "$source" "$scratch/target" "$@" >/dev/null 2>&1 </dev/null &
    child=$!
    sleep "$(printf '%d.%09d' $((delay / 1000000000)) $((delay % 1000000000)))"
    kill -KILL "$child" 2>/dev/null
    wait "$child" 2>/dev/null
    [ $? = 137 ] && interrupted=$((interrupted + 1))
    [ "$(cat "$source"/* | sha256sum)" = "$before" ] || fail "$name: the source changed"
    if [ -e "$scratch/target" ]; then
        [ "$(hash_of target)" = "$expected" ] || fail "$name: the target is not whole"
    else
        run 0 prune "$source" "$scratch/target" "$@"
        [ "$(hash_of target)" = "$expected" ] || fail "$name: resumed to other bytes"
    fi
    rm -rf "$scratch/target"
}

# kill_many COUNT SETTINGS...
kill_many() {
    local count=$1 started i
    shift
    started=$(date +%s%N)
    run 0 prune "$source" "$scratch/expected" "$@" --force
    took=$(($(date +%s%N) - started))
    expected=$(hash_of expected)
    interrupted=0
    for ((i = 0; i < count; i++)); do
        kill_once "$1 $2 $3 $4, kill $i" "$@"
    done
    [ "$interrupted" -gt 0 ] || fail "$*: no run was killed before its end"
    echo "$*: $interrupted of $count runs were killed before their end"
}

kill_many "$kills" --sparsity 50%
kill_many $(((kills + 1) / 2)) --sparsity 50% --method sparsegpt --calibrate "$sample/stories.txt" --windows 4 --length 64 \
    --threads 2
# Killed before anything was written, even the heading of the journal: nothing to resume, nothing in the way.
rm -rf "$scratch/target"
for begun in no yes; do
    mkdir "$scratch/.target.secateur-partial"
    [ $begun = no ] || : >"$scratch/.target.secateur-partial/.secateur-journal"
    run 0 prune "$source" "$scratch/target" --sparsity 50%
    rm -rf "$scratch/target"
done
mkdir "$scratch/.target.secateur-partial"
: >"$scratch/.target.secateur-partial/mine"
run 2 prune "$source" "$scratch/target" --sparsity 50%
[ -e "$scratch/.target.secateur-partial/mine" ] || fail "a file that is not ours was removed"
rm -rf "$scratch/.target.secateur-partial"
leftovers=$(find "$scratch" -maxdepth 1 -name '*target*' | wc -l)
[ "$leftovers" = 0 ] || fail "$leftovers things were left beside the target"

# check_full_disk TARGET STATUS: what the last run has said and left.
check_full_disk() {
    [ "$2" = 1 ] || fail "a full disk gave status $2 instead of 1"
    grep -qi 'file too large\|no space\|free' "$scratch/err" || fail "a full disk is not named: $(cat "$scratch/err")"
    [ -e "$1" ] && fail "a full disk left a target"
}

# A file-size limit stands for a disk that fills while the run goes on.
(
    ulimit -f 1000
    trap '' XFSZ
    "$SECATEUR" prune "$source" "$scratch/full" --sparsity 50% >"$scratch/out" 2>"$scratch/err" </dev/null
)
check_full_disk "$scratch/full" $?

# Where a small disk can be had: one that is too small from the start.
mkdir "$scratch/disk"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=2m tmpfs "$scratch/disk" 2>/dev/null; then
    "$SECATEUR" prune "$source" "$scratch/disk/out" --sparsity 50% >"$scratch/out" 2>"$scratch/err" </dev/null
    check_full_disk "$scratch/disk/out" $?
    umount "$scratch/disk"
fi

# The number of threads changes nothing of a run by magnitude, and of one with data no more than the rounding of sums.
run 0 prune "$source" "$scratch/one" --sparsity 50% --threads 1
run 0 prune "$source" "$scratch/two" --sparsity 50% --threads 2
[ "$(hash_of one)" = "$(hash_of two)" ] || fail "two threads give other bytes than one"
conclude

# For the tests of the whole program: where it is, a scratch folder, and checks that count. Sourced.
: "${SECATEUR:=./secateur}" "${SECATEUR_SOURCE:=.}"
sample=$SECATEUR_SOURCE/samples/model
scratch=$(mktemp -d "${TMPDIR:-/tmp}/secateur-test-XXXXXX") || exit 99
trap 'rm -rf "$scratch"' EXIT
failures=0

fail() {
    failures=$((failures + 1))
    printf 'not ok: %s\n' "$*"
}

# run STATUS WORDS...: runs the program; its output is in $scratch/out and $scratch/err.
run() {
    wanted=$1
    shift
    "$SECATEUR" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    status=$?
    [ "$status" = "$wanted" ] || {
        fail "secateur $*: status $status, not $wanted"
        head -5 "$scratch/err"
    }
}

# says PATTERN / complains PATTERN: what the last run wrote to standard output / error.
says() {
    grep -q -- "$1" "$scratch/out" || {
        fail "no \"$1\" in the output"
        head -5 "$scratch/out"
    }
}

complains() {
    grep -q -- "$1" "$scratch/err" || {
        fail "no \"$1\" among the errors"
        head -5 "$scratch/err"
    }
}

# column FILE NAME KEY: the value of a column in the row whose first field is KEY.
column() {
    awk -F, -v name="$2" -v key="$3" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
        NR > 1 && $1 == key { print $at }' "$1"
}

conclude() {
    [ "$failures" = 0 ] && echo "all as expected"
    exit "$((failures > 0))"
}

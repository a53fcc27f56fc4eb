# For the scripts that make tables: the program ($SECATEUR, ./secateur unless set), the reference files ($SECATEUR_SHARED), a
# scratch folder, and perplexity. Sourced.
set -eu
program=${SECATEUR:-./secateur}
shared=${SECATEUR_SHARED:-../shared}
[ -d "$shared/golden" ] || { echo "no reference files at $shared" >&2; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export SECATEUR_CONFIG=off XDG_STATE_HOME="$scratch/state" XDG_CACHE_HOME="${CACHE:-$scratch/cache}"

# perplexity MODEL SOURCE OPTIONS...
perplexity() {
    "$program" eval "$@" --csv |
        awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "perplexity") column = i } NR == 2 { print $column }'
}

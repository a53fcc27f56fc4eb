#!/bin/bash
# The tree holds to its own rules: which floor includes which, who knows of curses, who prints or exits, that public
# declarations are explained, and how long files and functions get. A rule that is broken names file and line.
. "${srcdir:-.}/tests/shell.sh"
cd "$SECATEUR_SOURCE" || exit 99
floors=(src/base src/tensor src/checkpoint src/model src/engine src/calibrate src/prune src/plan src/workbench views)

# The number of the floor that a path of the tree lies on; main.c is above them all.
floor_of() {
    local i
    for i in "${!floors[@]}"; do
        case $1 in "${floors[i]}"/*) echo "$i" && return ;; esac
    done
    echo "${#floors[@]}"
}

# Includes go down. Below the workbench they are written without "src/".
check_includes() { # file
    local floor name path
    floor=$(floor_of "$1")
    while read -r name; do
        path=$name
        [ -e "src/$name" ] && path=src/$name
        [ "$path" = config.h ] && continue
        [ -e "$path" ] || fail "$1 includes \"$name\", which is no path from the root of the tree or of src/"
        # One table beside the plan: a pattern is what the plan stores of the prune floor, which lies below it.
        [ "$(floor_of "$path")" -le "$floor" ] || fail "$1 includes \"$name\" of a floor above it"
    done < <(sed -n 's/^ *# *include "\(.*\)".*/\1/p' "$1")
}

# refuse WHAT PATTERN FILES...: no line of code may match.
refuse() {
    local what=$1 pattern=$2 hits
    shift 2
    hits=$(grep -nE -- "$pattern" "$@" | grep -vE '^[^:]*:[0-9]+: *(/?\*|//)')
    [ -z "$hits" ] || fail "$what: $hits"
}

# A header begins with what it is for, and every declaration has a comment beside it or in its paragraph, or stands in the
# paragraph right behind one that has: the functions of a struct that is explained.
check_header() { # file
    awk -v file="$1" '
        NR == 1 && !/^\/\*/ { print file ": does not begin with a comment that says what it is for" }
        /\/\*/ { here = 1 }
        /^$/ { before = here; here = 0 }
        /^[a-z].*\(.*/ && !here && !before { print file ":" NR ": " $0 " is not explained" }
    ' "$1"
}

# Function bodies of more than 60 lines, files of more than 700.
check_sizes() { # file
    awk -v file="$1" '
        /^[a-z].*\) \{$/ || /^[ ]+.*\) \{$/ && opened == 0 && start == 0 { if ($0 !~ /^ /) start = NR }
        /^\}/ { if (start > 0 && NR - start > 60) print file ":" start ": a function of " NR - start " lines"; start = 0 }
        END { if (NR > 700) print file ": " NR " lines" }
    ' "$1"
}

mapfile -t engine < <(find src -mindepth 2 -name '*.[ch]' | sort)
mapfile -t screens < <(find views -name '*.[ch]' | sort)
[ "${#engine[@]}" -gt 100 ] || fail "only ${#engine[@]} files were found: the test looks in the wrong place"
for file in "${engine[@]}" "${screens[@]}"; do
    check_includes "$file"
    complaints=$(check_sizes "$file")
    case $file in *.h) complaints+=$(check_header "$file") ;; esac
    [ -z "$complaints" ] || fail "$complaints"
done
refuse "curses below views/" '# *include <(n?curses|term|readline/)' "${engine[@]}"
refuse "output or exit below main.c" '\<(printf|puts|putchar|perror|exit|_exit|abort|assert) ?\(' "${engine[@]}"
refuse "output to the standard streams below main.c" '\<(stdout|stderr)\>' "${engine[@]}"
refuse "the memory functions that cannot be made to fail" '\<(malloc|calloc|realloc|strdup|strndup|asprintf) ?\(' \
    $(printf '%s\n' "${engine[@]}" | grep -v '^src/base/memory')
refuse "a locale that changes numbers" 'LC_(ALL|NUMERIC)' $(printf '%s\n' "${engine[@]}" "${screens[@]}")
conclude

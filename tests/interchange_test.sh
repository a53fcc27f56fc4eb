#!/bin/bash
# Other tools' plans through the program: what goes out comes back, and what a format cannot hold is said.
. "${srcdir:-.}/tests/shell.sh"

script() {
    cat >"$scratch/script"
    run "$1" --script "$scratch/script" "$sample"
}

for format in dlp owl alphapruning; do
    script 0 <<END
set 0 25%
set 1-5 62.5%
write $scratch/before.csv
export-plan $format $scratch/plan
reset
import $format $scratch/plan
write $scratch/after.csv
END
    cmp -s "$scratch/before.csv" "$scratch/after.csv" || fail "$format: another plan came back"
done
script 0 <<END
set all 60%
set 0.q 62.5%
export-plan evopress $scratch/levels sparsity=60% step=640
reset
import evopress $scratch/levels sparsity=60% step=640
write $scratch/after.csv
END
grep -q '^model.layers.0.self_attn.q_proj: 1$' "$scratch/levels" || fail "evopress: $(head -1 "$scratch/levels")"
grep -q '^model.layers.0.mlp.down_proj: 0$' "$scratch/levels" || fail "evopress: no level 0"
[ "$(column "$scratch/after.csv" sparsity model.layers.0.self_attn.q_proj.weight)" = 0.625 ] || fail "evopress: not 62.5 %"

# keep 1 of 4 is 3:4 there.
script 0 <<END
pattern all 1:4
set all 75%
lock 0.q
export-plan llm-compressor $scratch/recipe.yaml
END
grep -q 'mask_structure: "3:4"' "$scratch/recipe.yaml" || fail "llm-compressor: $(grep mask "$scratch/recipe.yaml")"
says 'left out of 1 matrices: locks'
script 0 <<END
import llm-compressor $scratch/recipe.yaml
write $scratch/after.csv
END
[ "$(column "$scratch/after.csv" pattern model.layers.0.self_attn.q_proj.weight)" = 1:4 ] || fail "llm-compressor: not 1:4"
script 0 <<END
set 0.q 50%
export-plan dlp $scratch/plan
END
says 'each block.s mean'

echo '[0.5, 0.5]' >"$scratch/short"
script 3 <<END
import dlp $scratch/short
END
complains 'has 2 numbers; .* 6 blocks'
script 2 <<END
import evopress $scratch/levels step=640
END
complains 'level 0'
conclude

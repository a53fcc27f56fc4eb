#!/bin/bash
# An importance matrix in place of text: what calibration exports prunes as the text itself does, and what a diagonal
# cannot give is refused before anything is written.
. "${srcdir:-.}/tests/shell.sh"
export XDG_CACHE_HOME=$scratch/cache XDG_STATE_HOME=$scratch/state

yes 'The cat sat on the mat, and the dog, who had seen it, said nothing at all. ' | head -200 | nl >"$scratch/text.txt"
text="--windows 4 --length 64"
for kind in gguf dat; do
    # shellcheck disable=SC2086
    run 0 calibrate "$sample" "$scratch/text.txt" $text --measure none --compute f32 --imatrix "$scratch/ours.$kind"
    for method in wanda ria obd; do
        run 0 prune "$sample" "$scratch/$method.$kind" --method $method --sparsity 0.5 --calibrate "$scratch/ours.$kind"
    done
    run 0 calibrate "$sample" "$scratch/ours.$kind"
    says 'importance matrix, 4 chunks'
    run 0 allocate "$sample" owl 0.5 --calibrate "$scratch/ours.$kind" -o "$scratch/$kind.csv"
done
cmp -s "$scratch/gguf.csv" "$scratch/dat.csv" || fail "owl: the two layouts give different plans"
# shellcheck disable=SC2086
run 0 --compute f32 prune "$sample" "$scratch/wanda.text" --method wanda --sparsity 0.5 --calibrate "$scratch/text.txt" $text \
    --sequential dense
for kind in gguf dat; do
    cmp -s "$scratch/wanda.text/model.safetensors" "$scratch/wanda.$kind/model.safetensors" ||
        fail "wanda by $kind differs from wanda by text"
    cmp -s "$scratch/ria.$kind/model.safetensors" "$scratch/wanda.$kind/model.safetensors" && fail "ria is wanda"
done

run 2 prune "$sample" "$scratch/no" --method sparsegpt --sparsity 0.5 --calibrate "$scratch/ours.gguf"
complains 'sparsegpt needs the full Hessian'
run 2 prune "$sample" "$scratch/no" --method wanda --pattern 2:4 --permute --calibrate "$scratch/ours.gguf"
complains 'permute needs text'
run 2 calibrate "$sample" "$scratch/ours.gguf" --hessian "$scratch/h.safetensors"
complains 'needs text'
printf 'GGUF' >"$scratch/bad.gguf"
run 3 calibrate "$sample" "$scratch/bad.gguf"
complains 'bytes at byte'
[ ! -e "$scratch/no" ] && [ ! -e "$scratch/.no.secateur-partial" ] || fail "a refused run left something behind"
conclude

#!/bin/bash
# The real program: subcommands, scripts, exit statuses, tables, and help that equals what is committed.
. "${srcdir:-.}/tests/shell.sh"

# Without a terminal: the overview, status 0, no escapes.
run 0 "$sample"
says 'llama, 6 blocks'
says '160 x 160'
LC_ALL=C grep -q '[^ -~[:space:]]' "$scratch/out" && fail "the overview holds bytes that are not ASCII"
run 0 --csv "$sample"
[ "$(wc -l <"$scratch/out")" -ge 43 ] || fail "fewer than 42 matrices in the CSV overview"
says '^name,block,role,rows,cols,dtype,count'

# Usage errors are 2, bad files 3; the sentence names what is wrong.
run 2
run 2 --nonsense "$sample"
run 2 stat
complains 'needs a MODEL'
run 2 "$sample" stat
run 2 stat "$sample" --colour
run 2 stat "$sample" more words
run 2 prune "$sample"
complains 'missing'
run 2 prune "$sample" "$scratch/x" --sparsity 2.5.1
run 2 prune "$sample" "$scratch/x" --sparsity 50% --pattern 4:2
run 2 prune "$sample" "$scratch/x" --sparsity 50% --method magnitud
complains 'magnitude'
run 2 prune "$sample" "$scratch/x" --sparsity 50% --method sparsegpt
complains 'calibrate'
run 2 prune "$sample" "$scratch/x" --threads 1 --sparsity 50% --sparsity 60%
run 2 --threads many "$sample"
run 2 --memory
run 3 "$scratch/nothing-here"
printf 'not a model' >"$scratch/bad.safetensors"
run 3 stat "$scratch/bad.safetensors"
complains 'bad.safetensors'
mkdir "$scratch/empty folder"
run 3 stat "$scratch/empty folder"
[ -e "$scratch/x" ] && fail "a refused run left something behind"

# Hostile words.
run 3 "$(printf 'a\033[31mb')"
run 3 "$(head -c 5000 /dev/zero | tr '\0' a)"
run 2 help nonsense

# Statistics of the sample, as text and as CSV.
run 0 stat "$sample"
says 'q '
run 0 stat "$sample" --csv
says '^name,block,role,rows,cols,dtype,count,zeros,sparsity'
[ "$(column "$scratch/out" rows model.layers.5.mlp.up_proj.weight)" = 448 ] || fail "stat: rows of up_proj"

# Models pruned elsewhere: how many zeros, and which patterns they follow.
reference=${SECATEUR_SHARED:-$SECATEUR_SOURCE/../shared}/golden/llama
if [ -f "$reference/pruned_wanda_2_4.safetensors" ]; then
    run 0 stat "$reference/pruned_wanda_2_4.safetensors" --csv
    [ "$(column "$scratch/out" sparsity model.layers.0.mlp.up_proj.weight)" = 0.5 ] || fail "stat of a 2:4 model: sparsity"
    column "$scratch/out" patterns model.layers.0.mlp.up_proj.weight | grep -q '2:4' || fail "2:4 was not recognised"
    run 0 stat "$reference/pruned_sparsegpt_50.safetensors" --csv
    column "$scratch/out" patterns model.layers.0.mlp.up_proj.weight | grep -q '2:4' && fail "an unstructured model as 2:4"
fi

# Pruning, and what the written file holds.
run 0 prune "$sample" "$scratch/half" --sparsity 50%
run 0 stat "$scratch/half" --csv
[ "$(column "$scratch/out" zeros model.layers.0.self_attn.q_proj.weight)" = 12800 ] || fail "half of q are zeros"
[ "$(column "$scratch/out" sparsity model.embed_tokens.weight)" != 0.5 ] || fail "embeddings were pruned"
cmp -s "$sample/config.json" "$scratch/half/config.json" || fail "config.json changed"
cmp -s "$sample/tokenizer.json" "$scratch/half/tokenizer.json" || fail "the tokenizer was not copied"
grep -q '"version"' "$scratch/half/secateur.json" || fail "secateur.json says no version"
run 0 prune "$sample" "$scratch/two-four" --pattern 2:4
run 0 stat "$scratch/two-four" --csv
says '2:4'
[ "$(column "$scratch/out" sparsity model.layers.5.mlp.down_proj.weight)" = 0.5 ] || fail "2:4 is half"
run 0 prune "$sample" "$scratch/planned" --plan "$SECATEUR_SOURCE/samples/plan.csv"
run 0 stat "$scratch/planned" --csv
[ "$(column "$scratch/out" zeros model.layers.1.mlp.up_proj.weight)" = 43008 ] || fail "the plan says 60 % of up"
run 0 prune "$sample" "$scratch/global" --sparsity 50% --pattern global

# Targets: refused when they exist, exchanged with --force, never the source or inside it.
run 2 prune "$sample" "$scratch/half" --sparsity 60%
complains 'force'
run 0 prune "$sample" "$scratch/half" --sparsity 60% --force
run 0 stat "$scratch/half" --csv
[ "$(column "$scratch/out" zeros model.layers.0.self_attn.q_proj.weight)" = 15360 ] || fail "--force did not exchange"
cp -r "$sample" "$scratch/copy"
chmod -R u+w "$scratch/copy"
run 2 prune "$scratch/copy" "$scratch/copy" --sparsity 50% --force
run 2 prune "$scratch/copy" "$scratch/copy/inside" --sparsity 50% --force
run 2 prune "$sample" "$scratch/fresh" --sparsity 50% --resume
complains 'resume'

# Reports.
run 0 report "$scratch/two-four" "$scratch/report"
for name in model blocks matrices histograms plan; do
    [ -s "$scratch/report/$name.csv" ] || fail "$name.csv is missing"
done
[ "$(column "$scratch/report/matrices.csv" sparsity model.layers.5.mlp.down_proj.weight)" = 0.5 ] || fail "report: sparsity"

# Scripts: the same commands; the first error stops, with file and line.
run 0 --script "$SECATEUR_SOURCE/samples/session.script" "$sample"
says '60.00 %'
printf 'overview\n\nprune %s/scripted sparsity=50%% pattern=2:4\nquit\nnonsense\n' "$scratch" >"$scratch/good.script"
run 0 --script "$scratch/good.script" "$sample"
cmp -s "$scratch/scripted/model.safetensors" "$scratch/two-four/model.safetensors" || fail "script and subcommand differ"
printf 'overview\nnonsense\n' >"$scratch/bad.script"
run 2 --script "$scratch/bad.script" "$sample"
complains 'bad.script, line 2'

# What is made from the tables.
run 0 --version
says '^secateur [0-9]'
run 0 --help
says 'secateur prune MODEL OUT'
run 0 help prune
says 'sparsity'
run 0 --dump-manual
cmp -s "$scratch/out" "$SECATEUR_SOURCE/man/secateur.1" || fail "man/secateur.1 is not what the tables say: make regenerate"
run 0 --dump-completion
cmp -s "$scratch/out" "$SECATEUR_SOURCE/man/secateur" || fail "man/secateur is not what the tables say: make regenerate"
bash -n "$scratch/out" || fail "the completion is no bash"
completes() { # OFFER WORD...: completing the last word offers it
    local wanted=$1
    shift
    (
        . "$scratch/out"
        COMP_WORDS=(secateur "$@") COMP_CWORD=$#
        _secateur
        printf '%s\n' "${COMPREPLY[@]}"
    ) | grep -qx -- "$wanted" || fail "bash completion of \"secateur $*\" does not offer $wanted"
}
completes prune pr
completes --pattern prune model out --pat
completes 2:4 prune model out --pattern ""
completes sparsegpt prune model out --method sp
completes --strategy allocate model --str
completes knapsack allocate model --strategy k

# What other programs call it is answered by what it is called here.
for word in save:write export:prune wq:quit open:load ppl:eval; do
    echo "${word%:*}" >"$scratch/script"
    run 2 --script "$scratch/script" "$sample"
    complains "there is no command \"${word%:*}\".*\"${word#*:}"
    run 2 help "${word%:*}"
    complains "\"${word#*:}"
    run 0 help "${word#*:}"
done

# A full pipe or disk is an error.
if [ -e /dev/full ]; then
    "$SECATEUR" --help >/dev/full 2>/dev/null
    [ $? = 1 ] || fail "a full disk under --help is no error"
fi
conclude

/* Commands that read and write other tools' plans. */
#include "plan/interchange.h"
#include "workbench/commands.h"
#include "workbench/edit.h"
#include <math.h>

enum { EXCHANGE_FORMAT, EXCHANGE_FILE, EXCHANGE_SPARSITY, EXCHANGE_STEP };

static const struct argument arguments[] = {
    [EXCHANGE_FORMAT] = {.name = "format",
                         .kind = ARGUMENT_CHOICE,
                         .positional = true,
                         .required = true,
                         .list = interchange_names,
                         .help = "of the file"},
    [EXCHANGE_FILE] = {.name = "file",
                       .kind = ARGUMENT_PATH,
                       .positional = true,
                       .required = true,
                       .help = "owl and alphapruning: .npy, or text with any other ending"},
    [EXCHANGE_SPARSITY] = {.name = "sparsity",
                           .kind = ARGUMENT_FRACTION,
                           .help = "evopress: of level 0; when exporting, that of the plan unless given"},
    [EXCHANGE_STEP] = {.name = "step",
                       .kind = ARGUMENT_INTEGER,
                       .low = 1,
                       .high = INT64_MAX,
                       .help = "evopress: weights that a level stands for; EvoPress's default is 1000000"},
};

static struct interchange_options take_options(const struct value *values) {
    return (struct interchange_options){
        .sparsity = values[EXCHANGE_SPARSITY].given ? values[EXCHANGE_SPARSITY].number : NAN,
        .step = values[EXCHANGE_STEP].given ? (double)values[EXCHANGE_STEP].integer : NAN};
}

static bool run_import(struct workbench *workbench, const struct value *values, struct text *output,
                       struct error *error) {
    struct interchange_options options = take_options(values);
    if (!interchange_import(workbench->plan, values[EXCHANGE_FORMAT].text, values[EXCHANGE_FILE].text, &options, output,
                            error))
        return false;
    edit_say_total(output, workbench->plan);
    return true;
}

static bool run_export(struct workbench *workbench, const struct value *values, struct text *output,
                       struct error *error) {
    struct interchange_options options = take_options(values);
    if (!interchange_export(workbench->plan, values[EXCHANGE_FORMAT].text, values[EXCHANGE_FILE].text, &options, output,
                            error))
        return false;
    text_add(output, "wrote %s\n", values[EXCHANGE_FILE].text);
    return true;
}

const struct command interchange_commands[] = {
    {"import", NULL, "take over another tool's plan, as one change",
     "evopress: a level for each matrix; give step= and sparsity=, which the file does not say. dlp: JSON list of the "
     "share that each block keeps. owl, alphapruning: shares to keep, or sparsities, one for each block or matrix. "
     "llm-compressor: YAML recipe with SparseGPTModifier or WandaPruningModifier. Locked matrices stay as they are; so "
     "do methods and bounds.",
     arguments, sizeof arguments / sizeof *arguments, COMMAND_EDIT, run_import},
    {"export-plan", NULL, "write the plan for another tool",
     "What the format cannot express is said. The plan as CSV (write) keeps everything.", arguments,
     sizeof arguments / sizeof *arguments, 0, run_export},
};
const size_t interchange_command_count = sizeof interchange_commands / sizeof *interchange_commands;

/* Commands that read and write other tools' plans. */
#include "base/file.h"
#include "base/memory.h"
#include "plan/interchange.h"
#include "workbench/commands.h"
#include "workbench/edit.h"
#include <math.h>

#define FILE_LIMIT ((size_t)64 << 20)

enum { INTERCHANGE_FORMAT, INTERCHANGE_FILE, INTERCHANGE_SPARSITY, INTERCHANGE_STEP_SIZE };

static const struct argument arguments[] = {
    [INTERCHANGE_FORMAT] = {.name = "format",
                            .kind = ARGUMENT_CHOICE,
                            .positional = true,
                            .required = true,
                            .list = interchange_names,
                            .help = "whose"},
    [INTERCHANGE_FILE] =
        {.name = "file", .kind = ARGUMENT_PATH, .positional = true, .required = true, .help = "the file"},
    [INTERCHANGE_SPARSITY] = {.name = "sparsity", .kind = ARGUMENT_FRACTION, .help = "EvoPress: of level 0"},
    [INTERCHANGE_STEP_SIZE] = {.name = "step",
                               .kind = ARGUMENT_NUMBER,
                               .fallback = "1000000",
                               .help = "EvoPress: weights of a level"},
};

static bool take_options(struct interchange_options *options, const struct value *values, struct error *error) {
    options->sparsity = values[INTERCHANGE_SPARSITY].given ? values[INTERCHANGE_SPARSITY].number : NAN;
    options->step = values[INTERCHANGE_STEP_SIZE].number;
    return options->step > 0 ||
           error_set(error, ERROR_USAGE, "a level's step should be above 0, not %g", options->step);
}

static bool run_import(struct workbench *workbench, const struct value *values, struct text *output,
                       struct error *error) {
    const struct interchange *format = interchange_find(values[INTERCHANGE_FORMAT].text);
    const char *path = values[INTERCHANGE_FILE].text;
    struct interchange_options options;
    if (format->read == NULL)
        return error_set(error, ERROR_USAGE, "%s plans can be written, not read", format->name);
    char *text = take_options(&options, values, error) ? file_read(path, FILE_LIMIT, NULL, error) : NULL;
    if (text == NULL)
        return false;
    bool ok = format->read(workbench->plan, text, &options, output, error);
    memory_free(text);
    if (!ok)
        return error_prefix(error, "%s", path);
    edit_say_total(output, workbench->plan);
    return true;
}

static bool write_file(const char *path, const struct text *text, struct error *error) {
    struct file_output output;
    if (text->failed)
        return error_set(error, ERROR_MEMORY, "no memory for %s", path);
    if (!file_output_open(&output, path, error))
        return false;
    (void)fwrite(text_string(text), 1, text->length, output.stream); /* commit finds a short write */
    return file_output_commit(&output, error);
}

static bool run_export_plan(struct workbench *workbench, const struct value *values, struct text *output,
                            struct error *error) {
    const struct interchange *format = interchange_find(values[INTERCHANGE_FORMAT].text);
    struct interchange_options options;
    struct text text = {0};
    bool ok = take_options(&options, values, error) && format->write(&text, workbench->plan, &options, output, error) &&
              write_file(values[INTERCHANGE_FILE].text, &text, error);
    text_free(&text);
    if (ok)
        text_add(output, "wrote %s\n", values[INTERCHANGE_FILE].text);
    return ok;
}

const struct command interchange_commands[] = {
    {"import", NULL, "take targets from another tool's plan",
     "evopress: \"module: level\" lines, sparsity= of level 0 given here. dlp: a JSON list of keep ratios. ratios: a "
     "list of sparsities, one for each block (OWL, AlphaPruning).",
     arguments, sizeof arguments / sizeof *arguments, COMMAND_EDIT, run_import},
    {"export-plan", NULL, "write the plan for another tool, and say what it cannot express",
     "llm-compressor: one modifier with a list in module order; its N:M counts the weights that go.", arguments,
     sizeof arguments / sizeof *arguments, 0, run_export_plan},
};
const size_t interchange_command_count = sizeof interchange_commands / sizeof *interchange_commands;

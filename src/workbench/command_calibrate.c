/* Commands that find out what matters: calibrate. */
#include "base/memory.h"
#include "workbench/calibrate_run.h"
#include "workbench/calibration_cache.h"
#include "workbench/commands.h"
#include "workbench/run_text.h"
#include <stdio.h>
#include <string.h>

enum {
    CALIBRATE_SOURCE,
    CALIBRATE_WINDOWS,
    CALIBRATE_LENGTH,
    CALIBRATE_SEED,
    CALIBRATE_MODE,
    CALIBRATE_BOS,
    CALIBRATE_COMPUTE,
    CALIBRATE_FULL,
    CALIBRATE_MEASURE,
    CALIBRATE_HESSIAN,
    CALIBRATE_SCALER,
    CALIBRATE_INPUTS,
    CALIBRATE_IMATRIX,
    CALIBRATE_COMPAT,
    CALIBRATE_FRESH,
    CALIBRATE_MORE
};

static const char *const modes[] = {"random", "sequential", NULL};
static const char *const bos_rules[] = {"auto", "none", "document", "window", NULL};
static const char *const computes[] = {"auto", "f32", "bf16", NULL};
static const char *const wishes[] = {"auto", "yes", "no", NULL};
static const char *const conventions[] = {"reference", NULL};

static const struct argument arguments[] = {
    [CALIBRATE_SOURCE] =
        {.name = "source",
         .kind = ARGUMENT_PATH,
         .positional = true,
         .required = true,
         .help = "a text file, a folder of them, a .jsonl, a .npy of token ids, or an importance matrix of "
                 "llama.cpp (GGUF or .dat), which needs no run"},
    [CALIBRATE_WINDOWS] = {.name = "windows",
                           .kind = ARGUMENT_INTEGER,
                           .low = 0,
                           .high = 1 << 24,
                           .fallback = "0",
                           .help = "how many windows of text; 0: 128, or all of a .npy or in sequential mode"},
    [CALIBRATE_LENGTH] = {.name = "length",
                          .kind = ARGUMENT_INTEGER,
                          .low = 0,
                          .high = 1 << 24,
                          .fallback = "0",
                          .help = "tokens in a window; 0: the smaller of 2048 and the model's limit"},
    [CALIBRATE_SEED] = {.name = "seed",
                        .kind = ARGUMENT_INTEGER,
                        .low = 0,
                        .high = INT64_MAX,
                        .fallback = "0",
                        .help = "of random windows"},
    [CALIBRATE_MODE] = {.name = "mode",
                        .kind = ARGUMENT_CHOICE,
                        .choices = modes,
                        .fallback = "random",
                        .help = "where windows are cut: random crops, or one behind the other"},
    [CALIBRATE_BOS] = {.name = "bos",
                       .kind = ARGUMENT_CHOICE,
                       .choices = bos_rules,
                       .fallback = "auto",
                       .help = "where the BOS token stands"},
    [CALIBRATE_COMPUTE] = {.name = "compute",
                           .kind = ARGUMENT_CHOICE,
                           .choices = computes,
                           .help = "what products are computed in; as --compute unless given"},
    [CALIBRATE_FULL] = {.name = "full",
                        .kind = ARGUMENT_CHOICE,
                        .choices = wishes,
                        .fallback = "auto",
                        .help = "full Hessians, one block at a time; auto: where the memory limit allows"},
    [CALIBRATE_MEASURE] = {.name = "measure",
                           .kind = ARGUMENT_TEXT,
                           .fallback = "magnitude,wanda",
                           .help = "methods whose exact errors are measured at 20, 40, 60, 80 % and 2:4; \"none\""},
    [CALIBRATE_HESSIAN] = {.name = "hessian",
                           .kind = ARGUMENT_PATH,
                           .help = "write the Hessian of every distinct input, f32 .safetensors"},
    [CALIBRATE_SCALER] = {.name = "scaler",
                          .kind = ARGUMENT_PATH,
                          .help = "write the mean square of every matrix's inputs (Wanda's scaler), f32 .safetensors"},
    [CALIBRATE_INPUTS] = {.name = "inputs",
                          .kind = ARGUMENT_PATH,
                          .help = "write every distinct input itself, f32 .safetensors"},
    [CALIBRATE_IMATRIX] = {.name = "imatrix",
                           .kind = ARGUMENT_PATH,
                           .help = "write an importance matrix for llama.cpp: GGUF, or its older layout as .dat"},
    [CALIBRATE_COMPAT] = {.name = "compat",
                          .kind = ARGUMENT_CHOICE,
                          .choices = conventions,
                          .help = "divide by sequences in these files, as the published scripts do, and not by tokens"},
    [CALIBRATE_FRESH] = {.name = "fresh",
                         .kind = ARGUMENT_FLAG,
                         .help = "run again even when the same calibration is in the cache"},
    [CALIBRATE_MORE] = {.name = "more",
                        .kind = ARGUMENT_FLAG,
                        .help = "add this text to what is known instead of starting anew"},
};

/* The files that a run writes are compared with others': f32 unless something else was asked for. */
static enum compute choose_compute(const struct workbench *workbench, const struct value *values) {
    struct settings settings = workbench->settings;
    bool files = values[CALIBRATE_HESSIAN].given || values[CALIBRATE_SCALER].given || values[CALIBRATE_INPUTS].given ||
                 values[CALIBRATE_IMATRIX].given;
    if (values[CALIBRATE_COMPUTE].given)
        (void)snprintf(settings.compute, sizeof settings.compute, "%s", values[CALIBRATE_COMPUTE].text);
    return run_compute(&settings, workbench->model, files);
}

/* "magnitude,wanda": each must be a method. */
static bool take_methods(struct findings_options *findings, const char *list, struct error *error) {
    if (strcmp(list, "none") == 0)
        return true;
    while (*list != '\0') {
        size_t length = strcspn(list, ",");
        char *name = findings->names[findings->method_count];
        if (length == 0 || length >= sizeof findings->names[0])
            return error_set(error, ERROR_USAGE, "measure takes names of methods with commas between them");
        memcpy(name, list, length);
        name[length] = '\0';
        if (!method_parse(&findings->methods[findings->method_count], name, error))
            return false;
        findings->method_count++;
        list += length + (list[length] == ',');
        if (*list != '\0' && findings->method_count == FINDINGS_METHODS)
            return error_set(error, ERROR_USAGE, "measure takes at most %d methods", FINDINGS_METHODS);
    }
    return true;
}

static bool copy_path(char **path, const struct value *value, struct error *error) {
    *path = value->text != NULL ? memory_copy_string(value->text, error) : NULL;
    return value->text == NULL || *path != NULL;
}

static bool take_settings(struct calibrate_settings *settings, const struct workbench *workbench,
                          const struct value *values, struct error *error) {
    memset(settings, 0, sizeof *settings);
    settings->corpus = (struct corpus_options){.bos = (enum corpus_bos)values[CALIBRATE_BOS].integer,
                                               .windows = values[CALIBRATE_WINDOWS].integer,
                                               .length = values[CALIBRATE_LENGTH].integer,
                                               .seed = (uint64_t)values[CALIBRATE_SEED].integer};
    settings->corpus.cut = values[CALIBRATE_MODE].integer == 0 ? CORPUS_RANDOM : CORPUS_SEQUENTIAL;
    settings->compute = choose_compute(workbench, values);
    settings->hessian = (enum hessian_wish)values[CALIBRATE_FULL].integer;
    settings->findings.spectrum = true;
    settings->by_sequences = values[CALIBRATE_COMPAT].given;
    settings->fresh = values[CALIBRATE_FRESH].integer != 0;
    settings->more = values[CALIBRATE_MORE].integer != 0;
    if (settings->more && (values[CALIBRATE_HESSIAN].given || values[CALIBRATE_INPUTS].given))
        return error_set(error, ERROR_USAGE, "more=yes gathers neither Hessians nor inputs: leave these files out");
    if (values[CALIBRATE_HESSIAN].given && settings->hessian == HESSIAN_NO)
        return error_set(error, ERROR_USAGE, "hessian=FILE needs full Hessians: leave full=no out");
    if (values[CALIBRATE_HESSIAN].given)
        settings->hessian = HESSIAN_YES;
    return take_methods(&settings->findings, values[CALIBRATE_MEASURE].text, error) &&
           copy_path(&settings->source, &values[CALIBRATE_SOURCE], error) &&
           copy_path(&settings->paths.hessian, &values[CALIBRATE_HESSIAN], error) &&
           copy_path(&settings->paths.scaler, &values[CALIBRATE_SCALER], error) &&
           copy_path(&settings->paths.inputs, &values[CALIBRATE_INPUTS], error) &&
           copy_path(&settings->paths.imatrix, &values[CALIBRATE_IMATRIX], error);
}

static bool work(void *context, struct progress *progress, struct error *error) {
    return calibrate_run_work(context, progress, error);
}

static void finished(void *context, bool ok, const struct error *error) {
    struct calibrate_run *run = context;
    (void)ok;
    (void)error;
    text_add_bytes(&run->workbench->results, text_string(&run->said), run->said.length);
    calibrate_run_free(run);
}

static bool run_calibrate(struct workbench *workbench, const struct value *values, struct text *output,
                          struct error *error) {
    struct calibrate_settings settings;
    (void)output;
    if (!workbench->model->architecture_known) {
        *error = workbench->model->architecture_error;
        return error_prefix(error, "this model cannot be run");
    }
    if (!take_settings(&settings, workbench, values, error)) {
        calibrate_settings_free(&settings);
        return false;
    }
    struct calibrate_run *run = calibrate_run_create(workbench, &settings, error);
    if (run == NULL)
        return false;
    struct job_work job = {.name = "calibrate", .run = work, .finish = finished, .context = run};
    (void)snprintf(job.title, sizeof job.title, "calibrate on %s", run->settings.source);
    if (workbench_start(workbench, &job, error))
        return true;
    calibrate_run_free(run);
    return false;
}

static bool run_cache(struct workbench *workbench, const struct value *values, struct text *output,
                      struct error *error) {
    (void)workbench;
    return calibration_cache_list(output, values[0].given, error);
}

static const char *const cache_actions[] = {"clear", NULL};
static const struct argument cache_arguments[] = {
    {.name = "action",
     .kind = ARGUMENT_CHOICE,
     .choices = cache_actions,
     .positional = true,
     .help = "clear: remove all of it"},
};

const struct command calibrate_commands[] = {
    {"calibrate", NULL, "run text through the model and find out what matters",
     "Runs text through the dense model block by block and gathers, for every distinct input of the matrices, its "
     "moments, its Hessian, its sparsity and its outliers; from them the error that every cut would make. What is "
     "found is shown while it runs and stays when the run is cancelled; the same command then goes on.",
     arguments, sizeof arguments / sizeof *arguments, COMMAND_JOB | COMMAND_SUBCOMMAND, run_calibrate},
    {"cache", NULL, "list the calibrations that are kept, with their sizes, or clear them", NULL, cache_arguments, 1,
     COMMAND_SUBCOMMAND | COMMAND_NO_MODEL, run_cache},
};
const size_t calibrate_command_count = sizeof calibrate_commands / sizeof *calibrate_commands;

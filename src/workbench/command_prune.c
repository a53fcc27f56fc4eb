/* The command that prunes: from its arguments to a plan and a run. */
#include "base/memory.h"
#include "plan/plan_csv.h"
#include "workbench/commands.h"
#include "workbench/prune_run.h"
#include "workbench/run_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    PRUNE_OUT,
    PRUNE_PLAN,
    PRUNE_SPARSITY,
    PRUNE_PATTERN,
    PRUNE_METHOD,
    PRUNE_DTYPE,
    PRUNE_COMPAT,
    PRUNE_FORCE,
    PRUNE_RESUME,
    PRUNE_CALIBRATE,
    PRUNE_WINDOWS,
    PRUNE_LENGTH,
    PRUNE_SEED,
    PRUNE_SEQUENTIAL,
    PRUNE_MEASURE,
    PRUNE_EXPERTS,
    PRUNE_BIAS,
    PRUNE_PERMUTE,
    PRUNE_ROUNDS,
    PRUNE_DAMPING,
    PRUNE_BLOCK,
    PRUNE_BITS,
    PRUNE_ITERATIONS
};

static const char *const global_pattern[] = {"global", NULL};
static const char *const dtypes[] = {"f64", "f32", "f16", "bf16", "f8_e4m3", "f8_e5m2", NULL};
static const char *const conventions[] = {"reference", NULL};
static const char *const experts[] = {"own", "dense", NULL};
static const char *const sequences[] = {"no", "yes", "dense", NULL}; /* in the order of enum prune_sequence */

static const struct argument arguments[] = {
    [PRUNE_OUT] = {.name = "out",
                   .kind = ARGUMENT_FOLDER,
                   .positional = true,
                   .required = true,
                   .help = "the folder to write; it appears whole or not at all"},
    [PRUNE_PLAN] = {.name = "plan", .kind = ARGUMENT_PATH, .help = "prune as this CSV says"},
    [PRUNE_SPARSITY] = {.name = "sparsity",
                        .kind = ARGUMENT_FRACTION,
                        .help = "the fraction of every prunable matrix that goes: 0.5 or 50%"},
    [PRUNE_PATTERN] =
        {.name = "pattern",
         .kind = ARGUMENT_PATTERN,
         .choices = global_pattern,
         .help = "unstructured, row, N:M (keep N of every M), columns:C, tile:RxC, rows, cols; or global: one "
                 "threshold over all matrices"},
    [PRUNE_METHOD] = {.name = "method",
                      .kind = ARGUMENT_TEXT,
                      .list = method_names,
                      .fallback = "magnitude",
                      .help = "how weights are chosen where the plan does not say"},
    [PRUNE_DTYPE] = {.name = "dtype",
                     .kind = ARGUMENT_CHOICE,
                     .choices = dtypes,
                     .help = "the type to store; each tensor's own unless given"},
    [PRUNE_COMPAT] = {.name = "compat",
                      .kind = ARGUMENT_CHOICE,
                      .choices = conventions,
                      .help = "cut as the published scripts do: one weight more, and all ties"},
    [PRUNE_FORCE] = {.name = "force", .kind = ARGUMENT_FLAG, .help = "replace a model that is there already"},
    [PRUNE_RESUME] = {.name = "resume", .kind = ARGUMENT_FLAG, .help = "demand an unfinished run to go on with"},
    [PRUNE_CALIBRATE] = {.name = "calibrate",
                         .kind = ARGUMENT_PATH,
                         .help =
                             "text for methods that need data: a file, a folder, .jsonl or .npy of token ids; or an "
                             "importance matrix, which suffices for wanda, ria and obd"},
    [PRUNE_WINDOWS] = {.name = "windows",
                       .kind = ARGUMENT_INTEGER,
                       .low = 1,
                       .high = 1000000,
                       .help = "windows of that text, at random places; 128 unless given (all of a .npy)"},
    [PRUNE_LENGTH] = {.name = "length",
                      .kind = ARGUMENT_INTEGER,
                      .low = 2,
                      .high = 1000000,
                      .help = "tokens in a window; the smaller of 2048 and the model's limit unless given"},
    [PRUNE_SEED] = {.name = "seed",
                    .kind = ARGUMENT_INTEGER,
                    .low = 0,
                    .high = INT64_MAX,
                    .fallback = "0",
                    .help = "of the random places"},
    [PRUNE_SEQUENTIAL] = {.name = "sequential",
                          .kind = ARGUMENT_CHOICE,
                          .choices = sequences,
                          .fallback = "no",
                          .help =
                              "inputs of a block: from the pruned blocks before it (no), matrix after matrix inside "
                              "it as well (yes), or of the dense model (dense)"},
    [PRUNE_MEASURE] = {.name = "measure",
                       .kind = ARGUMENT_FLAG,
                       .fallback = "yes",
                       .help = "measure the output error of every matrix with the full Hessian"},
    [PRUNE_EXPERTS] = {.name = "experts",
                       .kind = ARGUMENT_CHOICE,
                       .choices = experts,
                       .fallback = "own",
                       .help = "what experts with too few tokens are cut by: their own, or all of their block (dense)"},
    [PRUNE_BIAS] = {.name = "bias",
                    .kind = ARGUMENT_FLAG,
                    .help =
                        "add to each bias what the pruned weights gave on average; only where the model has biases"},
    [PRUNE_PERMUTE] = {.name = "permute",
                       .kind = ARGUMENT_FLAG,
                       .help = "N:M: first put hidden units (and values inside heads) in an order that loses less; the "
                               "model computes the same, rows and columns stand elsewhere"},
    [PRUNE_ROUNDS] = {.name = "rounds",
                      .kind = ARGUMENT_INTEGER,
                      .low = 1,
                      .high = 100,
                      .fallback = "1",
                      .help = "prune each block in that many rounds along a cubic schedule"},
    [PRUNE_DAMPING] = {.name = "damping",
                       .kind = ARGUMENT_NUMBER,
                       .help = "added to the Hessian's diagonal, as a share of its mean; 0.01 unless given"},
    [PRUNE_BLOCK] = {.name = "block",
                     .kind = ARGUMENT_INTEGER,
                     .low = 1,
                     .high = 4096,
                     .help = "columns that sparsegpt chooses among at once; 128 unless given"},
    [PRUNE_BITS] = {.name = "bits",
                    .kind = ARGUMENT_INTEGER,
                    .low = 2,
                    .high = 8,
                    .help = "sparsegpt also rounds the kept weights to that many bits"},
    [PRUNE_ITERATIONS] = {.name = "iterations",
                          .kind = ARGUMENT_INTEGER,
                          .low = 1,
                          .high = 10000,
                          .help = "of an iterative method; its own default unless given"},
};

static void take_data_settings(struct prune_settings *settings, const struct value *values) {
    settings->source = values[PRUNE_CALIBRATE].text;
    settings->corpus.cut = CORPUS_RANDOM;
    settings->corpus.windows = values[PRUNE_WINDOWS].integer;
    settings->corpus.length = values[PRUNE_LENGTH].integer;
    settings->corpus.seed = (uint64_t)values[PRUNE_SEED].integer;
    settings->sequence = (enum prune_sequence)values[PRUNE_SEQUENTIAL].integer;
    settings->measure = values[PRUNE_MEASURE].integer != 0;
    settings->experts_dense = values[PRUNE_EXPERTS].integer != 0;
    settings->bias = values[PRUNE_BIAS].integer != 0;
    settings->permute = values[PRUNE_PERMUTE].integer != 0;
    settings->rounds = (int)values[PRUNE_ROUNDS].integer;
    settings->layer.damping = values[PRUNE_DAMPING].number;
    settings->layer.block = values[PRUNE_BLOCK].integer;
    settings->layer.bits = (int)values[PRUNE_BITS].integer;
    settings->layer.iterations = (int)values[PRUNE_ITERATIONS].integer;
}

static bool take_settings(struct prune_settings *settings, const struct value *values, struct error *error) {
    memset(settings, 0, sizeof *settings);
    const char *pattern = values[PRUNE_PATTERN].text;
    settings->global = pattern != NULL && strcmp(pattern, global_pattern[0]) == 0;
    if (settings->global)
        settings->pattern.kind = PATTERN_UNSTRUCTURED;
    else if (pattern != NULL && !pattern_parse(&settings->pattern, pattern, error))
        return false;
    if (strlen(values[PRUNE_METHOD].text) >= sizeof settings->method)
        return error_set(error, ERROR_USAGE, "there is no method \"%s\"", values[PRUNE_METHOD].text);
    (void)snprintf(settings->method, sizeof settings->method, "%s", values[PRUNE_METHOD].text);
    settings->narrow = values[PRUNE_DTYPE].given;
    if (settings->narrow)
        (void)dtype_from_name(&settings->dtype, values[PRUNE_DTYPE].text);
    settings->reference = values[PRUNE_COMPAT].given;
    settings->force = values[PRUNE_FORCE].integer != 0;
    settings->resume = values[PRUNE_RESUME].integer != 0;
    take_data_settings(settings, values);
    return true;
}

/* The one target of all prunable matrices that sparsity= and an N:M pattern= ask for. */
static bool uniform_target(struct target *target, const struct prune_settings *settings, const struct value *sparsity,
                           struct error *error) {
    bool n_of_m = settings->pattern.kind == PATTERN_N_M;
    double fixed = n_of_m ? 1 - (double)settings->pattern.n / settings->pattern.m : 0;
    *target = plan_default_target();
    target->pattern = settings->pattern;
    target->sparsity = sparsity->given ? sparsity->number : fixed;
    if (n_of_m && fabs(target->sparsity - fixed) > 1e-6)
        return error_set(error, ERROR_USAGE, "keep %d of %d is a sparsity of %.4g, not %.4g: leave sparsity out",
                         settings->pattern.n, settings->pattern.m, fixed, target->sparsity);
    return true;
}

static bool set_uniform(struct plan *plan, const struct prune_settings *settings, const struct value *sparsity,
                        struct error *error) {
    struct target target;
    if (!uniform_target(&target, settings, sparsity, error) || !plan_begin(plan, "uniform", error))
        return false;
    const struct model *model = plan_model(plan);
    bool ok = true;
    for (size_t i = 0; ok && i < model->matrix_count; i++)
        if (model->matrices[i].prunable)
            ok = plan_set(plan, i, &target, error);
    plan_end(plan);
    return ok;
}

static bool plan_is_empty(const struct plan *plan) {
    struct plan_totals totals;
    plan_totals(&totals, plan);
    return totals.pruned == 0;
}

/* The plan of the run, from the arguments or else the plan under work. NULL with an error. */
static struct plan *make_plan(struct workbench *workbench, const struct prune_settings *settings,
                              const struct value *values, struct error *error) {
    if (values[PRUNE_PLAN].given && values[PRUNE_SPARSITY].given) {
        (void)error_set(error, ERROR_USAGE, "give either plan or sparsity: a plan holds the sparsity of every matrix");
        return NULL;
    }
    struct plan *plan = plan_copy(workbench->plan, error);
    bool ok = plan != NULL;
    if (ok && values[PRUNE_PLAN].given)
        ok = plan_csv_read(plan, values[PRUNE_PLAN].text, error);
    else if (ok && (values[PRUNE_SPARSITY].given || (settings->pattern.kind == PATTERN_N_M && plan_is_empty(plan))))
        ok = set_uniform(plan, settings, &values[PRUNE_SPARSITY], error);
    if (ok)
        return plan;
    plan_free(plan);
    return NULL;
}

static bool work(void *context, struct progress *progress, struct error *error) {
    return prune_run_work(context, progress, error);
}

static void finished(void *context, bool ok, const struct error *error) {
    struct prune_run *run = context;
    (void)error;
    if (ok) {
        prune_run_say(run, &run->workbench->results);
        text_clear(&run->workbench->prune_table);
        prune_run_table(run, &run->workbench->prune_table);
    }
    prune_run_free(run);
}

/* Users expect zeros to make a file smaller; a dense format does not. */
static void say_size(struct text *output, const struct plan *plan) {
    struct plan_totals totals;
    char dense[TEXT_NUMBER_SIZE];
    char compressed[TEXT_NUMBER_SIZE];
    plan_totals(&totals, plan);
    text_add(output,
             "the files stay at %s: zeros take as much room as other weights in a dense format; stored sparse they "
             "would take about %s\n",
             text_bytes(dense, (double)totals.dense_bytes), text_bytes(compressed, totals.compressed_bytes));
}

static bool run_prune(struct workbench *workbench, const struct value *values, struct text *output,
                      struct error *error) {
    struct prune_settings settings;
    if (!take_settings(&settings, values, error))
        return false;
    settings.compute = run_compute(&workbench->settings, workbench->model, settings.reference);
    struct plan *plan = make_plan(workbench, &settings, values, error);
    if (plan == NULL)
        return false;
    struct prune_run *run = prune_run_create(workbench, plan, &settings, values[PRUNE_OUT].text, error);
    if (run == NULL)
        return false;
    struct job_work job = {.name = "prune", .run = work, .finish = finished, .context = run};
    (void)snprintf(job.title, sizeof job.title, "%s into %s", settings.method, run->target);
    if (!workbench->settings.csv)
        say_size(output, run->plan);
    if (workbench_start(workbench, &job, error))
        return true;
    prune_run_free(run);
    return false;
}

const struct command prune_commands[] = {
    {"prune", NULL, "write a pruned copy of the model",
     "Prunes as the plan says, or every prunable matrix alike where sparsity or an N:M pattern is given. The copy has "
     "the "
     "same names, types, shards and order; tensors that are not pruned are the same byte for byte; config.json, the "
     "tokenizer and other small files are copied; secateur.json says what was done. Every tensor is read back and "
     "verified before the folder gets its name. A run that was stopped goes on when the same command is given again; "
     "with "
     "other settings it refuses, unless force is given.",
     arguments, sizeof arguments / sizeof *arguments, COMMAND_JOB | COMMAND_SUBCOMMAND, run_prune},
};
const size_t prune_command_count = sizeof prune_commands / sizeof *prune_commands;

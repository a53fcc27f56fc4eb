/* Commands that propose targets: allocate, suggest. */
#include "base/memory.h"
#include "plan/selector.h"
#include "workbench/allocate_run.h"
#include "workbench/commands.h"
#include "workbench/suggest.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALLOCATE_STRATEGY,
    ALLOCATE_SPARSITY,
    ALLOCATE_SELECTOR,
    ALLOCATE_BYTES,
    ALLOCATE_PERPLEXITY,
    ALLOCATE_FLOPS,
    ALLOCATE_FORMAT,
    ALLOCATE_GRADIENTS,
    ALLOCATE_PARAMETER,
    ALLOCATE_GROUP,
    ALLOCATE_CALIBRATE,
    ALLOCATE_OUT
};

static const char *const formats[] = {"stored", "f32", "f16", "bf16", "f8_e4m3", NULL};
static const char *const groups[] = {"none", "4", "8", NULL};

static const struct argument allocate_arguments[] = {
    [ALLOCATE_STRATEGY] = {.name = "strategy",
                           .kind = ARGUMENT_CHOICE,
                           .positional = true,
                           .required = true,
                           .list = strategy_names,
                           .help = "the rule"},
    [ALLOCATE_SPARSITY] = {.name = "sparsity",
                           .kind = ARGUMENT_FRACTION,
                           .positional = true,
                           .help = "of all prunable weights together: 0.6, 60%"},
    [ALLOCATE_SELECTOR] = {.name = "selector",
                           .kind = ARGUMENT_SELECTOR,
                           .positional = true,
                           .help = "which matrices are set; the others stay and count: mlp.*, tagged"},
    [ALLOCATE_BYTES] = {.name = "bytes",
                        .kind = ARGUMENT_BYTES,
                        .help = "instead of sparsity: bytes of the model with zeros stored sparse"},
    [ALLOCATE_PERPLEXITY] = {.name = "perplexity",
                             .kind = ARGUMENT_NUMBER,
                             .help = "instead of sparsity: as much as this forecast perplexity allows"},
    [ALLOCATE_FLOPS] = {.name = "flops",
                        .kind = ARGUMENT_NUMBER,
                        .help = "instead of sparsity: operations per token in products with kept weights: 2e9"},
    [ALLOCATE_FORMAT] = {.name = "format",
                         .kind = ARGUMENT_CHOICE,
                         .fallback = "stored",
                         .choices = formats,
                         .help = "what bytes= counts weights in; stored: as the model's files have them"},
    [ALLOCATE_GRADIENTS] = {.name = "gradients",
                            .kind = ARGUMENT_PATH,
                            .help = "safetensors with the loss's gradients, for fisher"},
    [ALLOCATE_PARAMETER] = {.name = "parameter", .kind = ARGUMENT_NUMBER, .help = "the strategy's one number"},
    [ALLOCATE_GROUP] = {.name = "group",
                        .kind = ARGUMENT_CHOICE,
                        .fallback = "none",
                        .choices = groups,
                        .help = "4 or 8: keep N of that many everywhere, N chosen for each matrix (knapsack)"},
    [ALLOCATE_CALIBRATE] = {.name = "calibrate", .kind = ARGUMENT_PATH, .help = "calibrate on this text first"},
    [ALLOCATE_OUT] = {.name = "out", .kind = ARGUMENT_PATH, .letter = 'o', .help = "write the plan as CSV"},
};

static bool take_budget(struct allocate_settings *settings, const struct value *values, struct error *error) {
    static const size_t given[] = {ALLOCATE_SPARSITY, ALLOCATE_BYTES, ALLOCATE_PERPLEXITY, ALLOCATE_FLOPS};
    size_t count = 0;
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        if (!values[given[i]].given)
            continue;
        settings->unit = (enum budget_unit)i;
        settings->budget = i == BUDGET_BYTES ? (double)values[given[i]].integer : values[given[i]].number;
        count++;
    }
    if (count != 1)
        return error_set(error, ERROR_USAGE, "give one budget: a sparsity, bytes=, flops= or perplexity=");
    int64_t format = values[ALLOCATE_FORMAT].integer;
    settings->formatted = format > 0 && dtype_from_name(&settings->format, formats[format]);
    return format == 0 || settings->unit == BUDGET_BYTES ||
           error_set(error, ERROR_USAGE, "format= says what bytes= counts in; give bytes=");
}

static bool take_group(struct allocate_settings *settings, const struct value *value, struct error *error) {
    static const int sizes[] = {0, 4, 8};
    settings->group = sizes[value->integer];
    if (settings->group == 0 || strcmp(settings->strategy->name, "knapsack") == 0)
        return true;
    return error_set(error, ERROR_USAGE, "group=%d chooses N by forecast error: only with knapsack, not %s",
                     settings->group, settings->strategy->name);
}

static bool take_paths(struct allocate_settings *settings, const struct value *values, struct error *error) {
    const char *text = values[ALLOCATE_CALIBRATE].text;
    const char *out = values[ALLOCATE_OUT].text;
    const char *gradients = values[ALLOCATE_GRADIENTS].text;
    return (text == NULL || (settings->calibrate = memory_copy_string(text, error)) != NULL) &&
           (gradients == NULL || (settings->gradients = memory_copy_string(gradients, error)) != NULL) &&
           (out == NULL || (settings->out = memory_copy_string(out, error)) != NULL);
}

static bool take_settings(struct allocate_settings *settings, const struct workbench *workbench,
                          const struct value *values, struct error *error) {
    const char *selector = values[ALLOCATE_SELECTOR].text;
    settings->strategy = strategy_find(values[ALLOCATE_STRATEGY].text);
    settings->parameter = values[ALLOCATE_PARAMETER].given ? values[ALLOCATE_PARAMETER].number : NAN;
    if (values[ALLOCATE_PARAMETER].given && settings->strategy->parameter == NULL)
        return error_set(error, ERROR_USAGE, "%s has no parameter", settings->strategy->name);
    return take_budget(settings, values, error) && take_group(settings, &values[ALLOCATE_GROUP], error) &&
           take_paths(settings, values, error) &&
           (selector == NULL ||
            selector_match(&settings->matrices, &settings->count, workbench->plan, selector, error));
}

static bool work(void *context, struct progress *progress, struct error *error) {
    return allocate_run_work(context, progress, error);
}

static void finished(void *context, bool ok, const struct error *error) {
    struct allocate_run *run = context;
    struct error fault = {0};
    (void)error;
    if (ok && !allocate_run_apply(run, &run->workbench->results, &fault))
        text_add(&run->workbench->results, "%s\n", fault.text);
    allocate_run_free(run);
}

static bool start(struct allocate_run *run, struct error *error) {
    struct job_work job = {.name = "allocate", .run = work, .finish = finished, .context = run};
    (void)snprintf(job.title, sizeof job.title, "allocate %s", run->settings.strategy->name);
    if (workbench_start(run->workbench, &job, error))
        return true;
    allocate_run_free(run);
    return false;
}

static bool run_allocate(struct workbench *workbench, const struct value *values, struct text *output,
                         struct error *error) {
    struct allocate_settings settings = {0};
    if (!take_settings(&settings, workbench, values, error)) {
        allocate_settings_free(&settings);
        return false;
    }
    struct allocate_run *run = allocate_run_create(workbench, &settings, error);
    if (run == NULL)
        return false;
    if (allocate_run_is_long(run))
        return start(run, error);
    bool ok = allocate_run_work(run, NULL, error) && allocate_run_apply(run, output, error);
    allocate_run_free(run);
    return ok;
}

static const struct argument suggest_arguments[] = {
    {.name = "count",
     .kind = ARGUMENT_INTEGER,
     .positional = true,
     .fallback = "5",
     .low = 1,
     .high = 50,
     .help = "how many moves"},
};

static bool run_suggest(struct workbench *workbench, const struct value *values, struct text *output,
                        struct error *error) {
    return suggest_moves(output, workbench, (size_t)values[0].integer, error);
}

const struct command allocate_commands[] = {
    {"allocate", NULL, "fill the plan by a strategy for a global budget",
     "Sets every unlocked prunable matrix, or those of the selector, so that all prunable weights together have the "
     "budget's sparsity; bounds and locks hold, and what a bound takes away goes to the others. One undo step. "
     "Strategies that go by activations need :calibrate before, or calibrate=TEXT here.",
     allocate_arguments, sizeof allocate_arguments / sizeof *allocate_arguments,
     COMMAND_EDIT | COMMAND_JOB | COMMAND_SUBCOMMAND, run_allocate},
    {"suggest", NULL, "name the moves between two matrices that would lower the forecast error most", NULL,
     suggest_arguments, 1, 0, run_suggest},
};
const size_t allocate_command_count = sizeof allocate_commands / sizeof *allocate_commands;

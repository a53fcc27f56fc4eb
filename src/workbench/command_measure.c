/* Commands about what a cut costs the whole model: measure, forecast. */
#include "base/memory.h"
#include "plan/selector.h"
#include "prune/method.h"
#include "workbench/commands.h"
#include "workbench/forecast_record.h"
#include "workbench/knowledge.h"
#include "workbench/measure_run.h"
#include "workbench/run_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MEASURE_SOURCE, MEASURE_WINDOWS, MEASURE_LENGTH, MEASURE_METHOD, MEASURE_MATRICES, MEASURE_AROUND };

static const struct argument measure_arguments[] = {
    [MEASURE_SOURCE] = {.name = "source",
                        .kind = ARGUMENT_PATH,
                        .positional = true,
                        .required = true,
                        .help = "the text to measure losses on"},
    [MEASURE_WINDOWS] = {.name = "windows",
                         .kind = ARGUMENT_INTEGER,
                         .low = 2,
                         .high = 1 << 16,
                         .fallback = "8",
                         .help = "how many windows of text, from its start"},
    [MEASURE_LENGTH] = {.name = "length",
                        .kind = ARGUMENT_INTEGER,
                        .low = 0,
                        .high = 1 << 24,
                        .fallback = "0",
                        .help = "tokens in a window; 0: the smaller of 256 and the model's limit"},
    [MEASURE_METHOD] = {.name = "method",
                        .kind = ARGUMENT_TEXT,
                        .list = method_names,
                        .fallback = "wanda",
                        .help = "how weights are chosen: one that needs no full Hessian"},
    [MEASURE_MATRICES] = {.name = "matrices",
                          .kind = ARGUMENT_SELECTOR,
                          .fallback = "all",
                          .help = "which matrices are cut one by one"},
    [MEASURE_AROUND] = {.name = "around",
                        .kind = ARGUMENT_FRACTION,
                        .help = "also move each matrix while all others stand at this sparsity: what knapsack goes by "
                                "near that budget"},
};

static bool take_settings(struct measure_settings *settings, const struct workbench *workbench,
                          const struct value *values, struct error *error) {
    memset(settings, 0, sizeof *settings);
    int64_t limit = workbench->model->architecture.positions;
    int64_t length = values[MEASURE_LENGTH].integer;
    if (length == 0)
        length = limit > 0 && limit < 256 ? limit : 256;
    settings->corpus =
        (struct corpus_options){.cut = CORPUS_SEQUENTIAL, .windows = values[MEASURE_WINDOWS].integer, .length = length};
    settings->around = values[MEASURE_AROUND].given ? values[MEASURE_AROUND].number : 0;
    if (settings->around >= 1)
        return error_set(error, ERROR_USAGE, "around= should be a sparsity below 100 %%");
    settings->compute = run_compute(&workbench->settings, workbench->model, true);
    if (strlen(values[MEASURE_METHOD].text) >= sizeof settings->method)
        return error_set(error, ERROR_USAGE, "there is no method \"%s\"", values[MEASURE_METHOD].text);
    (void)snprintf(settings->method, sizeof settings->method, "%s", values[MEASURE_METHOD].text);
    settings->source = memory_copy_string(values[MEASURE_SOURCE].text, error);
    return settings->source != NULL &&
           selector_match(&settings->matrices, &settings->count, workbench->plan, values[MEASURE_MATRICES].text, error);
}

static bool work(void *context, struct progress *progress, struct error *error) {
    return measure_run_work(context, progress, error);
}

static void finished(void *context, bool ok, const struct error *error) {
    struct measure_run *run = context;
    (void)error;
    if (ok)
        text_add(&run->workbench->results,
                 "measured: %zu plans, %zu cuts of single matrices and %zu slopes on %llu tokens\n", run->plans,
                 run->losses, run->slopes, (unsigned long long)run->corpus.windows * run->corpus.length);
    if (ok && run->known_plans + run->known_matrices > 0)
        text_add(&run->workbench->results, "%zu plans and %zu matrices of these were measured before\n",
                 run->known_plans, run->known_matrices);
    measure_run_free(run);
}

static bool run_measure(struct workbench *workbench, const struct value *values, struct text *output,
                        struct error *error) {
    struct measure_settings settings;
    (void)output;
    if (!take_settings(&settings, workbench, values, error)) {
        measure_settings_free(&settings);
        return false;
    }
    struct measure_run *run = measure_run_create(workbench, &settings, error);
    if (run == NULL)
        return false;
    struct job_work job = {.name = "measure", .run = work, .finish = finished, .context = run};
    (void)snprintf(job.title, sizeof job.title, "measure losses on %s", run->settings.source);
    if (workbench_start(workbench, &job, error))
        return true;
    measure_run_free(run);
    return false;
}

static bool run_forecast(struct workbench *workbench, const struct value *values, struct text *output,
                         struct error *error) {
    struct forecast forecast;
    (void)values;
    if (!knowledge_forecast(workbench, &forecast, NULL))
        return error_set(error, ERROR_USAGE, "a forecast needs a calibrated model: calibrate SOURCE comes first");
    if (!forecast.error_known)
        text_add(output, "forecast: some matrices of the plan have not been calibrated\n");
    else
        text_add(output, "forecast: relative output errors add up to %.4g%s\n", forecast.total_error,
                 forecast.estimated ? " (some estimated from diagonals)" : "");
    if (forecast.change_known && isfinite(forecast.perplexity))
        text_add(output, "forecast: perplexity %.4g (%.4g to %.4g with 90 %%), from %zu measured plans\n",
                 forecast.perplexity, forecast.perplexity_low, forecast.perplexity_high, forecast.measured);
    else
        text_add(output, "perplexity is not forecast before losses are measured: measure SOURCE\n");
    forecast_record_table(output);
    return true;
}

const struct command measure_commands[] = {
    {"measure", NULL, "measure what the model loses when matrices are cut, for the forecast",
     "Cuts every matrix alone by 70 and 85 %, all of them alike by 20 to 70 %, unevenly, and as knapsack would, and "
     "runs a few windows through what is left: the forecast of perplexity rests on these. Nothing is written; what was "
     "measured stays when the run is cancelled or killed, and the same command goes on behind it.",
     measure_arguments, sizeof measure_arguments / sizeof *measure_arguments, COMMAND_JOB, run_measure},
    {"forecast", NULL, "print what the plan is expected to cost", NULL, NULL, 0, 0, run_forecast},
};
const size_t measure_command_count = sizeof measure_commands / sizeof *measure_commands;

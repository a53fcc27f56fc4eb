/* The command that improves the plan by measuring. */
#include "base/memory.h"
#include "prune/method.h"
#include "workbench/commands.h"
#include "workbench/search.h"
#include <stdio.h>
#include <string.h>

enum {
    IMPROVE_SOURCE,
    IMPROVE_METHOD,
    IMPROVE_WINDOWS,
    IMPROVE_LENGTH,
    IMPROVE_GENERATIONS,
    IMPROVE_OFFSPRING,
    IMPROVE_SEED
};

static const struct argument arguments[] = {
    [IMPROVE_SOURCE] = {.name = "source",
                        .kind = ARGUMENT_PATH,
                        .positional = true,
                        .required = true,
                        .help = "text to measure on; not the text that the result is judged by"},
    [IMPROVE_METHOD] = {.name = "method",
                        .kind = ARGUMENT_TEXT,
                        .list = method_names,
                        .fallback = "wanda",
                        .help = "for targets that name none; one that needs no Hessian"},
    [IMPROVE_WINDOWS] = {.name = "windows",
                         .kind = ARGUMENT_INTEGER,
                         .fallback = "64",
                         .low = 1,
                         .high = 1000000,
                         .help = "of text in the last stage; the first two take a 32nd and a quarter"},
    [IMPROVE_LENGTH] = {.name = "length",
                        .kind = ARGUMENT_INTEGER,
                        .fallback = "0",
                        .low = 0,
                        .high = 1 << 24,
                        .help = "tokens in a window; 0: 2048 or the model's position limit"},
    [IMPROVE_GENERATIONS] = {.name = "generations",
                             .kind = ARGUMENT_INTEGER,
                             .fallback = "50",
                             .low = 1,
                             .high = 1000000,
                             .help = "how many; it can be stopped at any time and keeps the best"},
    [IMPROVE_OFFSPRING] = {.name = "offspring",
                           .kind = ARGUMENT_INTEGER,
                           .fallback = "16",
                           .low = 1,
                           .high = 1024,
                           .help = "plans tried in a generation"},
    [IMPROVE_SEED] = {.name = "seed",
                      .kind = ARGUMENT_INTEGER,
                      .fallback = "0",
                      .low = 0,
                      .high = INT64_MAX,
                      .help = "of the moves and of the text"},
};

static bool work(void *context, struct progress *progress, struct error *error) {
    return search_work(context, progress, error);
}

/* What was found before it was stopped is kept as well. */
static void finished(void *context, bool ok, const struct error *error) {
    struct search *search = context;
    struct text *results = &search->workbench->results;
    struct error fault = {0};
    bool stopped = !ok && error != NULL && error->code == ERROR_CANCELLED && search->evaluations > 0;
    if ((ok || stopped) && !search_apply(search, results, &fault))
        text_add(results, "%s\n", fault.text);
    search_free(search);
}

static bool run_improve(struct workbench *workbench, const struct value *values, struct text *output,
                        struct error *error) {
    struct plan_totals totals;
    struct search_settings settings = {.windows = values[IMPROVE_WINDOWS].integer,
                                       .length = values[IMPROVE_LENGTH].integer,
                                       .generations = values[IMPROVE_GENERATIONS].integer,
                                       .offspring = values[IMPROVE_OFFSPRING].integer,
                                       .seed = (uint64_t)values[IMPROVE_SEED].integer};
    (void)output;
    plan_totals(&totals, workbench->plan);
    if (!workbench->model->architecture_known) {
        *error = workbench->model->architecture_error;
        return false;
    }
    if (totals.pruned == 0)
        return error_set(error, ERROR_USAGE,
                         "the plan prunes nothing yet; start from a strategy: allocate knapsack 60%%");
    if (strlen(values[IMPROVE_METHOD].text) >= sizeof settings.method)
        return error_set(error, ERROR_USAGE, "there is no method \"%s\"", values[IMPROVE_METHOD].text);
    (void)snprintf(settings.method, sizeof settings.method, "%s", values[IMPROVE_METHOD].text);
    settings.source = memory_copy_string(values[IMPROVE_SOURCE].text, error);
    if (settings.source == NULL)
        return false;
    struct search *search = search_create(workbench, &settings, error);
    if (search == NULL)
        return false;
    struct job_work job = {.name = "search", .run = work, .finish = finished, .context = search};
    (void)snprintf(job.title, sizeof job.title, "search on %s", search->settings.source);
    if (workbench_start(workbench, &job, error))
        return true;
    search_free(search);
    return false;
}

const struct command improve_commands[] = {
    {"improve", NULL, "improve the plan by measuring what it does to the model",
     "Moves weights between the unlocked unstructured matrices, as many as before in all, and keeps what lowers the KL "
     "divergence to the dense model (after EvoPress, arXiv 2410.14649). Plans are tried on little text first, the best "
     "of them on more. It can be stopped at any time: the best so far becomes the plan, and improving again goes on "
     "from there.",
     arguments, sizeof arguments / sizeof *arguments, COMMAND_JOB, run_improve},
};
const size_t improve_command_count = sizeof improve_commands / sizeof *improve_commands;

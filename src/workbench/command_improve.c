/* The command that improves the plan by measuring. */
#include "base/memory.h"
#include "plan/allocate.h"
#include "prune/method.h"
#include "workbench/commands.h"
#include "workbench/search.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    IMPROVE_SOURCE,
    IMPROVE_METHOD,
    IMPROVE_WINDOWS,
    IMPROVE_LENGTH,
    IMPROVE_GENERATIONS,
    IMPROVE_OFFSPRING,
    IMPROVE_SEED,
    IMPROVE_ARGUMENTS,
    SEARCH_FROM = IMPROVE_ARGUMENTS,
    SEARCH_SPARSITY,
    SEARCH_CALIBRATE,
    SEARCH_OUT
};

/* Where a search may begin: the strategies, and two words more. */
static const char *const *start_names(void) {
    static const char *names[32] = {"best", "plan"};
    const char *const *strategies = strategy_names();
    for (size_t i = 0; i < 29 && strategies[i] != NULL; i++)
        names[2 + i] = strategies[i];
    return names;
}

static const struct argument arguments[] = {
    [IMPROVE_SOURCE] = {.name = "source",
                        .kind = ARGUMENT_PATH,
                        .positional = true,
                        .required = true,
                        .help = "text to measure on; not the text that the result is judged by"},
    [IMPROVE_METHOD] =
        {.name = "method",
         .kind = ARGUMENT_TEXT,
         .list = method_names,
         .fallback = "wanda",
         .help = "for targets that name none; one that needs full Hessians keeps those of all blocks in memory"},
    [IMPROVE_WINDOWS] = {.name = "windows",
                         .kind = ARGUMENT_INTEGER,
                         .fallback = "64",
                         .low = 1,
                         .high = 1000000,
                         .help = "of text in the last stage; the first two take an eighth and a half"},
    [IMPROVE_LENGTH] = {.name = "length",
                        .kind = ARGUMENT_INTEGER,
                        .fallback = "0",
                        .low = 0,
                        .high = 1 << 24,
                        .help = "tokens in a window; 0: 2048 or the model's position limit"},
    [IMPROVE_GENERATIONS] = {.name = "generations",
                             .kind = ARGUMENT_INTEGER,
                             .fallback = "50",
                             .low = 0,
                             .high = 1000000,
                             .help =
                                 "how many (0: what it begins with); it can be stopped at any time and keeps the best"},
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
    [SEARCH_FROM] = {.name = "from",
                     .kind = ARGUMENT_CHOICE,
                     .list = start_names,
                     .fallback = "best",
                     .help = "a strategy, the best of them by measured loss, or the plan as it is"},
    [SEARCH_SPARSITY] = {.name = "sparsity",
                         .kind = ARGUMENT_FRACTION,
                         .help = "of all prunable weights together: 0.6, 60%; not with from=plan"},
    [SEARCH_CALIBRATE] = {.name = "calibrate", .kind = ARGUMENT_PATH, .help = "calibrate on this text first"},
    [SEARCH_OUT] = {.name = "out", .kind = ARGUMENT_PATH, .letter = 'o', .help = "write the plan as CSV"},
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

static bool check(const struct workbench *workbench, const struct search_settings *settings, struct error *error) {
    struct plan_totals totals;
    plan_totals(&totals, workbench->plan);
    if (!workbench->model->architecture_known) {
        *error = workbench->model->architecture_error;
        return false;
    }
    if (strcmp(settings->from, "plan") != 0)
        return !isnan(settings->budget) || error_set(error, ERROR_USAGE, "search needs a budget: sparsity=60%%");
    return totals.pruned > 0 ||
           error_set(error, ERROR_USAGE, "the plan prunes nothing yet; start from a strategy: allocate knapsack 60%%");
}

static bool copy_name(char *out, size_t size, const char *name, const char *what, struct error *error) {
    if (strlen(name) >= size)
        return error_set(error, ERROR_USAGE, "there is no %s \"%s\"", what, name);
    (void)snprintf(out, size, "%s", name);
    return true;
}

static bool copy_path(char **out, const struct value *value, struct error *error) {
    return value->text == NULL || (*out = memory_copy_string(value->text, error)) != NULL;
}

static bool take_settings(struct search_settings *settings, const struct value *values, struct error *error) {
    *settings = (struct search_settings){.windows = values[IMPROVE_WINDOWS].integer,
                                         .length = values[IMPROVE_LENGTH].integer,
                                         .generations = values[IMPROVE_GENERATIONS].integer,
                                         .offspring = values[IMPROVE_OFFSPRING].integer,
                                         .seed = (uint64_t)values[IMPROVE_SEED].integer,
                                         .budget = NAN};
    return copy_name(settings->method, sizeof settings->method, values[IMPROVE_METHOD].text, "method", error) &&
           copy_path(&settings->source, &values[IMPROVE_SOURCE], error);
}

/* Takes over settings. */
static bool start(struct workbench *workbench, struct search_settings *settings, struct error *error) {
    if (!check(workbench, settings, error)) {
        search_settings_free(settings);
        return false;
    }
    struct search *search = search_create(workbench, settings, error);
    if (search == NULL)
        return false;
    struct job_work job = {.name = "search", .run = work, .finish = finished, .context = search};
    (void)snprintf(job.title, sizeof job.title, "search on %s", search->settings.source);
    if (workbench_start(workbench, &job, error))
        return true;
    search_free(search);
    return false;
}

static bool run_improve(struct workbench *workbench, const struct value *values, struct text *output,
                        struct error *error) {
    struct search_settings settings;
    (void)output;
    if (take_settings(&settings, values, error) &&
        copy_name(settings.from, sizeof settings.from, "plan", "start", error))
        return start(workbench, &settings, error);
    search_settings_free(&settings);
    return false;
}

static bool run_search(struct workbench *workbench, const struct value *values, struct text *output,
                       struct error *error) {
    struct search_settings settings;
    (void)output;
    if (!take_settings(&settings, values, error) ||
        !copy_name(settings.from, sizeof settings.from, values[SEARCH_FROM].text, "start", error) ||
        !copy_path(&settings.calibrate, &values[SEARCH_CALIBRATE], error) ||
        !copy_path(&settings.out, &values[SEARCH_OUT], error)) {
        search_settings_free(&settings);
        return false;
    }
    if (values[SEARCH_SPARSITY].given)
        settings.budget = values[SEARCH_SPARSITY].number;
    return start(workbench, &settings, error);
}

const struct command improve_commands[] = {
    {"improve", NULL, "improve the plan by measuring what it does to the model",
     "Moves weights between the unlocked unstructured matrices, as many as before in all, and keeps what lowers the KL "
     "divergence to the dense model (after EvoPress, arXiv 2410.14649). Plans are tried on little text first, the best "
     "of them on more, and what wins has to be no worse than the beginning on text held back (a quarter as many "
     "windows "
     "more). It can be stopped at any time: the best so far becomes the plan, and improving again goes on "
     "from there.",
     arguments, IMPROVE_ARGUMENTS, COMMAND_JOB, run_improve},
    {"search-plan", NULL, "find a plan for a budget: the best of the strategies, improved by measuring",
     "Measures what every strategy proposes for sparsity=, begins with the best and goes on as improve does. What is "
     "found is never worse on this text than any strategy's plan.",
     arguments, sizeof arguments / sizeof *arguments, COMMAND_JOB | COMMAND_SUBCOMMAND, run_search},
};
const size_t improve_command_count = sizeof improve_commands / sizeof *improve_commands;

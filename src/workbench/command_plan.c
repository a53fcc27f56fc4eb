/* Commands that change, keep and take back the plan. */
#include "base/memory.h"
#include "plan/allocate.h"
#include "plan/plan_csv.h"
#include "prune/method.h"
#include "tensor/summary.h"
#include "workbench/commands.h"
#include "workbench/edit.h"
#include "workbench/session.h"
#include <stdio.h>
#include <string.h>

/* ---- targets ---- */

/* A method that cannot work with its pattern is refused here, not when hours of calibration are over. */
static bool check_method(const struct target *target, struct error *error) {
    struct method_chain chain;
    return target->method[0] == '\0' ||
           (method_parse(&chain, target->method, error) && method_accepts(&chain, target->pattern, error));
}

static bool take_pattern(struct target *target, const char *text, struct error *error) {
    if (text == NULL)
        return true;
    if (!pattern_parse(&target->pattern, text, error))
        return false;
    if (target->pattern.kind == PATTERN_N_M && target->sparsity == 0)
        target->sparsity = 1 - (double)target->pattern.n / target->pattern.m;
    return true;
}

static bool take_method(struct target *target, const char *text, struct error *error) {
    if (text == NULL)
        return true;
    if (strlen(text) >= sizeof target->method)
        return error_set(error, ERROR_USAGE, "the method's name has more than %zu letters", sizeof target->method - 1);
    (void)snprintf(target->method, sizeof target->method, "%s", strcmp(text, "default") == 0 ? "" : text);
    return true;
}

static bool change_target(struct target *target, const struct value *values, struct error *error) {
    if (!take_pattern(target, values[2].text, error) || !take_method(target, values[3].text, error))
        return false;
    target->sparsity = edit_sparsity(target->sparsity, &values[1]);
    return check_method(target, error);
}

static bool run_set(struct workbench *workbench, const struct value *values, struct text *output, struct error *error) {
    static const struct edit edit = {.change = change_target, .moves = false};
    return edit_selected(workbench, values[0].text, values, &edit, output, error);
}

/* From the statistics, which a running scan may just be filling in. */
static bool change_to_threshold(struct target *target, struct workbench *workbench, size_t matrix,
                                const struct value *values, struct error *error) {
    (void)pthread_mutex_lock(&workbench->mutex);
    const struct summary *summary = workbench->summaries[matrix];
    if (summary != NULL)
        target->sparsity = summary_fraction_below(summary, values[1].number);
    (void)pthread_mutex_unlock(&workbench->mutex);
    return summary != NULL ||
           error_set(error, ERROR_USAGE, "the weights of %s have not been scanned yet; stat scans them",
                     workbench->model->matrices[matrix].name);
}

static bool run_threshold(struct workbench *workbench, const struct value *values, struct text *output,
                          struct error *error) {
    static const struct edit edit = {.change_matrix = change_to_threshold};
    if (values[1].number < 0)
        return error_set(error, ERROR_USAGE, "a threshold on |w| is not negative");
    return edit_selected(workbench, values[0].text, values, &edit, output, error);
}

static bool change_pattern(struct target *target, const struct value *values, struct error *error) {
    return take_pattern(target, values[1].text, error) && check_method(target, error);
}

static bool run_pattern(struct workbench *workbench, const struct value *values, struct text *output,
                        struct error *error) {
    static const struct edit edit = {.change = change_pattern, .moves = true};
    return edit_selected(workbench, values[0].text, values, &edit, output, error);
}

static bool change_method(struct target *target, const struct value *values, struct error *error) {
    return take_method(target, values[1].text, error) && check_method(target, error);
}

static bool run_method(struct workbench *workbench, const struct value *values, struct text *output,
                       struct error *error) {
    static const struct edit edit = {.change = change_method, .moves = true};
    return edit_selected(workbench, values[0].text, values, &edit, output, error);
}

static bool change_bounds(struct target *target, const struct value *values, struct error *error) {
    (void)error;
    target->low = values[1].number;
    target->high = values[2].number;
    return true;
}

static bool run_bounds(struct workbench *workbench, const struct value *values, struct text *output,
                       struct error *error) {
    static const struct edit edit = {.change = change_bounds, .moves = true};
    return edit_selected(workbench, values[0].text, values, &edit, output, error);
}

static bool run_reset(struct workbench *workbench, const struct value *values, struct text *output,
                      struct error *error) {
    struct target target = plan_default_target();
    (void)values;
    (void)output;
    plan_set_budget(workbench->plan, false, 0);
    for (size_t i = 0; i < workbench->model->matrix_count; i++)
        if (!plan_set(workbench->plan, i, &target, error))
            return false;
    return true;
}

/* ---- budget ---- */

/* "off", "now", "toggle" or a sparsity. */
static bool read_budget(bool *on, double *sparsity, const struct plan *plan, const char *text, struct error *error) {
    struct plan_totals totals;
    plan_totals(&totals, plan);
    bool was_on = plan_budget(plan, sparsity);
    bool toggle = strcmp(text, "toggle") == 0;
    *on = strcmp(text, "off") != 0 && !(toggle && was_on);
    *sparsity = totals.sparsity;
    return !*on || toggle || strcmp(text, "now") == 0 || text_parse_fraction(sparsity, text, error) ||
           error_prefix(error, "budget (off, now, toggle or a sparsity)");
}

static bool set_prices(struct workbench *workbench, struct error *error) {
    float *prices = memory_alloc(workbench->model->matrix_count * CURVE_POINTS, sizeof *prices, error);
    if (prices == NULL)
        return false;
    (void)pthread_mutex_lock(&workbench->mutex);
    bool known = workbench->forecaster != NULL;
    if (known)
        allocation_prices(prices, workbench->plan, workbench->forecaster);
    (void)pthread_mutex_unlock(&workbench->mutex);
    bool ok =
        known ? plan_set_prices(workbench->plan, prices, CURVE_POINTS, error)
              : error_set(error, ERROR_USAGE, "spreading by error needs a calibrated model: calibrate SOURCE first");
    memory_free(prices);
    return ok;
}

/* Given anew, errors are taken as they are known by now. */
static bool set_rule(struct workbench *workbench, const struct value *rule, struct error *error) {
    bool by_error = rule->given ? rule->integer == 1 : plan_has_prices(workbench->plan);
    return by_error ? set_prices(workbench, error) : plan_set_prices(workbench->plan, NULL, 0, error);
}

static bool run_budget(struct workbench *workbench, const struct value *values, struct text *output,
                       struct error *error) {
    bool on;
    double sparsity;
    if (!read_budget(&on, &sparsity, workbench->plan, values[0].text, error))
        return false;
    if (!set_rule(workbench, &values[1], error))
        return false;
    plan_set_budget(workbench->plan, on, sparsity);
    if (!plan_rebalance(workbench->plan, NULL, 0, error))
        return false;
    edit_say_total(output, workbench->plan);
    return true;
}

/* A plan that comes as a whole wins over the budget that was locked before. */
static void release_budget(struct workbench *workbench, struct text *output) {
    double sparsity;
    struct plan_totals totals;
    plan_totals(&totals, workbench->plan);
    uint64_t off = totals.asked > totals.pruned ? totals.asked - totals.pruned : totals.pruned - totals.asked;
    if (!plan_budget(workbench->plan, &sparsity) || off <= totals.step)
        return;
    plan_set_budget(workbench->plan, false, 0);
    text_add(output, "the budget lock of %.2f %% is off: this plan has %.2f %%\n", 100 * sparsity,
             100 * totals.sparsity);
}

/* ---- history ---- */

static bool take_back(struct workbench *workbench, const struct value *values, bool undo, struct text *output,
                      struct error *error) {
    char name[120];
    size_t current;
    size_t groups = plan_history(workbench->plan, &current);
    size_t possible = undo ? current : groups - current;
    if ((size_t)values[0].integer > possible)
        return error_set(error, ERROR_USAGE,
                         possible > 0 ? "there are only %zu steps to %s" : "there are %zu steps to %s", possible,
                         undo ? "undo" : "redo");
    for (int64_t n = 0; n < values[0].integer; n++) {
        (void)(undo ? plan_undo : plan_redo)(workbench->plan, name, sizeof name);
        text_add(output, "%s: %s\n", undo ? "undone" : "redone", name);
    }
    return true;
}

static bool run_undo(struct workbench *workbench, const struct value *values, struct text *output,
                     struct error *error) {
    return take_back(workbench, values, true, output, error);
}

static bool run_redo(struct workbench *workbench, const struct value *values, struct text *output,
                     struct error *error) {
    return take_back(workbench, values, false, output, error);
}

static bool run_undolist(struct workbench *workbench, const struct value *values, struct text *output,
                         struct error *error) {
    size_t current;
    size_t count = plan_history(workbench->plan, &current);
    (void)values;
    (void)error;
    for (size_t i = 0; i < count; i++)
        text_add(output, "%c %4zu  %s\n", i + 1 == current ? '>' : ' ', i + 1, plan_history_name(workbench->plan, i));
    if (count == 0)
        text_add(output, "nothing to undo\n");
    return true;
}

/* ---- snapshots ---- */

static bool snapshot_save(struct workbench *workbench, const char *name, struct text *output, struct error *error) {
    (void)output;
    return plan_snapshot_save(workbench->plan, name, error);
}

static bool snapshot_restore(struct workbench *workbench, const char *name, struct text *output, struct error *error) {
    if (!plan_snapshot_restore(workbench->plan, name, error))
        return false;
    edit_say_total(output, workbench->plan);
    return true;
}

static bool snapshot_list(struct workbench *workbench, const char *name, struct text *output, struct error *error) {
    (void)name;
    (void)error;
    for (size_t i = 0; i < plan_snapshot_count(workbench->plan); i++)
        text_add(output, "%s\n", plan_snapshot_name(workbench->plan, i));
    if (plan_snapshot_count(workbench->plan) == 0)
        text_add(output, "no snapshots; snapshot save NAME makes one\n");
    return true;
}

static bool snapshot_delete(struct workbench *workbench, const char *name, struct text *output, struct error *error) {
    (void)output;
    return plan_snapshot_delete(workbench->plan, name, error);
}

static const char *const snapshot_actions[] = {"save", "restore", "list", "delete", NULL};
static bool (*const snapshot_functions[])(struct workbench *, const char *, struct text *, struct error *) = {
    snapshot_save, snapshot_restore, snapshot_list, snapshot_delete};

static bool run_snapshot(struct workbench *workbench, const struct value *values, struct text *output,
                         struct error *error) {
    size_t action = (size_t)values[0].integer;
    if (values[1].text == NULL && snapshot_functions[action] != snapshot_list)
        return error_set(error, ERROR_USAGE, "snapshot %s needs a name", snapshot_actions[action]);
    return snapshot_functions[action](workbench, values[1].text, output, error);
}

/* ---- files ---- */

static bool run_write(struct workbench *workbench, const struct value *values, struct text *output,
                      struct error *error) {
    if (!plan_csv_write(workbench->plan, values[0].text, error))
        return false;
    plan_mark_saved(workbench->plan);
    text_add(output, "wrote %s\n", values[0].text);
    return true;
}

static bool run_load(struct workbench *workbench, const struct value *values, struct text *output,
                     struct error *error) {
    if (!plan_csv_read(workbench->plan, values[0].text, error))
        return false;
    release_budget(workbench, output);
    edit_say_total(output, workbench->plan);
    return true;
}

static const char *const log_actions[] = {"save", NULL};

static bool run_log(struct workbench *workbench, const struct value *values, struct text *output, struct error *error) {
    if (!session_log_write(workbench->session, values[1].text, error))
        return false;
    text_add(output, "wrote %zu commands to %s\n", session_log_count(workbench->session), values[1].text);
    return true;
}

/* ---- the table ---- */

#define SELECTOR                                                                                                       \
    {                                                                                                                  \
        .name = "selector", .kind = ARGUMENT_SELECTOR, .positional = true, .required = true,                           \
        .help = "which matrices: 5.q, mlp.*, 4-9.q, all, tagged, re:..., a tensor's name"                              \
    }
#define FILE_ARGUMENT(text)                                                                                            \
    { .name = "file", .kind = ARGUMENT_PATH, .positional = true, .required = true, .help = text }

static const struct argument set_arguments[] = {
    SELECTOR,
    {.name = "sparsity",
     .kind = ARGUMENT_FRACTION,
     .positional = true,
     .required = true,
     .relative = true,
     .help = "0.6, 60%; with a sign, relative: +5%"},
    {.name = "pattern", .kind = ARGUMENT_PATTERN, .help = "unstructured, row, N:M (keep N of M), ..."},
    {.name = "method", .kind = ARGUMENT_TEXT, .help = "a method, or a chain: wanda+repair; default: the run's"},
};
static const struct argument threshold_arguments[] = {
    SELECTOR,
    {.name = "threshold",
     .kind = ARGUMENT_NUMBER,
     .positional = true,
     .required = true,
     .help = "weights with |w| below it go"},
};
static const struct argument pattern_arguments[] = {
    SELECTOR,
    {.name = "pattern",
     .kind = ARGUMENT_PATTERN,
     .positional = true,
     .required = true,
     .help = "unstructured, row, N:M (keep N of M), columns:N, tile:RxC, rows, cols, default"},
};
static const struct argument method_arguments[] = {
    SELECTOR,
    {.name = "method",
     .kind = ARGUMENT_TEXT,
     .positional = true,
     .required = true,
     .help = "a method, or a chain: wanda+repair; default: the run's"},
};
static const struct argument bounds_arguments[] = {
    SELECTOR,
    {.name = "low", .kind = ARGUMENT_FRACTION, .positional = true, .required = true, .help = "least sparsity"},
    {.name = "high", .kind = ARGUMENT_FRACTION, .positional = true, .required = true, .help = "greatest sparsity"},
};
static const char *const budget_rules[] = {"proportion", "error", NULL};
static const struct argument budget_arguments[] = {
    {.name = "sparsity",
     .kind = ARGUMENT_TEXT,
     .positional = true,
     .required = true,
     .help = "of all prunable weights: 0.5, 50%; now: as it is; off; toggle"},
    {.name = "by",
     .kind = ARGUMENT_CHOICE,
     .choices = budget_rules,
     .help =
         "how a change is spread: in proportion, or where it costs the forecast least (error; needs a calibration); "
         "unless given, as before"},
};
static const struct argument count_arguments[] = {
    {.name = "steps",
     .kind = ARGUMENT_INTEGER,
     .positional = true,
     .fallback = "1",
     .low = 1,
     .high = 1000000,
     .help = "how many"},
};
static const struct argument snapshot_arguments[] = {
    {.name = "action",
     .kind = ARGUMENT_CHOICE,
     .positional = true,
     .required = true,
     .choices = snapshot_actions,
     .help = "what to do"},
    {.name = "name", .kind = ARGUMENT_TEXT, .positional = true, .help = "of the snapshot"},
};
static const struct argument write_arguments[] = {FILE_ARGUMENT("the plan as CSV")};
static const struct argument load_arguments[] = {FILE_ARGUMENT("a plan as CSV")};
static const struct argument log_arguments[] = {
    {.name = "action",
     .kind = ARGUMENT_CHOICE,
     .positional = true,
     .required = true,
     .choices = log_actions,
     .help = "what to do"},
    FILE_ARGUMENT("the script"),
};

const struct command command_plan_table[] = {
    {"set", NULL, "set the sparsity of matrices",
     "Under a budget lock the unlocked matrices that were not named move so that the total stays.", set_arguments, 4,
     COMMAND_EDIT, run_set},
    {"threshold", NULL, "set the sparsity of matrices to their share of weights below |w|", NULL, threshold_arguments,
     2, COMMAND_EDIT, run_threshold},
    {"pattern", NULL, "set which shapes of zeros are allowed in matrices", NULL, pattern_arguments, 2, COMMAND_EDIT,
     run_pattern},
    {"method", NULL, "set how weights of matrices are chosen", NULL, method_arguments, 2, COMMAND_EDIT, run_method},
    {"bounds", NULL, "set between which sparsities the budget lock and strategies may move matrices", NULL,
     bounds_arguments, 3, COMMAND_EDIT, run_bounds},
    {"budget", NULL, "lock the total sparsity, or unlock it",
     "With the lock on, every edit moves the other unlocked matrices, within their bounds: in proportion, or where the "
     "forecast says that a weight costs least (by=error); an edit after which the total cannot be kept is refused.",
     budget_arguments, 2, COMMAND_EDIT, run_budget},
    {"reset", NULL, "all targets back to dense, without budget, locks and bounds", NULL, NULL, 0, COMMAND_EDIT,
     run_reset},
    {"undo", "u", "take back the last change of the plan", NULL, count_arguments, 1, COMMAND_RECORD, run_undo},
    {"redo", NULL, "make the change again that was taken back", NULL, count_arguments, 1, COMMAND_RECORD, run_redo},
    {"undolist", NULL, "list the changes that can be taken back; > is the last one that holds", NULL, NULL, 0, 0,
     run_undolist},
    {"snapshot", NULL, "keep the plan under a name, or come back to it", NULL, snapshot_arguments, 2, COMMAND_EDIT,
     run_snapshot},
    {"write", "w", "write the plan as CSV", NULL, write_arguments, 1, 0, run_write},
    {"load", NULL, "load a plan from CSV, as one change", NULL, load_arguments, 1, COMMAND_EDIT, run_load},
    {"log", NULL, "write all edits so far as a script that makes the same plan", NULL, log_arguments, 2, 0, run_log},
};
const size_t command_plan_count = sizeof command_plan_table / sizeof *command_plan_table;

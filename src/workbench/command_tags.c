/* Commands about tags and locks. */
#include "base/memory.h"
#include "plan/selector.h"
#include "workbench/commands.h"
#include "workbench/edit.h"
#include <stdlib.h>
#include <string.h>

/* ---- tags by value: "sparsity>60" ---- */

static double sparsity_of(const struct plan *plan, size_t matrix) {
    return plan_target(plan, matrix)->sparsity;
}

static double weights_of(const struct plan *plan, size_t matrix) {
    return (double)plan_model(plan)->matrices[matrix].tensor->count;
}

static const struct {
    const char *name;
    bool fraction;
    double (*get)(const struct plan *plan, size_t matrix);
} quantities[] = {{"sparsity", true, sparsity_of}, {"weights", false, weights_of}};

static bool above(double value, double limit) {
    return value > limit;
}
static bool at_least(double value, double limit) {
    return value >= limit;
}
static bool below(double value, double limit) {
    return value < limit;
}
static bool at_most(double value, double limit) {
    return value <= limit;
}

/* Longer signs first. */
static const struct {
    const char *sign;
    bool (*holds)(double value, double limit);
} comparisons[] = {{">=", at_least}, {"<=", at_most}, {">", above}, {"<", below}};

struct condition {
    size_t quantity, comparison;
    double limit;
};

/* False without an error when the text is no condition (but a selector). */
static bool parse_condition(struct condition *condition, const char *text, struct error *error) {
    for (size_t q = 0; q < sizeof quantities / sizeof *quantities; q++) {
        const char *rest = text + strlen(quantities[q].name);
        if (!text_starts(text, quantities[q].name))
            continue;
        for (size_t c = 0; c < sizeof comparisons / sizeof *comparisons; c++) {
            if (!text_starts(rest, comparisons[c].sign))
                continue;
            const char *number = rest + strlen(comparisons[c].sign);
            *condition = (struct condition){.quantity = q, .comparison = c};
            return quantities[q].fraction ? text_parse_fraction(&condition->limit, number, error)
                                          : text_parse_number(&condition->limit, number, quantities[q].name, error);
        }
    }
    return false;
}

static size_t tag_where(struct plan *plan, const struct condition *condition, bool tagged) {
    size_t count = 0;
    for (size_t i = 0; i < plan_model(plan)->matrix_count; i++) {
        double value = quantities[condition->quantity].get(plan, i);
        if (!plan_model(plan)->matrices[i].prunable ||
            !comparisons[condition->comparison].holds(value, condition->limit))
            continue;
        plan_tag(plan, i, tagged);
        count++;
    }
    return count;
}

/* toggle: what the first selected matrix is not, all become. */
static bool tag_selected(struct plan *plan, const char *selector, bool tagged, bool toggle, struct error *error) {
    size_t *indices;
    size_t count;
    if (!selector_match(&indices, &count, plan, selector, error))
        return false;
    if (toggle)
        tagged = !plan_tagged(plan, indices[0]);
    for (size_t i = 0; i < count; i++)
        plan_tag(plan, indices[i], tagged);
    memory_free(indices);
    return true;
}

static bool tag(struct workbench *workbench, const char *text, bool tagged, bool toggle, struct text *output,
                struct error *error) {
    struct condition condition;
    struct error fault = {0};
    if (parse_condition(&condition, text, &fault)) {
        if (tag_where(workbench->plan, &condition, tagged) == 0)
            return error_set(error, ERROR_USAGE, "no matrix has %s", text);
    } else if (fault.code != ERROR_NONE) {
        if (error != NULL)
            *error = fault;
        return false;
    } else if (!tag_selected(workbench->plan, text, tagged, toggle, error))
        return false;
    text_add(output, "%zu tagged\n", plan_tag_count(workbench->plan));
    return true;
}

static bool run_tag(struct workbench *workbench, const struct value *values, struct text *output, struct error *error) {
    return tag(workbench, values[0].text, true, values[1].integer != 0, output, error);
}

static bool run_untag(struct workbench *workbench, const struct value *values, struct text *output,
                      struct error *error) {
    return tag(workbench, values[0].text, false, false, output, error);
}

static bool change_sparsity(struct target *target, const struct value *values, struct error *error) {
    (void)error;
    target->sparsity = edit_sparsity(target->sparsity, &values[0]);
    return true;
}

static bool run_apply(struct workbench *workbench, const struct value *values, struct text *output,
                      struct error *error) {
    static const struct edit edit = {.change = change_sparsity, .moves = false};
    return edit_selected(workbench, "tagged", values, &edit, output, error);
}

/* ---- locks ---- */

static bool lock(struct workbench *workbench, const char *selector, bool locked, bool toggle, struct error *error) {
    size_t *indices;
    size_t count;
    if (!selector_match(&indices, &count, workbench->plan, selector, error))
        return false;
    if (toggle)
        locked = !plan_target(workbench->plan, indices[0])->locked;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        struct target target = *plan_target(workbench->plan, indices[i]);
        target.locked = locked;
        ok = plan_set(workbench->plan, indices[i], &target, error);
    }
    memory_free(indices);
    return ok;
}

static bool run_lock(struct workbench *workbench, const struct value *values, struct text *output,
                     struct error *error) {
    (void)output;
    return lock(workbench, values[0].text, true, values[1].integer != 0, error);
}

static bool run_unlock(struct workbench *workbench, const struct value *values, struct text *output,
                       struct error *error) {
    (void)output;
    return lock(workbench, values[0].text, false, false, error);
}

static const struct argument tag_arguments[] = {
    {.name = "selector",
     .kind = ARGUMENT_SELECTOR,
     .positional = true,
     .required = true,
     .help = "which matrices, or a condition: sparsity>60, weights<1e6"},
    {.name = "toggle", .kind = ARGUMENT_FLAG, .help = "turn round what the first of them is"},
};
static const struct argument lock_arguments[] = {
    {.name = "selector", .kind = ARGUMENT_SELECTOR, .positional = true, .required = true, .help = "which matrices"},
    {.name = "toggle", .kind = ARGUMENT_FLAG, .help = "turn round what the first of them is"},
};
static const struct argument apply_arguments[] = {
    {.name = "sparsity",
     .kind = ARGUMENT_FRACTION,
     .positional = true,
     .required = true,
     .relative = true,
     .help = "0.6, 60%; with a sign, relative: +5%"},
};

const struct command command_tags_table[] = {
    {"tag", NULL, "tag matrices, for apply and the selector \"tagged\"", NULL, tag_arguments, 2, COMMAND_RECORD,
     run_tag},
    {"untag", NULL, "take tags off", NULL, tag_arguments, 1, COMMAND_RECORD, run_untag},
    {"apply", NULL, "set the sparsity of the tagged matrices", NULL, apply_arguments, 1, COMMAND_EDIT, run_apply},
    {"lock", NULL, "keep matrices out of the budget lock and of strategies", NULL, lock_arguments, 2, COMMAND_EDIT,
     run_lock},
    {"unlock", NULL, "let the budget lock and strategies move matrices again", NULL, lock_arguments, 1, COMMAND_EDIT,
     run_unlock},
};
const size_t command_tags_count = sizeof command_tags_table / sizeof *command_tags_table;

#include "workbench/prune_task.h"

#include "base/memory.h"
#include <stdio.h>
#include <string.h>

static bool check_data(const struct prune_task *task, const struct prune_settings *settings, struct error *error) {
    static const char *const needs[] = {[METHOD_NEEDS_DIAGONAL] = "the mean square of every input",
                                        [METHOD_NEEDS_HESSIAN] = "the Hessian of every input"};
    enum method_need need = method_needs(&task->chain);
    if (need == METHOD_NEEDS_NOTHING || settings->source != NULL)
        return true;
    return error_set(error, ERROR_USAGE,
                     "method %s needs %s, from text that runs through the model: give --calibrate "
                     "SOURCE, or take --method magnitude, which needs none",
                     task->method, needs[need]);
}

static bool check_global(const struct prune_task *task, const struct prune_settings *settings, struct error *error) {
    if (!settings->global)
        return true;
    if (strcmp(task->method, "magnitude") != 0)
        return error_set(error, ERROR_USAGE,
                         "--pattern global compares |w| of all matrices: it goes with method "
                         "magnitude, not %s",
                         task->method);
    return true;
}

static bool make_task(struct prune_task *task, const struct plan *plan, size_t index,
                      const struct prune_settings *settings, struct error *error) {
    const struct matrix *matrix = &plan_model(plan)->matrices[index];
    const struct target *target = plan_target(plan, index);
    task->matrix = index;
    task->sparsity = target->sparsity;
    (void)snprintf(task->method, sizeof task->method, "%s",
                   target->method[0] != '\0' ? target->method : settings->method);
    if (!method_parse(&task->chain, task->method, error))
        return error_prefix(error, "%s", matrix->name);
    struct pattern pattern = target->pattern.kind != PATTERN_DEFAULT ? target->pattern : settings->pattern;
    task->pattern = method_pattern(&task->chain, pattern);
    task->planned = pattern_count(task->pattern, matrix->rows, matrix->columns, task->sparsity);
    if (!dtype_info(matrix->tensor->dtype)->real)
        return error_set(error, ERROR_USAGE, "%s holds %s, which cannot be pruned; set its sparsity to 0", matrix->name,
                         dtype_info(matrix->tensor->dtype)->label);
    if (!method_accepts(&task->chain, task->pattern, error))
        return error_prefix(error, "%s", matrix->name);
    return check_data(task, settings, error) && check_global(task, settings, error);
}

bool prune_tasks_make(struct prune_task **tasks, size_t *count, const struct plan *plan,
                      const struct prune_settings *settings, struct error *error) {
    const struct model *model = plan_model(plan);
    struct prune_task *list = memory_alloc(model->matrix_count, sizeof *list, error);
    if (list == NULL)
        return false;
    *count = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < model->matrix_count; i++) {
        if (plan_target(plan, i)->sparsity <= 0)
            continue;
        ok = make_task(&list[*count], plan, i, settings, error);
        (*count)++;
    }
    if (ok && *count == 0)
        ok = error_set(error, ERROR_USAGE, "the plan prunes nothing: every target is 0; give a sparsity, or a plan");
    if (!ok) {
        memory_free(list);
        return false;
    }
    *tasks = list;
    return true;
}

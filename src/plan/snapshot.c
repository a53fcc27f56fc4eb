/* Named copies of all targets and of the budget. */
#include "base/memory.h"
#include "base/text.h"
#include "plan/plan_state.h"
#include <stdio.h>
#include <string.h>

static struct snapshot *find(const struct plan *plan, const char *name) {
    for (size_t i = 0; i < plan->snapshot_count; i++)
        if (strcmp(plan->snapshots[i].name, name) == 0)
            return &plan->snapshots[i];
    return NULL;
}

static struct snapshot *find_or_say(const struct plan *plan, const char *name, struct error *error) {
    struct snapshot *snapshot = find(plan, name);
    if (snapshot != NULL)
        return snapshot;
    struct text names = {0};
    for (size_t i = 0; i < plan->snapshot_count; i++)
        text_add(&names, "%s%s", i > 0 ? ", " : "", plan->snapshots[i].name);
    (void)error_set(error, ERROR_USAGE, "there is no snapshot \"%s\"; there are: %.600s", name,
                    plan->snapshot_count > 0 ? text_string(&names) : "none");
    text_free(&names);
    return NULL;
}

static void snapshot_free(struct snapshot *snapshot) {
    memory_free(snapshot->name);
    memory_free(snapshot->targets);
}

void snapshots_free(struct plan *plan) {
    for (size_t i = 0; i < plan->snapshot_count; i++)
        snapshot_free(&plan->snapshots[i]);
    memory_free(plan->snapshots);
}

bool plan_snapshot_add(struct plan *plan, const char *name, const struct target *targets, bool budget, double sparsity,
                       struct error *error) {
    size_t bytes = plan->model->matrix_count * sizeof *targets;
    if (name[0] == '\0' || strchr(name, '\n') != NULL)
        return error_set(error, ERROR_USAGE, "a snapshot needs a name of one line");
    if (!memory_grow(&plan->snapshots, &plan->snapshot_capacity, plan->snapshot_count, sizeof *plan->snapshots, error))
        return false;
    struct snapshot made = {.name = memory_copy_string(name, error),
                            .targets = memory_alloc(plan->model->matrix_count, sizeof *targets, error),
                            .budget = {budget, sparsity}};
    if (made.name == NULL || made.targets == NULL) {
        snapshot_free(&made);
        return false;
    }
    memcpy(made.targets, targets, bytes);
    struct snapshot *old = find(plan, name);
    if (old != NULL)
        snapshot_free(old);
    *(old != NULL ? old : &plan->snapshots[plan->snapshot_count++]) = made;
    plan->revision++;
    return true;
}

bool plan_snapshot_save(struct plan *plan, const char *name, struct error *error) {
    return plan_snapshot_add(plan, name, plan->targets, plan->budget.on, plan->budget.sparsity, error);
}

bool plan_snapshot_restore(struct plan *plan, const char *name, struct error *error) {
    char title[160];
    const struct snapshot *snapshot = find_or_say(plan, name, error);
    (void)snprintf(title, sizeof title, "snapshot restore %s", name);
    if (snapshot == NULL || !plan_begin(plan, title, error))
        return false;
    plan_set_budget(plan, snapshot->budget.on, snapshot->budget.sparsity);
    for (size_t i = 0; i < plan->model->matrix_count; i++) {
        if (!plan_set(plan, i, &snapshot->targets[i], error)) {
            plan_rollback(plan);
            return false;
        }
    }
    plan_end(plan);
    return true;
}

bool plan_snapshot_delete(struct plan *plan, const char *name, struct error *error) {
    struct snapshot *snapshot = find_or_say(plan, name, error);
    if (snapshot == NULL)
        return false;
    snapshot_free(snapshot);
    size_t index = (size_t)(snapshot - plan->snapshots);
    memmove(snapshot, snapshot + 1, (--plan->snapshot_count - index) * sizeof *snapshot);
    plan->revision++;
    return true;
}

size_t plan_snapshot_count(const struct plan *plan) {
    return plan->snapshot_count;
}

const char *plan_snapshot_name(const struct plan *plan, size_t snapshot) {
    return plan->snapshots[snapshot].name;
}

const struct target *plan_snapshot_targets(const struct plan *plan, size_t snapshot) {
    return plan->snapshots[snapshot].targets;
}

bool plan_snapshot_budget(const struct plan *plan, size_t snapshot, double *sparsity) {
    *sparsity = plan->snapshots[snapshot].budget.sparsity;
    return plan->snapshots[snapshot].budget.on;
}

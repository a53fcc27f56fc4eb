#include "views/other_plan.h"
#include "plan/plan_csv.h"
#include "tensor/summary.h"
#include <string.h>

/* A copy of the plan in which nothing is cut, and no budget stands in the way. */
static struct plan *empty_plan(const struct plan *plan, struct error *error) {
    struct plan *other = plan_create(plan_model(plan), error);
    if (other)
        plan_set_budget(other, false, 0);
    return other;
}

static bool fill(struct plan *plan, const struct target *targets, struct error *error) {
    const struct target untouched = plan_default_target();
    if (!plan_begin(plan, "other", error))
        return false;
    bool ok = true;
    for (size_t i = 0; i < plan_model(plan)->matrix_count && ok; i++)
        ok = target_equal(&targets[i], &untouched) || plan_set(plan, i, &targets[i], error);
    plan_end(plan);
    return ok;
}

struct plan *other_plan_of_snapshot(const struct plan *plan, size_t snapshot, struct error *error) {
    struct plan *other = empty_plan(plan, error);
    if (other && fill(other, plan_snapshot_targets(plan, snapshot), error))
        return other;
    plan_free(other);
    return NULL;
}

/* The share of zeros that the scan has counted; refused while it has not seen all matrices. */
static bool fill_zeros(struct plan *plan, struct workbench *workbench, struct error *error) {
    bool ok = plan_begin(plan, "zeros", error), known = true;
    pthread_mutex_lock(&workbench->mutex);
    for (size_t i = 0; i < workbench->model->matrix_count && ok && known; i++) {
        const struct summary *summary = workbench->summaries[i];
        struct target target = plan_default_target();
        known = summary != NULL || !workbench->model->matrices[i].prunable;
        if (!summary || summary->zeros == 0 || !workbench->model->matrices[i].prunable)
            continue;
        target.sparsity = (double)summary->zeros / (double)summary->count;
        ok = plan_set(plan, i, &target, error);
    }
    pthread_mutex_unlock(&workbench->mutex);
    plan_end(plan);
    return ok && (known || error_set(error, ERROR_USAGE, "the model's zeros are not all counted yet; see :scan"));
}

struct plan *other_plan_open(struct workbench *workbench, const char *name, struct error *error) {
    const struct plan *plan = workbench->plan;
    for (size_t i = 0; i < plan_snapshot_count(plan); i++)
        if (!strcmp(plan_snapshot_name(plan, i), name))
            return other_plan_of_snapshot(plan, i, error);
    struct plan *other = empty_plan(plan, error);
    bool ok = other != NULL;
    if (ok && !strcmp(name, "model"))
        ok = fill_zeros(other, workbench, error);
    else if (ok && strcmp(name, "dense") != 0)
        ok = plan_csv_read(other, name, error) ||
             error_prefix(error, "compare takes a snapshot, a plan file, model or dense");
    if (ok)
        return other;
    plan_free(other);
    return NULL;
}

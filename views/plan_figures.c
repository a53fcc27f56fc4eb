#include "views/plan_figures.h"
#include "base/memory.h"
#include "views/known.h"
#include "views/other_plan.h"
#include <math.h>
#include <string.h>

static const char *method_of(const struct target *target, const struct forecaster *forecaster) {
    return target->method[0] ? target->method : forecaster->method;
}

/* Whether two plans cut the same weights: locks and bounds do not matter. */
static bool same_cut(const struct forecaster *forecaster, const struct target *targets, const struct plan *plan) {
    for (size_t i = 0; i < plan_model(plan)->matrix_count; i++) {
        const struct target *a = &targets[i], *b = plan_target(plan, i);
        if (fabs(a->sparsity - b->sparsity) > 1e-9)
            return false;
        if (a->sparsity > 0 &&
            (!pattern_equal(a->pattern, b->pattern) || strcmp(method_of(a, forecaster), method_of(b, forecaster)) != 0))
            return false;
    }
    return true;
}

/* Among the plans that the forecast was fitted to. */
static void read_measured(struct plan_figures *figures, struct workbench *workbench, const struct plan *plan) {
    figures->measured = figures->measured_error = NAN;
    pthread_mutex_lock(&workbench->mutex);
    const struct forecaster *forecaster = workbench->forecaster;
    for (size_t i = 0; forecaster && i < forecaster->anchor_count; i++) {
        if (!same_cut(forecaster, forecaster->anchors[i].targets, plan))
            continue;
        figures->measured = exp(forecaster->dense_nll + forecaster->anchors[i].change);
        figures->measured_error = figures->measured * forecaster->anchors[i].deviation;
    }
    pthread_mutex_unlock(&workbench->mutex);
}

/* Share of the prunable weights, as the targets say. */
static double sparsity_of(const struct target *targets, const struct model *model) {
    double cut = 0, all = 0;
    for (size_t i = 0; i < model->matrix_count; i++) {
        if (!model->matrices[i].prunable)
            continue;
        cut += targets[i].sparsity * (double)model->matrices[i].tensor->count;
        all += (double)model->matrices[i].tensor->count;
    }
    return all > 0 ? cut / all : 0;
}

size_t plan_figures_measured(double *sparsities, double *perplexities, size_t room, struct workbench *workbench) {
    size_t count = 0;
    pthread_mutex_lock(&workbench->mutex);
    const struct forecaster *forecaster = workbench->forecaster;
    for (; forecaster && count < forecaster->anchor_count && count < room; count++) {
        sparsities[count] = sparsity_of(forecaster->anchors[count].targets, workbench->model);
        perplexities[count] = exp(forecaster->dense_nll + forecaster->anchors[count].change);
    }
    pthread_mutex_unlock(&workbench->mutex);
    return count;
}

static void read_plan(struct plan_figures *figures, struct workbench *workbench, const struct plan *plan) {
    const struct model *model = workbench->model;
    plan_totals(&figures->totals, plan);
    for (size_t i = 0; i < model->matrix_count; i++)
        figures->locked += plan_target(plan, i)->locked;
    (void)known_forecast(&figures->forecast, NULL, workbench, plan);
    read_measured(figures, workbench, plan);
}

/* Room for the figures and, behind them, for the names: a command may delete a snapshot while its row is shown. */
static struct plan_figures *make_list(char **names, const struct plan *plan, struct error *error) {
    size_t count = plan_snapshot_count(plan) + 1, length = 0;
    for (size_t i = 0; i + 1 < count; i++)
        length += strlen(plan_snapshot_name(plan, i)) + 1;
    struct plan_figures *list = memory_alloc(1, count * sizeof *list + length, error);
    if (list)
        *names = (char *)(list + count);
    return list;
}

static char *keep_name(char **names, const char *name) {
    char *kept = *names;
    memcpy(kept, name, strlen(name) + 1);
    *names += strlen(name) + 1;
    return kept;
}

struct plan_figures *plan_figures_list(size_t *count, struct workbench *workbench, struct error *error) {
    const struct plan *plan = workbench->plan;
    char *names = NULL;
    struct plan_figures *list = make_list(&names, plan, error);
    *count = 0;
    if (!list)
        return NULL;
    list[0].has_budget = plan_budget(plan, &list[0].budget);
    read_plan(&list[(*count)++], workbench, plan);
    for (size_t i = 0; i < plan_snapshot_count(plan); i++) {
        struct plan_figures *figures = &list[*count];
        struct plan *other = other_plan_of_snapshot(plan, i, error);
        if (!other) {
            memory_free(list);
            return NULL;
        }
        figures->name = keep_name(&names, plan_snapshot_name(plan, i));
        figures->has_budget = plan_snapshot_budget(plan, i, &figures->budget);
        read_plan(figures, workbench, other);
        plan_free(other);
        ++*count;
    }
    return list;
}

#include "workbench/search_start.h"

#include "plan/allocate.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A proposal under way, measured: for a strategy that tries values of its parameter. */
static bool measure_proposal(void *context, double *loss, const struct allocation *allocation, struct error *error) {
    const struct search_judge *judge = context;
    struct plan *plan = plan_copy(allocation->plan, error);
    bool ok = plan != NULL && plan_begin(plan, "proposal", error);
    for (size_t i = 0; ok && i < allocation->count; i++) {
        struct target target = *plan_target(plan, allocation->matrices[i]);
        target.sparsity = allocation->sparsity[i];
        ok = plan_set(plan, allocation->matrices[i], &target, error);
    }
    if (plan != NULL)
        plan_end(plan);
    ok = ok && judge->measure(judge->context, loss, plan, error);
    plan_free(plan);
    return ok;
}

/* Under the lock, but for strategies that measure: those take long and use nothing that calibration changes. */
static bool propose(struct search *search, struct plan *plan, const struct strategy *strategy,
                    const struct search_judge *judge, struct error *error) {
    struct workbench *workbench = search->workbench;
    bool measures = strategy->needs == STRATEGY_NEEDS_EVALUATION;
    struct search_judge copy = *judge;
    if (!measures)
        (void)pthread_mutex_lock(&workbench->mutex);
    struct allocation given = {.plan = plan,
                               .sensitivity = workbench->sensitivity,
                               .forecaster = workbench->forecaster,
                               .summaries = (const struct summary *const *)workbench->summaries,
                               .measure = measures ? measure_proposal : NULL,
                               .context = &copy,
                               .budget = search->settings.budget,
                               .parameter = NAN};
    bool ok = allocate(strategy, &given, NULL, 0, error);
    if (!measures)
        (void)pthread_mutex_unlock(&workbench->mutex);
    return ok;
}

/* Takes over plan: it becomes the best, or is freed. */
static void take(struct search *search, struct plan *plan, const char *name, double divergence) {
    job_log(search->workbench->jobs, "search: %s begins at KL %.6f", name, divergence);
    if (!isnan(search->divergence) && divergence >= search->divergence) {
        plan_free(plan);
        return;
    }
    plan_free(search->best);
    search->best = plan;
    search->divergence = divergence;
    (void)snprintf(search->started, sizeof search->started, "%s", name);
}

static bool try_strategy(struct search *search, const struct strategy *strategy, bool required,
                         const struct search_judge *judge, struct error *error) {
    struct error fault = {0};
    double divergence;
    struct plan *plan = plan_copy(search->workbench->plan, error);
    if (plan == NULL)
        return false;
    if (!propose(search, plan, strategy, judge, &fault)) {
        plan_free(plan);
        if (required && error != NULL)
            *error = fault;
        if (fault.code == ERROR_CANCELLED) { /* in the middle of measuring */
            if (error != NULL)
                *error = fault;
            return false;
        }
        if (!required)
            job_log(search->workbench->jobs, "search: without %s: %s", strategy->name, fault.text);
        return !required;
    }
    if (!judge->measure(judge->context, &divergence, plan, error)) {
        plan_free(plan);
        return false;
    }
    take(search, plan, strategy->name, divergence);
    return true;
}

static bool try_plan(struct search *search, const struct search_judge *judge, struct error *error) {
    (void)snprintf(search->started, sizeof search->started, "the plan");
    return judge->measure(judge->context, &search->divergence, search->best, error);
}

bool search_find_start(struct search *search, const struct search_judge *judge, struct error *error) {
    const char *from = search->settings.from;
    if (strcmp(from, "plan") == 0)
        return try_plan(search, judge, error);
    const struct strategy *named = strategy_find(from);
    if (named != NULL)
        return try_strategy(search, named, true, judge, error);
    bool ok = true;
    for (size_t i = 0; ok && i < strategy_count; i++)
        ok = try_strategy(search, &strategy_table[i], false, judge, error);
    return ok && (!isnan(search->divergence) ||
                  error_set(error, ERROR_USAGE, "no strategy could propose a plan to begin from; the log says why"));
}

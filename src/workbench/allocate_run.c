#include "workbench/allocate_run.h"

#include "base/memory.h"
#include "plan/allocate_group.h"
#include "plan/plan_csv.h"
#include "workbench/calibrate_run.h"
#include "workbench/edit.h"
#include "workbench/knowledge.h"
#include "workbench/run_text.h"
#include "workbench/scan.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define HALVINGS 30 /* of the search for a sparsity that meets a budget of another unit */

void allocate_settings_free(struct allocate_settings *settings) {
    memory_free(settings->matrices);
    memory_free(settings->calibrate);
    memory_free(settings->out);
    memset(settings, 0, sizeof *settings);
}

struct allocate_run *allocate_run_create(struct workbench *workbench, struct allocate_settings *settings,
                                         struct error *error) {
    struct allocate_run *run = memory_alloc(1, sizeof *run, error);
    if (run == NULL) {
        allocate_settings_free(settings);
        return NULL;
    }
    run->workbench = workbench;
    run->settings = *settings;
    memset(settings, 0, sizeof *settings);
    run->plan = plan_copy(workbench->plan, error);
    if (run->plan != NULL)
        return run;
    allocate_run_free(run);
    return NULL;
}

void allocate_run_free(struct allocate_run *run) {
    if (run == NULL)
        return;
    plan_free(run->plan);
    allocate_settings_free(&run->settings);
    memory_free(run);
}

/* ---- what is needed first ---- */

bool allocate_run_is_long(const struct allocate_run *run) {
    struct workbench *workbench = run->workbench;
    (void)pthread_mutex_lock(&workbench->mutex);
    bool scanned = workbench->summaries_known == workbench->model->matrix_count;
    (void)pthread_mutex_unlock(&workbench->mutex);
    return run->settings.calibrate != NULL || (run->settings.strategy->needs == STRATEGY_NEEDS_SCAN && !scanned);
}

static bool gather(struct allocate_run *run, struct progress *progress, struct error *error) {
    if (run->settings.strategy->needs == STRATEGY_NEEDS_SCAN && !scan_run(run->workbench, progress, error))
        return false;
    return run->settings.calibrate == NULL ||
           calibrate_run_source(run->workbench, run->settings.calibrate, progress, error);
}

/* ---- filling ---- */

static bool fill(const struct allocate_run *run, struct plan *plan, double sparsity, struct error *error) {
    struct workbench *workbench = run->workbench;
    struct allocation given = {.plan = plan,
                               .sensitivity = workbench->sensitivity,
                               .forecaster = workbench->forecaster,
                               .summaries = (const struct summary *const *)workbench->summaries,
                               .budget = sparsity,
                               .parameter = run->settings.parameter};
    const struct allocate_settings *settings = &run->settings;
    if (settings->group > 0)
        return allocate_group(&given, settings->group, settings->matrices, settings->count, error);
    return allocate(settings->strategy, &given, settings->matrices, settings->count, error);
}

/* How much of the budget a filled plan takes; grows with the sparsity for all units. */
static double spent(const struct allocate_run *run, const struct plan *plan) {
    if (run->settings.unit == BUDGET_BYTES) {
        struct plan_totals totals;
        plan_totals(&totals, plan);
        return -totals.compressed_bytes;
    }
    struct forecast forecast = {0};
    forecast_plan(&forecast, NULL, run->workbench->forecaster, plan);
    return forecast.change_known ? forecast.perplexity : NAN;
}

static bool check_unit(const struct allocate_run *run, struct error *error) {
    struct forecast forecast = {0};
    if (run->settings.unit != BUDGET_PERPLEXITY)
        return true;
    if (run->workbench->forecaster != NULL)
        forecast_plan(&forecast, NULL, run->workbench->forecaster, run->plan);
    return forecast.change_known ||
           error_set(error, ERROR_USAGE,
                     "a forecast perplexity is not known yet: calibrate, and measure a plan or two first");
}

/* Fills copies at sparsities between 0 and 1; the budget is met from the side of a smaller cost for perplexity, and of
 * a smaller file for bytes. */
static bool find_sparsity(const struct allocate_run *run, double *sparsity, struct error *error) {
    double low = 0;
    double high = 1;
    bool bytes = run->settings.unit == BUDGET_BYTES;
    double wanted = bytes ? -run->settings.budget : run->settings.budget;
    for (int i = 0; i < HALVINGS; i++) {
        struct plan *copy = plan_copy(run->plan, error);
        double middle = (low + high) / 2;
        bool ok = copy != NULL && fill(run, copy, middle, error);
        double now = ok ? spent(run, copy) : 0;
        plan_free(copy);
        if (!ok)
            return false;
        if (now < wanted)
            low = middle;
        else
            high = middle;
    }
    *sparsity = bytes ? high : low;
    return true;
}

/* Under the lock: forecasts keep what they have worked out in the forecaster. */
static bool fill_locked(struct allocate_run *run, struct error *error) {
    double sparsity = run->settings.budget;
    (void)pthread_mutex_lock(&run->workbench->mutex);
    bool ok = check_unit(run, error) &&
              (run->settings.unit == BUDGET_WEIGHTS || find_sparsity(run, &sparsity, error)) &&
              fill(run, run->plan, sparsity, error);
    (void)pthread_mutex_unlock(&run->workbench->mutex);
    return ok;
}

bool allocate_run_work(struct allocate_run *run, struct progress *progress, struct error *error) {
    return (!allocate_run_is_long(run) || gather(run, progress, error)) && fill_locked(run, error) &&
           (run->settings.out == NULL || plan_csv_write(run->plan, run->settings.out, error));
}

/* ---- applying ---- */

static bool copy_targets(const struct allocate_run *run, struct error *error) {
    struct plan *plan = run->workbench->plan;
    for (size_t i = 0; i < run->workbench->model->matrix_count; i++) {
        const struct target *target = plan_target(run->plan, i);
        if (!target_equal(target, plan_target(plan, i)) && !plan_set(plan, i, target, error))
            return false;
    }
    return true;
}

static void say_forecast(struct text *output, struct workbench *workbench) {
    struct forecast forecast;
    if (!knowledge_forecast(workbench, &forecast, NULL) || !forecast.error_known)
        return;
    text_add(output, "forecast: total relative output error %.4g", forecast.total_error);
    if (forecast.change_known)
        text_add(output, ", perplexity %.4g (%.4g to %.4g)", forecast.perplexity, forecast.perplexity_low,
                 forecast.perplexity_high);
    text_add(output, "\n");
}

bool allocate_run_apply(const struct allocate_run *run, struct text *output, struct error *error) {
    char name[96];
    struct plan *plan = run->workbench->plan;
    (void)snprintf(name, sizeof name, "allocate %s", run->settings.strategy->name);
    if (!plan_begin(plan, name, error))
        return false;
    bool ok = copy_targets(run, error);
    if (!ok)
        plan_rollback(plan);
    plan_end(plan);
    if (!ok)
        return false;
    text_add(output, "%s: ", run->settings.strategy->name);
    edit_say_total(output, plan);
    say_forecast(output, run->workbench);
    if (run->settings.out != NULL)
        text_add(output, "wrote %s\n", run->settings.out);
    return true;
}

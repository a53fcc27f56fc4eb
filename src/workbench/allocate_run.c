#include "workbench/allocate_run.h"

#include "base/memory.h"
#include "plan/allocate_group.h"
#include "plan/cost.h"
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
    memory_free(settings->gradients);
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
    memory_free(run->fisher);
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

/* Σ g² of every matrix, from a file with a gradient under each one's name. */
static bool read_gradient(double *sum, const struct checkpoint *file, const struct matrix *matrix,
                          struct error *error) {
    const struct tensor *tensor = checkpoint_find(file, matrix->name);
    if (tensor == NULL || tensor->count != matrix->tensor->count || !dtype_info(tensor->dtype)->real)
        return error_set(error, ERROR_INPUT, "%s: no gradient of %s, %lld x %lld numbers, under that name", file->path,
                         matrix->name, (long long)matrix->rows, (long long)matrix->columns);
    float part[1024];
    size_t bytes = dtype_info(tensor->dtype)->bytes;
    *sum = 0;
    for (uint64_t begin = 0; begin < tensor->count; begin += 1024) {
        size_t count = tensor->count - begin < 1024 ? (size_t)(tensor->count - begin) : 1024;
        dtype_widen(part, tensor->data + begin * bytes, tensor->dtype, count);
        for (size_t i = 0; i < count; i++)
            *sum += (double)part[i] * (double)part[i];
    }
    return isfinite(*sum) ||
           error_set(error, ERROR_INPUT, "%s: the gradient of %s is not finite", file->path, matrix->name);
}

static bool read_gradients(struct allocate_run *run, struct error *error) {
    const struct model *model = run->workbench->model;
    if (run->settings.gradients == NULL)
        return true;
    struct checkpoint *file = checkpoint_open(run->settings.gradients, error);
    run->fisher = file != NULL ? memory_alloc(model->matrix_count, sizeof *run->fisher, error) : NULL;
    bool ok = run->fisher != NULL;
    for (size_t i = 0; ok && i < model->matrix_count; i++)
        if (model->matrices[i].prunable)
            ok = read_gradient(&run->fisher[i], file, &model->matrices[i], error);
    checkpoint_close(file);
    return ok;
}

/* ---- filling ---- */

static struct allocation given_of(const struct allocate_run *run, struct plan *plan, double sparsity) {
    const struct workbench *workbench = run->workbench;
    return (struct allocation){.plan = plan,
                               .sensitivity = workbench->sensitivity,
                               .forecaster = workbench->forecaster,
                               .summaries = (const struct summary *const *)workbench->summaries,
                               .fisher = run->fisher,
                               .budget = sparsity,
                               .parameter = run->settings.parameter};
}

static bool fill(const struct allocate_run *run, struct plan *plan, double sparsity, struct error *error) {
    const struct allocate_settings *settings = &run->settings;
    struct allocation given = given_of(run, plan, sparsity);
    if (settings->group > 0)
        return allocate_group(&given, settings->group, settings->matrices, settings->count, error);
    return allocate(settings->strategy, &given, settings->matrices, settings->count, error);
}

static bool find_range(double *low, double *high, const struct allocate_run *run, struct error *error) {
    const struct allocate_settings *settings = &run->settings;
    struct allocation given = given_of(run, run->plan, 0);
    if (settings->group > 0)
        return allocate_group_range(low, high, &given, settings->group, settings->matrices, settings->count, error);
    return allocate_range(low, high, run->plan, settings->matrices, settings->count, error);
}

/* What a filled plan's model takes of the budget's unit; falls with the sparsity, but the perplexity rises. */
static double spent(const struct allocate_run *run, const struct plan *plan) {
    const struct allocate_settings *settings = &run->settings;
    if (settings->unit == BUDGET_BYTES)
        return plan_bytes(plan, settings->formatted ? &settings->format : NULL);
    if (settings->unit == BUDGET_FLOPS)
        return plan_flops(plan);
    struct forecast forecast = {0};
    forecast_plan(&forecast, NULL, run->workbench->forecaster, plan);
    return forecast.change_known ? forecast.perplexity : NAN;
}

static bool spent_at(double *out, const struct allocate_run *run, double sparsity, struct error *error) {
    struct plan *copy = plan_copy(run->plan, error);
    bool ok = copy != NULL && fill(run, copy, sparsity, error);
    *out = ok ? spent(run, copy) : NAN;
    plan_free(copy);
    return ok;
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

static bool refuse_budget(const struct allocate_run *run, double least, struct error *error) {
    static const char *const units[] = {[BUDGET_WEIGHTS] = "",
                                        [BUDGET_BYTES] = "bytes",
                                        [BUDGET_PERPLEXITY] = "of forecast perplexity",
                                        [BUDGET_FLOPS] = "FLOPs per token"};
    return error_set(error, ERROR_USAGE,
                     "the budget of %.6g %s cannot be reached: bounds and locks allow no less than %.6g",
                     run->settings.budget, units[run->settings.unit], least);
}

/* Fills copies at the sparsities that bounds and locks allow. The budget is an upper limit in every unit: the least
 * sparsity that keeps within it, and of a perplexity the largest. */
static bool find_sparsity(const struct allocate_run *run, double *sparsity, struct error *error) {
    const struct allocate_settings *settings = &run->settings;
    bool falls = settings->unit != BUDGET_PERPLEXITY;
    double low, high, now;
    if (!find_range(&low, &high, run, error) || !spent_at(&now, run, falls ? high : low, error))
        return false;
    if (now > settings->budget)
        return refuse_budget(run, now, error);
    for (int i = 0; i < HALVINGS; i++) {
        double middle = (low + high) / 2;
        if (!spent_at(&now, run, middle, error))
            return false;
        if ((now > settings->budget) == falls)
            low = middle;
        else
            high = middle;
    }
    *sparsity = falls ? high : low;
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
    return read_gradients(run, error) && (!allocate_run_is_long(run) || gather(run, progress, error)) &&
           fill_locked(run, error) &&
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

#include "workbench/measure_run.h"

#include "base/memory.h"
#include "plan/forecast.h"
#include "plan/probe.h"
#include "workbench/calibration_cache.h"
#include "workbench/run_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Sparsities of the uniform plans and of the matrices that are cut alone. */
static const double plan_levels[] = {0.2, 0.3, 0.4, 0.5, 0.6, 0.7};
static const double matrix_levels[] = {0.7, 0.85};
#define PLAN_LEVELS (sizeof plan_levels / sizeof *plan_levels)
#define MATRIX_LEVELS (sizeof matrix_levels / sizeof *matrix_levels)

void measure_settings_free(struct measure_settings *settings) {
    memory_free(settings->source);
    memory_free(settings->matrices);
    memset(settings, 0, sizeof *settings);
}

struct measure_run *measure_run_create(struct workbench *workbench, const struct measure_settings *settings,
                                       struct error *error) {
    struct measure_settings owned = *settings;
    struct measure_run *run = memory_alloc(1, sizeof *run, error);
    if (run == NULL) {
        measure_settings_free(&owned);
        return NULL;
    }
    run->workbench = workbench;
    run->settings = owned;
    return run;
}

void measure_run_free(struct measure_run *run) {
    if (run == NULL)
        return;
    corpus_close(&run->corpus);
    measure_settings_free(&run->settings);
    memory_free(run);
}

static void changed(struct measure_run *run) {
    run->workbench->knowledge++;
    (void)pthread_mutex_unlock(&run->workbench->mutex);
    job_changed(run->workbench->jobs);
}

/* ---- plans ---- */

static bool set_uniform(struct plan *plan, double sparsity, const char *method, struct error *error) {
    const struct model *model = plan_model(plan);
    struct target target = plan_default_target();
    target.sparsity = sparsity;
    (void)snprintf(target.method, sizeof target.method, "%s", method);
    bool ok = plan_begin(plan, "uniform", error);
    for (size_t i = 0; ok && i < model->matrix_count; i++)
        if (model->matrices[i].prunable)
            ok = plan_set(plan, i, &target, error);
    plan_end(plan);
    return ok;
}

static bool probe_anchor(struct measure_run *run, struct probe *probe, const struct plan *plan, const char *name,
                         struct progress *progress, struct error *error) {
    struct workbench *workbench = run->workbench;
    struct probe_change change;
    size_t count = workbench->model->matrix_count;
    struct target *targets = memory_alloc(count, sizeof *targets, error);
    for (size_t i = 0; targets != NULL && i < count; i++)
        targets[i] = *plan_target(plan, i);
    bool ok = targets != NULL && probe_plan(&change, probe, targets, run->settings.method, progress, error);
    memory_free(targets);
    if (!ok)
        return false;
    (void)pthread_mutex_lock(&workbench->mutex);
    workbench->forecaster->dense_nll = probe_dense(probe);
    ok = forecaster_add(workbench->forecaster, name, plan, change.change, change.deviation, probe_tokens(probe), error);
    changed(run);
    run->plans++;
    return ok;
}

static bool probe_uniform(struct measure_run *run, struct probe *probe, struct progress *progress,
                          struct error *error) {
    struct plan *plan = plan_create(run->workbench->model, error);
    bool ok = plan != NULL;
    for (size_t i = 0; ok && i < PLAN_LEVELS; i++) {
        char name[48];
        (void)snprintf(name, sizeof name, "uniform %.0f %% %s", 100 * plan_levels[i], run->settings.method);
        job_stage(run->workbench->jobs, "%s", name);
        ok = set_uniform(plan, plan_levels[i], run->settings.method, error) &&
             probe_anchor(run, probe, plan, name, progress, error);
    }
    plan_free(plan);
    return ok;
}

/* ---- matrices ---- */

static bool probe_level(struct measure_run *run, struct probe *probe, size_t matrix, double sparsity,
                        struct progress *progress, struct error *error) {
    struct workbench *workbench = run->workbench;
    struct target target = plan_default_target();
    struct probe_change change;
    struct loss_point point = {.sparsity = sparsity};
    target.sparsity = sparsity;
    (void)snprintf(target.method, sizeof target.method, "%s", run->settings.method);
    (void)snprintf(point.method, sizeof point.method, "%s", run->settings.method);
    if (!probe_matrix(&change, probe, matrix, &target, progress, error))
        return false;
    point.change = change.change;
    point.deviation = change.deviation;
    (void)pthread_mutex_lock(&workbench->mutex);
    bool ok = sensitivity_add_loss(workbench->sensitivity, matrix, &point, error);
    changed(run);
    run->losses++;
    return ok;
}

static bool probe_each(struct measure_run *run, struct probe *probe, struct progress *progress, struct error *error) {
    const struct model *model = run->workbench->model;
    bool ok = true;
    for (size_t i = 0; ok && i < run->settings.count; i++) {
        size_t matrix = run->settings.matrices[i];
        if (!run->workbench->sensitivity->matrices[matrix].known)
            continue;
        job_stage(run->workbench->jobs, "%s alone", model->matrices[matrix].name);
        ok = probe_seek(probe, model->matrices[matrix].block, progress, error);
        for (size_t level = 0; ok && level < MATRIX_LEVELS; level++)
            ok = probe_level(run, probe, matrix, matrix_levels[level], progress, error);
    }
    return ok;
}

/* ---- matrices among others that are cut ---- */

#define SLOPE_STEP 0.1   /* of sparsity, below and above */
#define SLOPE_FACTOR 1.2 /* of the density squared at most, as knapsack has its range; and half of the sparsity */

static void fill_uniform(struct target *targets, const struct model *model, double sparsity, const char *method) {
    for (size_t i = 0; i < model->matrix_count; i++) {
        targets[i] = plan_default_target();
        targets[i].sparsity = model->matrices[i].prunable ? sparsity : 0;
        (void)snprintf(targets[i].method, sizeof targets[i].method, "%s", method);
    }
}

static bool probe_at(struct measure_run *run, double *level, struct probe *probe, struct target *targets, size_t matrix,
                     double sparsity, struct progress *progress, struct error *error) {
    struct probe_change change;
    double before = targets[matrix].sparsity;
    targets[matrix].sparsity = sparsity;
    bool ok = probe_plan(&change, probe, targets, run->settings.method, progress, error);
    targets[matrix].sparsity = before;
    *level = change.change;
    return ok;
}

static bool probe_slope(struct measure_run *run, struct probe *probe, struct target *targets, size_t matrix,
                        double level, struct progress *progress, struct error *error) {
    struct workbench *workbench = run->workbench;
    struct slope_point point = {.base = run->settings.around, .level = level};
    double density = 1 - point.base;
    point.step = fmin(SLOPE_STEP, fmin(SLOPE_FACTOR * density * density, point.base / 2));
    (void)snprintf(point.method, sizeof point.method, "%s", run->settings.method);
    job_stage(workbench->jobs, "%s around %.4g %%", workbench->model->matrices[matrix].name, 100 * point.base);
    if (!probe_at(run, &point.below, probe, targets, matrix, point.base - point.step, progress, error) ||
        !probe_at(run, &point.above, probe, targets, matrix, point.base + point.step, progress, error))
        return false;
    (void)pthread_mutex_lock(&workbench->mutex);
    bool ok = sensitivity_add_slope(workbench->sensitivity, matrix, &point, error);
    changed(run);
    run->slopes++;
    return ok;
}

static bool probe_slopes(struct measure_run *run, struct probe *probe, struct progress *progress, struct error *error) {
    const struct model *model = run->workbench->model;
    struct probe_change level = {0};
    if (run->settings.around <= 0)
        return true;
    struct target *targets = memory_alloc(model->matrix_count, sizeof *targets, error);
    bool ok = targets != NULL;
    if (ok) {
        fill_uniform(targets, model, run->settings.around, run->settings.method);
        ok = probe_plan(&level, probe, targets, run->settings.method, progress, error);
    }
    for (size_t i = 0; ok && i < run->settings.count; i++)
        if (model->matrices[run->settings.matrices[i]].prunable)
            ok = probe_slope(run, probe, targets, run->settings.matrices[i], level.change, progress, error);
    memory_free(targets);
    return ok;
}

/* ---- all ---- */

static void set_total(const struct measure_run *run, const struct probe *probe, struct progress *progress) {
    const struct model *model = run->workbench->model;
    uint64_t total = (2 + PLAN_LEVELS) * probe_plan_work(probe);
    for (size_t i = 0; i < run->settings.count; i++)
        total += MATRIX_LEVELS * probe_matrix_work(probe, model->matrices[run->settings.matrices[i]].block);
    if (run->settings.around > 0)
        total += (1 + 2 * run->settings.count) * probe_plan_work(probe);
    atomic_store(&progress->total, total);
}

static bool check_memory(const struct measure_run *run, struct error *error) {
    char need[TEXT_NUMBER_SIZE];
    char have[TEXT_NUMBER_SIZE];
    uint64_t bytes = probe_bytes(run->workbench->model, run->corpus.windows, run->corpus.length, run->settings.compute);
    job_log(run->workbench->jobs, "%s of working memory", text_bytes(need, (double)bytes));
    if (memory_limit() == 0 || bytes <= memory_limit())
        return true;
    return error_set(error, ERROR_MEMORY, "measuring needs %s; --memory allows %s (fewer or shorter windows need less)",
                     need, text_bytes(have, (double)memory_limit()));
}

bool measure_run_work(struct measure_run *run, struct progress *progress, struct error *error) {
    struct workbench *workbench = run->workbench;
    struct probe probe;
    if (workbench->sensitivity == NULL)
        return error_set(error, ERROR_USAGE, "measuring needs a calibrated model: calibrate SOURCE comes first");
    if (!run_text_open(&run->corpus, workbench->model, run->settings.source, &run->settings.corpus, error) ||
        !check_memory(run, error))
        return false;
    job_stage(workbench->jobs, "the dense model");
    if (!probe_create(&probe, workbench->sensitivity, run->corpus.ids, run->corpus.windows, run->corpus.length,
                      run->settings.compute, progress, error))
        return false;
    set_total(run, &probe, progress);
    bool ok = probe_uniform(run, &probe, progress, error) && probe_each(run, &probe, progress, error) &&
              probe_slopes(run, &probe, progress, error);
    probe_free(&probe);
    ok = ok && calibration_cache_save(workbench, error);
    if (!ok && error->code == ERROR_CANCELLED)
        (void)error_set(error, ERROR_CANCELLED, "cancelled: %zu plans and %zu cuts of single matrices are measured",
                        run->plans, run->losses);
    return ok;
}

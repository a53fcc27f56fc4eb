#include "workbench/measure_run.h"

#include "base/memory.h"
#include "plan/allocate.h"
#include "plan/probe.h"
#include "workbench/calibration_cache.h"
#include "workbench/run_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* Sparsities of the uniform plans and of the matrices that are cut alone. */
static const double plan_levels[] = {0.2, 0.3, 0.4, 0.5, 0.6, 0.7};
static const double matrix_levels[] = {0.7, 0.85};
/* Uneven plans tell what unevenness itself costs. */
static const struct {
    double level;
    bool by_matrix;
} uneven_plans[] = {{0.3, false}, {0.4, true}, {0.45, false}, {0.5, false}, {0.6, true}, {0.6, false}};
/* Plans such as users make, once the matrices' losses are known. */
static const double knapsack_levels[] = {0.5, 0.6, 0.7};
#define KNAPSACK_LEVELS (sizeof knapsack_levels / sizeof *knapsack_levels)
#define UNEVEN_PLANS (sizeof uneven_plans / sizeof *uneven_plans)
#define UNEVEN_WIDTH 0.15 /* of sparsity, for block and role each */
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
    calibration_cache_keep(run->workbench);
}

/* ---- plans ---- */

static bool set_plan(struct plan *plan, const double *sparsities, const char *method, struct error *error) {
    const struct model *model = plan_model(plan);
    struct target target = plan_default_target();
    (void)snprintf(target.method, sizeof target.method, "%s", method);
    bool ok = plan_begin(plan, "measure", error);
    for (size_t i = 0; ok && i < model->matrix_count; i++) {
        target.sparsity = sparsities[i];
        if (model->matrices[i].prunable)
            ok = plan_set(plan, i, &target, error);
    }
    plan_end(plan);
    return ok;
}

static void fill_even(double *sparsities, const struct model *model, double level) {
    for (size_t i = 0; i < model->matrix_count; i++)
        sparsities[i] = level;
}

/* -1 to 1, evenly for successive n: multiples of the golden ratio. */
static double scattered(size_t n) {
    double turns = (double)(n + 1) * 0.61803398874989485;
    return 2 * (turns - floor(turns)) - 1;
}

static void fill_uneven(double *sparsities, const struct model *model, size_t which) {
    double level = uneven_plans[which].level;
    for (size_t i = 0; i < model->matrix_count; i++) {
        const struct matrix *matrix = &model->matrices[i];
        size_t block = matrix->block < 0 ? 0 : (size_t)matrix->block;
        double off = uneven_plans[which].by_matrix
                         ? 2 * scattered(i + 7 * which)
                         : scattered(block + 5 * which) + scattered((size_t)matrix->role + 3 * which);
        sparsities[i] = fmin(fmax(level + UNEVEN_WIDTH * off, 0.05), 0.9);
    }
}

static bool probe_anchor(struct measure_run *run, struct probe *probe, const struct plan *plan, const char *name,
                         struct progress *progress, struct error *error) {
    struct workbench *workbench = run->workbench;
    struct forecast_anchor anchor = {.tokens = probe_tokens(probe), .text = run->text};
    struct probe_change change;
    size_t count = workbench->model->matrix_count;
    (void)snprintf(anchor.name, sizeof anchor.name, "%s", name);
    if (forecaster_has(workbench->forecaster, plan, run->text)) {
        progress_add(progress, probe_plan_work(probe));
        run->plans++;
        return true;
    }
    struct target *targets = memory_alloc(count, sizeof *targets, error);
    for (size_t i = 0; targets != NULL && i < count; i++)
        targets[i] = *plan_target(plan, i);
    bool ok = targets != NULL && probe_plan(&change, probe, targets, run->settings.method, progress, error);
    memory_free(targets);
    if (!ok)
        return false;
    (void)pthread_mutex_lock(&workbench->mutex);
    workbench->forecaster->dense_nll = probe_dense(probe);
    anchor.change = change.change;
    anchor.deviation = change.deviation;
    ok = forecaster_add(workbench->forecaster, &anchor, plan, error);
    changed(run);
    run->plans++;
    return ok;
}

static bool probe_named(struct measure_run *run, struct probe *probe, struct plan *plan, const double *sparsities,
                        const char *kind, double level, struct progress *progress, struct error *error) {
    char name[48];
    (void)snprintf(name, sizeof name, "%s %.0f %% %s", kind, 100 * level, run->settings.method);
    job_stage(run->workbench->jobs, "%s", name);
    return set_plan(plan, sparsities, run->settings.method, error) &&
           probe_anchor(run, probe, plan, name, progress, error);
}

static bool probe_plans(struct measure_run *run, struct probe *probe, struct progress *progress, struct error *error) {
    const struct model *model = run->workbench->model;
    struct plan *plan = plan_create(model, error);
    double *sparsities = plan != NULL ? memory_alloc(model->matrix_count, sizeof *sparsities, error) : NULL;
    bool ok = sparsities != NULL;
    for (size_t i = 0; ok && i < PLAN_LEVELS; i++) {
        fill_even(sparsities, model, plan_levels[i]);
        ok = probe_named(run, probe, plan, sparsities, "uniform", plan_levels[i], progress, error);
    }
    for (size_t i = 0; ok && i < UNEVEN_PLANS; i++) {
        fill_uneven(sparsities, model, i);
        ok = probe_named(run, probe, plan, sparsities,
                         uneven_plans[i].by_matrix ? "uneven by matrix" : "uneven by block and role",
                         uneven_plans[i].level, progress, error);
    }
    memory_free(sparsities);
    plan_free(plan);
    return ok;
}

/* ---- matrices ---- */

/* What a run on the same text has found, killed or cancelled before its end, is not measured again. */
static bool loss_is_known(const struct measure_run *run, size_t matrix, double sparsity) {
    const struct matrix_sensitivity *known = &run->workbench->sensitivity->matrices[matrix];
    for (size_t i = 0; i < known->loss_count; i++)
        if (known->losses[i].text == run->text && known->losses[i].sparsity == sparsity &&
            strcmp(known->losses[i].method, run->settings.method) == 0)
            return true;
    return false;
}

static bool matrix_is_known(const struct measure_run *run, size_t matrix) {
    bool known = true;
    for (size_t level = 0; level < MATRIX_LEVELS; level++)
        known = known && loss_is_known(run, matrix, matrix_levels[level]);
    return known;
}

static bool slope_is_known(const struct measure_run *run, size_t matrix) {
    const struct matrix_sensitivity *known = &run->workbench->sensitivity->matrices[matrix];
    for (size_t i = 0; i < known->slope_count; i++)
        if (known->slopes[i].text == run->text && known->slopes[i].base == run->settings.around &&
            strcmp(known->slopes[i].method, run->settings.method) == 0)
            return true;
    return false;
}

static bool probe_level(struct measure_run *run, struct probe *probe, size_t matrix, double sparsity,
                        struct progress *progress, struct error *error) {
    struct workbench *workbench = run->workbench;
    struct target target = plan_default_target();
    struct probe_change change;
    struct loss_point point = {.sparsity = sparsity, .text = run->text};
    target.sparsity = sparsity;
    (void)snprintf(target.method, sizeof target.method, "%s", run->settings.method);
    (void)snprintf(point.method, sizeof point.method, "%s", run->settings.method);
    if (loss_is_known(run, matrix, sparsity)) {
        progress_add(progress, probe_matrix_work(probe, workbench->model->matrices[matrix].block));
        run->losses++;
        return true;
    }
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
        ok = matrix_is_known(run, matrix) || probe_seek(probe, model->matrices[matrix].block, progress, error);
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
    struct slope_point point = {.base = run->settings.around, .level = level, .text = run->text};
    double density = 1 - point.base;
    point.step = fmin(SLOPE_STEP, fmin(SLOPE_FACTOR * density * density, point.base / 2));
    (void)snprintf(point.method, sizeof point.method, "%s", run->settings.method);
    if (slope_is_known(run, matrix)) {
        progress_add(progress, 2 * probe_plan_work(probe));
        run->slopes++;
        return true;
    }
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

/* ---- plans for a reason ---- */

static bool allocate_knapsack(struct measure_run *run, struct plan *plan, double *sparsities, double level,
                              struct error *error) {
    struct workbench *workbench = run->workbench;
    struct allocation given = {.plan = plan,
                               .sensitivity = workbench->sensitivity,
                               .forecaster = workbench->forecaster,
                               .budget = level,
                               .parameter = NAN};
    (void)pthread_mutex_lock(&workbench->mutex);
    bool ok = allocate(strategy_find("knapsack"), &given, NULL, 0, error);
    (void)pthread_mutex_unlock(&workbench->mutex);
    for (size_t i = 0; ok && i < workbench->model->matrix_count; i++)
        sparsities[i] = plan_target(plan, i)->sparsity;
    return ok;
}

static bool probe_knapsack(struct measure_run *run, struct probe *probe, struct progress *progress,
                           struct error *error) {
    const struct model *model = run->workbench->model;
    struct plan *plan = plan_create(model, error);
    double *sparsities = plan != NULL ? memory_alloc(model->matrix_count, sizeof *sparsities, error) : NULL;
    bool ok = sparsities != NULL;
    for (size_t i = 0; ok && i < KNAPSACK_LEVELS; i++) {
        struct error refusal = {0}; /* an expert that no token reached: the forecast does without such plans */
        if (allocate_knapsack(run, plan, sparsities, knapsack_levels[i], &refusal))
            ok = probe_named(run, probe, plan, sparsities, "knapsack", knapsack_levels[i], progress, error);
        else
            job_log(run->workbench->jobs, "knapsack %.0f %% is left out: %s", 100 * knapsack_levels[i], refusal.text);
    }
    memory_free(sparsities);
    plan_free(plan);
    return ok;
}

/* ---- all ---- */

static void set_total(const struct measure_run *run, const struct probe *probe, struct progress *progress) {
    const struct model *model = run->workbench->model;
    uint64_t total = (2 + PLAN_LEVELS + UNEVEN_PLANS + KNAPSACK_LEVELS) * probe_plan_work(probe);
    for (size_t i = 0; i < run->settings.count; i++)
        total += MATRIX_LEVELS * probe_matrix_work(probe, model->matrices[run->settings.matrices[i]].block);
    if (run->settings.around > 0)
        total += (1 + 2 * run->settings.count) * probe_plan_work(probe);
    atomic_store(&progress->total, total);
}

static void count_known(struct measure_run *run) {
    const struct forecaster *forecaster = run->workbench->forecaster;
    for (size_t i = 0; i < forecaster->anchor_count; i++)
        run->known_plans += forecaster->anchors[i].text == run->text;
    for (size_t i = 0; i < run->settings.count; i++)
        run->known_matrices += matrix_is_known(run, run->settings.matrices[i]);
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
    const uint64_t windows[] = {run->corpus.hash, run->corpus.windows, run->corpus.length, run->settings.compute};
    run->text = XXH3_64bits(windows, sizeof windows);
    job_stage(workbench->jobs, "the dense model");
    if (!probe_create(&probe, workbench->sensitivity, run->corpus.ids, run->corpus.windows, run->corpus.length,
                      run->settings.compute, progress, error))
        return false;
    set_total(run, &probe, progress);
    count_known(run);
    bool ok = probe_plans(run, &probe, progress, error) && probe_each(run, &probe, progress, error) &&
              probe_slopes(run, &probe, progress, error) && probe_knapsack(run, &probe, progress, error);
    probe_free(&probe);
    if (ok)
        return calibration_cache_save(workbench, error);
    struct error unkept = {0};
    (void)calibration_cache_save(workbench, &unkept);
    if (error->code == ERROR_CANCELLED)
        (void)error_set(error, ERROR_CANCELLED,
                        "cancelled: %zu plans and %zu cuts of single matrices are measured; the same command goes on "
                        "behind them",
                        run->plans, run->losses);
    return false;
}

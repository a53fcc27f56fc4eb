#include "plan/allocate.h"

#include "base/memory.h"
#include "base/text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

const struct strategy strategy_table[] = {
    {"uniform", "the same sparsity everywhere", "-", STRATEGY_NEEDS_NOTHING, FIT_SHIFT, NULL, 0, strategy_uniform},
    {"global", "one threshold on |w| over all matrices", "Han et al. 2015", STRATEGY_NEEDS_SCAN, FIT_SHIFT, NULL, 0,
     strategy_global},
    {"erk", "density by (inputs + outputs) / (inputs x outputs)", "Evci et al. 2020, arXiv 1911.11134",
     STRATEGY_NEEDS_NOTHING, FIT_DENSITY, NULL, 0, strategy_erk},
    {"lamp", "one threshold on w^2 over the energy that is larger", "Lee et al. 2021, arXiv 2010.07611",
     STRATEGY_NEEDS_SCAN, FIT_SHIFT, NULL, 0, strategy_lamp},
    {"owl", "blocks with more outlying scores keep more", "Yin et al. 2024, arXiv 2310.05175",
     STRATEGY_NEEDS_CALIBRATION, FIT_SHIFT, "lambda: half the range of densities over blocks", 0.08, strategy_owl},
    {"dlp", "blocks of larger mean score are cut more", "Chen et al. 2025 (DLP)", STRATEGY_NEEDS_CALIBRATION, FIT_SHIFT,
     "alpha: half the range of densities over blocks", 0.15, strategy_dlp},
    {"alpha", "blocks of heavier-tailed spectra are cut less (AlphaPruning)", "Lu et al. 2024, arXiv 2410.10912",
     STRATEGY_NEEDS_SPECTRUM, FIT_SCALE, "epsilon: half the range of relative sparsities", 0.3, strategy_alpha},
    {"atp", "sparsity rises from block to block by a constant, found by measuring", "Huang et al. 2025 (ATP)",
     STRATEGY_NEEDS_EVALUATION, FIT_SHIFT, "beta: the difference between blocks", NAN, strategy_atp},
    {"influence", "blocks that change the hidden state less are cut more", "Men et al. 2024, arXiv 2403.03853 (BI)",
     STRATEGY_NEEDS_CALIBRATION, FIT_SHIFT, "spread: half the range of densities over blocks", 0.1, strategy_influence},
    {"fisher", "matrices with a larger Fisher trace per weight are cut less (gradients=FILE)", "MSP, arXiv 2503.11164",
     STRATEGY_NEEDS_GRADIENTS, FIT_SHIFT, "spread: half the range of densities", 0.1, strategy_fisher},
    {"knapsack", "least forecast error for the budget: equal marginal error everywhere",
     "Lagrangian; Frantar, Alistarh 2022 (SPDY)", STRATEGY_NEEDS_CALIBRATION, FIT_SHIFT,
     "range: how far a matrix may stand from the budget (1.7 times the density squared, at most 0.15)", NAN,
     strategy_knapsack},
};

const size_t strategy_count = sizeof strategy_table / sizeof *strategy_table;

const struct strategy *strategy_find(const char *name) {
    for (size_t i = 0; i < strategy_count; i++)
        if (strcmp(strategy_table[i].name, name) == 0)
            return &strategy_table[i];
    return NULL;
}

const char *const *strategy_names(void) {
    static const char *names[sizeof strategy_table / sizeof *strategy_table + 1];
    for (size_t i = 0; i < strategy_count; i++)
        names[i] = strategy_table[i].name;
    return names;
}

double allocation_parameter(const struct allocation *allocation, double fallback) {
    return isnan(allocation->parameter) ? fallback : allocation->parameter;
}

static double fitted(enum strategy_fit fit, double sparsity, double x) {
    switch (fit) {
    case FIT_SCALE:
        return sparsity * x;
    case FIT_DENSITY:
        return 1 - (1 - sparsity) / fmax(x, 1e-300);
    case FIT_SHIFT:
        break;
    }
    return sparsity + x;
}

static double clamped(const struct allocation *allocation, size_t i, double sparsity) {
    return fmin(fmax(sparsity, allocation->lows[i]), allocation->highs[i]);
}

static double total_at(const struct allocation *allocation, enum strategy_fit fit, double x) {
    double total = 0;
    for (size_t i = 0; i < allocation->count; i++)
        total += allocation->sizes[i] * clamped(allocation, i, fitted(fit, allocation->sparsity[i], x));
    return total;
}

/* Every form rises with x: bisection, from where all are clamped below to where all are clamped above. */
void allocation_fit(struct allocation *allocation, enum strategy_fit fit) {
    double low = fit == FIT_SHIFT ? -2 : 0;
    double high = fit == FIT_SHIFT ? 2 : 1e9;
    for (int i = 0; i < 200; i++) {
        double middle = fit == FIT_SHIFT || low <= 0 ? (low + high) / 2 : sqrt(low * high);
        if (total_at(allocation, fit, middle) < allocation->wanted)
            low = middle;
        else
            high = middle;
    }
    for (size_t i = 0; i < allocation->count; i++)
        allocation->sparsity[i] = clamped(allocation, i, fitted(fit, allocation->sparsity[i], high));
}

void allocation_spread_blocks(struct allocation *allocation, const double *scores, double spread) {
    const struct model *model = plan_model(allocation->plan);
    double least = INFINITY;
    double most = -INFINITY;
    for (size_t b = 0; b < model->block_count; b++) {
        least = fmin(least, isnan(scores[b]) ? least : scores[b]);
        most = fmax(most, isnan(scores[b]) ? most : scores[b]);
    }
    for (size_t i = 0; i < allocation->count; i++) {
        int64_t block = model->matrices[allocation->matrices[i]].block;
        bool known = block >= 0 && !isnan(scores[block]) && most > least;
        double keep = known ? (scores[block] - least) / (most - least) * 2 * spread : spread;
        allocation->sparsity[i] = 1 - keep;
    }
}

static void allocation_free(struct allocation *allocation, size_t *chosen) {
    memory_free(allocation->sizes);
    memory_free(allocation->lows);
    memory_free(allocation->highs);
    memory_free(allocation->sparsity);
    memory_free(chosen);
}

/* Which matrices may be set, and what they have to give together: the budget less what the others hold already. */
static bool allocation_begin(struct allocation *allocation, size_t **chosen, const size_t *matrices, size_t count,
                             struct error *error) {
    const struct model *model = plan_model(allocation->plan);
    size_t most = matrices != NULL ? count : model->matrix_count;
    *chosen = memory_alloc(most, sizeof **chosen, error);
    allocation->sizes = memory_alloc(most, sizeof(double), error);
    allocation->lows = memory_alloc(most, sizeof(double), error);
    allocation->highs = memory_alloc(most, sizeof(double), error);
    allocation->sparsity = memory_alloc(most, sizeof(double), error);
    if (*chosen == NULL || allocation->sizes == NULL || allocation->lows == NULL || allocation->highs == NULL ||
        allocation->sparsity == NULL)
        return false;
    struct plan_totals totals;
    plan_totals(&totals, allocation->plan);
    double others = (double)totals.pruned;
    allocation->matrices = *chosen;
    for (size_t i = 0; i < most; i++) {
        size_t index = matrices != NULL ? matrices[i] : i;
        const struct matrix *matrix = &model->matrices[index];
        const struct target *target = plan_target(allocation->plan, index);
        if (!matrix->prunable || target->locked)
            continue;
        size_t place = allocation->count++;
        (*chosen)[place] = index;
        allocation->sizes[place] = (double)matrix->rows * (double)matrix->columns;
        allocation->lows[place] = target->low;
        allocation->highs[place] = target->high;
        others -= (double)plan_count(allocation->plan, index);
    }
    allocation->wanted = allocation->budget * (double)totals.prunable - others;
    return true;
}

bool allocate_range(double *low, double *high, struct plan *plan, const size_t *matrices, size_t count,
                    struct error *error) {
    struct allocation allocation = {.plan = plan};
    struct plan_totals totals;
    size_t *chosen = NULL;
    plan_totals(&totals, plan);
    bool ok = allocation_begin(&allocation, &chosen, matrices, count, error);
    *low = *high = -allocation.wanted; /* with a budget of 0: what the others hold */
    for (size_t i = 0; ok && i < allocation.count; i++) {
        *low += allocation.sizes[i] * allocation.lows[i];
        *high += allocation.sizes[i] * allocation.highs[i];
    }
    *low /= fmax(1, (double)totals.prunable);
    *high /= fmax(1, (double)totals.prunable);
    allocation_free(&allocation, chosen);
    return ok;
}

static bool check_range(const struct allocation *allocation, struct error *error) {
    double low = 0;
    double high = 0;
    double all = 0;
    for (size_t i = 0; i < allocation->count; i++) {
        low += allocation->sizes[i] * allocation->lows[i];
        high += allocation->sizes[i] * allocation->highs[i];
        all += allocation->sizes[i];
    }
    if (allocation->count == 0)
        return error_set(error, ERROR_USAGE, "there is no unlocked prunable matrix among those selected");
    if (allocation->wanted >= low - 1 && allocation->wanted <= high + 1)
        return true;
    return error_set(
        error, ERROR_USAGE,
        "the budget of %.4g %% cannot be reached: the %zu matrices to be set would need %.4g %%, but their bounds "
        "allow %.4g to %.4g %%",
        100 * allocation->budget, allocation->count, 100 * allocation->wanted / all, 100 * low / all, 100 * high / all);
}

static bool check_needs(const struct strategy *strategy, const struct allocation *allocation, struct error *error) {
    const struct model *model = plan_model(allocation->plan);
    bool scanned = allocation->summaries != NULL;
    bool calibrated = allocation->sensitivity != NULL && allocation->sensitivity->tokens > 0;
    for (size_t i = 0; scanned && i < model->matrix_count; i++)
        scanned = !model->matrices[i].prunable || allocation->summaries[i] != NULL;
    if (strategy->needs == STRATEGY_NEEDS_SCAN && !scanned)
        return error_set(error, ERROR_USAGE, "%s needs the statistics of every matrix; wait for the scan to end",
                         strategy->name);
    if (strategy->needs == STRATEGY_NEEDS_CALIBRATION && !calibrated)
        return error_set(error, ERROR_USAGE,
                         "%s needs activations; calibrate first (:calibrate TEXT, --calibrate TEXT)", strategy->name);
    if (strategy->needs == STRATEGY_NEEDS_GRADIENTS && allocation->fisher == NULL)
        return error_set(
            error, ERROR_USAGE,
            "%s needs gradients of the loss; give gradients=FILE, a safetensors file that has the gradient "
            "of every matrix under the matrix's own name",
            strategy->name);
    return true;
}

/* Writes the proposal into the plan and lets the plan's own rebalancing make the count exact. */
static bool place(const struct allocation *allocation, struct error *error) {
    struct plan *plan = allocation->plan;
    const struct model *model = plan_model(plan);
    bool ok = true;
    for (size_t i = 0; ok && i < allocation->count; i++) {
        struct target target = *plan_target(plan, allocation->matrices[i]);
        target.sparsity = allocation->sparsity[i];
        ok = plan_set(plan, allocation->matrices[i], &target, error);
    }
    size_t *fixed = memory_alloc(model->matrix_count, sizeof *fixed, error);
    size_t fixed_count = 0;
    size_t next = 0;
    for (size_t i = 0; fixed != NULL && i < model->matrix_count; i++) {
        if (next < allocation->count && allocation->matrices[next] == i)
            next++;
        else
            fixed[fixed_count++] = i;
    }
    double before;
    bool was_on = plan_budget(plan, &before);
    plan_set_budget(plan, true, allocation->budget);
    ok = ok && fixed != NULL && plan_rebalance(plan, fixed, fixed_count, error);
    plan_set_budget(plan, was_on, before);
    memory_free(fixed);
    return ok;
}

static bool propose_and_place(const struct strategy *strategy, struct allocation *allocation, struct error *error) {
    char name[96];
    if (!strategy->propose(allocation, error))
        return error_prefix(error, "%s", strategy->name);
    allocation_fit(allocation, strategy->fit);
    (void)snprintf(name, sizeof name, "allocate %s %g%%", strategy->name, 100 * allocation->budget);
    if (!plan_begin(allocation->plan, name, error))
        return false;
    bool ok = place(allocation, error);
    if (!ok)
        plan_rollback(allocation->plan);
    plan_end(allocation->plan);
    return ok;
}

bool allocate(const struct strategy *strategy, const struct allocation *given, const size_t *matrices, size_t count,
              struct error *error) {
    struct allocation allocation = {.plan = given->plan,
                                    .sensitivity = given->sensitivity,
                                    .forecaster = given->forecaster,
                                    .summaries = given->summaries,
                                    .fisher = given->fisher,
                                    .measure = given->measure,
                                    .context = given->context,
                                    .budget = given->budget,
                                    .parameter = given->parameter};
    size_t *chosen = NULL;
    if (!check_needs(strategy, &allocation, error))
        return false;
    bool ok = allocation_begin(&allocation, &chosen, matrices, count, error) && check_range(&allocation, error) &&
              propose_and_place(strategy, &allocation, error);
    allocation_free(&allocation, chosen);
    return ok;
}

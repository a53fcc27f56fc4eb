#include "base/memory.h"
#include "plan/allocate.h"
#include <math.h>

/* One matrix's forecast cost at sparsities i / 256, made convex: its lower hull. On the hull every matrix at equal
 * marginal cost per weight is the least total cost for the budget (Lagrange). */
struct hull {
    double cost[CURVE_POINTS];
};

static double slope_between(const double *cost, size_t from, size_t to) {
    return (cost[to] - cost[from]) / (double)(to - from);
}

/* Replaces what lies above a chord of the lower hull by the chord. */
static void make_convex(struct hull *hull) {
    size_t from = 0;
    while (from < CURVE_POINTS - 1) {
        size_t best = from + 1;
        for (size_t to = from + 2; to < CURVE_POINTS; to++)
            if (slope_between(hull->cost, from, to) <= slope_between(hull->cost, from, best))
                best = to;
        double slope = slope_between(hull->cost, from, best);
        for (size_t i = from + 1; i < best; i++)
            hull->cost[i] = hull->cost[from] + slope * (double)(i - from);
        from = best;
    }
}

static bool fill_hull(struct hull *hull, const struct allocation *allocation, size_t i, struct error *error) {
    size_t matrix = allocation->matrices[i];
    struct target target = *plan_target(allocation->plan, matrix);
    double weight = forecast_weight(allocation->forecaster, matrix);
    for (size_t point = 0; point < CURVE_POINTS; point++) {
        bool estimated;
        target.sparsity = (double)point / (CURVE_POINTS - 1);
        hull->cost[point] = weight * forecast_matrix(allocation->forecaster, matrix, &target, &estimated);
        if (isnan(hull->cost[point]))
            return error_set(error, ERROR_USAGE, "the sensitivity of %s is not known; calibrate with more text",
                             plan_model(allocation->plan)->matrices[matrix].name);
    }
    make_convex(hull);
    return true;
}

/* The sparsity at which the cost of one more weight reaches `price`. */
static double sparsity_at(const struct hull *hull, double size, double price) {
    size_t point = 0;
    while (point < CURVE_POINTS - 1 && (hull->cost[point + 1] - hull->cost[point]) * (CURVE_POINTS - 1) <= price * size)
        point++;
    return (double)point / (CURVE_POINTS - 1);
}

static double total_at(struct allocation *allocation, const struct hull *hulls, double price) {
    double total = 0;
    for (size_t i = 0; i < allocation->count; i++) {
        double sparsity = sparsity_at(&hulls[i], allocation->sizes[i], price);
        allocation->sparsity[i] = fmin(fmax(sparsity, allocation->lows[i]), allocation->highs[i]);
        total += allocation->sizes[i] * allocation->sparsity[i];
    }
    return total;
}

/* The price lies between nothing and more than any weight costs; what steps of 1/256 leave over, the fit shifts. */
static void find_price(struct allocation *allocation, const struct hull *hulls) {
    double low = 1e-30;
    double high = 1e6;
    for (int i = 0; i < 100; i++) {
        double middle = sqrt(low * high);
        if (total_at(allocation, hulls, middle) < allocation->wanted)
            low = middle;
        else
            high = middle;
    }
    (void)total_at(allocation, hulls, high);
}

bool strategy_knapsack(struct allocation *allocation, struct error *error) {
    struct hull *hulls = memory_alloc(allocation->count, sizeof *hulls, error);
    bool ok = hulls != NULL;
    for (size_t i = 0; ok && i < allocation->count; i++)
        ok = fill_hull(&hulls[i], allocation, i, error);
    if (ok)
        find_price(allocation, hulls);
    memory_free(hulls);
    return ok;
}

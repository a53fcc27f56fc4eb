#include "base/memory.h"
#include "plan/allocate.h"
#include <math.h>

/* How far from the budget a matrix may stand: this times the density squared, at most 0.15; both found by trying
 * (tests/results/strategies.md). Where little is left, small steps change much. */
#define RANGE_FACTOR 1.7
#define RANGE_MOST 0.15

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

/* Measured near the budget: a parabola through the three plans, with at least as much bend as the steepest allowed move
 * takes, so that noise does not send a matrix to the end of its range. */
static void fill_measured(struct hull *hull, const struct slope_point *slope, double bend) {
    double steepness = (slope->above - slope->below) / (2 * slope->step);
    double curvature = (slope->above + slope->below - 2 * slope->level) / (slope->step * slope->step);
    curvature = fmax(curvature, bend);
    for (size_t point = 0; point < CURVE_POINTS; point++) {
        double away = (double)point / (CURVE_POINTS - 1) - slope->base;
        hull->cost[point] = steepness * away + curvature * away * away / 2;
    }
}

static const struct slope_point *slope_of(const struct allocation *allocation, size_t i) {
    const struct target *target = plan_target(allocation->plan, allocation->matrices[i]);
    const char *method = target->method[0] != '\0' ? target->method : allocation->forecaster->method;
    return sensitivity_slope(allocation->sensitivity, allocation->matrices[i], method, allocation->budget);
}

/* The least curvature: with it the mean slope moves a matrix by `range`. NaN when some matrix has not been measured. */
static double find_bend(const struct allocation *allocation, double range) {
    double sum = 0;
    for (size_t i = 0; i < allocation->count; i++) {
        const struct slope_point *slope = slope_of(allocation, i);
        if (slope == NULL)
            return NAN;
        sum += fabs(slope->above - slope->below) / (2 * slope->step);
    }
    return sum / (double)allocation->count / range;
}

/* False where it is not known. */
static bool fill_forecast(struct hull *hull, const struct plan *plan, struct forecaster *forecaster, size_t matrix) {
    struct target target = *plan_target(plan, matrix);
    double weight = forecast_weight(forecaster, matrix);
    for (size_t point = 0; point < CURVE_POINTS; point++) {
        bool estimated;
        target.sparsity = (double)point / (CURVE_POINTS - 1);
        hull->cost[point] = weight * forecast_matrix(forecaster, matrix, &target, &estimated);
        if (isnan(hull->cost[point]))
            return false;
    }
    make_convex(hull);
    return true;
}

static bool fill_hull(struct hull *hull, const struct allocation *allocation, size_t i, struct error *error) {
    size_t matrix = allocation->matrices[i];
    return fill_forecast(hull, allocation->plan, allocation->forecaster, matrix) ||
           error_set(error, ERROR_USAGE, "the sensitivity of %s is not known; calibrate with more text",
                     plan_model(allocation->plan)->matrices[matrix].name);
}

void allocation_prices(float *prices, const struct plan *plan, struct forecaster *forecaster) {
    const struct model *model = plan_model(plan);
    for (size_t i = 0; i < model->matrix_count; i++, prices += CURVE_POINTS) {
        struct hull hull;
        const struct matrix *matrix = &model->matrices[i];
        double each = (CURVE_POINTS - 1) / ((double)matrix->rows * (double)matrix->columns);
        prices[0] = NAN;
        if (!matrix->prunable || !fill_forecast(&hull, plan, forecaster, i))
            continue;
        for (size_t point = 0; point < CURVE_POINTS; point++) {
            size_t before = point > 0 ? point - 1 : 0;
            size_t behind = point < CURVE_POINTS - 1 ? point + 1 : point;
            prices[point] = (float)((hull.cost[behind] - hull.cost[before]) * each / (double)(behind - before));
        }
    }
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

/* Estimates grow doubtful far from the budget, and the optimum seeks out where they err. Not where bounds and locks
 * leave no room for the budget so near. */
static void narrow_bounds(struct allocation *allocation, double range) {
    double low = 0, high = 0;
    for (size_t i = 0; i < allocation->count; i++) {
        low += allocation->sizes[i] * fmax(allocation->lows[i], fmin(allocation->budget - range, allocation->highs[i]));
        high +=
            allocation->sizes[i] * fmin(allocation->highs[i], fmax(allocation->budget + range, allocation->lows[i]));
    }
    if (allocation->wanted < low || allocation->wanted > high)
        return;
    for (size_t i = 0; i < allocation->count; i++) {
        double floor = fmin(allocation->budget - range, allocation->highs[i]);
        double ceiling = fmax(allocation->budget + range, allocation->lows[i]);
        allocation->lows[i] = fmax(allocation->lows[i], floor);
        allocation->highs[i] = fmin(allocation->highs[i], ceiling);
    }
}

static double usual_range(double density) {
    return fmin(RANGE_MOST, RANGE_FACTOR * density * density);
}

bool strategy_knapsack(struct allocation *allocation, struct error *error) {
    struct hull *hulls = memory_alloc(allocation->count, sizeof *hulls, error);
    bool ok = hulls != NULL;
    double range = allocation_parameter(allocation, usual_range(1 - allocation->budget));
    double bend = find_bend(allocation, range);
    narrow_bounds(allocation, range);
    for (size_t i = 0; ok && i < allocation->count; i++) {
        if (isnan(bend))
            ok = fill_hull(&hulls[i], allocation, i, error);
        else
            fill_measured(&hulls[i], slope_of(allocation, i), bend);
    }
    if (ok)
        find_price(allocation, hulls);
    memory_free(hulls);
    return ok;
}

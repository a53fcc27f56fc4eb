/* Measured plans, the line through the uniform ones, and how far a plan is from them. */
#include "plan/forecast_state.h"

#include "base/memory.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define INTERVAL 1.645      /* 90 % of a normal distribution */
#define SPREAD_UNKNOWN 0.35 /* of log(change), while fewer than three anchors can tell */
#define SPREAD_LEAST 0.05
#define SLOPE_LOW 0.7 /* of log(change) over log(load) beyond the outermost anchors */
#define SLOPE_HIGH 2.5
/* What is believed of the unevenness before it is measured: no bias, a spread of log(change) of 1 per distance, with
 * the weight of one plan at a distance of a seventh. */
#define UNEVEN_SPREAD 1.0
#define UNEVEN_WEIGHT 0.02

/* ---- what was measured ---- */

static bool copy_targets(struct forecast_anchor *anchor, const struct plan *plan, size_t count, struct error *error) {
    anchor->targets = memory_alloc(count, sizeof *anchor->targets, error);
    for (size_t i = 0; anchor->targets != NULL && i < count; i++)
        anchor->targets[i] = *plan_target(plan, i);
    return anchor->targets != NULL;
}

bool forecaster_reserve(struct forecaster *forecaster, size_t count, struct error *error) {
    double *loads = memory_resize(forecaster->loads, count, sizeof *loads, error);
    if (loads == NULL)
        return false;
    forecaster->loads = loads;
    double *changes = memory_resize(forecaster->changes, count, sizeof *changes, error);
    if (changes == NULL)
        return false;
    forecaster->changes = changes;
    size_t matrices = forecaster->sensitivity->model->matrix_count;
    size_t values;
    if (!memory_multiply(&values, count + 1, matrices))
        return error_set(error, ERROR_MEMORY, "no memory for the shares of %zu plans", count);
    double *shares = memory_resize(forecaster->shares, values, sizeof *shares, error);
    if (shares == NULL)
        return false;
    forecaster->shares = shares;
    struct forecast_anchor *anchors = memory_resize(forecaster->anchors, count, sizeof *anchors, error);
    if (anchors == NULL)
        return false;
    forecaster->anchors = anchors;
    return true;
}

/* Where the same plan stands, measured before; else behind the last. */
static size_t place_of_plan(const struct forecaster *forecaster, const struct plan *plan) {
    size_t matrices = forecaster->sensitivity->model->matrix_count;
    for (size_t i = 0; i < forecaster->anchor_count; i++) {
        size_t same = 0;
        while (same < matrices && target_equal(&forecaster->anchors[i].targets[same], plan_target(plan, same)))
            same++;
        if (same == matrices)
            return i;
    }
    return forecaster->anchor_count;
}

bool forecaster_add(struct forecaster *forecaster, const struct forecast_anchor *measured, const struct plan *plan,
                    struct error *error) {
    struct forecast_anchor anchor = *measured;
    size_t place = place_of_plan(forecaster, plan);
    if ((place == forecaster->anchor_count && !forecaster_reserve(forecaster, place + 1, error)) ||
        !copy_targets(&anchor, plan, forecaster->sensitivity->model->matrix_count, error))
        return false;
    if (place == forecaster->anchor_count)
        forecaster->anchor_count++;
    else
        memory_free(forecaster->anchors[place].targets);
    forecaster->anchors[place] = anchor;
    forecaster->weights_of = 0;
    return true;
}

bool forecaster_has(const struct forecaster *forecaster, const struct plan *plan, uint64_t text) {
    size_t place = place_of_plan(forecaster, plan);
    return place < forecaster->anchor_count && forecaster->anchors[place].text == text;
}

/* ---- the line through the uniform plans ---- */

/* log(change) at log(load) on the line, all of it but the point at `skip`; the origin is the limit. */
static double read_line(const struct forecaster *forecaster, double load, size_t skip) {
    size_t count = 0;
    double x[2] = {0, 0};
    double y[2] = {0, 0};
    for (size_t i = 0; i < forecaster->line_count; i++) {
        if (i == skip)
            continue;
        if (count >= 2 && x[1] >= log(load))
            break;
        x[0] = x[1];
        y[0] = y[1];
        x[1] = log(forecaster->loads[i]);
        y[1] = log(forecaster->changes[i]);
        count++;
    }
    double slope = 1;
    if (count >= 2 && x[1] > x[0])
        slope = (y[1] - y[0]) / (x[1] - x[0]);
    bool inside = count >= 2 && log(load) >= x[0] && log(load) <= x[1];
    if (!inside)
        slope = fmin(fmax(slope, SLOPE_LOW), SLOPE_HIGH);
    bool below = count >= 2 && log(load) < x[0];
    return below ? y[0] + slope * (log(load) - x[0]) : y[1] + slope * (log(load) - x[1]);
}

static void update_spread(struct forecaster *forecaster) {
    forecaster->spread = SPREAD_UNKNOWN;
    if (forecaster->line_count < 3)
        return;
    double sum = 0;
    for (size_t i = 0; i < forecaster->line_count; i++) {
        double residual = log(forecaster->changes[i]) - read_line(forecaster, forecaster->loads[i], i);
        sum += residual * residual;
    }
    forecaster->spread = fmax(SPREAD_LEAST, sqrt(sum / (double)forecaster->line_count));
}

/* In rising order of the load. */
static void add_to_line(struct forecaster *forecaster, double load, double change) {
    size_t place = forecaster->line_count++;
    for (; place > 0 && forecaster->loads[place - 1] > load; place--) {
        forecaster->loads[place] = forecaster->loads[place - 1];
        forecaster->changes[place] = forecaster->changes[place - 1];
    }
    forecaster->loads[place] = load;
    forecaster->changes[place] = change;
}

static bool is_uniform(const struct forecaster *forecaster, const struct forecast_anchor *anchor) {
    const struct model *model = forecaster->sensitivity->model;
    const struct target *first = NULL;
    for (size_t i = 0; i < model->matrix_count; i++) {
        const struct target *target = &anchor->targets[i];
        if (!model->matrices[i].prunable)
            continue;
        if (first != NULL && (target->sparsity != first->sparsity || target->pattern.kind != first->pattern.kind ||
                              strcmp(target->method, first->method) != 0))
            return false;
        first = target;
    }
    return true;
}

/* Two uniform plans make a line; with fewer, all plans stand for it. */
static void choose_line(struct forecaster *forecaster) {
    size_t uniform = 0;
    for (size_t i = 0; i < forecaster->anchor_count; i++)
        uniform += forecaster->anchors[i].on_line = is_uniform(forecaster, &forecaster->anchors[i]);
    for (size_t i = 0; i < forecaster->anchor_count && uniform < 2; i++)
        forecaster->anchors[i].on_line = true;
}

/* ---- off the line ---- */

static double *shares_of(const struct forecaster *forecaster, size_t anchor) {
    return forecaster->shares + (anchor + 1) * forecaster->sensitivity->model->matrix_count;
}

/* Half the sum of the differences of the matrices' shares: the part of the load that lies elsewhere. 0 for plans of the
 * same proportions, at most 1. */
static double share_distance(const double *a, const double *b, size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++)
        sum += fabs(a[i] - b[i]);
    return sum / 2;
}

/* The distance from the most similar of the anchors that are on the line, or that are not; 1 where there is none. */
static double nearest(const struct forecaster *forecaster, const double *shares, bool on_line, size_t *which) {
    double least = 1;
    *which = SIZE_MAX;
    for (size_t i = 0; i < forecaster->anchor_count; i++) {
        if (forecaster->anchors[i].on_line != on_line)
            continue;
        double distance =
            share_distance(shares, shares_of(forecaster, i), forecaster->sensitivity->model->matrix_count);
        if (*which == SIZE_MAX || distance < least) {
            least = distance;
            *which = i;
        }
    }
    return least;
}

/* What the uneven plans that were measured are off the line, per distance. No bias is taken from them: plans uneven at
 * random cost more than the line says, plans uneven for a reason less. */
static void fit_unevenness(struct forecaster *forecaster) {
    double distances = UNEVEN_WEIGHT;
    size_t count = 0;
    double residuals = UNEVEN_WEIGHT * UNEVEN_SPREAD * UNEVEN_SPREAD;
    for (size_t i = 0; i < forecaster->anchor_count; i++) {
        const struct forecast_anchor *anchor = &forecaster->anchors[i];
        if (anchor->on_line)
            continue;
        distances += anchor->distance * anchor->distance;
        residuals += anchor->residual * anchor->residual;
        count++;
    }
    /* Student's interval, in place of the normal one: within 2 % for three and more. */
    double few = count > 0 ? 1 + 1 / (double)count : 1;
    forecaster->uneven_spread = few * sqrt(residuals / distances);
}

/* ---- both ---- */

static double least_change(const struct forecast_anchor *anchor) {
    return fmax(anchor->change, fmax(0.1 * anchor->deviation, 1e-6));
}

static void find_load(struct forecaster *forecaster, size_t index) {
    struct forecast_anchor *anchor = &forecaster->anchors[index];
    size_t count = forecaster->sensitivity->model->matrix_count;
    double *shares = shares_of(forecaster, index);
    anchor->load = fmax(forecast_load(forecaster, shares, NULL, anchor->targets, NULL).load, 1e-12);
    for (size_t i = 0; i < count; i++)
        shares[i] /= anchor->load;
}

void forecast_anchors_update(struct forecaster *forecaster) {
    size_t which;
    forecaster->line_count = 0;
    choose_line(forecaster);
    for (size_t i = 0; i < forecaster->anchor_count; i++) {
        find_load(forecaster, i);
        if (forecaster->anchors[i].on_line)
            add_to_line(forecaster, forecaster->anchors[i].load, least_change(&forecaster->anchors[i]));
    }
    update_spread(forecaster);
    for (size_t i = 0; i < forecaster->anchor_count; i++) {
        struct forecast_anchor *anchor = &forecaster->anchors[i];
        anchor->distance = anchor->on_line ? 0 : nearest(forecaster, shares_of(forecaster, i), true, &which);
        anchor->residual = log(least_change(anchor)) - read_line(forecaster, anchor->load, SIZE_MAX);
    }
    fit_unevenness(forecaster);
}

/* The nearest uneven anchor corrects the more the nearer it is than the line: wholly where the plan is that anchor. */
void forecast_anchors_read(struct forecast *forecast, struct forecaster *forecaster) {
    size_t which;
    double *shares = forecaster->shares;
    double load = fmax(forecast->load, 1e-12);
    for (size_t i = 0; i < forecaster->sensitivity->model->matrix_count; i++)
        shares[i] /= load;
    double distance = nearest(forecaster, shares, true, &which);
    double logarithm = read_line(forecaster, load, SIZE_MAX);
    double other = nearest(forecaster, shares, false, &which);
    if (which != SIZE_MAX && other < distance) {
        const struct forecast_anchor *anchor = &forecaster->anchors[which];
        logarithm += (1 - other / distance) * anchor->residual;
    }
    forecast->distance = fmin(distance, other);
    double wide = exp(INTERVAL * hypot(forecaster->spread, forecaster->uneven_spread * forecast->distance));
    forecast->change_known = true;
    forecast->change = forecast->load > 0 ? exp(logarithm) : 0;
    forecast->low = forecast->change / wide;
    forecast->high = forecast->change * wide;
}

#include "plan/forecast.h"

#include "base/memory.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define INTERVAL 1.645      /* 90 % of a normal distribution */
#define SPREAD_UNKNOWN 0.35 /* of log(change), while fewer than three anchors can tell */
#define SPREAD_LEAST 0.05
#define SLOPE_LOW 0.7 /* of log(change) over log(load) beyond the outermost anchors */
#define SLOPE_HIGH 2.5
/* Losses of several cuts together are less than their sum; this power of each fits trained models best
 * (tests/results/forecast.md). */
#define TOGETHER 0.85

struct forecaster *forecaster_create(const struct sensitivity *sensitivity, struct error *error) {
    struct forecaster *forecaster = memory_alloc(1, sizeof *forecaster, error);
    if (forecaster == NULL)
        return NULL;
    forecaster->sensitivity = sensitivity;
    forecaster->dense_nll = NAN;
    forecaster->spread = SPREAD_UNKNOWN;
    (void)snprintf(forecaster->method, sizeof forecaster->method, "wanda");
    forecaster->weights = memory_alloc(sensitivity->model->matrix_count, sizeof(double), error);
    if (forecaster->weights != NULL)
        forecaster->ratios = memory_alloc(sensitivity->model->matrix_count, sizeof *forecaster->ratios, error);
    if (forecaster->ratios != NULL)
        return forecaster;
    forecaster_free(forecaster);
    return NULL;
}

void forecaster_free(struct forecaster *forecaster) {
    if (forecaster == NULL)
        return;
    for (size_t i = 0; i < forecaster->anchor_count; i++)
        memory_free(forecaster->anchors[i].targets);
    memory_free(forecaster->anchors);
    memory_free(forecaster->weights);
    memory_free(forecaster->ratios);
    memory_free(forecaster->loads);
    memory_free(forecaster->changes);
    memory_free(forecaster);
}

/* The change of loss per relative error where this matrix was cut alone, in rising order of sparsity. */
static void find_ratios(struct forecast_ratios *ratios, const struct sensitivity *sensitivity, size_t matrix) {
    const struct matrix_sensitivity *known = &sensitivity->matrices[matrix];
    ratios->count = 0;
    for (size_t i = 0; i < known->loss_count && ratios->count < FORECAST_RATIOS; i++) {
        bool estimated;
        struct pattern pattern = {PATTERN_UNSTRUCTURED, 0, 0};
        const struct loss_point *point = &known->losses[i];
        double error = sensitivity_error(sensitivity, matrix, point->method, pattern, point->sparsity, &estimated);
        /* A change within its own noise still says that the weight is small: not below a tenth of the noise. */
        double ratio = fmax(point->change, 0.1 * point->deviation) / error;
        if (!(ratio > 0) || !isfinite(ratio))
            continue;
        size_t place = ratios->count++;
        for (; place > 0 && ratios->at[place - 1] > point->sparsity; place--) {
            ratios->at[place] = ratios->at[place - 1];
            ratios->logarithm[place] = ratios->logarithm[place - 1];
        }
        ratios->at[place] = point->sparsity;
        ratios->logarithm[place] = log(ratio);
    }
}

/* Between measured sparsities by interpolation of the logarithm, beyond them the nearest. */
static double ratio_at(const struct forecast_ratios *ratios, double sparsity) {
    size_t right = 0;
    while (right < ratios->count && ratios->at[right] < sparsity)
        right++;
    if (right == 0)
        return exp(ratios->logarithm[0]);
    if (right == ratios->count)
        return exp(ratios->logarithm[right - 1]);
    double share = (sparsity - ratios->at[right - 1]) / (ratios->at[right] - ratios->at[right - 1]);
    return exp(ratios->logarithm[right - 1] * (1 - share) + ratios->logarithm[right] * share);
}

static double role_mean(const double *weights, const struct model *model, enum role role, bool any) {
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < model->matrix_count; i++)
        if ((any || model->matrices[i].role == role) && isfinite(weights[i])) {
            sum += weights[i];
            count++;
        }
    return count > 0 ? sum / (double)count : NAN;
}

static void update_weights(struct forecaster *forecaster) {
    const struct sensitivity *sensitivity = forecaster->sensitivity;
    const struct model *model = sensitivity->model;
    if (forecaster->weights_of == sensitivity->revision + 1)
        return;
    double roles[ROLE_COUNT];
    for (size_t i = 0; i < model->matrix_count; i++) {
        find_ratios(&forecaster->ratios[i], sensitivity, i);
        forecaster->weights[i] = forecaster->ratios[i].count > 0
                                     ? exp(forecaster->ratios[i].logarithm[forecaster->ratios[i].count / 2])
                                     : NAN;
    }
    double all = role_mean(forecaster->weights, model, ROLE_OTHER, true);
    for (int role = 0; role < ROLE_COUNT; role++)
        roles[role] = role_mean(forecaster->weights, model, (enum role)role, false);
    for (size_t i = 0; i < model->matrix_count; i++) {
        double *weight = &forecaster->weights[i];
        if (!isfinite(*weight))
            *weight = roles[model->matrices[i].role];
        if (!isfinite(*weight))
            *weight = isfinite(all) ? all : 1;
    }
    forecaster->weights_of = sensitivity->revision + 1;
}

double forecast_weight(struct forecaster *forecaster, size_t matrix) {
    update_weights(forecaster);
    return forecaster->weights[matrix];
}

double forecast_matrix(const struct forecaster *forecaster, size_t matrix, const struct target *target,
                       bool *estimated) {
    const char *method = target->method[0] != '\0' ? target->method : forecaster->method;
    *estimated = false;
    if (target->sparsity <= 0)
        return 0;
    return sensitivity_error(forecaster->sensitivity, matrix, method, target->pattern, target->sparsity, estimated);
}

struct sums {
    double error, load;
    bool known, estimated;
};

static struct sums sum_targets(const struct forecaster *forecaster, double *block_errors, const struct target *targets,
                               const struct plan *plan) {
    const struct model *model = forecaster->sensitivity->model;
    struct sums sums = {.known = true};
    for (size_t i = 0; i < model->matrix_count; i++) {
        bool estimated;
        const struct target *target = targets != NULL ? &targets[i] : plan_target(plan, i);
        double error = forecast_matrix(forecaster, i, target, &estimated);
        if (isnan(error)) {
            sums.known = false;
            continue;
        }
        sums.error += error;
        const struct forecast_ratios *ratios = &forecaster->ratios[i];
        double weight = ratios->count > 0 ? ratio_at(ratios, target->sparsity) : forecaster->weights[i];
        sums.load += pow(weight * error, TOGETHER);
        sums.estimated = sums.estimated || estimated;
        if (block_errors != NULL && model->matrices[i].block >= 0)
            block_errors[model->matrices[i].block] += error;
    }
    return sums;
}

/* log(change) at log(load) on the line through the anchors, all but the one at `skip`; the origin is the limit. */
static double read_line(const struct forecaster *forecaster, double load, size_t skip) {
    size_t count = 0;
    double x[2] = {0, 0};
    double y[2] = {0, 0};
    for (size_t i = 0; i < forecaster->anchor_count; i++) {
        if (i == skip)
            continue;
        double at = log(forecaster->loads[i]);
        double change = log(forecaster->changes[i]);
        if (count >= 2 && x[1] >= log(load))
            break;
        x[0] = x[1];
        y[0] = y[1];
        x[1] = at;
        y[1] = change;
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
    if (forecaster->anchor_count < 3)
        return;
    double sum = 0;
    for (size_t i = 0; i < forecaster->anchor_count; i++) {
        double residual = log(forecaster->changes[i]) - read_line(forecaster, forecaster->loads[i], i);
        sum += residual * residual;
    }
    forecaster->spread = fmax(SPREAD_LEAST, sqrt(sum / (double)forecaster->anchor_count));
}

/* Anchors' loads depend on the weights: made again, in rising order, whenever these have changed. */
static void update_line(struct forecaster *forecaster) {
    for (size_t i = 0; i < forecaster->anchor_count; i++) {
        const struct forecast_anchor *anchor = &forecaster->anchors[i];
        double load = fmax(sum_targets(forecaster, NULL, anchor->targets, NULL).load, 1e-12);
        double change = fmax(anchor->change, fmax(0.1 * anchor->deviation, 1e-6));
        size_t place = i;
        for (; place > 0 && forecaster->loads[place - 1] > load; place--) {
            forecaster->loads[place] = forecaster->loads[place - 1];
            forecaster->changes[place] = forecaster->changes[place - 1];
        }
        forecaster->loads[place] = load;
        forecaster->changes[place] = change;
    }
    update_spread(forecaster);
}

static void update(struct forecaster *forecaster) {
    if (forecaster->weights_of == forecaster->sensitivity->revision + 1)
        return;
    update_weights(forecaster);
    update_line(forecaster);
}

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

bool forecaster_add(struct forecaster *forecaster, const char *name, const struct plan *plan, double change,
                    double deviation, uint64_t tokens, struct error *error) {
    struct forecast_anchor anchor = {.change = change, .deviation = deviation, .tokens = tokens};
    size_t place = place_of_plan(forecaster, plan);
    (void)snprintf(anchor.name, sizeof anchor.name, "%s", name);
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

static void fill_change(struct forecast *forecast, const struct forecaster *forecaster) {
    double logarithm = read_line(forecaster, fmax(forecast->load, 1e-12), SIZE_MAX);
    forecast->change_known = true;
    forecast->change = forecast->load > 0 ? exp(logarithm) : 0;
    forecast->low = forecast->change * exp(-INTERVAL * forecaster->spread);
    forecast->high = forecast->change * exp(INTERVAL * forecaster->spread);
    forecast->perplexity = exp(forecaster->dense_nll + forecast->change);
    forecast->perplexity_low = exp(forecaster->dense_nll + forecast->low);
    forecast->perplexity_high = exp(forecaster->dense_nll + forecast->high);
}

void forecast_plan(struct forecast *forecast, double *block_errors, struct forecaster *forecaster,
                   const struct plan *plan) {
    *forecast = (struct forecast){.measured = forecaster->anchor_count};
    if (block_errors != NULL)
        memset(block_errors, 0, forecaster->sensitivity->model->block_count * sizeof *block_errors);
    update(forecaster);
    struct sums sums = sum_targets(forecaster, block_errors, NULL, plan);
    forecast->error_known = sums.known;
    forecast->total_error = sums.error;
    forecast->load = sums.load;
    forecast->estimated = sums.estimated;
    if (sums.known && forecaster->anchor_count > 0)
        fill_change(forecast, forecaster);
}

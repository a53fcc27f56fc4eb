#include "plan/forecast_state.h"

#include "base/memory.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Losses of several cuts together are less than their sum; this power of each fits trained models best
 * (tests/results/forecast.md). */
#define TOGETHER 0.85

struct forecaster *forecaster_create(const struct sensitivity *sensitivity, struct error *error) {
    struct forecaster *forecaster = memory_alloc(1, sizeof *forecaster, error);
    if (forecaster == NULL)
        return NULL;
    forecaster->sensitivity = sensitivity;
    forecaster->dense_nll = NAN;
    (void)snprintf(forecaster->method, sizeof forecaster->method, "wanda");
    forecaster->weights = memory_alloc(sensitivity->model->matrix_count, sizeof(double), error);
    if (forecaster->weights != NULL)
        forecaster->ratios = memory_alloc(sensitivity->model->matrix_count, sizeof *forecaster->ratios, error);
    if (forecaster->ratios != NULL && forecaster_reserve(forecaster, 0, error))
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
    memory_free(forecaster->shares);
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

struct load_sums forecast_load(const struct forecaster *forecaster, double *parts, double *block_errors,
                               const struct target *targets, const struct plan *plan) {
    const struct model *model = forecaster->sensitivity->model;
    struct load_sums sums = {.known = true};
    for (size_t i = 0; i < model->matrix_count; i++) {
        bool estimated;
        const struct target *target = targets != NULL ? &targets[i] : plan_target(plan, i);
        double error = forecast_matrix(forecaster, i, target, &estimated);
        parts[i] = 0;
        if (isnan(error)) {
            sums.known = false;
            continue;
        }
        sums.error += error;
        const struct forecast_ratios *ratios = &forecaster->ratios[i];
        double weight = ratios->count > 0 ? ratio_at(ratios, target->sparsity) : forecaster->weights[i];
        parts[i] = pow(weight * error, TOGETHER);
        sums.load += parts[i];
        sums.estimated = sums.estimated || estimated;
        if (block_errors != NULL && model->matrices[i].block >= 0)
            block_errors[model->matrices[i].block] += error;
    }
    return sums;
}

static void update(struct forecaster *forecaster) {
    if (forecaster->weights_of == forecaster->sensitivity->revision + 1)
        return;
    update_weights(forecaster);
    forecast_anchors_update(forecaster);
}

void forecast_plan(struct forecast *forecast, double *block_errors, struct forecaster *forecaster,
                   const struct plan *plan) {
    *forecast = (struct forecast){.measured = forecaster->anchor_count};
    if (block_errors != NULL)
        memset(block_errors, 0, forecaster->sensitivity->model->block_count * sizeof *block_errors);
    update(forecaster);
    struct load_sums sums = forecast_load(forecaster, forecaster->shares, block_errors, NULL, plan);
    forecast->error_known = sums.known;
    forecast->total_error = sums.error;
    forecast->load = sums.load;
    forecast->estimated = sums.estimated;
    if (!sums.known || forecaster->anchor_count == 0)
        return;
    forecast_anchors_read(forecast, forecaster);
    forecast->perplexity = exp(forecaster->dense_nll + forecast->change);
    forecast->perplexity_low = exp(forecaster->dense_nll + forecast->low);
    forecast->perplexity_high = exp(forecaster->dense_nll + forecast->high);
}

#include "plan/sensitivity.h"

#include "base/memory.h"
#include <math.h>
#include <string.h>

const double sensitivity_outlier_levels[SENSITIVITY_OUTLIER_LEVELS] = {3, 5, 6, 7, 10};

/* Lists every (block, input) of the model once, in matrix order; matrices of a block stand together. Room for all was
 * made. */
static void list_inputs(struct sensitivity *sensitivity) {
    const struct model *model = sensitivity->model;
    for (size_t i = 0; i < model->matrix_count; i++) {
        const struct matrix *matrix = &model->matrices[i];
        size_t same = i;
        while (same > 0 && model->matrices[same - 1].block == matrix->block &&
               model->matrices[same - 1].input != matrix->input)
            same--;
        if (same > 0 && model->matrices[same - 1].block == matrix->block) {
            sensitivity->input_of[i] = sensitivity->input_of[same - 1];
            continue;
        }
        struct input_sensitivity *input = &sensitivity->inputs[sensitivity->input_count];
        sensitivity->input_of[i] = sensitivity->input_count++;
        *input = (struct input_sensitivity){.block = matrix->block,
                                            .input = matrix->input,
                                            .columns = matrix->columns,
                                            .largest = NAN,
                                            .smallest = NAN};
    }
}

struct sensitivity *sensitivity_create(const struct model *model, struct error *error) {
    struct sensitivity *sensitivity = memory_alloc(1, sizeof *sensitivity, error);
    if (sensitivity == NULL)
        return NULL;
    sensitivity->model = model;
    sensitivity->matrices = memory_alloc(model->matrix_count, sizeof *sensitivity->matrices, error);
    sensitivity->inputs = memory_alloc(model->matrix_count, sizeof *sensitivity->inputs, error);
    sensitivity->input_of = memory_alloc(model->matrix_count, sizeof *sensitivity->input_of, error);
    sensitivity->blocks = memory_alloc(model->block_count, sizeof *sensitivity->blocks, error);
    sensitivity->distances = memory_alloc(model->block_count * model->block_count, sizeof(double), error);
    if (sensitivity->matrices == NULL || sensitivity->inputs == NULL || sensitivity->input_of == NULL ||
        sensitivity->blocks == NULL || sensitivity->distances == NULL) {
        sensitivity_free(sensitivity);
        return NULL;
    }
    list_inputs(sensitivity);
    for (size_t i = 0; i < model->matrix_count; i++)
        sensitivity->matrices[i].hill = NAN;
    return sensitivity;
}

void sensitivity_free(struct sensitivity *sensitivity) {
    if (sensitivity == NULL)
        return;
    for (size_t i = 0; sensitivity->matrices != NULL && i < sensitivity->model->matrix_count; i++) {
        memory_free(sensitivity->matrices[i].curves);
        memory_free(sensitivity->matrices[i].points);
        memory_free(sensitivity->matrices[i].losses);
        memory_free(sensitivity->matrices[i].slopes);
    }
    for (size_t i = 0; sensitivity->inputs != NULL && i < sensitivity->input_count; i++) {
        memory_free(sensitivity->inputs[i].sum);
        memory_free(sensitivity->inputs[i].sum_squares);
    }
    for (size_t i = 0; sensitivity->blocks != NULL && i < sensitivity->model->block_count; i++) {
        memory_free(sensitivity->blocks[i].expert_tokens);
        memory_free(sensitivity->blocks[i].expert_norm);
    }
    memory_free(sensitivity->matrices);
    memory_free(sensitivity->inputs);
    memory_free(sensitivity->input_of);
    memory_free(sensitivity->blocks);
    memory_free(sensitivity->distances);
    memory_free(sensitivity);
}

const struct input_sensitivity *sensitivity_input(const struct sensitivity *sensitivity, size_t matrix) {
    const struct input_sensitivity *input = &sensitivity->inputs[sensitivity->input_of[matrix]];
    return input->known ? input : NULL;
}

static bool same_target(const struct measured_point *a, const struct measured_point *b) {
    return strcmp(a->method, b->method) == 0 && pattern_equal(a->pattern, b->pattern) && a->sparsity == b->sparsity;
}

bool sensitivity_add_point(struct sensitivity *sensitivity, size_t matrix, const struct measured_point *point,
                           struct error *error) {
    struct matrix_sensitivity *known = &sensitivity->matrices[matrix];
    sensitivity->revision++;
    for (size_t i = 0; i < known->point_count; i++)
        if (same_target(&known->points[i], point)) {
            known->points[i] = *point;
            return true;
        }
    struct measured_point *points = memory_resize(known->points, known->point_count + 1, sizeof *points, error);
    if (points == NULL)
        return false;
    known->points = points;
    known->points[known->point_count++] = *point;
    return true;
}

bool sensitivity_add_loss(struct sensitivity *sensitivity, size_t matrix, const struct loss_point *point,
                          struct error *error) {
    struct matrix_sensitivity *known = &sensitivity->matrices[matrix];
    sensitivity->revision++;
    for (size_t i = 0; i < known->loss_count; i++)
        if (strcmp(known->losses[i].method, point->method) == 0 && known->losses[i].sparsity == point->sparsity) {
            known->losses[i] = *point;
            return true;
        }
    struct loss_point *losses = memory_resize(known->losses, known->loss_count + 1, sizeof *losses, error);
    if (losses == NULL)
        return false;
    known->losses = losses;
    known->losses[known->loss_count++] = *point;
    return true;
}

bool sensitivity_add_slope(struct sensitivity *sensitivity, size_t matrix, const struct slope_point *point,
                           struct error *error) {
    struct matrix_sensitivity *known = &sensitivity->matrices[matrix];
    sensitivity->revision++;
    for (size_t i = 0; i < known->slope_count; i++)
        if (strcmp(known->slopes[i].method, point->method) == 0 && known->slopes[i].base == point->base) {
            known->slopes[i] = *point;
            return true;
        }
    struct slope_point *slopes = memory_resize(known->slopes, known->slope_count + 1, sizeof *slopes, error);
    if (slopes == NULL)
        return false;
    known->slopes = slopes;
    known->slopes[known->slope_count++] = *point;
    return true;
}

const struct slope_point *sensitivity_slope(const struct sensitivity *sensitivity, size_t matrix, const char *method,
                                            double sparsity) {
    const struct matrix_sensitivity *known = &sensitivity->matrices[matrix];
    const struct slope_point *nearest = NULL;
    double distance = SLOPE_REACH + 1e-9;
    for (size_t i = 0; i < known->slope_count; i++) {
        double away = fabs(known->slopes[i].base - sparsity);
        if (strcmp(known->slopes[i].method, method) != 0 || away >= distance)
            continue;
        nearest = &known->slopes[i];
        distance = away;
    }
    return nearest;
}

enum curve_order sensitivity_order(const char *method) {
    if (strncmp(method, "magnitude", strlen("magnitude")) == 0)
        return CURVE_MAGNITUDE;
    return strncmp(method, "wanda", strlen("wanda")) == 0 ? CURVE_ROW_COST : CURVE_COST;
}

/* log of measured / estimated at the measured points of a method, read off between them linearly in sparsity. */
struct correction {
    double below, below_at; /* the nearest point at or below, and where */
    double above, above_at;
    bool has_below, has_above;
};

static void take_point(struct correction *correction, double log_ratio, double at, double sparsity) {
    if (at <= sparsity && (!correction->has_below || at > correction->below_at)) {
        correction->below = log_ratio;
        correction->below_at = at;
        correction->has_below = true;
    }
    if (at >= sparsity && (!correction->has_above || at < correction->above_at)) {
        correction->above = log_ratio;
        correction->above_at = at;
        correction->has_above = true;
    }
}

static double corrected(const struct correction *correction, double estimate, double sparsity) {
    if (!correction->has_below || !correction->has_above)
        return estimate * exp(correction->has_below ? correction->below : correction->above);
    double gap = correction->above_at - correction->below_at;
    double share = gap > 0 ? (sparsity - correction->below_at) / gap : 0;
    return estimate * exp(correction->below * (1 - share) + correction->above * share);
}

static bool comparable(const struct measured_point *point, const char *method, struct pattern pattern) {
    bool groups = point->pattern.kind == PATTERN_N_M;
    return strcmp(point->method, method) == 0 && point->error > 0 && groups == (pattern.kind == PATTERN_N_M) &&
           (!groups || pattern_equal(point->pattern, pattern));
}

/* What the diagonal leaves out. The outputs of different inputs add up coherently: ‖WX‖² is 1 + k times its diagonal
 * estimate. Of a cut, the coherent part is taken to grow as a power of the diagonal one, (e + k e^p)/(1 + k): 2 where
 * cut pairs are independent. One measured point tells p, and a factor for what p cannot, which fades out to 1 for the
 * matrix cut whole, where both are exact. */
struct coupling {
    double k, power;
    double factor, at; /* log of measured / expected at the diagonal estimate `at`; 0 without a point */
};

#define POWER_INDEPENDENT 2.0
#define POWER_MOST 4.0
#define COUPLING_LEAST 1e-3 /* of |k|: below it a power makes no difference */

/* The largest power with which the estimate still rises everywhere. */
static double power_limit(double k) {
    return k < 0 ? fmax(1, fmin(POWER_MOST, -1 / k)) : POWER_MOST;
}

static double coupled(const struct coupling *coupling, double estimate) {
    if (!(estimate > 0) || estimate >= 1)
        return fmin(estimate, 1);
    double value = (estimate + coupling->k * pow(estimate, coupling->power)) / (1 + coupling->k);
    double share = coupling->at > 0 && estimate > coupling->at ? log(estimate) / log(coupling->at) : 1;
    return value * exp(coupling->factor * share);
}

static struct coupling couple(const struct matrix_sensitivity *known) {
    struct coupling coupling = {.power = POWER_INDEPENDENT};
    if (known->exact && known->diagonal_energy > 0)
        coupling.k = fmax(known->energy / known->diagonal_energy - 1, -0.99);
    coupling.power = fmin(coupling.power, power_limit(coupling.k));
    return coupling;
}

/* Makes the estimate go through one measured error. */
static void fit_coupling(struct coupling *coupling, double estimate, double measured) {
    if (!(estimate > 0) || estimate >= 1 || !(measured > 0))
        return;
    double coherent =
        fabs(coupling->k) > COUPLING_LEAST ? (measured * (1 + coupling->k) - estimate) / coupling->k : NAN;
    double limit = power_limit(coupling->k);
    if (coherent > 0)
        coupling->power = fmin(fmax(log(coherent) / log(estimate), 1), limit);
    else if (coherent <= 0)
        coupling->power = limit;
    coupling->factor = log(measured / coupled(coupling, estimate));
    coupling->at = estimate;
}

/* The point that the estimate is fitted to: of the highest sparsity, where most is cut. NULL when there is none. */
static const struct measured_point *fitting_point(const struct matrix_sensitivity *known, const char *method,
                                                  struct pattern pattern) {
    const struct measured_point *best = NULL;
    for (size_t i = 0; i < known->point_count; i++)
        if (comparable(&known->points[i], method, pattern) &&
            (best == NULL || known->points[i].sparsity > best->sparsity))
            best = &known->points[i];
    return best;
}

static struct coupling fitted_coupling(const struct matrix_sensitivity *known, const char *method,
                                       struct pattern pattern) {
    struct coupling coupling = couple(known);
    const struct measured_point *point = fitting_point(known, method, pattern);
    if (point != NULL)
        fit_coupling(&coupling, curve_for(&known->curves[sensitivity_order(method)], point->pattern, point->sparsity),
                     point->error);
    return coupling;
}

double sensitivity_estimate(const struct sensitivity *sensitivity, size_t matrix, const char *method,
                            struct pattern pattern, double sparsity) {
    const struct matrix_sensitivity *known = &sensitivity->matrices[matrix];
    if (!known->known)
        return NAN;
    struct coupling coupling = fitted_coupling(known, method, pattern);
    return coupled(&coupling, curve_for(&known->curves[sensitivity_order(method)], pattern, sparsity));
}

double sensitivity_error(const struct sensitivity *sensitivity, size_t matrix, const char *method,
                         struct pattern pattern, double sparsity, bool *estimated) {
    const struct matrix_sensitivity *known = &sensitivity->matrices[matrix];
    *estimated = true;
    if (!known->known)
        return NAN;
    const struct curve *curve = &known->curves[sensitivity_order(method)];
    struct coupling coupling = fitted_coupling(known, method, pattern);
    double estimate = coupled(&coupling, curve_for(curve, pattern, sparsity));
    struct correction correction = {0};
    for (size_t i = 0; i < known->point_count; i++) {
        const struct measured_point *point = &known->points[i];
        double expected = coupled(&coupling, curve_for(curve, point->pattern, point->sparsity));
        if (!comparable(point, method, pattern) || !(expected > 0))
            continue;
        take_point(&correction, log(point->error / expected), point->sparsity, sparsity);
        *estimated = false;
    }
    return *estimated ? estimate : corrected(&correction, estimate, sparsity);
}

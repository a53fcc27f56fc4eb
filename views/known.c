#include "views/known.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- with the mutex held ---- */

static double matrix_error(const struct workbench *workbench, size_t matrix, double sparsity) {
    struct target target = *plan_target(workbench->plan, matrix);
    bool estimated;
    if (!isnan(sparsity)) {
        target.sparsity = sparsity;
        if (target.pattern.kind == PATTERN_N_M) /* its sparsity is fixed: the curve is that of single weights */
            target.pattern = (struct pattern){PATTERN_UNSTRUCTURED, 0, 0};
    }
    return forecast_matrix(workbench->forecaster, matrix, &target, &estimated);
}

static const char *matrix_method(const struct workbench *workbench, size_t matrix) {
    const struct target *target = plan_target(workbench->plan, matrix);
    return target->method[0] ? target->method : workbench->forecaster ? workbench->forecaster->method : "";
}

static double matrix_estimate(const struct workbench *workbench, size_t matrix, double sparsity) {
    const struct matrix_sensitivity *known = &workbench->sensitivity->matrices[matrix];
    return known->known ? curve_at(&known->curves[sensitivity_order(matrix_method(workbench, matrix))], sparsity) : NAN;
}

/* The mean of a figure over the prunable weights of a row. */
static double row_mean(const struct workbench *workbench, const struct model_row *row, double sparsity,
                       double (*figure)(const struct workbench *, size_t, double)) {
    double sum = 0, weights = 0;
    if (!workbench->forecaster || !workbench->sensitivity)
        return NAN;
    for (size_t i = row->first; i < row->first + row->count; i++) {
        const struct matrix *matrix = &workbench->model->matrices[i];
        if (row->block && !matrix->prunable)
            continue;
        double count = (double)matrix->tensor->count;
        sum += count * figure(workbench, i, sparsity);
        weights += count;
    }
    return weights > 0 ? sum / weights : NAN;
}

static double row_error(const struct workbench *workbench, const struct model_row *row, double sparsity) {
    return row_mean(workbench, row, sparsity, matrix_error);
}

/* ---- for views ---- */

bool known_calibrated(struct workbench *workbench) {
    pthread_mutex_lock(&workbench->mutex);
    bool calibrated = workbench->sensitivity != NULL;
    pthread_mutex_unlock(&workbench->mutex);
    return calibrated;
}

double known_error(struct workbench *workbench, const struct model_row *row, double sparsity) {
    pthread_mutex_lock(&workbench->mutex);
    double error = row_error(workbench, row, sparsity);
    pthread_mutex_unlock(&workbench->mutex);
    return error;
}

double known_marginal(struct workbench *workbench, const struct model_row *row) {
    double sparsity = fmin(row_sparsity(workbench, row), 0.99);
    pthread_mutex_lock(&workbench->mutex);
    double marginal = row_error(workbench, row, sparsity + 0.01) - row_error(workbench, row, sparsity);
    pthread_mutex_unlock(&workbench->mutex);
    return marginal;
}

/* The point farthest below the chord from the curve's beginning to its end. */
double known_knee(struct workbench *workbench, const struct model_row *row) {
    enum { STEPS = 200 };
    double knee = NAN, farthest = 0;
    pthread_mutex_lock(&workbench->mutex);
    double end = row_error(workbench, row, 1);
    for (int i = 1; i < STEPS; i++) {
        double sparsity = (double)i / STEPS, below = sparsity * end - row_error(workbench, row, sparsity);
        if (below > farthest) {
            farthest = below;
            knee = sparsity;
        }
    }
    pthread_mutex_unlock(&workbench->mutex);
    return knee;
}

double known_estimate(struct workbench *workbench, const struct model_row *row, double sparsity) {
    pthread_mutex_lock(&workbench->mutex);
    double error = row_mean(workbench, row, sparsity, matrix_estimate);
    pthread_mutex_unlock(&workbench->mutex);
    return error;
}

static size_t matrix_points(double *sparsities, double *errors, size_t room, const struct workbench *workbench,
                            size_t matrix) {
    const struct matrix_sensitivity *known = &workbench->sensitivity->matrices[matrix];
    size_t count = 0;
    for (size_t i = 0; i < known->point_count && count < room; i++) {
        const struct measured_point *point = &known->points[i];
        if (point->pattern.kind == PATTERN_N_M || strcmp(point->method, matrix_method(workbench, matrix)) != 0)
            continue;
        sparsities[count] = point->sparsity;
        errors[count++] = point->error;
    }
    return count;
}

size_t known_points(double *sparsities, double *errors, size_t room, struct workbench *workbench,
                    const struct model_row *row) {
    size_t count = 0;
    pthread_mutex_lock(&workbench->mutex);
    if (workbench->sensitivity && !row->block)
        count = matrix_points(sparsities, errors, room, workbench, row->index);
    pthread_mutex_unlock(&workbench->mutex);
    return count;
}

void known_method(char method[PLAN_METHOD_SIZE], struct workbench *workbench, const struct model_row *row) {
    pthread_mutex_lock(&workbench->mutex);
    snprintf(method, PLAN_METHOD_SIZE, "%s", matrix_method(workbench, row->first));
    pthread_mutex_unlock(&workbench->mutex);
}

double known_zeros(struct workbench *workbench, const struct model_row *row) {
    struct activity activity;
    return known_activity(&activity, workbench, row) ? activity_zero_share(&activity) : NAN;
}

bool known_activity(struct activity *activity, struct workbench *workbench, const struct model_row *row) {
    memset(activity, 0, sizeof *activity);
    pthread_mutex_lock(&workbench->mutex);
    const struct sensitivity *sensitivity = workbench->sensitivity;
    bool known = sensitivity != NULL && row->count > 0;
    for (size_t i = row->first; i < row->first + row->count && known; i++) {
        const struct input_sensitivity *input = sensitivity_input(sensitivity, i);
        bool again = false;
        for (size_t j = row->first; j < i; j++)
            again = again || sensitivity->input_of[j] == sensitivity->input_of[i];
        known = input != NULL || !workbench->model->matrices[i].prunable;
        if (input != NULL && !again)
            activity_merge(activity, &input->activity);
    }
    pthread_mutex_unlock(&workbench->mutex);
    return known && activity->values > 0;
}

double known_trace(struct workbench *workbench, const struct model_row *row) {
    double trace = NAN;
    pthread_mutex_lock(&workbench->mutex);
    if (workbench->sensitivity && !row->block) {
        const struct input_sensitivity *input = sensitivity_input(workbench->sensitivity, row->index);
        trace = input ? input->trace : NAN;
    }
    pthread_mutex_unlock(&workbench->mutex);
    return trace;
}

double known_outliers(struct workbench *workbench, const struct model_row *row) {
    enum { FIVE_TIMES = 1 };
    double share = NAN;
    pthread_mutex_lock(&workbench->mutex);
    if (workbench->sensitivity && !row->block && workbench->sensitivity->matrices[row->index].known)
        share = workbench->sensitivity->matrices[row->index].outliers[FIVE_TIMES] /
                (double)workbench->model->matrices[row->index].tensor->count;
    pthread_mutex_unlock(&workbench->mutex);
    return share;
}

double known_error_sum(struct workbench *workbench, const struct plan *plan, const struct model_row *row) {
    double sum = 0;
    bool estimated;
    pthread_mutex_lock(&workbench->mutex);
    for (size_t i = row->first; i < row->first + row->count; i++)
        sum +=
            workbench->forecaster ? forecast_matrix(workbench->forecaster, i, plan_target(plan, i), &estimated) : NAN;
    pthread_mutex_unlock(&workbench->mutex);
    return sum;
}

bool known_forecast(struct forecast *forecast, double *block_errors, struct workbench *workbench,
                    const struct plan *plan) {
    memset(forecast, 0, sizeof *forecast);
    pthread_mutex_lock(&workbench->mutex);
    bool known = workbench->forecaster != NULL;
    if (known)
        forecast_plan(forecast, block_errors, workbench->forecaster, plan);
    pthread_mutex_unlock(&workbench->mutex);
    return known;
}

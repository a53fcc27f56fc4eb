#include "workbench/knowledge.h"

#include <math.h>

void knowledge_take(struct workbench *workbench, struct sensitivity *sensitivity, struct forecaster *forecaster) {
    (void)pthread_mutex_lock(&workbench->mutex);
    struct sensitivity *old = workbench->sensitivity;
    struct forecaster *old_forecaster = workbench->forecaster;
    workbench->sensitivity = sensitivity;
    workbench->forecaster = forecaster;
    workbench->knowledge++;
    (void)pthread_mutex_unlock(&workbench->mutex);
    forecaster_free(old_forecaster);
    sensitivity_free(old);
}

bool knowledge_replace(struct workbench *workbench, struct sensitivity *sensitivity, struct error *error) {
    struct forecaster *forecaster = forecaster_create(sensitivity, error);
    if (forecaster == NULL)
        sensitivity_free(sensitivity);
    else
        knowledge_take(workbench, sensitivity, forecaster);
    return forecaster != NULL;
}

bool knowledge_forecast(struct workbench *workbench, struct forecast *forecast, double *block_errors) {
    (void)pthread_mutex_lock(&workbench->mutex);
    bool known = workbench->forecaster != NULL;
    if (known)
        forecast_plan(forecast, block_errors, workbench->forecaster, workbench->plan);
    (void)pthread_mutex_unlock(&workbench->mutex);
    return known;
}

bool knowledge_forecast_of(struct workbench *workbench, struct forecast *forecast, const struct plan *plan) {
    (void)pthread_mutex_lock(&workbench->mutex);
    bool known = workbench->forecaster != NULL;
    if (known)
        forecast_plan(forecast, NULL, workbench->forecaster, plan);
    (void)pthread_mutex_unlock(&workbench->mutex);
    return known;
}

double knowledge_error(struct workbench *workbench, size_t matrix, const struct target *target) {
    bool estimated = false;
    (void)pthread_mutex_lock(&workbench->mutex);
    double error =
        workbench->forecaster != NULL ? forecast_matrix(workbench->forecaster, matrix, target, &estimated) : NAN;
    (void)pthread_mutex_unlock(&workbench->mutex);
    return error;
}

/* What calibration has found out, as the workbench holds it: replaced, looked at and forecast from. */
#ifndef SECATEUR_KNOWLEDGE_H
#define SECATEUR_KNOWLEDGE_H

#include "plan/forecast.h"
#include "workbench/workbench.h"

/* Takes over the sensitivity (on failure too) in place of what the workbench knew, with a forecaster of its own. */
bool knowledge_replace(struct workbench *workbench, struct sensitivity *sensitivity, struct error *error);

/* The same with both, which belong together. */
void knowledge_take(struct workbench *workbench, struct sensitivity *sensitivity, struct forecaster *forecaster);

/* Forecast of the plan under work. False while nothing is known. Takes the lock; call it when plan_revision or
 * workbench->knowledge has changed. block_errors: [block_count] or NULL. */
bool knowledge_forecast(struct workbench *workbench, struct forecast *forecast, double *block_errors);

/* The same of another plan of the model. */
bool knowledge_forecast_of(struct workbench *workbench, struct forecast *forecast, const struct plan *plan);

/* Relative output error expected of one matrix under a target; NaN while nothing is known. Takes the lock. */
double knowledge_error(struct workbench *workbench, size_t matrix, const struct target *target);

#endif

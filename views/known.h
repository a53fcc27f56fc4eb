/* What calibration and the forecast say about rows, ready to be drawn. What is not known yet is NaN. Everything here
 * takes the workbench's mutex for as long as it reads. */
#ifndef SECATEUR_KNOWN_H
#define SECATEUR_KNOWN_H

#include "plan/forecast.h"
#include "views/rows.h"

/* Instead of a sparsity: that of the row's own targets in the plan. */
#define KNOWN_PLANNED NAN

/* An input value is small when |x| is below this share of the input's root mean square. */
#define KNOWN_SMALL 0.1

/* The sparsity at which rows are compared with each other, whatever the plan says. */
#define KNOWN_REFERENCE 0.5

/* Whether there has been a calibration. */
bool known_calibrated(struct workbench *workbench);

/* Relative output error expected of a matrix at a sparsity; of a block the mean over its prunable weights. */
double known_error(struct workbench *workbench, const struct model_row *row, double sparsity);
/* The same by the diagonal estimate alone, whatever was measured. */
double known_estimate(struct workbench *workbench, const struct model_row *row, double sparsity);
/* What was measured of a matrix by its method, without patterns of groups; returns how many points there are. */
size_t known_points(double *sparsities, double *errors, size_t room, struct workbench *workbench,
                    const struct model_row *row);
/* What one more percent of sparsity would add to it. */
double known_marginal(struct workbench *workbench, const struct model_row *row);
/* The sparsity at which its curve bends most. */
double known_knee(struct workbench *workbench, const struct model_row *row);
/* The method whose errors are expected of the row's first matrix. */
void known_method(char method[PLAN_METHOD_SIZE], struct workbench *workbench, const struct model_row *row);

/* Exact zeros in the inputs of the row's matrices, as a share. */
double known_zeros(struct workbench *workbench, const struct model_row *row);

/* How active the distinct inputs of the row's matrices are, taken together; false while one is not known. */
bool known_activity(struct activity *activity, struct workbench *workbench, const struct model_row *row);

/* A figure of one matrix; NaN for a block. */
double known_trace(struct workbench *workbench, const struct model_row *row);    /* tr(H) of its input */
double known_outliers(struct workbench *workbench, const struct model_row *row); /* share of weights, OWL with M = 5 */

/* Errors expected of the row's matrices under any plan, added up. */
double known_error_sum(struct workbench *workbench, const struct plan *plan, const struct model_row *row);

/* The forecast for a plan; false while nothing was calibrated. block_errors as in forecast_plan, or NULL. */
bool known_forecast(struct forecast *forecast, double *block_errors, struct workbench *workbench,
                    const struct plan *plan);

#endif

/* The record of forecasts: what was expected of a plan when it was pruned, and what was measured of the result. The
 * forecast travels in the pruned model's secateur.json; each evaluation of it adds a line to forecasts.csv under the
 * XDG state folder. */
#ifndef SECATEUR_FORECAST_RECORD_H
#define SECATEUR_FORECAST_RECORD_H

#include "plan/forecast.h"
#include "workbench/evaluation_record.h"
#include "workbench/prune_run.h"

/* The forecast of a run as an object of secateur.json. NULL without one, or on lack of memory. */
json_t *forecast_record_json(const struct prune_run *run);

/* After an evaluation: adds a line when the model was pruned here with a forecast. What cannot be written is said among
 * the results, and is no failure of the evaluation. */
void forecast_record_measured(struct workbench *workbench, const struct evaluation_record *record);

/* The whole of forecasts.csv; nothing while there is none. */
void forecast_record_table(struct text *output);

#endif

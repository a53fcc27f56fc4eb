/* What forecast.c and forecast_anchors.c share. */
#ifndef SECATEUR_FORECAST_STATE_H
#define SECATEUR_FORECAST_STATE_H

#include "plan/forecast.h"

struct load_sums {
    double error, load;
    bool known, estimated;
};

/* parts: [matrix_count], every matrix's part of the load. block_errors may be NULL; plan stands in for NULL targets. */
struct load_sums forecast_load(const struct forecaster *forecaster, double *parts, double *block_errors,
                               const struct target *targets, const struct plan *plan);

/* Loads, shares and residuals of all anchors made again, after the weights or the anchors have changed. */
void forecast_anchors_update(struct forecaster *forecaster);

/* The change of the loss and its interval, from forecast->load and its parts in the first row of forecaster->shares. */
void forecast_anchors_read(struct forecast *forecast, struct forecaster *forecaster);

#endif

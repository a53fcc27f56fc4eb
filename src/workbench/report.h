/* Reports: what is known of a model and what the plan would do, as CSV files and as a table for people. */
#ifndef SECATEUR_REPORT_H
#define SECATEUR_REPORT_H

#include "workbench/workbench.h"

/* Writes model.csv, blocks.csv, matrices.csv, histograms.csv, evaluations.csv, forecasts.csv and plan.csv into a folder
 * (made where absent), each whole or not at all. plan: a copy that nobody else changes. */
bool report_write(struct workbench *workbench, const struct plan *plan, const char *folder, bool channels,
                  struct error *error);

/* The statistics of every matrix: CSV as in matrices.csv, or aligned for people. */
void report_stat(struct workbench *workbench, const struct plan *plan, struct text *output);

#endif

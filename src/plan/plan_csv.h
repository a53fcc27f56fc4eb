/* A plan as CSV (libcsv): columns name,sparsity,pattern,method,locked, then low,high; more may follow and are kept out.
 */
#ifndef SECATEUR_PLAN_CSV_H
#define SECATEUR_PLAN_CSV_H

#include "plan/plan.h"

/* Written whole or not at all (temporary file, rename). */
bool plan_csv_write(const struct plan *plan, const char *path, struct error *error);

/* Loads into the plan as one undo group, or changes nothing: unknown names, missing or doubled rows, values out of
 * range are errors with line and column (ERROR_INPUT). Matrices that are prunable and not in the file are an error. */
bool plan_csv_read(struct plan *plan, const char *path, struct error *error);

#endif

/* A plan as CSV (libcsv): columns name,sparsity,pattern,method,locked,low,high, one row for each prunable matrix and
 * for each matrix that is pruned because it was named.
 *
 * When reading: columns are found by their names, in any order; name and sparsity must be there; other columns are
 * ignored. Sparsities and bounds are fractions (0.6) or percentages (60%, 60; below 2 with the sign); an empty pattern,
 * method or lock is the default. What spreadsheets add is accepted: quotes, CRLF, a byte order mark, rows of nothing
 * but commas.
 */
#ifndef SECATEUR_PLAN_CSV_H
#define SECATEUR_PLAN_CSV_H

#include "base/text.h"
#include "plan/plan.h"

/* Written whole or not at all (temporary file, rename). Sparsities are written so that reading gives the same value. */
bool plan_csv_write(const struct plan *plan, const char *path, struct error *error);

/* Loads into the plan as one undo group, or changes nothing: unknown names, missing or doubled rows, values out of
 * range are errors with line and column (ERROR_INPUT). Matrices that are prunable and not in the file are an error. */
bool plan_csv_read(struct plan *plan, const char *path, struct error *error);

/* The same in memory; targets[matrix_count]. `source` names the text in errors. */
void plan_csv_format(struct text *text, const struct model *model, const struct target *targets);
bool plan_csv_parse(struct target *targets, const struct model *model, const char *bytes, size_t length,
                    const char *source, struct error *error);

#endif

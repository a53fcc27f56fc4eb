/* What the running prune has done so far, matrix by matrix, as the screen shows it: copies, so that the screen can read
 * them while the worker goes on and after the run is gone. All functions take the workbench's mutex. */
#ifndef SECATEUR_RUN_ROW_H
#define SECATEUR_RUN_ROW_H

#include "workbench/workbench.h"

struct run_row {
    size_t matrix; /* index in the model */
    double target; /* sparsity asked for */
    double actual; /* share of zeros in what was handed to the writer; after verification, in the file. NaN: unknown */
    double error;  /* measured relative output error; NaN where none was measured */
    double forecast; /* what was expected before the run; NaN where nothing was known */
    double seconds;
    bool resumed;   /* an earlier run had written it */
    char note[200]; /* anything out of the ordinary */
};

/* Forgets the rows of the run before and makes room for `count`. */
bool run_rows_begin(struct workbench *workbench, size_t count, struct error *error);
/* Appends a row, or replaces that of the same matrix. */
void run_rows_put(struct workbench *workbench, const struct run_row *row);
/* Finished rows, and in *total how many there will be. */
size_t run_rows_count(struct workbench *workbench, size_t *total);
bool run_row_at(struct run_row *row, struct workbench *workbench, size_t index);

#endif

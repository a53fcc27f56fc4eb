/* The columns of the CSV reports: one table for each file, from which headings, rows, the text of `stat` and the manual
 * are made. Column names are stable; new columns are added at the end. */
#ifndef SECATEUR_REPORT_COLUMN_H
#define SECATEUR_REPORT_COLUMN_H

#include "tensor/summary.h"
#include "workbench/workbench.h"

/* One matrix and what is known of it. summary is NULL until it has been scanned. */
struct report_row {
    const struct matrix *matrix;
    const struct target *target;
    uint64_t planned; /* weights that the target removes */
    const struct summary *summary;
};

struct report_column {
    const char *name;
    const char *help; /* with the unit */
    void (*add)(struct text *line, const struct report_row *row);
};

/* The files whose columns are not those of a matrix. */
enum report_table { REPORT_MODEL, REPORT_BLOCKS, REPORT_HISTOGRAMS };
void report_table_heading(struct text *output, enum report_table table);

/* The heading and one line of matrices.csv. */
void report_add_heading(struct text *output);
void report_add_row(struct text *output, const struct report_row *row);

/* What is known of matrix `index`, with its target in `plan`. The summary stays valid until the workbench closes. */
struct report_row report_row_of(struct workbench *workbench, const struct plan *plan, size_t index);

/* The section of the manual page. */
void report_columns_manual(struct text *output);

#endif

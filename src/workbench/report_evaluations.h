/* evaluations.csv: one row for each evaluation. */
#ifndef SECATEUR_REPORT_EVALUATIONS_H
#define SECATEUR_REPORT_EVALUATIONS_H

#include "workbench/evaluation_record.h"

/* The heading and one line; column names are stable, new ones are added at the end. */
void report_evaluations_heading(struct text *output);
void report_evaluations_row(struct text *output, const struct evaluation_record *record);

/* All evaluations that the workbench remembers, with the heading. */
void report_evaluations(struct text *output, struct workbench *workbench);

/* Names and meanings of the columns, for the manual page. */
void report_evaluations_manual(struct text *output);

#endif

/* The tables of what calibration has found: activations.csv, channels.csv, sensitivity.csv, losses.csv, spans.csv,
 * experts.csv, and the columns that blocks.csv gains. Empty but for their headings while nothing is known. */
#ifndef SECATEUR_REPORT_CALIBRATION_H
#define SECATEUR_REPORT_CALIBRATION_H

#include "workbench/workbench.h"

struct report_calibration_table {
    const char *file;
    const char *help; /* what a row is */
    void (*make)(struct text *output, struct workbench *workbench);
    bool on_request; /* large: only where asked for */
};
extern const struct report_calibration_table report_calibration_tables[];
extern const size_t report_calibration_count;

/* A block's influence and zeros, each behind a comma: the end of a line of blocks.csv. */
void report_calibration_block(struct text *output, struct workbench *workbench, size_t block);

/* Names and meanings of the columns, for the manual page. */
void report_calibration_manual(struct text *output);

#endif

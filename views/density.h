/* What the scan has found out about rows, merged over their matrices and ready to be drawn. */
#ifndef SECATEUR_DENSITY_H
#define SECATEUR_DENSITY_H

#include "tensor/summary.h"
#include "views/rows.h"

/* Bins are quarters of octaves: bin 0 begins at 2^DENSITY_LOWEST. */
enum { DENSITY_LOWEST = SUMMARY_QUARTER_LOWEST, DENSITY_QUARTERS = 4, DENSITY_BINS = SUMMARY_QUARTERS };

struct density {
    double bins[DENSITY_BINS]; /* counts */
    double count, zeros;
};

/* False while the scan has not seen all of the row. */
bool density_read(struct density *density, struct workbench *workbench, const struct model_row *row);

/* Where, in bins, that share of the weights lies below (zeros included): what a sparkline's cut needs. */
double density_position(const struct density *density, double share);

/* The first bin worth showing and that behind the last, at whole octaves: an axis common to all rows. */
void density_axis(int *first, int *end, struct workbench *workbench);

/* To 0.1 % of the weights: the |w| below which this share lies, the share below a |w|, and the largest |w|. Matrices
 * that are not scanned yet are left out. */
double density_threshold(struct workbench *workbench, const struct model_row *row, double share);
double density_below(struct workbench *workbench, const struct model_row *row, double threshold);
double density_smooth(struct workbench *workbench, const struct model_row *row, double threshold); /* for charts */
double density_largest(struct workbench *workbench, const struct model_row *row);

#endif

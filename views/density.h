/* What the scan has found out about rows, merged over their matrices and ready to be drawn. False or negative while the
 * scan has not seen all of a row. */
#ifndef SECATEUR_DENSITY_H
#define SECATEUR_DENSITY_H

#include "views/rows.h"

/* Bins of log2|w|: bin i holds |w| in [2^(i+DENSITY_LOWEST), 2^(i+1+DENSITY_LOWEST)). */
enum { DENSITY_LOWEST = -40, DENSITY_BINS = 64 };

struct density {
    double bins[DENSITY_BINS]; /* counts */
    double count, zeros;
};

bool density_read(struct density *density, struct workbench *workbench, const struct model_row *row);

/* The |w| below which this share of a row's weights lies (zeros included); negative while not known. */
double density_threshold(struct workbench *workbench, const struct model_row *row, double share);

/* The first and the last bin worth showing for the whole model: an axis common to all rows. */
void density_axis(int *first, int *last, struct workbench *workbench);

#endif

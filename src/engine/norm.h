/* RMSNorm and LayerNorm over the last dimension. */
#ifndef SECATEUR_NORM_H
#define SECATEUR_NORM_H

#include "model/architecture.h"

struct norm {
    enum norm_kind kind;
    double epsilon;
    double offset;              /* added to the weights: 1 where they are stored minus 1 */
    const float *weight, *bias; /* [columns]; NULL: 1 and 0 */
};

/* y[rows × columns] = norm of each row of x. y may be x. Uses all threads. */
void norm_rows(float *y, const float *x, const struct norm *norm, int64_t rows, int64_t columns);

/* One row, in the calling thread. */
void norm_row(float *y, const float *x, const struct norm *norm, int64_t columns);

#endif

/* How active an input is: exact zeros, small values, the distribution of log2|x|, channels that stand out. */
#ifndef SECATEUR_ACTIVITY_H
#define SECATEUR_ACTIVITY_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define ACTIVITY_FIRST (-40) /* exponent of the first octave of the histogram; smaller values are counted in it */
#define ACTIVITY_OCTAVES 64  /* ... up to 2^24; larger ones are counted in the last */
#define ACTIVITY_PARTS 4     /* bins to an octave */
#define ACTIVITY_BINS (ACTIVITY_OCTAVES * ACTIVITY_PARTS)

struct activity {
    uint64_t values;              /* seen */
    uint64_t zeros;               /* exactly 0 */
    uint64_t odd;                 /* NaN or Inf */
    double sum_squares;           /* of all values */
    float maximum;                /* of |x| */
    uint64_t bins[ACTIVITY_BINS]; /* of log2|x|, zeros left out */
};

/* Adds count values. Uses all threads. */
bool activity_add(struct activity *activity, const float *x, size_t count, struct error *error);

void activity_merge(struct activity *activity, const struct activity *other);

double activity_zero_share(const struct activity *activity); /* exact zeros; NaN while nothing was seen */
double activity_rms(const struct activity *activity);

/* Share of values with |x| < relative × RMS, zeros included; within a bin evenly spread in log2|x|. */
double activity_small_share(const struct activity *activity, double relative);

/* Channels whose root mean square is at least `factor` times the median channel's: fills indices (room for `room`, the
 * largest first) and returns how many there are in all. sum_squares[columns] as in struct input_statistics. */
size_t activity_outliers(size_t *indices, size_t room, const double *sum_squares, int64_t columns, double factor,
                         struct error *error);

#endif

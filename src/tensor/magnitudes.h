/* The distribution of |w| as a short table: from a histogram of f32 bit patterns to points (|w|, entries below). */
#ifndef SECATEUR_MAGNITUDES_H
#define SECATEUR_MAGNITUDES_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define MAGNITUDE_BINS 0x7f80 /* finite |w| by the upper 15 bits of the f32 below the sign; exact for bf16 and f8 */

struct magnitudes;

/* bins[MAGNITUDE_BINS]. exact: every value in a bin is the bin's lower edge. NULL with an error on lack of memory. */
struct magnitudes *magnitudes_create(const uint64_t *bins, bool exact, struct error *error);
void magnitudes_free(struct magnitudes *magnitudes);

double magnitudes_below(const struct magnitudes *magnitudes, double threshold); /* fraction with |w| < threshold */
/* The same with the values of a coarse type spread to the next one: for charts. */
double magnitudes_smooth(const struct magnitudes *magnitudes, double threshold);
double magnitudes_quantile(const struct magnitudes *magnitudes, double fraction);

#endif

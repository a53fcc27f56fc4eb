/* Mixed "keep N of M": one M for all matrices, N chosen for each. */
#ifndef SECATEUR_ALLOCATE_GROUP_H
#define SECATEUR_ALLOCATE_GROUP_H

#include "plan/allocate.h"

/* Gives every matrix that may be set a pattern "keep N of `group`" (group 4 or 8; N = group: not pruned) with the least
 * forecast error among the plans that remove at least the budget's share, by the marginal cost of each step; the last
 * steps taken back while the budget holds without them. Reads the fields of `given` that allocate() reads; needs its
 * forecaster. */
bool allocate_group(const struct allocation *given, int group, const size_t *matrices, size_t count,
                    struct error *error);

/* The least and the largest sparsity of all prunable weights that allocate_group can reach. */
bool allocate_group_range(double *low, double *high, const struct allocation *given, int group, const size_t *matrices,
                          size_t count, struct error *error);

#endif

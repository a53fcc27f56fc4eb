/* The numbers of weights that a pattern can remove from a matrix, and the sparsities that give exactly these. All of it
 * rests on pattern_count alone, so that what is planned here is what a run removes. */
#ifndef SECATEUR_COUNT_H
#define SECATEUR_COUNT_H

#include "prune/pattern.h"

/* A sparsity with pattern_count(pattern, rows, columns, sparsity) == count; where no sparsity gives that count, one
 * that gives the nearest below. count is at most rows × columns. */
double plan_sparsity_for_count(struct pattern pattern, int64_t rows, int64_t columns, uint64_t count);

/* The nearest counts above and below `count` that the pattern can give; `count` itself when there is none. */
uint64_t plan_count_above(struct pattern pattern, int64_t rows, int64_t columns, uint64_t count);
uint64_t plan_count_below(struct pattern pattern, int64_t rows, int64_t columns, uint64_t count);

/* The largest count whose share of the matrix is at most `sparsity`, and the smallest whose share is at least it. */
uint64_t plan_count_floor(struct pattern pattern, int64_t rows, int64_t columns, double sparsity);
uint64_t plan_count_ceiling(struct pattern pattern, int64_t rows, int64_t columns, double sparsity);

#endif

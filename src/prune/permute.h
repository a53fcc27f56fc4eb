/* An order of the inputs under which N:M keeps more score (channel permutation: Pool & Yu 2021; Zhang et al. 2024).
 *
 * Dealing, then swapping: inputs are sorted by their total score and dealt into the groups of M forwards and backwards
 * in turn, so that strong ones do not crowd into one group; then pairs of inputs of different groups are swapped while
 * that keeps more. Where columns may move is up to the caller: all over an MLP's hidden units, whose producers' rows
 * move along, or within one head. */
#ifndef SECATEUR_PERMUTE_H
#define SECATEUR_PERMUTE_H

#include "prune/pattern.h"

/* order[columns]: new place p holds old column order[p]. scores[rows × columns], non-negative. Columns move only within
 * stretches of `stretch` (columns: anywhere; a head's width: inside heads), which must divide columns and be a multiple
 * of M, else ERROR_USAGE. `rounds` of swaps at most (0: dealing alone). Never keeps less than the order given by the
 * file: where it would, that is returned. */
bool permute_find(int64_t *order, const float *scores, struct pattern pattern, int64_t rows, int64_t columns,
                  int64_t stretch, int rounds, struct error *error);

/* Sum of the scores that N:M keeps with columns in that order (NULL: as they stand). */
double permute_kept(const float *scores, const int64_t *order, struct pattern pattern, int64_t rows, int64_t columns);

#endif

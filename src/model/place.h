/* Understanding each tensor of a checkpoint: what it is, where it belongs, whether it can be pruned. */
#ifndef SECATEUR_PLACE_H
#define SECATEUR_PLACE_H

#include "model/family.h"

/* Where a matrix stands among those of its block: by group, then by expert, then by row. */
struct place_order {
    size_t group, row;
};

/* Fills one weight per tensor, transposed[] and order[]. */
void place_weights(struct weight *weights, bool *transposed, struct place_order *order, const struct model *model);

/* The same for a model of no known family: two-dimensional weights by the number in their names. */
void place_guess(struct weight *weights, struct place_order *order, const struct checkpoint *checkpoint);

/* Weights whose values mean nothing without scales are refused for pruning. */
void place_refuse_scaled(struct weight *weights, const struct checkpoint *checkpoint);

/* What the last part of a tensor's name says it is. */
enum place_kind { PLACE_WEIGHT, PLACE_BIAS, PLACE_PACKED, PLACE_SCALE, PLACE_UNKNOWN };
enum place_kind place_kind(const char *suffix);

/* The length of a tensor's name without its last part. */
size_t place_module_length(const char *name);

/* Sets a weight's role and what follows from it and from the tensor. */
void place_assign(struct weight *weight, enum role role, enum place_kind kind);

#endif

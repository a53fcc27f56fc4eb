/* The matrices of a model in order: by block, then as the family's modules stand. */
#ifndef SECATEUR_ARRANGE_H
#define SECATEUR_ARRANGE_H

#include "model/place.h"

/* Fills model->matrices and model->blocks from its weights. transposed[] and order[] have one entry per weight. */
bool arrange_matrices(struct model *model, const bool *transposed, const struct place_order *order,
                      struct error *error);

/* Fills the matrices' `input`. Needs the architecture's block form and the model's lookup. */
void arrange_inputs(struct model *model);

#endif

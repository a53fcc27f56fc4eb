/* Choosing a support for b, in the coordinates of least_squares.h, and finishing a method on it. */
#ifndef SECATEUR_SUPPORT_H
#define SECATEUR_SUPPORT_H

#include "prune/least_squares.h"

/* mask[rows × n] = 1 for what goes when the entries (groups) of largest b² stay, by the layer's pattern at `sparsity`.
 * Where b is equal the dense weights decide. Whole rows go by the dense row's own output error, B Ã Bᵀ: no other row
 * can take any of it up, so that is exactly what each costs. scores: workspace [rows × n]. */
bool support_choose(uint8_t *mask, float *scores, const struct layer *layer, const struct least_squares *problem,
                    const float *b, double sparsity, struct error *error);

/* Conjugate gradients on the support from b, and the result into layer->weights. b is changed. */
bool support_finish(struct layer *layer, const struct least_squares *problem, float *b, const uint8_t *mask,
                    struct error *error);

#endif

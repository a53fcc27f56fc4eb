/* Methods that score every weight of the dense matrix, cut the lowest and change nothing else. */
#ifndef SECATEUR_SCORE_H
#define SECATEUR_SCORE_H

#include "prune/layer.h"

/* Fills scores[(end - begin) × columns] for rows [begin, end); non-negative, the lowest go first. Called from several
 * threads. */
typedef void score_function(float *scores, const struct layer *layer, const void *context, int64_t begin, int64_t end);

/* mask[rows × columns] = 1 where a weight goes. Where the pattern stays within rows, a panel of rows at a time is
 * scored, so that scores never leave the cache; otherwise all scores exist at once (rows × columns floats). */
bool score_select(uint8_t *mask, const struct layer *layer, score_function *function, const void *context,
                  struct error *error);

/* score_select, and the selected weights become +0. */
bool score_prune(struct layer *layer, score_function *function, const void *context, struct error *error);

/* weights[i] = +0 where mask[i] is set; no -0 remains elsewhere either. */
void score_apply(float *weights, const uint8_t *mask, int64_t rows, int64_t columns);

/* pattern_select by the layer's conventions (its own, or the references'). */
bool score_pattern_select(uint8_t *mask, const float *scores, const struct layer *layer, struct error *error);

/* sqrt(Σx_j² / T) of each input as f32 in new memory, [columns]: what activation-aware scores multiply by. NaN or Inf
 * among the inputs is an error. Fills the report's dead. */
float *score_input_norms(struct layer *layer, struct error *error);

#endif

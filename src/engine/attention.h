/* Causal self-attention: heads, masks, windows, positions; never more than a tile of the scores at once. */
#ifndef SECATEUR_ATTENTION_H
#define SECATEUR_ATTENTION_H

#include "engine/engine.h"

/* Where a head's dimensions begin in a row of queries, keys and values, for each layout of fused matrices. */
int64_t attention_query_place(const struct architecture *architecture, int64_t head);
int64_t attention_key_place(const struct architecture *architecture, int64_t kv_head);
int64_t attention_value_place(const struct architecture *architecture, int64_t kv_head);
int64_t attention_row(const struct architecture *architecture); /* values in such a row */

/* Multiplies scores of a block. */
double attention_scale(const struct architecture *architecture, int64_t block);

/* engine->context = heads' outputs of engine->qkv, which is ready (normed and turned). */
void attention_attend(struct engine *engine, int64_t block, const struct batch *batch);

/* engine->output[rows × hidden] = the attention branch of x[rows × hidden] (already normed). */
bool attention_run(struct engine *engine, int64_t block, const float *x, const struct batch *batch,
                   struct error *error);

/* Floats of scratch that attention_attend needs for each thread. */
size_t attention_scratch(int64_t length);

/* Operations of the scores and their sums, causal and windowed work counted once. */
uint64_t attention_work(const struct architecture *architecture, int64_t block, int64_t windows, int64_t length);

#endif

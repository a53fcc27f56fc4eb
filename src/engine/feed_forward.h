/* The feed-forward branch: gated or plain, one for all tokens or a mixture of experts. */
#ifndef SECATEUR_FEED_FORWARD_H
#define SECATEUR_FEED_FORWARD_H

#include "engine/engine.h"

/* One feed-forward (expert: an expert's number, MODEL_SHARED_EXPERT or MODEL_NO_EXPERT) on rows of inputs. */
struct feed_forward {
    int64_t block, expert;
    const float *x; /* [rows × hidden] */
    int64_t rows;
    const struct batch *batch;
    const int64_t *tokens; /* see struct observed_input */
    const float *routing;
};

/* out[rows × hidden]. `observe`: the observer is told of the input, too, not only of the hidden units. */
bool feed_forward_run(struct engine *engine, float *out, const struct feed_forward *part, bool observe,
                      struct error *error);

/* Units of that feed-forward. */
int64_t feed_forward_units(const struct architecture *architecture, int64_t expert);

/* Whether a block has experts. */
bool feed_forward_has_experts(const struct architecture *architecture, int64_t block);

/* engine->fed[rows × hidden] = the whole branch. */
bool feed_forward_branch(struct engine *engine, int64_t block, const float *x, bool observe, const struct batch *batch,
                         struct error *error);

/* Operations of the matrices of the branch, per token. */
uint64_t feed_forward_work(const struct architecture *architecture, int64_t block);

#endif

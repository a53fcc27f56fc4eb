/* Mixtures of experts: which tokens go where, and with what weight. */
#ifndef SECATEUR_EXPERTS_H
#define SECATEUR_EXPERTS_H

#include "engine/engine.h"

/* Space for the tokens of a batch. */
struct routing {
    float *probability; /* [tokens × experts] */
    int32_t *chosen;    /* [tokens × per_token] */
    float *weight;      /* [tokens × per_token] */
    int64_t *tokens;    /* of one expert */
    float *share;       /* of one expert: each token's weight */
    float *x, *y;       /* of one expert: [tokens × hidden] */
};
struct routing *experts_create(const struct architecture *architecture, int64_t tokens, struct error *error);
void experts_free(struct routing *routing);
uint64_t experts_bytes(const struct architecture *architecture, int64_t tokens);

/* engine->fed[rows × hidden] = the weighted sum of the experts' outputs, shared expert included. */
bool experts_run(struct engine *engine, int64_t block, const float *x, const struct batch *batch, struct error *error);

#endif

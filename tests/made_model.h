/* Models without files, for tests of what only needs names and shapes. */
#ifndef SECATEUR_MADE_MODEL_H
#define SECATEUR_MADE_MODEL_H

#include "model/model.h"

struct made_matrix {
    const char *label; /* "q"; its tensor is "model.layers.<block>.<label>.weight" */
    enum role role;
    int64_t rows, columns;
};

/* `blocks` blocks of these matrices, each `experts` times over where a label begins with "e." (then "e0.", "e1.", ...),
 * behind them an lm_head of 96 × 32 that is pruned only when named, and a norm that never is. */
struct model *made_model_create(size_t blocks, const struct made_matrix *matrices, size_t count, size_t experts);
void made_model_free(struct model *model);

extern const struct made_matrix made_llama[7], made_fused[4], made_experts[6];

#endif

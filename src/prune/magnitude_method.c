#include "base/memory.h"
#include "prune/score.h"
#include "prune/score_methods.h"

/* Patterns leave the sign of scores out, so the weights are their own scores and no copy of the matrix is made. */
bool magnitude_prune(struct layer *layer, struct error *error) {
    uint8_t *mask = memory_alloc((size_t)layer->rows * (size_t)layer->columns, 1, error);
    bool ok = mask != NULL && score_pattern_select(mask, layer->weights, layer, error) &&
              progress_continue(layer->progress, error);
    if (ok)
        score_apply(layer->weights, mask, layer->rows, layer->columns);
    memory_free(mask);
    return ok;
}

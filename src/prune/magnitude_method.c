#include "base/memory.h"
#include "prune/score.h"
#include "prune/score_methods.h"
#include <math.h>

static void magnitude_scores(float *scores, const struct layer *layer, const void *context, int64_t begin,
                             int64_t end) {
    const float *weights = layer->weights + begin * layer->columns;
    size_t count = (size_t)(end - begin) * (size_t)layer->columns;
    (void)context;
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        scores[i] = fabsf(weights[i]);
}

/* Whether entries are compared one with another; otherwise scores are summed first. */
static bool by_entry(struct pattern pattern) {
    return pattern.kind != PATTERN_TILE && pattern.kind != PATTERN_WHOLE_ROWS && pattern.kind != PATTERN_WHOLE_COLUMNS;
}

/* The order of scores leaves the sign out, so the weights are their own scores and no copy of the matrix is made. */
bool magnitude_prune(struct layer *layer, struct progress *progress, struct error *error) {
    if (!by_entry(layer->pattern))
        return score_prune(layer, magnitude_scores, NULL, progress, error);
    uint8_t *mask = memory_alloc((size_t)layer->rows * (size_t)layer->columns, 1, error);
    bool ok =
        mask != NULL && score_pattern_select(mask, layer->weights, layer, error) && progress_continue(progress, error);
    if (ok)
        score_apply(layer->weights, mask, layer->rows, layer->columns);
    memory_free(mask);
    return ok;
}

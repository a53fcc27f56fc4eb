#include "prune/score.h"
#include "prune/score_methods.h"
#include <math.h>

static void magnitude_scores(float *scores, const struct layer *layer, const void *context, int64_t begin,
                             int64_t end) {
    const float *weights = layer->weights + begin * layer->columns;
    size_t count = (size_t)(end - begin) * (size_t)layer->columns;
    (void)context;
    for (size_t i = 0; i < count; i++)
        scores[i] = fabsf(weights[i]);
}

bool magnitude_prune(struct layer *layer, struct progress *progress, struct error *error) {
    return score_prune(layer, magnitude_scores, NULL, progress, error);
}

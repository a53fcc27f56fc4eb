#include "base/memory.h"
#include "prune/score.h"
#include "prune/score_methods.h"
#include <math.h>

void wanda_scores(float *scores, const struct layer *layer, const void *context, int64_t begin, int64_t end) {
    const float *norms = context;
    for (int64_t i = begin; i < end; i++, scores += layer->columns) {
        const float *weights = layer->weights + i * layer->columns;
#pragma omp simd
        for (int64_t j = 0; j < layer->columns; j++)
            scores[j] = fabsf(weights[j]) * norms[j];
    }
}

bool wanda_prune(struct layer *layer, struct progress *progress, struct error *error) {
    float *norms = score_input_norms(layer, error);
    bool ok = norms != NULL && score_prune(layer, wanda_scores, norms, progress, error);
    memory_free(norms);
    return ok;
}

#include "base/memory.h"
#include "prune/score.h"
#include "prune/score_methods.h"
#include <math.h>

#define LINE 16    /* floats of a cache line */
#define AHEAD 1024 /* floats; the processor's own prefetching stops at every page */

static void score_line(float *scores, const float *weights, const float *norms, int64_t count) {
    __builtin_prefetch(weights + AHEAD);
#pragma omp simd
    for (int64_t j = 0; j < count; j++)
        scores[j] = fabsf(weights[j]) * norms[j];
}

void wanda_scores(float *scores, const struct layer *layer, const void *context, int64_t begin, int64_t end) {
    const float *norms = context;
    for (int64_t i = begin; i < end; i++, scores += layer->columns) {
        const float *weights = layer->weights + i * layer->columns;
        int64_t whole = layer->columns / LINE * LINE;
        for (int64_t j = 0; j < whole; j += LINE)
            score_line(scores + j, weights + j, norms + j, LINE);
        score_line(scores + whole, weights + whole, norms + whole, layer->columns - whole);
    }
}

bool wanda_prune(struct layer *layer, struct error *error) {
    float *norms = score_input_norms(layer, error);
    bool ok = norms != NULL && score_prune(layer, wanda_scores, norms, error);
    memory_free(norms);
    return ok;
}

#include "base/memory.h"
#include "prune/score.h"
#include "prune/score_methods.h"

/* H_jj = 2/T Σx_j², so ½ H_jj w² = (w ‖X_j‖/√T)². */
static void obd_scores(float *scores, const struct layer *layer, const void *context, int64_t begin, int64_t end) {
    const float *norms = context;
    for (int64_t i = begin; i < end; i++)
        for (int64_t j = 0; j < layer->columns; j++) {
            float root = layer->weights[i * layer->columns + j] * norms[j];
            *scores++ = root * root;
        }
}

bool obd_prune(struct layer *layer, struct error *error) {
    float *norms = score_input_norms(layer, error);
    bool ok = norms != NULL && score_prune(layer, obd_scores, norms, error);
    memory_free(norms);
    return ok;
}

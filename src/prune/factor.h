/* The factor that OBS-type methods work with: R upper triangular with H + damping = R Rᵀ, found without any inverse.
 *
 * The reference implementations take U, the upper Cholesky factor of the inverse of H, from three factorisations (4/3
 * n³ operations). Here R = U⁻¹ comes from one: the Cholesky factor of H with the order of its indices reversed (n³/3).
 * Shared by the matrices of one input. */
#ifndef SECATEUR_FACTOR_H
#define SECATEUR_FACTOR_H

#include "prune/layer.h"

struct factor {
    int64_t n;
    float *r;      /* [n × n] row-major; the upper triangle counts */
    uint8_t *dead; /* [n]: 1 where the input was zero on every token */
    uint64_t dead_count;
    double damping; /* share of mean(diag H) that was added in the end */
    int retries;
};

/* Factorises 2/T Σxxᵀ + damping × mean(diag) × I. Dead inputs get the mean of the live diagonal in their place
 * (reference: 1, before the mean is taken). When the factorisation fails the damping is raised tenfold, at most up to
 * 1, each time counted in retries. NULL with a sentence when inputs hold NaN or Inf, when even that fails, or
 * when progress (may be NULL) was cancelled. */
struct factor *factor_create(const struct input_statistics *input, double damping, bool reference,
                             struct progress *progress, struct error *error);
void factor_free(struct factor *factor);

/* layer->factor, made from layer->input with the layer's damping when it is still missing; fills the report's damping,
 * retries, dead and note. The caller of the layer frees layer->factor. */
bool layer_factor(struct layer *layer, struct error *error);

#endif

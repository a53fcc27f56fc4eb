/* The layer problem as a quadratic, in coordinates where every input has unit norm: what repair, alps, admm-fast, lasso
 * and iterative hard thresholding share.
 *
 * With A = Σxxᵀ + damping and d_j = sqrt(A_jj): Ã = A / (d dᵀ), B = W · d. Then ‖(W − Ŵ)X‖² + damping‖W − Ŵ‖² equals
 * tr((B − B̂) Ã (B − B̂)ᵀ), and scaling by d is the Jacobi preconditioner of conjugate gradients. */
#ifndef SECATEUR_LEAST_SQUARES_H
#define SECATEUR_LEAST_SQUARES_H

#include "prune/layer.h"

struct least_squares {
    int64_t rows, n;
    float *a;                  /* Ã, [n × n] symmetric */
    float *scale;              /* d, [n]; 1 for dead inputs */
    float *dense;              /* B of the dense weights, [rows × n] */
    float *g;                  /* B Ã, [rows × n]: the linear term */
    struct progress *progress; /* the layer's */
};

/* From the layer's Hessian and dense weights. Damped as the layer's factor is (factor.h), which is made when it is
 * missing: the one place that decides whether a Hessian is definite enough. Fills the report. */
bool least_squares_create(struct least_squares *problem, struct layer *layer, struct error *error);
void least_squares_free(struct least_squares *problem);

/* out[rows × n] = b Ã; false when the problem's progress was cancelled (so all functions below that can fail). */
bool least_squares_product(float *out, const struct least_squares *problem, const float *b, struct error *error);

/* tr((B − b) Ã (B − b)ᵀ) given product = b Ã. */
double least_squares_error(const struct least_squares *problem, const float *b, const float *product);

/* Conjugate gradients, each row on its own: minimises over b with b = 0 where mask is 1. b is the start (its masked
 * entries are set to 0 first). Stops after `iterations` or when the squared residual has fallen by tolerance². The
 * number made is returned in *made. */
bool least_squares_solve(float *b, int *made, const struct least_squares *problem, const uint8_t *mask, int iterations,
                         double tolerance, struct error *error);

/* Writes b back into the layer's weights: w = b / d, +0 where mask is 1. */
void least_squares_store(struct layer *layer, const struct least_squares *problem, const float *b, const uint8_t *mask);

#endif

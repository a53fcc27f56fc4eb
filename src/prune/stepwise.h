/* The large products and factorisations of a layer problem, in steps between which they can be stopped: a single call
 * on 11008 inputs would take many seconds. Matrices are by rows; progress may be NULL. All return false with
 * ERROR_CANCELLED when they were stopped, which leaves `out`, `a` or `b` half done. */
#ifndef SECATEUR_STEPWISE_H
#define SECATEUR_STEPWISE_H

#include "base/progress.h"

/* out = b a, for b [rows × n] and a [n × n]. */
bool stepwise_product(float *out, const float *b, const float *a, int64_t rows, int64_t n, struct progress *progress,
                      struct error *error);

/* a = L Lᵀ: the lower triangle of a [n × n] becomes L; what lies above its diagonal blocks is left alone. `positive` is
 * set false where a is not positive definite. */
bool stepwise_cholesky(bool *positive, float *a, int64_t n, struct progress *progress, struct error *error);

/* b = b (L Lᵀ)⁻¹, for b [rows × n]. */
bool stepwise_solve(float *b, const float *l, int64_t rows, int64_t n, struct progress *progress, struct error *error);

#endif

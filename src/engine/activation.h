/* Activation functions of the feed-forward. */
#ifndef SECATEUR_ACTIVATION_H
#define SECATEUR_ACTIVATION_H

#include "model/architecture.h"

/* out[row × out_stride + j] = act(in[row × stride + j]) (× factor[row × stride + j] when factor is given), j < columns.
 * out may be in. Uses all threads. */
void activation_apply(float *out, int64_t out_stride, const float *in, const float *factor, int64_t stride,
                      int64_t rows, int64_t columns, enum activation activation);

#endif

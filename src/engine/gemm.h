/* Products of activations with weight matrices, y = x Wᵀ (+ bias), with the weights as their file holds them.
 *
 * f32: a chunk of the matrix at a time is widened and multiplied by OpenBLAS, one chunk to a thread, so that the
 * working set is a few chunks and never the model. bf16 (where the processor has AVX512_BF16): weights stored as bf16
 * are used as they are, activations (and other weights) are rounded to bf16, sums are kept in f32. */
#ifndef SECATEUR_GEMM_H
#define SECATEUR_GEMM_H

#include "base/progress.h"
#include "model/model.h"

enum compute { COMPUTE_F32, COMPUTE_BF16 };

/* Whether this processor multiplies bf16; without it COMPUTE_BF16 runs as COMPUTE_F32. */
bool gemm_has_bf16(void);

/* Where a matrix's numbers come from: [rows × columns] in memory where `values` is given, else the file; and which of
 * its rows are wanted: [begin, end), or all when end is 0. */
struct gemm_weights {
    const struct matrix *matrix;
    const float *values;
    int64_t begin, end;
};

/* What products need besides their operands. */
struct gemm {
    enum compute compute;
    int64_t largest_columns; /* of all matrices it will be used for */
    size_t scratch_floats;   /* for each thread */
    float *scratch;
    uint16_t *packed; /* activations in bf16 */
    size_t packed_values;
};
bool gemm_create(struct gemm *gemm, enum compute compute, int64_t largest_columns, int64_t largest_tokens,
                 struct error *error);
void gemm_free(struct gemm *gemm);

/* Bytes that gemm_create takes. */
uint64_t gemm_bytes(enum compute compute, int64_t largest_columns, int64_t largest_tokens);

/* y[tokens × rows wanted], leading dimension y_stride, = x[tokens × columns] Wᵀ + bias (bias NULL: none). Adds the
 * operations done to progress and fails only when that is cancelled (within about 100 ms). */
bool gemm_multiply(struct gemm *gemm, float *y, int64_t y_stride, const float *x, const struct gemm_weights *weights,
                   const float *bias, int64_t tokens, struct progress *progress, struct error *error);

/* The floating-point operations of that product. */
uint64_t gemm_work(const struct matrix *matrix, int64_t tokens);

#endif

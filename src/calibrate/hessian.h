/* The second moment of a matrix's inputs, sum over tokens of x xᵀ, gathered while a model runs.
 *
 * Held in f64 as the upper triangle of square tiles (half of n² × 8 bytes: no more than a full f32 matrix would take),
 * each batch of tokens multiplied in f32 (exactly, from bf16 inputs where that is asked for) and added in f64, so that
 * rounding does not grow with the number of batches. The Hessian of DESIGN.md section 3 is 2/T times it. */
#ifndef SECATEUR_HESSIAN_H
#define SECATEUR_HESSIAN_H

#include "base/progress.h"
#include <stddef.h>
#include <stdint.h>

struct hessian {
    int64_t n;     /* inputs */
    int64_t tile;  /* edge of a tile */
    int64_t tiles; /* tiles along an edge */
    double *sum; /* upper tiles, row by row; each tile row-major tile × tile; in diagonal tiles the upper half counts */
    uint64_t tokens;    /* T */
    uint64_t sequences; /* what the reference implementations divide by */
};

bool hessian_create(struct hessian *hessian, int64_t n, struct error *error);
void hessian_free(struct hessian *hessian);

/* Bytes that a Hessian of n inputs takes. */
uint64_t hessian_bytes(int64_t n);

/* Adds `tokens` rows of x[tokens × n] (leading dimension n). Many tokens at once are faster: aim at 2048. bf16: x is
 * rounded to bf16 first where the processor multiplies bf16 (see engine/gemm.h); products are then exact. */
bool hessian_add(struct hessian *hessian, const float *x, int64_t tokens, uint64_t sequences, bool bf16,
                 struct error *error);

/* out[n × n] = scale × sum, symmetric, row-major. With `divide` of tokens or sequences see hessian_scale. */
void hessian_copy(float *out, const struct hessian *hessian, double scale);
/* The same with the order of both indices reversed, and only its lower triangle: what factorising from the last input
 * on needs. The rest of out is left as it is. */
void hessian_copy_reversed(float *out, const struct hessian *hessian, double scale);
void hessian_diagonal(double *out, const struct hessian *hessian);
double hessian_trace(const struct hessian *hessian);

/* 2/T: what turns the sum into H as we define it; by_sequences: 2/sequences, as the references have it. */
double hessian_scale(const struct hessian *hessian, bool by_sequences);

/* Adds another Hessian of the same inputs (more text, another machine). */
void hessian_merge(struct hessian *hessian, const struct hessian *other);

/* y[n] = A x[n], where A is the sum. */
void hessian_multiply(double *y, const struct hessian *hessian, const double *x);

/* tr(D A Dᵀ) for D[rows × n], where A is the sum: the output error ‖D X‖²_F of a change D of a matrix. Workspace n × 64
 * floats. False with ERROR_CANCELLED when progress (may be NULL) was cancelled. */
bool hessian_quadratic(double *value, const struct hessian *hessian, const float *d, int64_t rows,
                       struct progress *progress, struct error *error);

#endif

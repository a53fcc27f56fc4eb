/* The inner loop of a summary for types of 16 bits: a histogram of all 65536 bit patterns, from which every count and
 * moment follows exactly, and sums of squares. For processors with AVX-512. */
#ifndef SECATEUR_HALF_SCAN_H
#define SECATEUR_HALF_SCAN_H

#include "tensor/dtype.h"

#define HALF_PATTERNS 65536

/* Whether half_scan knows the type and the processor. */
bool half_scan_supported(enum dtype dtype);

/* Adds count stored values: to counts[HALF_PATTERNS], their squares to squares[count] (f32: add up few rows before
 * emptying it) and the squares' sum to *sum. Returns how many are zero. Squares are right for 2^-60 < |w| < 2^60; what
 * lies outside is the caller's to notice. */
size_t half_scan(uint32_t *counts, double *sum, float *squares, const uint8_t *stored, size_t count, enum dtype dtype);

struct half_sums {
    double sum, squares, minimum, maximum;
    size_t zeros;
};

/* Sums of at most 4096 bf16 values, a multiple of 32 (half_scan_supported(DTYPE_BF16)). Where squares is not finite, or
 * tiny for values that are not zero, f32 did not do: add the values up in f64 instead. */
void half_sums_bf16(struct half_sums *sums, const uint8_t *stored, size_t count);

#endif

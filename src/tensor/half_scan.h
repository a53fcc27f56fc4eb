/* The inner loop of a summary for types of 16 bits: a histogram of all 65536 bit patterns, from which every count and
 * moment follows exactly, and sums of squares. For processors with AVX-512. */
#ifndef SECATEUR_HALF_SCAN_H
#define SECATEUR_HALF_SCAN_H

#include "tensor/dtype.h"

#define HALF_PATTERNS 65536

/* Whether half_scan knows the type and the processor. */
bool half_scan_supported(enum dtype dtype);

/* What a scan adds to, for up to HALF_ROWS rows that are scanned together. */
struct half_lines {
    uint32_t *counts; /* [HALF_PATTERNS] */
    double *rows;     /* [rows]: sums of squares */
    size_t *zeros;    /* [rows] */
    float *
        columns; /* [count]: sums of squares, in an order of their own; half_scan_empty takes them out every few rows */
};
#define HALF_ROWS 4

/* Adds rows × count stored values, rows `stride` bytes apart. Squares are right for 2^-60 < |w| < 2^60; what lies
 * outside is the caller's to notice. */
void half_scan(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows, size_t count,
               enum dtype dtype);
/* Adds count sums of squares, which half_scan has made of values of this type, to sums and makes them 0. */
void half_scan_empty(double *sums, float *squares, size_t count, enum dtype dtype);

struct half_sums {
    double sum, squares, minimum, maximum;
    size_t zeros;
};

/* Sums of at most 4096 bf16 values, a multiple of 32 (half_scan_supported(DTYPE_BF16)). Where squares is not finite, or
 * tiny for values that are not zero, f32 did not do: add the values up in f64 instead. */
void half_sums_bf16(struct half_sums *sums, const uint8_t *stored, size_t count);

#endif

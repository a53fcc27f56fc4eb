/* Loops that the compiler turns into vector instructions, compiled for several processors and chosen at run time, and
 * the elementary functions they need, written without branches. Errors are a few units in the last place of f32. */
#ifndef SECATEUR_VECTOR_H
#define SECATEUR_VECTOR_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* In front of a function: versions for AVX-512, AVX2 and any other. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTOR_CLONES
#endif

#define VECTOR_SIMD _Pragma("omp simd")
#define VECTOR_INLINE static inline __attribute__((always_inline))

VECTOR_INLINE float vector_bits_to_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

VECTOR_INLINE uint32_t vector_float_to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* e^x; 0 below -87.3 (no subnormal results), largest finite value above 88.7. x = n ln 2 + r, polynomial of Cephes'
 * expf for r. */
VECTOR_INLINE float vector_exp(float x) {
    float bounded = x > 88.72f ? 88.72f : x;
    bounded = bounded < -87.3f ? -87.3f : bounded;
    float shifted = bounded * 1.44269504f + 12582912.0f; /* 1.5 × 2^23: the integer is in the low bits */
    float n = shifted - 12582912.0f;
    float r = bounded - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    /* Two steps, so that 2^128 never stands alone. */
    uint32_t exponent = vector_float_to_bits(shifted) - 0x4b400000u;
    float result = vector_bits_to_float(vector_float_to_bits(p * 0.5f) + (exponent << 23)) * 2.0f;
    return x < -87.3f ? 0.0f : result;
}

VECTOR_INLINE float vector_sigmoid(float x) {
    return 1.0f / (1.0f + vector_exp(-x));
}

/* Cephes' tanhf: a polynomial near 0, 1 - 2 / (e^2x + 1) elsewhere. */
VECTOR_INLINE float vector_tanh(float x) {
    float z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    float near = p * z * x + x;
    float far = 1.0f - 2.0f / (vector_exp(2.0f * fabsf(x)) + 1.0f);
    far = x < 0 ? -far : far;
    return fabsf(x) < 0.625f ? near : far;
}

/* The normal distribution's cumulative function, (1 + erf(x / sqrt 2)) / 2, within 1.2e-7, and within 1e-4 of itself
 * down to -5: erfc(t) = e^q(t) with Juffa's polynomial q away from 0, his polynomial for erf near 0. */
VECTOR_INLINE float vector_normal(float x) {
    float a = x * 0.707106781f, t = fabsf(a), s = a * a;
    float q = -1.72853470e-5f * t + 3.83197126e-4f;
    float u = -3.88396438e-3f * t + 2.42546219e-2f;
    q = q * s + u;
    q = q * t - 1.06777877e-1f;
    q = q * t - 6.34846687e-1f;
    q = q * t - 1.28717512e-1f;
    q = q * t - t;
    float tail = 0.5f * vector_exp(q);
    float r = -5.96761703e-4f;
    r = r * s + 4.99119423e-3f;
    r = r * s - 2.67681349e-2f;
    r = r * s + 1.12819925e-1f;
    r = r * s - 3.76125336e-1f;
    r = r * s + 1.28379166e-1f;
    float near = 0.5f + 0.5f * (r * a + a);
    float far = x < 0 ? tail : 1.0f - tail;
    return t > 0.927734375f ? far : near;
}

#define VECTOR_16 16
typedef float vector_16 __attribute__((vector_size(VECTOR_16 * sizeof(float))));

/* Rows become columns. Each of four rounds rotates the bits of (row, column) by one: row i and row i + 8 are zipped
 * into rows 2i and 2i + 1. */
VECTOR_INLINE void vector_transpose_16(vector_16 row[VECTOR_16]) {
    for (int round = 0; round < 4; round++) {
        vector_16 zipped[VECTOR_16];
        for (int i = 0; i < VECTOR_16 / 2; i++) {
            zipped[2 * i] =
                __builtin_shufflevector(row[i], row[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            zipped[2 * i + 1] = __builtin_shufflevector(row[i], row[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                                        29, 14, 30, 15, 31);
        }
        memcpy(row, zipped, sizeof zipped);
    }
}

/* to[16 × 16] (leading dimension to_stride) = from[16 × 16]ᵀ. */
VECTOR_INLINE void vector_transpose_block(float *to, int64_t to_stride, const float *from, int64_t from_stride) {
    vector_16 row[VECTOR_16];
    for (int i = 0; i < VECTOR_16; i++)
        memcpy(&row[i], from + i * from_stride, sizeof row[i]);
    vector_transpose_16(row);
    for (int i = 0; i < VECTOR_16; i++)
        memcpy(to + i * to_stride, &row[i], sizeof row[i]);
}

#endif

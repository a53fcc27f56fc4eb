#include "tensor/half_scan.h"
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define INLINE_TARGET __attribute__((always_inline, target("avx512f,avx512bw,avx512dq,avx512vl"))) static inline
#define AHEAD 2048 /* bytes; the processor's own prefetching stops at every page */
#define BATCH 256  /* squares added in f32 lanes before they go to f64 */

bool half_scan_supported(enum dtype dtype) {
    return (dtype == DTYPE_BF16 || dtype == DTYPE_F16) && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

__attribute__((always_inline)) static inline void count_four(uint32_t *counts, const uint8_t *stored) {
    uint64_t four;
    memcpy(&four, stored, sizeof four);
    counts[four & 0xffff]++;
    counts[four >> 16 & 0xffff]++;
    counts[four >> 32 & 0xffff]++;
    counts[four >> 48]++;
}

INLINE_TARGET __m512 widen(__m256i stored, bool bf16) {
    if (bf16)
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(stored), 16));
    return _mm512_cvtph_ps(stored);
}

/* Up to BATCH values, a multiple of 16. Returns how many are zero. */
INLINE_TARGET size_t scan_batch(uint32_t *counts, double *sum, float *squares, const uint8_t *stored, size_t count,
                                bool bf16) {
    const __m256i magnitude = _mm256_set1_epi16(0x7fff);
    __m512 total = _mm512_setzero_ps();
    size_t zeros = 0;
    for (size_t i = 0; i < count; i += 16) {
        _mm_prefetch((const void *)(stored + 2 * i + AHEAD), _MM_HINT_T0);
        __m256i bits = _mm256_loadu_si256((const void *)(stored + 2 * i));
        __m512 w = widen(bits, bf16);
        total = _mm512_fmadd_ps(w, w, total);
        _mm512_storeu_ps(squares + i, _mm512_fmadd_ps(w, w, _mm512_loadu_ps(squares + i)));
        zeros += (size_t)__builtin_popcount(_mm256_testn_epi16_mask(bits, magnitude));
        for (size_t j = 0; j < 16; j += 4)
            count_four(counts, stored + 2 * (i + j));
    }
    __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(total));
    __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(total, 1));
    *sum += _mm512_reduce_add_pd(_mm512_add_pd(low, high));
    return zeros;
}

INLINE_TARGET size_t scan_all(uint32_t *counts, double *sum, float *squares, const uint8_t *stored, size_t count,
                              bool bf16) {
    size_t zeros = 0;
    for (size_t i = 0; i < count; i += BATCH) {
        size_t length = count - i < BATCH ? count - i : BATCH;
        zeros += scan_batch(counts, sum, squares + i, stored + 2 * i, length, bf16);
    }
    return zeros;
}

AVX512_TARGET static size_t scan_bf16(uint32_t *counts, double *sum, float *squares, const uint8_t *stored,
                                      size_t count) {
    return scan_all(counts, sum, squares, stored, count, true);
}

AVX512_TARGET static size_t scan_f16(uint32_t *counts, double *sum, float *squares, const uint8_t *stored,
                                     size_t count) {
    return scan_all(counts, sum, squares, stored, count, false);
}

/* What is left of a row when sixteens are done. */
static size_t scan_rest(uint32_t *counts, double *sum, float *squares, const uint8_t *stored, size_t count,
                        enum dtype dtype) {
    float values[16];
    size_t zeros = 0;
    dtype_widen(values, stored, dtype, count);
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, stored + 2 * i, sizeof bits);
        counts[bits]++;
        squares[i] += values[i] * values[i];
        *sum += (double)values[i] * (double)values[i];
        zeros += values[i] == 0;
    }
    return zeros;
}

size_t half_scan(uint32_t *counts, double *sum, float *squares, const uint8_t *stored, size_t count, enum dtype dtype) {
    size_t whole = count / 16 * 16;
    size_t zeros = (dtype == DTYPE_BF16 ? scan_bf16 : scan_f16)(counts, sum, squares, stored, whole);
    return zeros + scan_rest(counts, sum, squares + whole, stored + 2 * whole, count - whole, dtype);
}

#else
bool half_scan_supported(enum dtype dtype) {
    (void)dtype;
    return false;
}

size_t half_scan(uint32_t *counts, double *sum, float *squares, const uint8_t *stored, size_t count, enum dtype dtype) {
    (void)counts, (void)sum, (void)squares, (void)stored, (void)count, (void)dtype;
    return 0;
}
#endif

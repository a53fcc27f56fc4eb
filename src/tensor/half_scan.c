#include "tensor/half_scan.h"
#include <math.h>
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

/* Sums in f32 lanes: of the even values and of the odd ones. */
struct lanes {
    __m512 sums[2], squares[2], minima[2], maxima[2];
};

INLINE_TARGET void add_lane(struct lanes *lanes, int lane, __m512 w) {
    lanes->sums[lane] = _mm512_add_ps(lanes->sums[lane], w);
    lanes->squares[lane] = _mm512_fmadd_ps(w, w, lanes->squares[lane]);
    lanes->minima[lane] = _mm512_min_ps(lanes->minima[lane], w);
    lanes->maxima[lane] = _mm512_max_ps(lanes->maxima[lane], w);
}

/* The sum of two vectors' lanes in f64; empties them. */
INLINE_TARGET double take_lanes(__m512 *pair) {
    __m512 both = _mm512_add_ps(pair[0], pair[1]);
    __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(both));
    __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(both, 1));
    pair[0] = pair[1] = _mm512_setzero_ps();
    return _mm512_reduce_add_pd(_mm512_add_pd(low, high));
}

AVX512_TARGET void half_sums_bf16(struct half_sums *sums, const uint8_t *stored, size_t count) {
    const __m512i magnitude = _mm512_set1_epi16(0x7fff), upper = _mm512_set1_epi32((int)0xffff0000U);
    const __m512 zero = _mm512_setzero_ps(), low = _mm512_set1_ps(INFINITY), high = _mm512_set1_ps(-INFINITY);
    struct lanes lanes = {{zero, zero}, {zero, zero}, {low, low}, {high, high}};
    *sums = (struct half_sums){0};
    for (size_t i = 0; i < count;) {
        size_t end = count - i < 2 * BATCH ? count : i + 2 * BATCH;
        for (; i < end; i += 32) {
            _mm_prefetch((const void *)(stored + 2 * i + AHEAD), _MM_HINT_T0);
            __m512i bits = _mm512_loadu_si512((const void *)(stored + 2 * i));
            add_lane(&lanes, 0, _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16)));
            add_lane(&lanes, 1, _mm512_castsi512_ps(_mm512_and_si512(bits, upper)));
            sums->zeros += (size_t)__builtin_popcount(_mm512_testn_epi16_mask(bits, magnitude));
        }
        sums->sum += take_lanes(lanes.sums);
        sums->squares += take_lanes(lanes.squares);
    }
    sums->minimum = (double)_mm512_reduce_min_ps(_mm512_min_ps(lanes.minima[0], lanes.minima[1]));
    sums->maximum = (double)_mm512_reduce_max_ps(_mm512_max_ps(lanes.maxima[0], lanes.maxima[1]));
}

#else
void half_sums_bf16(struct half_sums *sums, const uint8_t *stored, size_t count) {
    (void)sums, (void)stored, (void)count;
}

bool half_scan_supported(enum dtype dtype) {
    (void)dtype;
    return false;
}

size_t half_scan(uint32_t *counts, double *sum, float *squares, const uint8_t *stored, size_t count, enum dtype dtype) {
    (void)counts, (void)sum, (void)squares, (void)stored, (void)count, (void)dtype;
    return 0;
}
#endif

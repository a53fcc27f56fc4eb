#include "tensor/half_scan.h"
#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define INLINE_TARGET __attribute__((always_inline, target("avx512f,avx512bw,avx512dq,avx512vl"))) static inline
#define AHEAD 2048 /* bytes; the processor's own prefetching stops at every page */
#define STEP 32    /* values counted at a time */
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

/* Counts 32 values; returns how many are zero. */
INLINE_TARGET size_t count_step(uint32_t *counts, const uint8_t *stored) {
    const __m512i magnitude = _mm512_set1_epi16(0x7fff);
    _mm_prefetch((const void *)(stored + AHEAD), _MM_HINT_T0);
    for (size_t i = 0; i < STEP; i += 4)
        count_four(counts, stored + 2 * i);
    return (size_t)__builtin_popcount(_mm512_testn_epi16_mask(_mm512_loadu_si512((const void *)stored), magnitude));
}

INLINE_TARGET __m512 widen(const uint8_t *stored, bool bf16) {
    __m256i bits = _mm256_loadu_si256((const void *)stored);
    if (bf16)
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
    return _mm512_cvtph_ps(bits);
}

/* Squares of the same 16 columns in all rows. */
INLINE_TARGET void square_columns(__m512 *totals, float *squares, const uint8_t *stored, size_t stride, size_t rows,
                                  bool bf16) {
    __m512 column = _mm512_loadu_ps(squares);
    for (size_t row = 0; row < rows; row++) {
        __m512 w = widen(stored + row * stride, bf16);
        column = _mm512_fmadd_ps(w, w, column);
        totals[row] = _mm512_fmadd_ps(w, w, totals[row]);
    }
    _mm512_storeu_ps(squares, column);
}

INLINE_TARGET double lane_sum(__m512 lanes) {
    __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(lanes));
    __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(lanes, 1));
    return _mm512_reduce_add_pd(_mm512_add_pd(low, high));
}

/* The last row of a group: counted, and meanwhile the squares of all rows taken. */
INLINE_TARGET void scan_last(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows,
                             size_t count, bool bf16) {
    const uint8_t *last = stored + (rows - 1) * stride;
    for (size_t i = 0; i < count;) {
        __m512 totals[HALF_ROWS] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
        size_t end = count - i < BATCH ? count : i + BATCH;
        for (; i < end; i += STEP) {
            square_columns(totals, lines->columns + i, stored + 2 * i, stride, rows, bf16);
            square_columns(totals, lines->columns + i + 16, stored + 2 * i + 32, stride, rows, bf16);
            lines->zeros[rows - 1] += count_step(lines->counts, last + 2 * i);
        }
        for (size_t row = 0; row < rows; row++)
            lines->rows[row] += lane_sum(totals[row]);
    }
}

/* Every value costs one store into the histogram, which is what bounds the loop; the squares' own stores are shared by
 * the rows of a group, whose values are still in the first caches when the last of them is counted. */
INLINE_TARGET void scan_lines(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows,
                              size_t count, bool bf16) {
    for (size_t row = 0; row + 1 < rows; row++)
        for (size_t i = 0; i < count; i += STEP)
            lines->zeros[row] += count_step(lines->counts, stored + row * stride + 2 * i);
    scan_last(lines, stored, stride, rows, count, bf16);
}

AVX512_TARGET static void scan_bf16(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows,
                                    size_t count) {
    if (rows == HALF_ROWS)
        scan_lines(lines, stored, stride, HALF_ROWS, count, true);
    for (size_t row = 0; rows < HALF_ROWS && row < rows; row++) {
        struct half_lines line = {lines->counts, lines->rows + row, lines->zeros + row, lines->columns};
        scan_lines(&line, stored + row * stride, stride, 1, count, true);
    }
}

AVX512_TARGET static void scan_f16(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows,
                                   size_t count) {
    for (size_t row = 0; row < rows; row++) {
        struct half_lines line = {lines->counts, lines->rows + row, lines->zeros + row, lines->columns};
        scan_lines(&line, stored + row * stride, stride, 1, count, false);
    }
}

/* What is left of a row when the steps are done. */
static void scan_rest(const struct half_lines *lines, size_t row, const uint8_t *stored, size_t first, size_t count,
                      enum dtype dtype) {
    float values[STEP];
    dtype_widen(values, stored + 2 * first, dtype, count - first);
    for (size_t i = first; i < count; i++) {
        uint16_t bits;
        float value = values[i - first];
        memcpy(&bits, stored + 2 * i, sizeof bits);
        lines->counts[bits]++;
        lines->columns[i] += value * value;
        lines->rows[row] += (double)value * (double)value;
        lines->zeros[row] += value == 0;
    }
}

void half_scan(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows, size_t count,
               enum dtype dtype) {
    size_t whole = count / STEP * STEP;
    (dtype == DTYPE_BF16 ? scan_bf16 : scan_f16)(lines, stored, stride, rows, whole);
    for (size_t row = 0; row < rows && whole < count; row++)
        scan_rest(lines, row, stored + row * stride, whole, count, dtype);
}

AVX512_TARGET void half_scan_empty(double *sums, float *squares, size_t count) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        sums[i] += (double)squares[i];
        squares[i] = 0;
    }
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

void half_scan(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows, size_t count,
               enum dtype dtype) {
    (void)lines, (void)stored, (void)stride, (void)rows, (void)count, (void)dtype;
}

void half_scan_empty(double *sums, float *squares, size_t count) {
    (void)sums, (void)squares, (void)count;
}
#endif

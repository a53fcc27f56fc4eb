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

INLINE_TARGET void count_step(uint32_t *counts, const uint8_t *stored) {
    _mm_prefetch((const void *)(stored + AHEAD), _MM_HINT_T0);
    for (size_t i = 0; i < STEP; i += 4)
        count_four(counts, stored + 2 * i);
}

INLINE_TARGET __m512 widen(const uint8_t *stored, bool bf16) {
    __m256i bits = _mm256_loadu_si256((const void *)stored);
    if (bf16)
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
    return _mm512_cvtph_ps(bits);
}

/* Squares of 16 columns of a row. */
INLINE_TARGET void square_columns(__m512 *total, float *squares, const uint8_t *stored, bool bf16) {
    __m512 w = widen(stored, bf16);
    _mm512_storeu_ps(squares, _mm512_fmadd_ps(w, w, _mm512_loadu_ps(squares)));
    *total = _mm512_fmadd_ps(w, w, *total);
}

INLINE_TARGET double lane_sum(__m512 lanes) {
    __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(lanes));
    __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(lanes, 1));
    return _mm512_reduce_add_pd(_mm512_add_pd(low, high));
}

/* Every value costs one store into the histogram, which is what bounds the loop. */
INLINE_TARGET void scan_line(const struct half_lines *line, const uint8_t *stored, size_t count, bool bf16) {
    for (size_t i = 0; i < count;) {
        __m512 total = _mm512_setzero_ps();
        size_t end = count - i < BATCH ? count : i + BATCH;
        for (; i < end; i += STEP) {
            square_columns(&total, line->columns + i, stored + 2 * i, bf16);
            square_columns(&total, line->columns + i + 16, stored + 2 * i + 32, bf16);
            count_step(line->counts, stored + 2 * i);
        }
        *line->rows += lane_sum(total);
    }
}

/* One row after the other. */
INLINE_TARGET void scan_rows(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows,
                             size_t count, bool bf16) {
    for (size_t row = 0; row < rows; row++) {
        struct half_lines line = {lines->counts, lines->rows + row, lines->zeros + row, lines->columns};
        scan_line(&line, stored + row * stride, count, bf16);
    }
}

AVX512_TARGET static void scan_bf16(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows,
                                    size_t count) {
    scan_rows(lines, stored, stride, rows, count, true);
}

AVX512_TARGET static void scan_f16(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows,
                                   size_t count) {
    scan_rows(lines, stored, stride, rows, count, false);
}

/* With products of pairs, four rows take half the work of one after the other: dot products of a row with itself are
 * its squares, those of two rows' values side by side are columns', whose order this changes within a step. */
#define PAIRS_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define PAIRS_INLINE                                                                                                   \
    __attribute__((always_inline, target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"))) static inline

static bool has_pairs(void) {
    return __builtin_cpu_supports("avx512bf16");
}

PAIRS_INLINE __m512 add_pairs(__m512 total, __m512i pairs) {
    return _mm512_dpbf16_ps(total, (__m512bh)pairs, (__m512bh)pairs);
}

PAIRS_INLINE void square_rows(__m512 *totals, float *squares, const uint8_t *stored, size_t stride, size_t rows) {
    __m512 low = _mm512_loadu_ps(squares), high = _mm512_loadu_ps(squares + 16);
    for (size_t row = 0; row < rows; row += 2) {
        __m512i first = _mm512_loadu_si512((const void *)(stored + row * stride)), second = _mm512_setzero_si512();
        totals[row] = add_pairs(totals[row], first);
        if (row + 1 < rows) {
            second = _mm512_loadu_si512((const void *)(stored + (row + 1) * stride));
            totals[row + 1] = add_pairs(totals[row + 1], second);
        }
        low = add_pairs(low, _mm512_unpacklo_epi16(first, second));
        high = add_pairs(high, _mm512_unpackhi_epi16(first, second));
    }
    _mm512_storeu_ps(squares, low);
    _mm512_storeu_ps(squares + 16, high);
}

/* While the last row is counted, the squares of all are taken. */
PAIRS_INLINE void scan_pairs(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows,
                             size_t count) {
    const uint8_t *last = stored + (rows - 1) * stride;
    for (size_t row = 0; row + 1 < rows; row++)
        for (size_t i = 0; i < count; i += STEP)
            count_step(lines->counts, stored + row * stride + 2 * i);
    for (size_t i = 0; i < count;) {
        const __m512 nothing = _mm512_setzero_ps();
        __m512 totals[HALF_ROWS] = {nothing, nothing, nothing, nothing};
        size_t end = count - i < BATCH ? count : i + BATCH;
        for (; i < end; i += STEP) {
            square_rows(totals, lines->columns + i, stored + 2 * i, stride, rows);
            count_step(lines->counts, last + 2 * i);
        }
        for (size_t row = 0; row < rows; row++)
            lines->rows[row] += lane_sum(totals[row]);
    }
}

PAIRS_TARGET static void scan_bf16_pairs(const struct half_lines *lines, const uint8_t *stored, size_t stride,
                                         size_t rows, size_t count) {
    if (rows == HALF_ROWS)
        scan_pairs(lines, stored, stride, HALF_ROWS, count);
    else
        scan_pairs(lines, stored, stride, rows, count);
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

AVX512_TARGET static size_t count_zeros(const uint8_t *stored, size_t count) {
    const __m512i magnitude = _mm512_set1_epi16(0x7fff);
    size_t zeros = 0;
    for (size_t i = 0; i < count; i += STEP) {
        __m512i bits = _mm512_loadu_si512((const void *)(stored + 2 * i));
        zeros += (size_t)__builtin_popcount(_mm512_testn_epi16_mask(bits, magnitude));
    }
    return zeros;
}

static uint32_t zeros_so_far(const struct half_lines *lines) {
    return lines->counts[0] + lines->counts[HALF_PATTERNS / 2];
}

/* A row's own zeros are looked for only where the histogram has met any. */
static void scan_steps(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows, size_t count,
                       enum dtype dtype) {
    uint32_t before = zeros_so_far(lines);
    if (dtype == DTYPE_F16)
        scan_f16(lines, stored, stride, rows, count);
    else if (has_pairs())
        scan_bf16_pairs(lines, stored, stride, rows, count);
    else
        scan_bf16(lines, stored, stride, rows, count);
    for (size_t row = 0; row < rows && zeros_so_far(lines) != before; row++)
        lines->zeros[row] += count_zeros(stored + row * stride, count);
}

void half_scan(const struct half_lines *lines, const uint8_t *stored, size_t stride, size_t rows, size_t count,
               enum dtype dtype) {
    size_t whole = count / STEP * STEP;
    scan_steps(lines, stored, stride, rows, whole, dtype);
    for (size_t row = 0; row < rows && whole < count; row++)
        scan_rest(lines, row, stored + row * stride, whole, count, dtype);
}

/* The four columns that each four sums of a step belong to, where pairs were taken: unpacking works in parts of eight
 * values, of which it takes first the lower four. */
AVX512_TARGET static void empty_pairs(double *sums, const float *squares) {
    static const size_t column[STEP / 4] = {0, 8, 16, 24, 4, 12, 20, 28};
    for (size_t part = 0; part < STEP / 4; part++) {
        double *to = sums + column[part];
        _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), _mm256_cvtps_pd(_mm_loadu_ps(squares + 4 * part))));
    }
}

AVX512_TARGET void half_scan_empty(double *sums, float *squares, size_t count, enum dtype dtype) {
    size_t paired = dtype == DTYPE_BF16 && has_pairs() ? count / STEP * STEP : 0;
    for (size_t i = 0; i < paired; i += STEP)
        empty_pairs(sums + i, squares + i);
#pragma omp simd
    for (size_t i = paired; i < count; i++)
        sums[i] += (double)squares[i];
    memset(squares, 0, count * sizeof *squares);
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

void half_scan_empty(double *sums, float *squares, size_t count, enum dtype dtype) {
    (void)sums, (void)squares, (void)count, (void)dtype;
}
#endif

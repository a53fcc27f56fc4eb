#include "engine/gemm_bf16.h"

#include "engine/vector.h"
#include <string.h>

/* Pairs along the inner dimension that are worked on at once: 12 tokens' and 32 lanes' worth of them stay in the first-
 * and second-level caches. */
#define INNER_PAIRS 512

static int64_t tiles_of(int64_t outer, int64_t tile) {
    return (outer + tile - 1) / tile;
}

static size_t packed_size(int64_t outer, int64_t inner, int64_t tile) {
    return (size_t)tiles_of(outer, tile) * (size_t)tile * (size_t)((inner + 1) / 2) * 2;
}

size_t bf16_lanes_size(int64_t outer, int64_t inner) {
    return packed_size(outer, inner, BF16_LANES);
}

size_t bf16_tokens_size(int64_t outer, int64_t inner) {
    return packed_size(outer, inner, BF16_TOKENS);
}

/* To nearest even; NaN stays NaN. */
static inline uint32_t round_to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;
    return (bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded;
}

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#include <immintrin.h>

#define BF16_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

bool bf16_supported(void) {
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

/* Turns 16 rows of 16 pairs into 16 columns: out[pair × 32 + row] for each of them. */
BF16_TARGET static void transpose_16(uint32_t *out, __m512i row[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        row[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        row[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        row[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        row[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(row[i], row[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(row[i], row[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(row[i + 8], row[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(row[i + 8], row[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        _mm512_store_si512(out + i * BF16_LANES, _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88));
        _mm512_store_si512(out + (i + 8) * BF16_LANES, _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd));
    }
}

/* 16 rows (`present` of them are there) into one half of a tile; 32 inner values at a time, the last ones masked. */
BF16_TARGET static void pack_half_tile(uint32_t *out, const uint8_t *rows, int64_t stride, int64_t present,
                                       int64_t inner) {
    int64_t pairs = (inner + 1) / 2;
    for (int64_t k = 0; k < inner; k += 32) {
        int64_t count = inner - k < 32 ? inner - k : 32;
        __mmask32 mask = count == 32 ? 0xffffffffu : (1u << count) - 1;
        __m512i row[16];
        for (int64_t i = 0; i < 16; i++)
            row[i] = i < present ? _mm512_maskz_loadu_epi16(mask, rows + 2 * (i * stride + k)) : _mm512_setzero_si512();
        if (pairs - k / 2 >= 16) {
            transpose_16(out + k / 2 * BF16_LANES, row);
            continue;
        }
        _Alignas(64) uint32_t last[16 * BF16_LANES];
        transpose_16(last, row);
        for (int64_t pair = 0; pair < pairs - k / 2; pair++)
            memcpy(out + (k / 2 + pair) * BF16_LANES, last + pair * BF16_LANES, 16 * sizeof *out);
    }
}

void bf16_pack_lanes(uint16_t *out, const uint8_t *rows, int64_t stride, int64_t outer, int64_t inner) {
    int64_t pairs = (inner + 1) / 2;
    for (int64_t first = 0; first < tiles_of(outer, BF16_LANES) * BF16_LANES; first += 16) {
        int64_t present = outer - first < 16 ? outer - first : 16;
        uint32_t *tile = (uint32_t *)(void *)out + first / BF16_LANES * BF16_LANES * pairs + first % BF16_LANES;
        pack_half_tile(tile, rows + (present > 0 ? 2 * first * stride : 0), stride, present, inner);
    }
}

#define EACH_TOKEN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

/* result[12 × 32] = or += a[pairs × 12] · b[pairs × 32]: 24 registers of sums. */
BF16_TARGET static void multiply_tile(float *c, int64_t c_stride, const uint32_t *a, const uint32_t *b, int64_t pairs,
                                      bool add) {
#define DECLARE(i) __m512 left_##i = _mm512_setzero_ps(), right_##i = _mm512_setzero_ps();
#define LOAD(i) left_##i = _mm512_loadu_ps(c + (i)*c_stride), right_##i = _mm512_loadu_ps(c + (i)*c_stride + 16);
#define MULTIPLY(i)                                                                                                    \
    {                                                                                                                  \
        __m512bh token = (__m512bh)_mm512_set1_epi32((int)a[i]);                                                       \
        left_##i = _mm512_dpbf16_ps(left_##i, token, b_left);                                                          \
        right_##i = _mm512_dpbf16_ps(right_##i, token, b_right);                                                       \
    }
#define STORE(i) _mm512_storeu_ps(c + (i)*c_stride, left_##i), _mm512_storeu_ps(c + (i)*c_stride + 16, right_##i);
    EACH_TOKEN(DECLARE)
    if (add) {
        EACH_TOKEN(LOAD)
    }
    for (int64_t k = 0; k < pairs; k++, a += BF16_TOKENS, b += BF16_LANES) {
        __m512bh b_left = (__m512bh)_mm512_load_si512(b), b_right = (__m512bh)_mm512_load_si512(b + 16);
        EACH_TOKEN(MULTIPLY)
    }
    EACH_TOKEN(STORE)
}

#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

/* c[8 × 32] = a[pairs × 8 of 32] · b[pairs × 32]: 16 registers of sums, both operands packed alike. */
BF16_TARGET static void gram_rows(float *c, const uint32_t *a, const uint32_t *b, int64_t pairs) {
    EACH_ROW(DECLARE)
    for (int64_t k = 0; k < pairs; k++, a += BF16_LANES, b += BF16_LANES) {
        __m512bh b_left = (__m512bh)_mm512_load_si512(b), b_right = (__m512bh)_mm512_load_si512(b + 16);
        EACH_ROW(MULTIPLY)
    }
    const int64_t c_stride = BF16_LANES;
    EACH_ROW(STORE)
}

#else

bool bf16_supported(void) {
    return false;
}

void bf16_pack_lanes(uint16_t *out, const uint8_t *rows, int64_t stride, int64_t outer, int64_t inner) {
    int64_t pairs = (inner + 1) / 2;
    memset(out, 0, bf16_lanes_size(outer, inner) * sizeof *out);
    for (int64_t row = 0; row < outer; row++) {
        uint16_t *tile = out + (row / BF16_LANES * BF16_LANES * pairs + row % BF16_LANES) * 2;
        for (int64_t k = 0; k < inner; k++)
            memcpy(tile + k / 2 * BF16_LANES * 2 + k % 2, rows + 2 * (row * stride + k), 2);
    }
}

static float widen(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float pair_product(uint32_t a, uint32_t b) {
    return widen(a << 16) * widen(b << 16) + widen(a & 0xffff0000u) * widen(b & 0xffff0000u);
}

static void multiply_tile(float *c, int64_t c_stride, const uint32_t *a, const uint32_t *b, int64_t pairs, bool add) {
    for (int64_t i = 0; i < BF16_TOKENS; i++)
        for (int64_t j = 0; j < BF16_LANES; j++) {
            float sum = add ? c[i * c_stride + j] : 0;
            for (int64_t k = 0; k < pairs; k++)
                sum += pair_product(a[k * BF16_TOKENS + i], b[k * BF16_LANES + j]);
            c[i * c_stride + j] = sum;
        }
}

static void gram_rows(float *c, const uint32_t *a, const uint32_t *b, int64_t pairs) {
    for (int64_t i = 0; i < BF16_GRAM_ROWS; i++)
        for (int64_t j = 0; j < BF16_LANES; j++) {
            float sum = 0;
            for (int64_t k = 0; k < pairs; k++)
                sum += pair_product(a[k * BF16_LANES + i], b[k * BF16_LANES + j]);
            c[i * BF16_LANES + j] = sum;
        }
}
#endif

void bf16_pack_tokens(uint16_t *out, const float *rows, int64_t stride, int64_t outer, int64_t inner) {
    int64_t pairs = (inner + 1) / 2;
    uint32_t *packed = (uint32_t *)(void *)out;
    for (int64_t row = 0; row < tiles_of(outer, BF16_TOKENS) * BF16_TOKENS; row++) {
        uint32_t *tile = packed + row / BF16_TOKENS * BF16_TOKENS * pairs + row % BF16_TOKENS;
        const float *x = rows + (row < outer ? row * stride : 0);
        for (int64_t k = 0; k < pairs; k++) {
            uint32_t low = row < outer ? round_to_bf16(x[2 * k]) : 0;
            uint32_t high = row < outer && 2 * k + 1 < inner ? round_to_bf16(x[2 * k + 1]) : 0;
            tile[k * BF16_TOKENS] = low | high << 16;
        }
    }
}

/* One pair of rows of x for one strip. */
VECTOR_INLINE void pack_pair(uint32_t *out, const float *low, const float *high) {
    VECTOR_SIMD
    for (int64_t i = 0; i < BF16_LANES; i++)
        out[i] = round_to_bf16(low[i]) | round_to_bf16(high[i]) << 16;
}

VECTOR_CLONES
void bf16_pack_across(uint16_t *out, const float *values, int64_t stride, int64_t outer, int64_t inner) {
    static const float nothing[BF16_LANES];
    int64_t pairs = (inner + 1) / 2;
    uint32_t *packed = (uint32_t *)(void *)out;
    for (int64_t k = 0; k < pairs; k++) {
        const float *low = values + 2 * k * stride, *high = low + stride;
        bool both = 2 * k + 1 < inner;
        for (int64_t first = 0; first < outer; first += BF16_LANES) {
            uint32_t *to = packed + (first * pairs + k * BF16_LANES);
            int64_t count = outer - first < BF16_LANES ? outer - first : BF16_LANES;
            if (count == BF16_LANES) {
                pack_pair(to, low + first, both ? high + first : nothing);
                continue;
            }
            for (int64_t i = 0; i < BF16_LANES; i++)
                to[i] =
                    i < count ? round_to_bf16(low[first + i]) | (both ? round_to_bf16(high[first + i]) << 16 : 0) : 0;
        }
    }
}

void bf16_gram(double *sum, int64_t stride, const uint16_t *left, const uint16_t *right, int64_t inner, int64_t rows,
               int64_t columns, bool upper) {
    _Alignas(64) float c[BF16_GRAM_ROWS * BF16_LANES];
    int64_t pairs = (inner + 1) / 2;
    const uint32_t *a = (const uint32_t *)(const void *)left;
    const uint32_t *b = (const uint32_t *)(const void *)right;
    for (int64_t first = 0; first < rows; first += BF16_GRAM_ROWS) {
        gram_rows(c, a + first, b, pairs);
        for (int64_t i = first; i < rows && i < first + BF16_GRAM_ROWS; i++)
            for (int64_t j = upper ? i : 0; j < columns; j++)
                sum[i * stride + j] += (double)c[(i - first) * BF16_LANES + j];
    }
}

/* A tile at the edge goes through memory of its own. */
static void multiply_edge(float *c, int64_t c_stride, const uint32_t *a, const uint32_t *b, int64_t pairs, bool add,
                          int64_t tokens, int64_t lanes) {
    _Alignas(64) float tile[BF16_TOKENS * BF16_LANES];
    multiply_tile(tile, BF16_LANES, a, b, pairs, false);
    for (int64_t i = 0; i < tokens; i++)
        for (int64_t j = 0; j < lanes; j++)
            c[i * c_stride + j] = tile[i * BF16_LANES + j] + (add ? c[i * c_stride + j] : 0);
}

static void multiply_strip(float *c, int64_t c_stride, const uint32_t *a, const uint32_t *b, int64_t pairs,
                           int64_t all_pairs, bool add, int64_t tokens, int64_t lanes) {
    for (int64_t lane = 0; lane < lanes; lane += BF16_LANES, b += BF16_LANES * all_pairs) {
        int64_t width = lanes - lane < BF16_LANES ? lanes - lane : BF16_LANES;
        if (tokens == BF16_TOKENS && width == BF16_LANES)
            multiply_tile(c + lane, c_stride, a, b, pairs, add);
        else
            multiply_edge(c + lane, c_stride, a, b, pairs, add, tokens, width);
    }
}

void bf16_multiply(float *c, int64_t c_stride, const uint16_t *packed_tokens, const uint16_t *packed_lanes,
                   int64_t tokens, int64_t lanes, int64_t inner, bool add) {
    const uint32_t *a = (const uint32_t *)(const void *)packed_tokens;
    const uint32_t *b = (const uint32_t *)(const void *)packed_lanes;
    int64_t all_pairs = (inner + 1) / 2;
    for (int64_t k = 0; k < all_pairs; k += INNER_PAIRS) {
        int64_t pairs = all_pairs - k < INNER_PAIRS ? all_pairs - k : INNER_PAIRS;
        for (int64_t token = 0; token < tokens; token += BF16_TOKENS) {
            int64_t height = tokens - token < BF16_TOKENS ? tokens - token : BF16_TOKENS;
            multiply_strip(c + token * c_stride, c_stride, a + token * all_pairs + k * BF16_TOKENS, b + k * BF16_LANES,
                           pairs, all_pairs, add || k > 0, height, lanes);
        }
    }
}

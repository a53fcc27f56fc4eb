#include "tensor/dtype.h"
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2_TARGET __attribute__((target("avx2,f16c")))
#endif

#define F32_INFINITY 0x7f800000u

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The layout of a format narrower than f32: everything its conversions need. */
struct small_float {
    uint32_t mantissa_bits, bias, sign, infinity, nan; /* infinity: what overflow becomes */
};
static const struct small_float half = {10, 15, 0x8000, 0x7c00, 0x7e00};
static const struct small_float e5m2 = {2, 15, 0x80, 0x7c, 0x7e};
static const struct small_float e4m3 = {3, 7, 0x80, 0x7f, 0x7f};

/* Shifted into place, exponent and mantissa are an f32 that is too small by a power of two; the product is exact and
 * normalises subnormals as well. */
static inline float widen_small(uint32_t bits, const struct small_float *format) {
    uint32_t magnitude = bits & (format->sign - 1);
    float scaled = float_of(magnitude << (23 - format->mantissa_bits)) * float_of((254 - format->bias) << 23);
    uint32_t wide = bits_of(scaled);
    if (magnitude >= format->infinity)
        wide = F32_INFINITY | (magnitude > format->infinity || format->infinity == format->nan ? 0x400000u : 0);
    return float_of(wide | (bits & format->sign ? 0x80000000u : 0));
}

/* Normal results round by adding just under half a unit (half when odd). Subnormal ones let the FPU round: next to
 * `magic`, one unit of an f32 is the smallest subnormal. */
static inline uint32_t narrow_small(uint32_t bits, const struct small_float *format) {
    uint32_t magnitude = bits & 0x7fffffff, shift = 23 - format->mantissa_bits;
    uint32_t rebias = (127 - format->bias) << 23, magic = rebias + ((shift + 1) << 23), result;
    if (magnitude > F32_INFINITY)
        result = format->nan;
    else if (magnitude < rebias + (1u << 23))
        result = bits_of(float_of(magnitude) + float_of(magic)) - magic;
    else
        result = (magnitude - rebias + (1u << (shift - 1)) - 1 + ((magnitude >> shift) & 1)) >> shift;
    if (result > format->infinity && magnitude <= F32_INFINITY)
        result = format->infinity;
    return result == 0 ? 0 : result | (bits >> 31 ? format->sign : 0);
}

static inline uint32_t narrow_bf16(uint32_t bits) {
    uint32_t result =
        (bits & 0x7fffffff) > F32_INFINITY ? (bits >> 16) | 0x40 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return (result & 0x7fff) == 0 ? 0 : result;
}

#define DEFINE_WIDEN(NAME, TYPE, VALUE)                                                                                \
    static void widen_##NAME(float *out, const void *in, size_t count) {                                               \
        const unsigned char *bytes = in;                                                                               \
        for (size_t i = 0; i < count; i++) {                                                                           \
            TYPE x;                                                                                                    \
            memcpy(&x, bytes + i * sizeof x, sizeof x);                                                                \
            out[i] = VALUE;                                                                                            \
        }                                                                                                              \
    }
#define DEFINE_NARROW(NAME, TYPE, VALUE)                                                                               \
    static void narrow_to_##NAME(void *out, const float *in, size_t count) {                                           \
        unsigned char *bytes = out;                                                                                    \
        for (size_t i = 0; i < count; i++) {                                                                           \
            TYPE y = VALUE;                                                                                            \
            memcpy(bytes + i * sizeof y, &y, sizeof y);                                                                \
        }                                                                                                              \
    }

DEFINE_WIDEN(f64, double, (float)x)
DEFINE_WIDEN(f16_plain, uint16_t, widen_small(x, &half))
DEFINE_WIDEN(bf16_plain, uint16_t, float_of((uint32_t)x << 16))
DEFINE_WIDEN(e4m3, uint8_t, widen_small(x, &e4m3))
DEFINE_WIDEN(e5m2, uint8_t, widen_small(x, &e5m2))
DEFINE_WIDEN(i64, int64_t, (float)x)
DEFINE_WIDEN(i32, int32_t, (float)x)
DEFINE_WIDEN(i16, int16_t, (float)x)
DEFINE_WIDEN(i8, int8_t, (float)x)
DEFINE_WIDEN(u64, uint64_t, (float)x)
DEFINE_WIDEN(u32, uint32_t, (float)x)
DEFINE_WIDEN(u16, uint16_t, (float)x)
DEFINE_WIDEN(u8, uint8_t, (float)x)
DEFINE_WIDEN(bool, uint8_t, x != 0 ? 1.0f : 0.0f)
DEFINE_NARROW(f64, double, in[i] == 0 ? 0.0 : (double)in[i])
DEFINE_NARROW(f32, float, in[i] == 0 ? 0.0f : in[i])
DEFINE_NARROW(f16_plain, uint16_t, (uint16_t)narrow_small(bits_of(in[i]), &half))
DEFINE_NARROW(bf16_plain, uint16_t, (uint16_t)narrow_bf16(bits_of(in[i])))
DEFINE_NARROW(e4m3, uint8_t, (uint8_t)narrow_small(bits_of(in[i]), &e4m3))
DEFINE_NARROW(e5m2, uint8_t, (uint8_t)narrow_small(bits_of(in[i]), &e5m2))

static void widen_f32(float *out, const void *in, size_t count) {
    memcpy(out, in, count * sizeof *out);
}

#if defined(__x86_64__)

/* The four conversions that whole models pass through, eight at a time; the rest of a row goes the plain way. */

AVX2_TARGET static void widen_f16_avx2(float *out, const void *in, size_t count) {
    const uint8_t *bytes = in;
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(bytes + 2 * i))));
    widen_f16_plain(out + i, bytes + 2 * i, count - i);
}

AVX2_TARGET static void widen_bf16_avx2(float *out, const void *in, size_t count) {
    const uint8_t *bytes = in;
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)(bytes + 2 * i)));
        _mm256_storeu_si256((void *)(out + i), _mm256_slli_epi32(wide, 16));
    }
    widen_bf16_plain(out + i, bytes + 2 * i, count - i);
}

/* Clears the sign of zeros in eight 16-bit floats. */
AVX2_TARGET static __m128i without_negative_zeros(__m128i values) {
    __m128i magnitude = _mm_and_si128(values, _mm_set1_epi16(0x7fff));
    return _mm_andnot_si128(_mm_cmpeq_epi16(magnitude, _mm_setzero_si128()), values);
}

AVX2_TARGET static void narrow_f16_avx2(void *out, const float *in, size_t count) {
    uint8_t *bytes = out;
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m128i small = _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128((void *)(bytes + 2 * i), without_negative_zeros(small));
    }
    narrow_to_f16_plain(bytes + 2 * i, in + i, count - i);
}

AVX2_TARGET static __m128i narrow_bf16_eight(__m256i bits) {
    __m256i high = _mm256_srli_epi32(bits, 16);
    __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
    __m256i nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32((int)F32_INFINITY));
    __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    __m256i result = _mm256_blendv_epi8(_mm256_srli_epi32(rounded, 16), quiet, nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(result), _mm256_extracti128_si256(result, 1));
}

AVX2_TARGET static void narrow_bf16_avx2(void *out, const float *in, size_t count) {
    uint8_t *bytes = out;
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m128i small = narrow_bf16_eight(_mm256_loadu_si256((const void *)(in + i)));
        _mm_storeu_si128((void *)(bytes + 2 * i), without_negative_zeros(small));
    }
    narrow_to_bf16_plain(bytes + 2 * i, in + i, count - i);
}

/* Every processor with AVX2 has F16C, which clang cannot be asked for by name. */
static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2");
}

#else
#define widen_f16_avx2 widen_f16_plain
#define widen_bf16_avx2 widen_bf16_plain
#define narrow_f16_avx2 narrow_to_f16_plain
#define narrow_bf16_avx2 narrow_to_bf16_plain
static bool has_avx2(void) {
    return false;
}
#endif

static void widen_f16(float *out, const void *in, size_t count) {
    (has_avx2() ? widen_f16_avx2 : widen_f16_plain)(out, in, count);
}

static void widen_bf16(float *out, const void *in, size_t count) {
    (has_avx2() ? widen_bf16_avx2 : widen_bf16_plain)(out, in, count);
}

static void narrow_to_f16(void *out, const float *in, size_t count) {
    (has_avx2() ? narrow_f16_avx2 : narrow_to_f16_plain)(out, in, count);
}

static void narrow_to_bf16(void *out, const float *in, size_t count) {
    (has_avx2() ? narrow_bf16_avx2 : narrow_to_bf16_plain)(out, in, count);
}

static const struct {
    struct dtype_info info;
    void (*widen)(float *out, const void *in, size_t count);
    void (*narrow)(void *out, const float *in, size_t count); /* NULL: not a real format */
} table[DTYPE_COUNT] = {
    [DTYPE_F64] = {{"F64", "f64", 8, true}, widen_f64, narrow_to_f64},
    [DTYPE_F32] = {{"F32", "f32", 4, true}, widen_f32, narrow_to_f32},
    [DTYPE_F16] = {{"F16", "f16", 2, true}, widen_f16, narrow_to_f16},
    [DTYPE_BF16] = {{"BF16", "bf16", 2, true}, widen_bf16, narrow_to_bf16},
    [DTYPE_F8_E4M3] = {{"F8_E4M3", "f8_e4m3", 1, true}, widen_e4m3, narrow_to_e4m3},
    [DTYPE_F8_E5M2] = {{"F8_E5M2", "f8_e5m2", 1, true}, widen_e5m2, narrow_to_e5m2},
    [DTYPE_I64] = {{"I64", "i64", 8, false}, widen_i64, NULL},
    [DTYPE_I32] = {{"I32", "i32", 4, false}, widen_i32, NULL},
    [DTYPE_I16] = {{"I16", "i16", 2, false}, widen_i16, NULL},
    [DTYPE_I8] = {{"I8", "i8", 1, false}, widen_i8, NULL},
    [DTYPE_U64] = {{"U64", "u64", 8, false}, widen_u64, NULL},
    [DTYPE_U32] = {{"U32", "u32", 4, false}, widen_u32, NULL},
    [DTYPE_U16] = {{"U16", "u16", 2, false}, widen_u16, NULL},
    [DTYPE_U8] = {{"U8", "u8", 1, false}, widen_u8, NULL},
    [DTYPE_BOOL] = {{"BOOL", "bool", 1, false}, widen_bool, NULL},
};

const struct dtype_info *dtype_info(enum dtype dtype) {
    return &table[dtype].info;
}

bool dtype_from_name(enum dtype *dtype, const char *name) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strcmp(name, table[i].info.name) == 0 || strcmp(name, table[i].info.label) == 0) {
            *dtype = (enum dtype)i;
            return true;
        }
    return false;
}

void dtype_widen(float *out, const void *in, enum dtype dtype, size_t count) {
    if (count > 0)
        table[dtype].widen(out, in, count);
}

void dtype_narrow(void *out, const float *in, enum dtype dtype, size_t count) {
    if (count > 0 && table[dtype].narrow != NULL)
        table[dtype].narrow(out, in, count);
}

#include "prune/select_avx512.h"
#include "prune/select.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

bool select_has_avx512(void) {
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

/* Sixteen times select_key. */
AVX512_TARGET static inline __m512i load_keys(const float *scores) {
    __m512i bits = _mm512_and_si512(_mm512_loadu_si512(scores), _mm512_set1_epi32(0x7fffffff));
    return _mm512_min_epu32(bits, _mm512_set1_epi32(0x7f800001));
}

AVX512_TARGET uint64_t select_avx512_below(const float *scores, size_t count, uint32_t key) {
    const __m512i limit = _mm512_set1_epi32((int)key), one = _mm512_set1_epi32(1);
    __m512i even = _mm512_setzero_si512(), odd = even;
    size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        even = _mm512_mask_add_epi32(even, _mm512_cmplt_epu32_mask(load_keys(scores + i), limit), even, one);
        odd = _mm512_mask_add_epi32(odd, _mm512_cmplt_epu32_mask(load_keys(scores + i + 16), limit), odd, one);
    }
    if (i < count)
        even = _mm512_mask_add_epi32(even, _mm512_cmplt_epu32_mask(load_keys(scores + i), limit), even, one);
    return (uint64_t)_mm512_reduce_add_epi32(_mm512_add_epi32(even, odd));
}

AVX512_TARGET void select_avx512_count(uint32_t *bins, const float *scores, size_t count, uint32_t prefix,
                                       unsigned shift, unsigned bits) {
    const __m512i high = _mm512_set1_epi32((int)(UINT32_MAX << (shift + bits)));
    const __m512i wanted = _mm512_and_si512(_mm512_set1_epi32((int)prefix), high);
    for (size_t i = 0; i < count; i += 16) {
        unsigned found = _mm512_cmpeq_epi32_mask(_mm512_and_si512(load_keys(scores + i), high), wanted);
        for (; found != 0; found &= found - 1) {
            uint32_t key = select_key(scores[i + (size_t)__builtin_ctz(found)]);
            bins[key >> shift & ((1U << bits) - 1)]++;
        }
    }
}

/* The lowest `ties` bits that are set in equal. */
static unsigned first_bits(unsigned equal, uint64_t *ties) {
    unsigned taken = 0;
    for (; equal != 0 && *ties > 0; equal &= equal - 1) {
        taken |= equal & (0U - equal);
        --*ties;
    }
    return taken;
}

AVX512_TARGET void select_avx512_mark(uint8_t *mask, const float *scores, size_t count, uint32_t key, uint64_t *ties) {
    const __m512i limit = _mm512_set1_epi32((int)key);
    for (size_t i = 0; i < count; i += 16) {
        __m512i keys = load_keys(scores + i);
        unsigned gone = _mm512_cmplt_epu32_mask(keys, limit);
        if (*ties > 0)
            gone |= first_bits(_mm512_cmpeq_epi32_mask(keys, limit), ties);
        _mm_storeu_si128((void *)(mask + i), _mm_maskz_set1_epi8((__mmask16)gone, 1));
    }
}

/* Every key meets the other three of its four. It stays when at least two of them come before it: are lower, or are
 * equal and have a lower index, which adding 1 to the key turns into "lower" as well. */
AVX512_TARGET void select_avx512_two_of_four(uint8_t *mask, const float *scores, size_t count) {
    const __m512i last = _mm512_set4_epi32(1, 0, 0, 0), upper = _mm512_set4_epi32(1, 1, 0, 0);
    const __m512i not_first = _mm512_set4_epi32(1, 1, 1, 0);
    for (size_t i = 0; i < count; i += 16) {
        __m512i keys = load_keys(scores + i);
        __m512i next = _mm512_shuffle_epi32(keys, (_MM_PERM_ENUM)0x39);
        __m512i across = _mm512_shuffle_epi32(keys, (_MM_PERM_ENUM)0x4e);
        __m512i previous = _mm512_shuffle_epi32(keys, (_MM_PERM_ENUM)0x93);
        unsigned a = _mm512_cmplt_epu32_mask(next, _mm512_add_epi32(keys, last));
        unsigned b = _mm512_cmplt_epu32_mask(across, _mm512_add_epi32(keys, upper));
        unsigned c = _mm512_cmplt_epu32_mask(previous, _mm512_add_epi32(keys, not_first));
        unsigned stays = (a & b) | (c & (a | b));
        _mm_storeu_si128((void *)(mask + i), _mm_maskz_set1_epi8((__mmask16)~stays, 1));
    }
}

#else
bool select_has_avx512(void) {
    return false;
}

uint64_t select_avx512_below(const float *scores, size_t count, uint32_t key) {
    (void)scores, (void)count, (void)key;
    return 0;
}

void select_avx512_count(uint32_t *bins, const float *scores, size_t count, uint32_t prefix, unsigned shift,
                         unsigned bits) {
    (void)bins, (void)scores, (void)count, (void)prefix, (void)shift, (void)bits;
}

void select_avx512_mark(uint8_t *mask, const float *scores, size_t count, uint32_t key, uint64_t *ties) {
    (void)mask, (void)scores, (void)count, (void)key, (void)ties;
}

void select_avx512_two_of_four(uint8_t *mask, const float *scores, size_t count) {
    (void)mask, (void)scores, (void)count;
}
#endif

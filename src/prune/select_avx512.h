/* The inner loops of select.h and of 2:4 groups for processors with AVX-512; only where select_has_avx512 says so. The
 * answers are those of the plain loops, bit for bit. */
#ifndef SECATEUR_SELECT_AVX512_H
#define SECATEUR_SELECT_AVX512_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELECT_AVX512_SCORES 16 /* counts below are multiples of it */

bool select_has_avx512(void);

/* How many keys lie below `key`. */
uint64_t select_avx512_below(const float *scores, size_t count, uint32_t key);

/* bins[key >> shift & (2^bits - 1)]++ for every key that agrees with `prefix` in all higher bits; few should. */
void select_avx512_count(uint32_t *bins, const float *scores, size_t count, uint32_t prefix, unsigned shift,
                         unsigned bits);

/* As select_mark. */
void select_avx512_mark(uint8_t *mask, const float *scores, size_t count, uint32_t key, uint64_t *ties);

/* mask = 1 for the two lowest of every four, of equal ones the first. */
void select_avx512_two_of_four(uint8_t *mask, const float *scores, size_t count);

#endif

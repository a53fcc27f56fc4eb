/* The k lowest of many scores, by counting bits of the float and not by sorting.
 *
 * Scores are ordered by their magnitude, the sign is left out; NaN counts as the highest. Three passes over the scores
 * settle 12, 10 and 9 bits of the key of the k-th lowest; nothing is allocated, and the scores may come in pieces, from
 * one matrix or from several. */
#ifndef SECATEUR_SELECT_H
#define SECATEUR_SELECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELECT_BINS 4096

/* Keys below `key` go, and of those equal to it the first `ties`, in the order in which the scores were added. */
struct select_cut {
    uint32_t key;
    uint64_t ties;
};

/* A search under way. Usage: select_begin; then do { select_add every score } while (select_next). */
struct select_search {
    struct select_cut cut; /* the answer, when select_next has returned false */
    int pass;
    _Atomic uint64_t bins[SELECT_BINS];
};

/* k is at most the number of scores that will be added; 0 gives a cut that takes nothing. */
void select_begin(struct select_search *search, uint64_t k);
/* rows × columns scores, rows `stride` apart. Uses all threads. */
void select_add(struct select_search *search, const float *scores, size_t rows, size_t columns, size_t stride);
bool select_next(struct select_search *search);

/* The cut for the k lowest of one array, in the calling thread, by bisection: for arrays that fit in cache. */
struct select_cut select_in_cache(const float *scores, size_t count, uint64_t k);

/* mask[i] = 1 where scores[i] goes; *ties goes down by the equal ones taken. */
void select_mark(uint8_t *mask, const float *scores, size_t count, uint32_t key, uint64_t *ties);
/* How many scores have exactly this key. */
uint64_t select_equal(const float *scores, size_t count, uint32_t key);

/* The order of scores as integers: the float's bits, with every NaN just above infinity. */
static inline uint32_t select_key(float score) {
    union {
        float value;
        uint32_t bits;
    } pun = {score};
    uint32_t key = pun.bits & 0x7fffffffU;
    return key < 0x7f800001U ? key : 0x7f800001U;
}

#endif

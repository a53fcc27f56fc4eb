#include "prune/select.h"
#include "base/parallel.h"
#include "prune/pattern.h"
#include "prune/select_avx512.h"
#include <string.h>

#define PIECE ((size_t)1 << 18) /* entries that a thread counts before it adds up; counts fit 32 bits */

/* The bits of a 31-bit key that each pass settles: a table of 4096 counts stays in the first cache. */
static const struct digit { unsigned shift, bits; } digits[] = {{19, 12}, {9, 10}, {0, 9}};
#define PASSES ((int)(sizeof digits / sizeof digits[0]))

void select_begin(struct select_search *search, uint64_t k) {
    memset(search, 0, sizeof *search);
    search->cut.ties = k;
}

struct addition {
    struct select_search *search;
    const float *scores;
    size_t columns, stride;
};

/* How many of the scores the vector loops take; the plain ones take the rest. */
static size_t vectored(size_t count) {
    return select_has_avx512() ? count / SELECT_AVX512_SCORES * SELECT_AVX512_SCORES : 0;
}

static void count_run(uint32_t *bins, const float *scores, size_t count, uint32_t prefix, struct digit digit) {
    unsigned above = digit.shift + digit.bits;
    uint32_t mask = (1U << digit.bits) - 1;
    if (above == 31)
        for (size_t i = 0; i < count; i++)
            bins[select_key(scores[i]) >> digit.shift]++;
    else {
        size_t whole = vectored(count);
        if (whole > 0)
            select_avx512_count(bins, scores, whole, prefix, digit.shift, digit.bits);
        for (size_t i = whole; i < count; i++) {
            uint32_t key = select_key(scores[i]);
            if ((key ^ prefix) >> above == 0)
                bins[key >> digit.shift & mask]++;
        }
    }
}

static void count_rows(void *context, size_t begin, size_t end, int thread) {
    const struct addition *add = context;
    struct select_search *search = add->search;
    uint32_t bins[SELECT_BINS] = {0};
    (void)thread;
    for (size_t row = begin; row < end; row++)
        count_run(bins, add->scores + row * add->stride, add->columns, search->cut.key, digits[search->pass]);
    for (size_t i = 0; i < SELECT_BINS; i++)
        if (bins[i] > 0)
            atomic_fetch_add_explicit(&search->bins[i], bins[i], memory_order_relaxed);
}

void select_add(struct select_search *search, const float *scores, size_t rows, size_t columns, size_t stride) {
    struct addition whole = {search, scores, columns, stride};
    if (rows == 0 || columns == 0)
        return;
    if (columns == stride) { /* without gaps: as rows of a convenient length */
        size_t count = rows * columns, length = count < 4096 ? count : 4096, left = count % length;
        whole.columns = whole.stride = length;
        parallel_for(count / length, PIECE / length, count_rows, &whole);
        struct addition rest = {search, scores + (count - left), left, left};
        if (left > 0)
            count_rows(&rest, 0, 1, 0);
        return;
    }
    parallel_for(rows, columns < PIECE ? PIECE / columns : 1, count_rows, &whole);
}

bool select_next(struct select_search *search) {
    struct select_cut *cut = &search->cut;
    size_t bin = 0, last = ((size_t)1 << digits[search->pass].bits) - 1;
    /* The bin that holds the k-th lowest: ties is what remains to be taken from this bin on. */
    while (bin < last && cut->ties > search->bins[bin])
        cut->ties -= search->bins[bin++];
    cut->key |= (uint32_t)bin << digits[search->pass].shift;
    if (++search->pass == PASSES)
        return false;
    memset(search->bins, 0, sizeof search->bins);
    return true;
}

static uint64_t count_below_piece(const float *scores, size_t count, uint32_t key) {
    size_t whole = vectored(count);
    uint64_t below = whole > 0 ? select_avx512_below(scores, whole, key) : 0;
    for (size_t i = whole; i < count; i++)
        below += select_key(scores[i]) < key;
    return below;
}

static uint64_t count_below(const float *scores, size_t count, uint32_t key) {
    uint64_t below = 0;
    for (size_t begin = 0; begin < count; begin += PIECE)
        below += count_below_piece(scores + begin, count - begin < PIECE ? count - begin : PIECE, key);
    return below;
}

struct select_cut select_in_cache(const float *scores, size_t count, uint64_t k) {
    /* The highest key with fewer than k entries below it is that of the k-th lowest. */
    uint32_t low = 0, high = 0x7f800001U;
    uint64_t below = 0;
    while (k > 0 && low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        uint64_t found = count_below(scores, count, middle);
        if (found < k) {
            low = middle;
            below = found;
        } else {
            high = middle - 1;
        }
    }
    return (struct select_cut){low, k - below};
}

uint64_t select_equal(const float *scores, size_t count, uint32_t key) {
    uint64_t equal = 0;
    for (size_t i = 0; i < count; i++)
        equal += select_key(scores[i]) == key;
    return equal;
}

void select_mark(uint8_t *mask, const float *scores, size_t count, uint32_t key, uint64_t *ties) {
    size_t whole = vectored(count);
    if (whole > 0)
        select_avx512_mark(mask, scores, whole, key, ties);
    for (size_t i = whole; i < count; i++) {
        uint32_t own = select_key(scores[i]);
        bool tie = own == key && *ties > 0;
        mask[i] = own < key || tie;
        *ties -= tie;
    }
}

void select_threshold(float *threshold, uint64_t *ties, const float *scores, size_t count, uint64_t k) {
    struct select_search search;
    select_begin(&search, k);
    do
        select_add(&search, scores, 1, count, count);
    while (select_next(&search));
    memcpy(threshold, &search.cut.key, sizeof *threshold);
    *ties = search.cut.ties;
}

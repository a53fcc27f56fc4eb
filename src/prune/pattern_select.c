#include "base/memory.h"
#include "base/parallel.h"
#include "prune/pattern.h"
#include "prune/select.h"
#include "prune/select_avx512.h"
#include <math.h>
#include <string.h>

#define PIECE ((size_t)1 << 18) /* entries that a thread takes at a time */

/* One selection: what all its loops share. */
struct selection {
    uint8_t *mask;
    const float *scores;
    size_t rows, columns, stride; /* of the part of the matrix that is chosen from together */
    struct pattern pattern;
    uint64_t k;         /* of a group */
    bool reference;     /* N:M: a short last group loses as many as a whole one */
    uint32_t key;       /* where one cut serves all rows */
    uint64_t *row_ties; /* [rows + 1]: equal ones before a row */
    uint64_t ties;
    float *sums; /* of whole rows, columns or tiles */
};

static size_t grain(const struct selection *s) {
    return s->columns < PIECE ? PIECE / s->columns : 1;
}

static void count_ties(void *context, size_t begin, size_t end, int thread) {
    struct selection *s = context;
    (void)thread;
    for (size_t row = begin; row < end; row++)
        s->row_ties[row + 1] = select_equal(s->scores + row * s->stride, s->columns, s->key);
}

static void mark_rows(void *context, size_t begin, size_t end, int thread) {
    struct selection *s = context;
    (void)thread;
    for (size_t row = begin; row < end; row++) {
        uint64_t before = s->row_ties[row], left = s->ties > before ? s->ties - before : 0;
        select_mark(s->mask + row * s->stride, s->scores + row * s->stride, s->columns, s->key, &left);
    }
}

/* k lowest of the selection's rows × columns; with all_ties every one equal to the k-th as well. */
static bool select_part(struct selection *s, uint64_t k, bool all_ties, struct error *error) {
    struct select_search search;
    s->row_ties = memory_alloc(s->rows + 1, sizeof *s->row_ties, error);
    if (s->row_ties == NULL)
        return false;
    select_begin(&search, k);
    do
        select_add(&search, s->scores, s->rows, s->columns, s->stride);
    while (select_next(&search));
    s->key = search.cut.key;
    s->ties = all_ties ? UINT64_MAX : search.cut.ties;
    parallel_for(s->rows, grain(s), count_ties, s);
    for (size_t row = 0; row < s->rows; row++)
        s->row_ties[row + 1] += s->row_ties[row];
    parallel_for(s->rows, grain(s), mark_rows, s);
    memory_free(s->row_ties);
    return true;
}

/* A fraction of a count as the reference implementations take it: sorted[int(n·s)] and all that is not above. */
static bool select_part_reference(struct selection *s, double sparsity, struct error *error) {
    uint64_t count = (uint64_t)s->rows * s->columns, index = (uint64_t)((double)count * sparsity);
    return select_part(s, index < count ? index + 1 : count, true, error);
}

static bool select_columns(struct selection *s, double sparsity, struct error *error) {
    size_t columns = s->columns, width = (size_t)s->pattern.n;
    for (size_t first = 0; first < columns; first += width) {
        struct selection part = *s;
        struct pattern whole = {.kind = PATTERN_UNSTRUCTURED};
        part.mask += first;
        part.scores += first;
        part.columns = columns - first < width ? columns - first : width;
        uint64_t k = pattern_count(whole, (int64_t)part.rows, (int64_t)part.columns, sparsity);
        if (!(s->reference ? select_part_reference(&part, sparsity, error) : select_part(&part, k, false, error)))
            return false;
    }
    return true;
}

static void select_rows(void *context, size_t begin, size_t end, int thread) {
    struct selection *s = context;
    (void)thread;
    for (size_t row = begin; row < end; row++) {
        const float *scores = s->scores + row * s->columns;
        struct select_cut cut = select_in_cache(scores, s->columns, s->k);
        select_mark(s->mask + row * s->columns, scores, s->columns, cut.key, &cut.ties);
    }
}

/* An entry goes when fewer than `lost` of its group come before it in the order of (score, index). */
static void select_group(uint8_t *mask, const float *scores, size_t length, size_t lost) {
    uint32_t keys[32];
    for (size_t i = 0; i < length; i++)
        keys[i] = select_key(scores[i]);
    for (size_t i = 0; i < length; i++) {
        size_t before = 0;
        for (size_t j = 0; j < length; j++)
            before += keys[j] < keys[i] || (j < i && keys[j] == keys[i]);
        mask[i] = before < lost;
    }
}

/* The groups of one row from `first` on. */
static void select_row_groups(uint8_t *mask, const float *scores, const struct selection *s, size_t first) {
    size_t n = (size_t)s->pattern.n, m = (size_t)s->pattern.m;
    for (; first < s->columns; first += m) {
        size_t length = s->columns - first < m ? s->columns - first : m;
        size_t lost = s->reference ? m - n : length - (n * length + m - 1) / m;
        select_group(mask + first, scores + first, length, lost);
    }
}

static void select_groups(void *context, size_t begin, size_t end, int thread) {
    struct selection *s = context;
    bool two_of_four = s->pattern.n == 2 && s->pattern.m == 4 && select_has_avx512();
    size_t whole = two_of_four ? s->columns / SELECT_AVX512_SCORES * SELECT_AVX512_SCORES : 0;
    (void)thread;
    for (size_t row = begin; row < end; row++) {
        uint8_t *mask = s->mask + row * s->columns;
        const float *scores = s->scores + row * s->columns;
        if (whole > 0)
            select_avx512_two_of_four(mask, scores, whole);
        select_row_groups(mask, scores, s, whole);
    }
}

/* Whole rows and columns are tiles as wide or as high as the matrix. */
static void sum_tiles(void *context, size_t begin, size_t end, int thread) {
    struct selection *s = context;
    size_t height = (size_t)s->pattern.n, width = (size_t)s->pattern.m, across = s->columns / width;
    (void)thread;
    for (size_t tile = begin; tile < end; tile++) {
        const float *corner = s->scores + tile / across * height * s->columns + tile % across * width;
        double sum = 0;
        for (size_t row = 0; row < height; row++)
            for (size_t column = 0; column < width; column++)
                sum += fabsf(corner[row * s->columns + column]);
        s->sums[tile] = (float)sum;
    }
}

static void mark_tile(struct selection *s, size_t tile) {
    size_t height = (size_t)s->pattern.n, width = (size_t)s->pattern.m, across = s->columns / width;
    uint8_t *corner = s->mask + tile / across * height * s->columns + tile % across * width;
    for (size_t row = 0; row < height; row++)
        memset(corner + row * s->columns, 1, width);
}

static bool select_tiles(struct selection *s, uint64_t k, struct error *error) {
    size_t tiles = s->rows / (size_t)s->pattern.n * (s->columns / (size_t)s->pattern.m);
    uint8_t *chosen = memory_alloc(tiles, 1, error);
    s->sums = memory_alloc(tiles, sizeof *s->sums, error);
    bool ok = chosen != NULL && s->sums != NULL;
    if (ok) {
        memset(s->mask, 0, s->rows * s->columns);
        parallel_for(tiles, 64, sum_tiles, s);
        struct selection whole = {.mask = chosen, .scores = s->sums, .rows = 1, .columns = tiles, .stride = tiles};
        ok = tiles == 0 || select_part(&whole, k, false, error);
    }
    for (size_t tile = 0; ok && tile < tiles; tile++)
        if (chosen[tile] != 0)
            mark_tile(s, tile);
    memory_free(chosen);
    memory_free(s->sums);
    return ok;
}

static bool select_any(struct selection *s, double sparsity, struct error *error) {
    int64_t rows = (int64_t)s->rows, columns = (int64_t)s->columns;
    uint64_t k = pattern_count(s->pattern, rows, columns, sparsity);
    switch (s->pattern.kind) {
    case PATTERN_ROW:
        s->k = s->reference ? (uint64_t)((double)columns * sparsity) : k / s->rows;
        parallel_for(s->rows, grain(s), select_rows, s);
        return true;
    case PATTERN_COLUMN_BLOCK:
        return select_columns(s, sparsity, error);
    case PATTERN_N_M:
        if (sparsity > 0)
            parallel_for(s->rows, grain(s), select_groups, s);
        else
            memset(s->mask, 0, s->rows * s->columns);
        return true;
    case PATTERN_WHOLE_ROWS:
        s->pattern = (struct pattern){PATTERN_TILE, 1, (int)columns};
        return select_tiles(s, k / s->columns, error);
    case PATTERN_WHOLE_COLUMNS:
        s->pattern = (struct pattern){PATTERN_TILE, (int)rows, 1};
        return select_tiles(s, k / s->rows, error);
    case PATTERN_TILE:
        return select_tiles(s, k / ((uint64_t)s->pattern.n * (uint64_t)s->pattern.m), error);
    default:
        return s->reference ? select_part_reference(s, sparsity, error) : select_part(s, k, false, error);
    }
}

static bool select_checked(uint8_t *mask, const float *scores, struct pattern pattern, int64_t rows, int64_t columns,
                           double sparsity, bool reference, struct error *error) {
    struct selection s = {.mask = mask,
                          .scores = scores,
                          .rows = (size_t)rows,
                          .columns = (size_t)columns,
                          .stride = (size_t)columns,
                          .pattern = pattern,
                          .reference = reference};
    return rows == 0 || columns == 0 || select_any(&s, sparsity, error);
}

bool pattern_select(uint8_t *mask, const float *scores, struct pattern pattern, int64_t rows, int64_t columns,
                    double sparsity, struct error *error) {
    return select_checked(mask, scores, pattern, rows, columns, sparsity, false, error);
}

bool pattern_select_reference(uint8_t *mask, const float *scores, struct pattern pattern, int64_t rows, int64_t columns,
                              double sparsity, struct error *error) {
    return select_checked(mask, scores, pattern, rows, columns, sparsity, true, error);
}

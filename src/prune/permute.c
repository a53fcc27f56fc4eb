#include "prune/permute.h"

#include "base/memory.h"
#include "base/parallel.h"
#include <stdlib.h>

#define GROUP_MAXIMUM 32

struct search {
    const float *scores;
    struct pattern pattern;
    int64_t rows, columns, stretch;
    int64_t *order;
    int rounds;
};

struct ranked {
    double total;
    int64_t column;
};

/* Sum of the `count` largest of one row's m scores, each taken with `sign`. */
static double largest_of_row(const float *row, const int64_t *group, int count, int m, float sign) {
    float best[GROUP_MAXIMUM];
    int have = 0;
    for (int i = 0; i < m; i++) {
        float score = sign * row[group[i]];
        int place = have < count ? have++ : count;
        /* cppcheck-suppress uninitvar ; the places below `have` are filled */
        while (place > 0 && best[place - 1] < score) {
            if (place < count)
                best[place] = best[place - 1];
            place--;
        }
        if (place < count)
            best[place] = score;
    }
    double sum = 0;
    for (int i = 0; i < have; i++)
        sum += (double)best[i];
    return sum;
}

/* Sum of the n largest of one row's m scores: the fewer of those that stay and those that go are looked for. */
static double kept_of_row(const float *row, const int64_t *group, int n, int m) {
    if (n <= m - n)
        return largest_of_row(row, group, n, m, 1);
    double sum = 0;
    for (int i = 0; i < m; i++)
        sum += (double)row[group[i]];
    return sum + largest_of_row(row, group, m - n, m, -1);
}

static double kept_of_group(const struct search *search, const int64_t *group) {
    double sum = 0;
    for (int64_t i = 0; i < search->rows; i++)
        sum += kept_of_row(search->scores + i * search->columns, group, search->pattern.n, search->pattern.m);
    return sum;
}

double permute_kept(const float *scores, const int64_t *order, struct pattern pattern, int64_t rows, int64_t columns) {
    struct search search = {.scores = scores, .pattern = pattern, .rows = rows, .columns = columns};
    int64_t group[GROUP_MAXIMUM];
    double sum = 0;
    for (int64_t first = 0; first + pattern.m <= columns; first += pattern.m) {
        for (int i = 0; i < pattern.m; i++)
            group[i] = order != NULL ? order[first + i] : first + i;
        sum += kept_of_group(&search, group);
    }
    return sum;
}

static int compare_ranked(const void *a, const void *b) {
    const struct ranked *first = a;
    const struct ranked *second = b;
    if (first->total != second->total)
        return first->total < second->total ? 1 : -1;
    return (first->column > second->column) - (first->column < second->column);
}

/* Largest first, to the groups in turn: forwards, then backwards. */
static void deal(const struct search *search, struct ranked *ranked, int64_t first) {
    int64_t m = search->pattern.m;
    int64_t groups = search->stretch / m;
    for (int64_t j = 0; j < search->stretch; j++) {
        ranked[j] = (struct ranked){0, first + j};
        for (int64_t i = 0; i < search->rows; i++)
            ranked[j].total += (double)search->scores[i * search->columns + first + j];
    }
    qsort(ranked, (size_t)search->stretch, sizeof *ranked, compare_ranked);
    for (int64_t j = 0; j < search->stretch; j++) {
        int64_t turn = j / groups;
        int64_t group = turn % 2 == 0 ? j % groups : groups - 1 - j % groups;
        search->order[first + group * m + turn] = ranked[j].column;
    }
}

/* Tries to swap member i of a with member j of b; keeps the swap when it keeps more. */
static void try_swap(const struct search *search, int64_t *a, int64_t *b, int i, int j, double *kept) {
    int64_t old_a = a[i];
    int64_t old_b = b[j];
    a[i] = old_b;
    b[j] = old_a;
    double now = kept_of_group(search, a) + kept_of_group(search, b);
    if (now > *kept * (1 + 1e-9)) {
        *kept = now;
        return;
    }
    a[i] = old_a;
    b[j] = old_b;
}

/* One round: every group against the one `distance` behind it, every pair of members once. */
static void swap_round(const struct search *search, int64_t first, int64_t distance) {
    int64_t m = search->pattern.m;
    int64_t groups = search->stretch / m;
    for (int64_t g = 0; g < groups; g++) {
        int64_t *a = search->order + first + g * m;
        int64_t *b = search->order + first + (g + distance) % groups * m;
        double kept = kept_of_group(search, a) + kept_of_group(search, b);
        for (int i = 0; a != b && i < m; i++)
            for (int j = 0; j < m; j++)
                try_swap(search, a, b, i, j, &kept);
    }
}

static void search_stretches(void *context, size_t begin, size_t end, int thread) {
    const struct search *search = context;
    int64_t groups = search->stretch / search->pattern.m;
    (void)thread;
    for (size_t s = begin; s < end; s++) {
        int64_t distance = 1;
        for (int round = 0; round < search->rounds && groups > 1; round++) {
            swap_round(search, (int64_t)s * search->stretch, distance);
            distance = 2 * distance < groups ? 2 * distance : 1;
        }
    }
}

static bool check(const struct search *search, struct error *error) {
    char text[PATTERN_TEXT_SIZE];
    if (search->pattern.kind != PATTERN_N_M)
        return error_set(error, ERROR_USAGE, "a permutation of the inputs changes nothing for the pattern %s, only N:M",
                         pattern_text(text, search->pattern));
    if (search->stretch <= 0 || search->columns % search->stretch != 0 || search->stretch % search->pattern.m != 0)
        return error_set(error, ERROR_USAGE,
                         "inputs cannot be permuted within stretches of %lld: that must divide their number, %lld, and "
                         "be a multiple of %d",
                         (long long)search->stretch, (long long)search->columns, search->pattern.m);
    return true;
}

bool permute_find(int64_t *order, const float *scores, struct pattern pattern, int64_t rows, int64_t columns,
                  int64_t stretch, int rounds, struct error *error) {
    struct search search = {scores, pattern, rows, columns, stretch, order, rounds};
    if (!check(&search, error))
        return false;
    struct ranked *ranked = memory_alloc((size_t)stretch, sizeof *ranked, error);
    if (ranked == NULL)
        return false;
    for (int64_t first = 0; first < columns; first += stretch)
        deal(&search, ranked, first);
    memory_free(ranked);
    parallel_for((size_t)(columns / stretch), 1, search_stretches, &search);
    if (permute_kept(scores, order, pattern, rows, columns) < permute_kept(scores, NULL, pattern, rows, columns))
        for (int64_t j = 0; j < columns; j++)
            order[j] = j;
    return true;
}

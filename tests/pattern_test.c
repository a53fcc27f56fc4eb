/* Patterns: text, exact counts, and the selection against a plain sort, on random shapes with many ties. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "prune/pattern.h"
#include "prune/select.h"

#define ROUNDS 60

static uint32_t state = 1;

static uint32_t next_random(void) {
    state = state * 1664525U + 1013904223U;
    return state >> 8;
}

struct entry {
    float score;
    size_t index;
};

static int compare_entries(const void *a, const void *b) {
    const struct entry *left = a, *right = b;
    uint32_t l = select_key(left->score), r = select_key(right->score);
    if (l != r)
        return l < r ? -1 : 1;
    return left->index < right->index ? -1 : 1;
}

/* Marks the k lowest of the group whose members' indices stand in entries. */
static void sort_and_mark(uint8_t *mask, struct entry *entries, size_t count, size_t k) {
    qsort(entries, count, sizeof *entries, compare_entries);
    for (size_t i = 0; i < k; i++)
        mask[entries[i].index] = 1;
}

static size_t rounded(double sparsity, size_t group) {
    return (size_t)floor(sparsity * (double)group + 0.5);
}

/* Groups of `width` columns over `height` rows, each by sorting. */
static void plain_groups(uint8_t *mask, const float *scores, size_t rows, size_t columns, size_t height, size_t width,
                         double sparsity, struct pattern pattern) {
    struct entry *entries = malloc(rows * columns * sizeof *entries);
    assert_non_null(entries);
    for (size_t top = 0; top < rows; top += height)
        for (size_t left = 0; left < columns; left += width) {
            size_t count = 0, length = columns - left < width ? columns - left : width;
            for (size_t row = top; row < top + height; row++)
                for (size_t column = left; column < left + length; column++)
                    entries[count++] = (struct entry){scores[row * columns + column], row * columns + column};
            size_t n = (size_t)pattern.n, m = (size_t)pattern.m;
            size_t k = pattern.kind == PATTERN_N_M ? length - (n * length + m - 1) / m : rounded(sparsity, count);
            sort_and_mark(mask, entries, count, k);
        }
    free(entries);
}

static void plain_select(uint8_t *mask, const float *scores, size_t rows, size_t columns, double sparsity,
                         struct pattern pattern) {
    size_t height = pattern.kind == PATTERN_ROW || pattern.kind == PATTERN_N_M ? 1 : rows;
    size_t width = pattern.kind == PATTERN_COLUMN_BLOCK ? (size_t)pattern.n
                   : pattern.kind == PATTERN_N_M        ? (size_t)pattern.m
                                                        : columns;
    memset(mask, 0, rows * columns);
    plain_groups(mask, scores, rows, columns, height, width, sparsity, pattern);
}

static uint64_t ones(const uint8_t *mask, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += mask[i];
    return sum;
}

static float *make_scores(size_t count) {
    float *scores = malloc(count * sizeof *scores);
    assert_non_null(scores);
    bool coarse = next_random() % 2 == 0; /* few values, so many ties */
    for (size_t i = 0; i < count; i++)
        scores[i] = coarse ? (float)(next_random() % 7) : (float)next_random() / 1e4F;
    for (size_t i = 0; i < count / 50; i++)
        scores[next_random() % count] = next_random() % 2 == 0 ? NAN : INFINITY;
    return scores;
}

static void check_shape(struct pattern pattern, size_t rows, size_t columns, double sparsity) {
    size_t count = rows * columns;
    float *scores = make_scores(count);
    uint8_t *mask = malloc(count), *plain = malloc(count);
    assert_true(mask != NULL && plain != NULL);
    assert_true(pattern_select(mask, scores, pattern, (int64_t)rows, (int64_t)columns, sparsity, NULL));
    plain_select(plain, scores, rows, columns, sparsity, pattern);
    assert_memory_equal(mask, plain, count);
    assert_true(ones(mask, count) == pattern_count(pattern, (int64_t)rows, (int64_t)columns, sparsity));
    free(scores);
    free(mask);
    free(plain);
}

static void test_select_equals_sort(void **unused) {
    static const char *const names[] = {"unstructured", "row", "columns:5", "2:4",
                                        "4:8",          "1:3", "31:32",     "columns:128"};
    (void)unused;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (int round = 0; round < ROUNDS; round++) {
            struct pattern pattern;
            assert_true(pattern_parse(&pattern, names[i], NULL));
            size_t rows = round % 5 == 0 ? 1 : 1 + next_random() % 40;
            size_t columns = round % 5 == 1 ? 1 : 1 + next_random() % 300;
            check_shape(pattern, rows, columns, round % 7 == 0 ? 1 : (double)(1 + next_random() % 99) / 100);
        }
}

static void test_large_matrix(void **unused) {
    struct pattern pattern = {.kind = PATTERN_UNSTRUCTURED};
    (void)unused;
    check_shape(pattern, 700, 1001, 0.37); /* several pieces for several threads */
}

static void check_tiles(struct pattern pattern, size_t rows, size_t columns, double sparsity) {
    size_t count = rows * columns, height = (size_t)pattern.n, width = (size_t)pattern.m;
    float *scores = make_scores(count);
    uint8_t *mask = malloc(count);
    double highest_gone = -1, lowest_kept = INFINITY;
    assert_non_null(mask);
    for (size_t i = 0; i < count; i++)
        scores[i] = isfinite(scores[i]) ? scores[i] : 1;
    assert_true(pattern_select(mask, scores, pattern, (int64_t)rows, (int64_t)columns, sparsity, NULL));
    for (size_t top = 0; top + height <= rows; top += height)
        for (size_t left = 0; left + width <= columns; left += width) {
            double sum = 0;
            for (size_t i = 0; i < height * width; i++) {
                size_t at = (top + i / width) * columns + left + i % width;
                assert_int_equal(mask[at], mask[top * columns + left]);
                sum += scores[at];
            }
            if (mask[top * columns + left])
                highest_gone = fmax(highest_gone, (float)sum);
            else
                lowest_kept = fmin(lowest_kept, (float)sum);
        }
    assert_true(highest_gone <= lowest_kept);
    free(scores);
    free(mask);
}

static void test_tiles(void **unused) {
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        size_t rows = 4 + next_random() % 40, columns = 3 + next_random() % 90;
        check_tiles((struct pattern){PATTERN_TILE, 4, 3}, rows, columns, 0.4);
    }
}

static void check_whole(enum pattern_kind kind, size_t rows, size_t columns) {
    struct pattern pattern = {.kind = kind};
    float *scores = make_scores(rows * columns);
    uint8_t *mask = malloc(rows * columns);
    assert_non_null(mask);
    assert_true(pattern_select(mask, scores, pattern, (int64_t)rows, (int64_t)columns, 0.5, NULL));
    for (size_t i = 0; i < rows * columns; i++)
        assert_int_equal(mask[i], mask[kind == PATTERN_WHOLE_ROWS ? i / columns * columns : i % columns]);
    assert_true(ones(mask, rows * columns) == pattern_count(pattern, (int64_t)rows, (int64_t)columns, 0.5));
    free(scores);
    free(mask);
}

static void test_whole_rows_and_columns(void **unused) {
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        check_whole(PATTERN_WHOLE_ROWS, 1 + next_random() % 40, 1 + next_random() % 60);
        check_whole(PATTERN_WHOLE_COLUMNS, 1 + next_random() % 40, 1 + next_random() % 60);
    }
}

/* One threshold over two arrays is that over the two behind each other. */
static void test_search_over_several_arrays(void **unused) {
    enum { FIRST = 1000, COUNT = 5000, GO = 1700 };
    float *scores = make_scores(COUNT);
    struct select_search search;
    struct select_cut whole = select_in_cache(scores, COUNT, GO);
    (void)unused;
    select_begin(&search, GO);
    do {
        select_add(&search, scores, 1, FIRST, FIRST);
        select_add(&search, scores + FIRST, 1, COUNT - FIRST, COUNT - FIRST);
    } while (select_next(&search));
    assert_int_equal(search.cut.key, whole.key);
    assert_true(search.cut.ties == whole.ties);
    free(scores);
}

static void test_text(void **unused) {
    static const char *const good[] = {"default",     "unstructured", "row",  "2:4", "31:32",
                                       "columns:128", "tile:16x8",    "rows", "cols"};
    static const char *const bad[] = {"",         "4:2",       "4:4",    "2:33",     "0:4",   "2:",   ":4",   "2:4x",
                                      "columns:", "columns:0", "tile:4", "tile:4:4", "rowsx", "-1:4", "+2:4", " 2:4"};
    (void)unused;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct pattern pattern;
        char buffer[PATTERN_TEXT_SIZE];
        assert_true(pattern_parse(&pattern, good[i], NULL));
        assert_string_equal(pattern_text(buffer, pattern), good[i]);
        assert_true(pattern_equal(pattern, pattern));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pattern pattern;
        struct error error = {0};
        assert_false(pattern_parse(&pattern, bad[i], &error));
        assert_int_equal(error.code, ERROR_USAGE);
    }
}

static void test_reference_conventions(void **unused) {
    static const float scores[6] = {1, 2, 2, 3, 4, 5};
    static const uint8_t matrix[6] = {1, 1, 1, 0, 0, 0}, row[6] = {1, 1, 0, 0, 0, 0}, groups[6] = {1, 1, 0, 0, 1, 1};
    uint8_t mask[6];
    (void)unused;
    /* sorted[int(6 · 0.2)] = 2: one more than asked, and its tie. */
    assert_true(
        pattern_select_reference(mask, scores, (struct pattern){.kind = PATTERN_UNSTRUCTURED}, 1, 6, 0.2, NULL));
    assert_memory_equal(mask, matrix, 6);
    assert_true(pattern_select_reference(mask, scores, (struct pattern){.kind = PATTERN_ROW}, 1, 6, 0.45, NULL));
    assert_memory_equal(mask, row, 6);
    assert_true(pattern_select_reference(mask, scores, (struct pattern){PATTERN_N_M, 2, 4}, 1, 6, 0.5, NULL));
    assert_memory_equal(mask, groups, 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_select_equals_sort),
        cmocka_unit_test(test_large_matrix),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_whole_rows_and_columns),
        cmocka_unit_test(test_search_over_several_arrays),
        cmocka_unit_test(test_reference_conventions),
    };
    parallel_set_threads(3);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

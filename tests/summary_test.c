/* Statistics of small matrices whose figures are known, stored both ways round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "tensor/basics.h"
#include "tensor/summary.h"

static struct tensor make_tensor(const void *data, enum dtype dtype, int64_t rows, int64_t columns) {
    struct tensor tensor = {.name = "w", .dtype = dtype, .rank = 2, .shape = {rows, columns}, .data = data};
    tensor.count = (uint64_t)(rows * columns);
    tensor.bytes = (size_t)tensor.count * dtype_info(dtype)->bytes;
    return tensor;
}

static void test_moments(void **unused) {
    static const float w[8] = {-2, 0, 1, NAN, INFINITY, 0, 1, 0x1p-149F};
    struct tensor tensor = make_tensor(w, DTYPE_F32, 2, 4);
    struct summary *summary = summary_create(&tensor, false, NULL, NULL);
    (void)unused;
    assert_non_null(summary);
    assert_true(summary->count == 8 && summary->zeros == 2 && summary->nan == 1 && summary->infinite == 1);
    assert_true(summary->minimum == -2 && summary->maximum == 1 && summary->sum_squares == 6);
    assert_true(fabs(summary->mean) < 1e-12 && fabs(summary->deviation - 1) < 1e-12);
    assert_true(fabs(summary->kurtosis - 3) < 1e-12);
    assert_true(summary->octaves[0] == 1 && summary->octaves[149] == 2 && summary->octaves[150] == 1);
    summary_free(summary);
}

static void test_patterns_and_norms_both_ways(void **unused) {
    static const float w[24] = {3, 4, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 2};
    float turned[24];
    char text[SUMMARY_PATTERNS_SIZE];
    (void)unused;
    for (size_t i = 0; i < 24; i++)
        turned[i % 8 * 3 + i / 8] = w[i];
    struct tensor tensors[2] = {make_tensor(w, DTYPE_F32, 3, 8), make_tensor(turned, DTYPE_F32, 8, 3)};
    for (int t = 0; t < 2; t++) {
        struct summary *summary = summary_create(&tensors[t], t == 1, NULL, NULL);
        assert_non_null(summary);
        assert_true(summary->rows == 3 && summary->columns == 8);
        assert_true(summary->zero_rows == 1 && summary->zero_columns == 2);
        assert_string_equal(summary_patterns(text, summary), "2:4 4:8");
        assert_true(fabsf(summary->row_norms[0] - sqrtf(50)) < 1e-6F && summary->row_norms[2] == 3);
        assert_true(summary->column_norms[1] == 4);
        summary_free(summary);
    }
}

static int compare_floats(const void *a, const void *b) {
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

/* A bell-shaped distribution: the table places every threshold to 0.1 % of the entries, for all types. */
static void check_quantiles(enum dtype dtype) {
    enum { ROWS = 100, COLUMNS = 1000, COUNT = ROWS * COLUMNS };
    float *w = malloc(COUNT * sizeof *w);
    void *stored = malloc(COUNT * sizeof(double));
    assert_true(w != NULL && stored != NULL);
    uint32_t state = 7;
    for (size_t i = 0; i < COUNT; i++) {
        float sum = 0;
        for (int j = 0; j < 6; j++)
            sum += (float)((state = state * 1664525U + 1013904223U) >> 8) / 0x1p24F - 0.5F;
        w[i] = sum / 50;
    }
    dtype_narrow(stored, w, dtype, COUNT);
    dtype_widen(w, stored, dtype, COUNT);
    struct tensor tensor = make_tensor(stored, dtype, ROWS, COLUMNS);
    struct summary *summary = summary_create(&tensor, false, NULL, NULL);
    assert_non_null(summary);
    for (size_t i = 0; i < COUNT; i++)
        w[i] = fabsf(w[i]);
    qsort(w, COUNT, sizeof *w, compare_floats);
    for (size_t i = 500; i < COUNT; i += 997) {
        size_t below = i;
        while (below > 0 && w[below - 1] == w[i])
            below--;
        double found = summary_fraction_below(summary, w[i]);
        assert_true(fabs(found - (double)below / COUNT) <= 0.001);
        if (dtype == DTYPE_F32)
            assert_true(fabs(summary_fraction_below(summary, summary_quantile(summary, found)) - found) <= 0.001);
    }
    summary_free(summary);
    free(w);
    free(stored);
}

static void test_quantiles(void **unused) {
    (void)unused;
    check_quantiles(DTYPE_F32);
    check_quantiles(DTYPE_F16);
    check_quantiles(DTYPE_BF16);
}

static void test_threads_do_not_matter(void **unused) {
    enum { ROWS = 333, COLUMNS = 77 };
    float *w = malloc(ROWS * COLUMNS * sizeof *w);
    (void)unused;
    assert_non_null(w);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        w[i] = sinf((float)i) / 3;
    struct tensor tensor = make_tensor(w, DTYPE_F32, ROWS, COLUMNS);
    parallel_set_threads(1);
    struct summary *one = summary_create(&tensor, false, NULL, NULL);
    parallel_set_threads(4);
    struct summary *four = summary_create(&tensor, false, NULL, NULL);
    assert_true(one != NULL && four != NULL);
    assert_true(one->mean == four->mean && one->deviation == four->deviation && one->kurtosis == four->kurtosis);
    assert_memory_equal(one->column_norms, four->column_norms, COLUMNS * sizeof(float));
    summary_free(one);
    summary_free(four);
    free(w);
}

static void assert_near(double found, double expected, double tolerance) {
    assert_true(fabs(found - expected) <= tolerance * (1 + fabs(expected)));
}

static void compare_summaries(const struct summary *found, const struct summary *plain) {
    assert_true(found->count == plain->count && found->zeros == plain->zeros && found->nan == plain->nan);
    assert_true(found->infinite == plain->infinite && found->patterns == plain->patterns);
    assert_true(found->minimum == plain->minimum && found->maximum == plain->maximum);
    assert_true(found->zero_rows == plain->zero_rows && found->zero_columns == plain->zero_columns);
    assert_memory_equal(found->octaves, plain->octaves, sizeof plain->octaves);
    assert_near(found->mean, plain->mean, 1e-12);
    assert_near(found->deviation, plain->deviation, 1e-12);
    assert_near(found->kurtosis, plain->kurtosis, 1e-10);
    for (int64_t i = 0; i < plain->rows; i++)
        assert_true(fabsf(found->row_norms[i] - plain->row_norms[i]) <= 1e-6F * plain->row_norms[i]);
    for (int64_t i = 0; i < plain->columns; i++)
        assert_true(fabsf(found->column_norms[i] - plain->column_norms[i]) <= 1e-6F * plain->column_norms[i]);
}

static void check_basics(const struct tensor *tensor, const struct summary *plain) {
    struct basics basics;
    assert_true(basics_compute(&basics, tensor, NULL, NULL));
    assert_true(basics.count == plain->count && basics.zeros == plain->zeros && basics.nan == plain->nan);
    assert_true(basics.infinite == plain->infinite);
    assert_true(basics.minimum == plain->minimum && basics.maximum == plain->maximum);
    assert_near(basics.mean, plain->mean, 1e-7);
    assert_true(fabs(basics.deviation - plain->deviation) <= 1e-6 * plain->deviation);
}

enum made { MADE_DENSE, MADE_TWO_OF_FOUR, MADE_ZERO_ROWS, MADE_ODD, MADE_FAINT, MADE_HUGE, MADE_COUNT };

static float made_value(enum made made, size_t row, size_t column) {
    float w = sinf((float)(row * 1000 + column)) / 20;
    if (made == MADE_TWO_OF_FOUR)
        return column % 4 < 2 ? 0 : w;
    if (made == MADE_ZERO_ROWS)
        return row % 3 == 0 ? -0.0F : w;
    if (made == MADE_ODD)
        return column % 50 == 7 ? NAN : column % 50 == 9 ? -INFINITY : w;
    if (made == MADE_FAINT)
        return row == 5 ? w * 0x1p-100F : w;
    return made == MADE_HUGE && column == 3 ? w * 0x1p100F : w;
}

/* Types of 16 bits have loops of their own: the same values stored as f32 go the plain way. */
static void check_halves(enum dtype dtype, enum made made, size_t rows, size_t columns, bool transposed) {
    size_t count = rows * columns;
    float *w = malloc(count * sizeof *w);
    uint16_t *stored = malloc(count * sizeof *stored);
    assert_true(w != NULL && stored != NULL);
    for (size_t i = 0; i < count; i++)
        w[i] = made_value(made, i / columns, i % columns);
    dtype_narrow(stored, w, dtype, count);
    dtype_widen(w, stored, dtype, count);
    struct tensor halves = make_tensor(stored, dtype, (int64_t)rows, (int64_t)columns);
    struct tensor floats = make_tensor(w, DTYPE_F32, (int64_t)rows, (int64_t)columns);
    struct summary *found = summary_create(&halves, transposed, NULL, NULL);
    struct summary *plain = summary_create(&floats, transposed, NULL, NULL);
    assert_true(found != NULL && plain != NULL);
    compare_summaries(found, plain);
    check_basics(&halves, plain);
    summary_free(found);
    summary_free(plain);
    free(w);
    free(stored);
}

static void test_halves_equal_plain(void **unused) {
    static const size_t shapes[][2] = {{1, 1}, {7, 5}, {40, 333}, {333, 40}, {19, 9001}, {8209, 33}};
    (void)unused;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (enum made made = 0; made < MADE_COUNT; made++)
            for (int transposed = 0; transposed < 2; transposed++) {
                check_halves(DTYPE_BF16, made, shapes[i][0], shapes[i][1], transposed == 1);
                check_halves(DTYPE_F16, made, shapes[i][0], shapes[i][1], transposed == 1);
            }
}

static void test_cancel(void **unused) {
    static const float w[4];
    struct tensor tensor = make_tensor(w, DTYPE_F32, 2, 2);
    struct progress progress = {0};
    struct error error = {0};
    (void)unused;
    atomic_store(&progress.cancel, true);
    assert_null(summary_create(&tensor, false, &progress, &error));
    assert_int_equal(error.code, ERROR_CANCELLED);
}

/* Memory that is handed out again holds what it held: nothing may count on finding zeros there. */
static void dirty_the_heap(void) {
    enum { BYTES = 32 << 20 };
    (void)mallopt(M_MMAP_THRESHOLD, 2 * BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, 4 * BYTES);
    void *memory = malloc(BYTES);
    if (memory != NULL)
        memset(memory, 0x5a, BYTES);
    free(memory);
}

int main(void) {
    dirty_the_heap();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_patterns_and_norms_both_ways),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_halves_equal_plain),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

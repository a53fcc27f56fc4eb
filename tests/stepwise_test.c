/* Products, factors and solves in steps are those of single calls: at a size where there are several steps, which no
 * other test but the long ones reaches. */
#include "prune/stepwise.h"
#include "base/memory.h"
#include <cblas.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N = 5056, ROWS = 900, LATE = 5000 }; /* LATE: in the last step of the factor */

void spotrf_(const char *triangle, const int *n, float *a, const int *leading, int *info);

static float *fill(size_t count, uint32_t seed) {
    float *values = memory_alloc_aligned(count, sizeof *values, NULL);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) / (1 << 23) - 1;
    }
    return values;
}

/* Σ of 64 rows' products, and a diagonal that makes it definite. */
static float *make_definite(void) {
    enum { RANK = 64 };
    float *rows = fill((size_t)RANK * N, 3);
    float *a = memory_alloc_aligned((size_t)N * N, sizeof *a, NULL);
    assert_non_null(a);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, N, N, RANK, 1, rows, N, rows, N, 0, a, N);
    for (size_t j = 0; j < N; j++)
        a[j * N + j] += 4;
    memory_free(rows);
    return a;
}

static double worst_difference(const float *a, const float *b, size_t count) {
    double worst = 0;
    for (size_t i = 0; i < count; i++)
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    return worst;
}

static void test_product(void **state) {
    (void)state;
    float *a = make_definite(), *b = fill((size_t)ROWS * N, 5);
    float *got = fill((size_t)ROWS * N, 7), *wanted = fill((size_t)ROWS * N, 9);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ROWS, N, N, 1, b, N, a, N, 0, wanted, N);
    assert_true(stepwise_product(got, b, a, ROWS, N, NULL, NULL));
    assert_true(worst_difference(got, wanted, (size_t)ROWS * N) < 0.05); /* of values in the hundreds */
    memory_free(a);
    memory_free(b);
    memory_free(got);
    memory_free(wanted);
}

static void test_factor_and_solve(void **state) {
    (void)state;
    float *a = make_definite(), *l = make_definite(), *single = make_definite();
    bool positive = false;
    int order = N, info = 0;
    assert_true(stepwise_cholesky(&positive, l, N, NULL, NULL) && positive);
    spotrf_("U", &order, single, &order, &info);
    assert_int_equal(info, 0);
    for (size_t i = 0; i < N; i++)
        assert_true(worst_difference(l + i * N, single + i * N, i + 1) < 1e-3);
    float *b = fill((size_t)ROWS * N, 11), *x = fill((size_t)ROWS * N, 11);
    float *back = fill((size_t)ROWS * N, 13);
    assert_true(stepwise_solve(x, l, ROWS, N, NULL, NULL));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ROWS, N, N, 1, x, N, a, N, 0, back, N);
    assert_true(worst_difference(back, b, (size_t)ROWS * N) < 1e-2);
    float *all[] = {a, l, single, b, x, back};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        memory_free(all[i]);
}

static void test_not_definite_in_a_late_step(void **state) {
    (void)state;
    float *a = make_definite();
    bool positive = true;
    a[(size_t)LATE * N + LATE] = -1;
    assert_true(stepwise_cholesky(&positive, a, N, NULL, NULL));
    assert_false(positive);
    memory_free(a);
}

static void test_stops(void **state) {
    (void)state;
    struct progress progress = {0};
    struct error error = {0};
    float *a = make_definite(), *b = fill((size_t)ROWS * N, 5);
    bool positive;
    atomic_store(&progress.cancel, true);
    assert_false(stepwise_cholesky(&positive, a, N, &progress, &error));
    assert_int_equal(error.code, ERROR_CANCELLED);
    assert_false(stepwise_product(b, b, a, ROWS, N, &progress, &error));
    assert_false(stepwise_solve(b, a, ROWS, N, &progress, &error));
    memory_free(a);
    memory_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product),
        cmocka_unit_test(test_factor_and_solve),
        cmocka_unit_test(test_not_definite_in_a_late_step),
        cmocka_unit_test(test_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

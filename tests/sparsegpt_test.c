/* SparseGPT against the reference implementation on single matrices: exact masks, weights within f32 rounding. */
#include "base/memory.h"
#include "prune/factor.h"
#include "prune/sparsegpt.h"
#include "tests/matrix_case.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WEIGHT_TOLERANCE 2e-4

/* The reference's 1:4 removes one of four: keep 3 of 4 here. */
static const struct matrix_run runs[] = {
    {"50", 0.5, {PATTERN_UNSTRUCTURED, 0, 0}, {.reference = true}},
    {"70", 0.7, {PATTERN_UNSTRUCTURED, 0, 0}, {.reference = true}},
    {"2_4", 0.5, {PATTERN_N_M, 2, 4}, {.reference = true}},
    {"4_8", 0.5, {PATTERN_N_M, 4, 8}, {.reference = true}},
    {"1_4", 0.25, {PATTERN_N_M, 3, 4}, {.reference = true}},
    {"50_b32", 0.5, {PATTERN_UNSTRUCTURED, 0, 0}, {.reference = true, .block = 32}},
    {"2_4_b32", 0.5, {PATTERN_N_M, 2, 4}, {.reference = true, .block = 32}},
    {"50_d10", 0.5, {PATTERN_UNSTRUCTURED, 0, 0}, {.reference = true, .damping = 0.1}},
    {"50_q4", 0.5, {PATTERN_UNSTRUCTURED, 0, 0}, {.reference = true, .bits = 4}},
    {"2_4_q4", 0.5, {PATTERN_N_M, 2, 4}, {.reference = true, .bits = 4}},
};

static void check_run(const struct matrix_case *one, const char *name, const struct matrix_run *run) {
    char tensor[64];
    (void)snprintf(tensor, sizeof tensor, "sparsegpt_%s", run->suffix);
    float *expected = golden_tensor(one->file, tensor);
    if (expected == NULL)
        return;
    size_t count = (size_t)(one->rows * one->columns);
    struct layer layer = matrix_case_layer(one, run);
    const float *weights = layer.weights;
    struct error error = {0};
    if (!sparsegpt_prune(&layer, &error))
        fail_msg("%s %s: %s", name, run->suffix, error.text);
    size_t flips = 0;
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        flips += (weights[i] == 0) != (expected[i] == 0);
        worst = fmax(worst, fabs((double)weights[i] - (double)expected[i]));
        assert_false(weights[i] == 0 && signbit(weights[i]));
    }
    print_message("%s %s: %zu cells of %zu differ, weights by at most %.2g\n", name, run->suffix, flips, count, worst);
    assert_int_equal(flips, 0);
    assert_true(worst <= WEIGHT_TOLERANCE);
    factor_free(layer.factor);
    memory_free(layer.weights);
    memory_free(expected);
}

static void equals_the_reference(void **state) {
    (void)state;
    for (size_t c = 0; c < MATRIX_CASES; c++) {
        struct matrix_case one = {0};
        matrix_case_open(&one, matrix_case_names[c]);
        for (size_t r = 0; r < sizeof runs / sizeof *runs; r++)
            check_run(&one, matrix_case_names[c], &runs[r]);
        matrix_case_close(&one);
    }
}

static void hessian_equals_the_reference(void **state) {
    (void)state;
    for (size_t c = 0; c < MATRIX_CASES; c++) {
        struct matrix_case one = {0};
        matrix_case_open(&one, matrix_case_names[c]);
        float *expected = golden_tensor(one.file, "H");
        size_t n = (size_t)one.columns;
        float *h = memory_alloc_aligned(n * n, sizeof *h, NULL);
        hessian_copy(h, one.input.hessian, hessian_scale(one.input.hessian, true));
        double scale = hessian_trace(one.input.hessian) * hessian_scale(one.input.hessian, true) / (double)n;
        for (size_t i = 0; i < n * n; i++)
            assert_true(fabs((double)h[i] - (double)expected[i]) <= 1e-5 * scale);
        memory_free(h);
        memory_free(expected);
        matrix_case_close(&one);
    }
}

static void error_equals_the_trace(void **state) {
    (void)state;
    struct matrix_case one = {0};
    struct error error = {0};
    matrix_case_open(&one, "plain");
    double direct = 0;
    for (int64_t i = 0; i < one.rows; i++)
        for (int64_t t = 0; t < one.tokens; t++) {
            double sum = 0;
            for (int64_t j = 0; j < one.columns; j++)
                sum += (double)one.w[i * one.columns + j] * (double)one.x[t * one.columns + j];
            direct += sum * sum;
        }
    double value;
    assert_true(hessian_quadratic(&value, one.input.hessian, one.w, one.rows, NULL, &error));
    assert_true(fabs(value - direct) <= 1e-5 * direct);
    matrix_case_close(&one);
}

int main(void) {
    if (golden_folder() == NULL)
        return GOLDEN_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_reference),
        cmocka_unit_test(hessian_equals_the_reference),
        cmocka_unit_test(error_equals_the_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What moves into the bias, and orders of the inputs that suit N:M. */
#include "prune/permute.h"
#include "base/memory.h"
#include "prune/compensate.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 12
#define COLUMNS 64

static const struct pattern two_of_four = {PATTERN_N_M, 2, 4};

static float random_unit(void) {
    static uint64_t state = 7;
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (float)(state >> 40) / (1 << 24);
}

/* Strong inputs side by side: the worst order for N:M. */
static void make_scores(float *scores) {
    for (int i = 0; i < ROWS * COLUMNS; i++)
        scores[i] = random_unit() * (i % COLUMNS / 4 % 2 == 0 ? 10 : 1);
}

static void check_permutation(const int64_t *order, int64_t stretch) {
    bool seen[COLUMNS] = {false};
    for (int64_t j = 0; j < COLUMNS; j++) {
        assert_int_equal(order[j] / stretch, j / stretch);
        assert_false(seen[order[j]]);
        seen[order[j]] = true;
    }
}

static void keeps_more_score(void **state) {
    (void)state;
    float scores[ROWS * COLUMNS];
    int64_t order[COLUMNS];
    make_scores(scores);
    double before = permute_kept(scores, NULL, two_of_four, ROWS, COLUMNS);
    assert_true(permute_find(order, scores, two_of_four, ROWS, COLUMNS, COLUMNS, 0, NULL));
    check_permutation(order, COLUMNS);
    double dealt = permute_kept(scores, order, two_of_four, ROWS, COLUMNS);
    assert_true(dealt > 1.1 * before);
    assert_true(permute_find(order, scores, two_of_four, ROWS, COLUMNS, COLUMNS, 8, NULL));
    check_permutation(order, COLUMNS);
    assert_true(permute_kept(scores, order, two_of_four, ROWS, COLUMNS) > dealt);
}

static void stays_within_stretches(void **state) {
    (void)state;
    float scores[ROWS * COLUMNS];
    int64_t order[COLUMNS];
    make_scores(scores);
    assert_true(permute_find(order, scores, two_of_four, ROWS, COLUMNS, 16, 4, NULL));
    check_permutation(order, 16);
}

static void kept_is_what_the_pattern_keeps(void **state) {
    (void)state;
    float scores[ROWS * COLUMNS];
    uint8_t mask[ROWS * COLUMNS];
    make_scores(scores);
    assert_true(pattern_select(mask, scores, two_of_four, ROWS, COLUMNS, 0.5, NULL));
    double sum = 0;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        sum += mask[i] ? 0 : (double)scores[i];
    assert_true(fabs(sum - permute_kept(scores, NULL, two_of_four, ROWS, COLUMNS)) < 1e-6 * sum);
}

static void refuses_what_cannot_be(void **state) {
    (void)state;
    float scores[ROWS * COLUMNS];
    int64_t order[COLUMNS];
    struct pattern row = {PATTERN_ROW, 0, 0};
    make_scores(scores);
    struct error error = {0};
    assert_false(permute_find(order, scores, two_of_four, ROWS, COLUMNS, 24, 1, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_false(permute_find(order, scores, row, ROWS, COLUMNS, COLUMNS, 1, &error));
    assert_non_null(strstr(error.text, "only N:M"));
}

static double squared_error(const float *change, const double *bias, const float *x, int64_t tokens) {
    double total = 0;
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t i = 0; i < ROWS; i++) {
            double sum = bias != NULL ? -bias[i] : 0;
            for (int64_t j = 0; j < COLUMNS; j++)
                sum += (double)change[i * COLUMNS + j] * (double)x[t * COLUMNS + j];
            total += sum * sum;
        }
    return total;
}

static void bias_takes_up_the_mean(void **state) {
    (void)state;
    enum { TOKENS = 50 };
    float dense[ROWS * COLUMNS], pruned[ROWS * COLUMNS], change[ROWS * COLUMNS], x[TOKENS * COLUMNS];
    double bias[ROWS];
    struct input_statistics input;
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        dense[i] = random_unit() - 0.4F;
        pruned[i] = i % 2 == 0 ? 0 : dense[i];
        change[i] = dense[i] - pruned[i];
    }
    for (int i = 0; i < TOKENS * COLUMNS; i++)
        x[i] = random_unit() + 0.3F;
    assert_true(input_statistics_create(&input, COLUMNS, false, NULL));
    assert_true(input_statistics_add(&input, x, TOKENS, 1, false, NULL));
    assert_true(compensate_bias(bias, dense, pruned, &input, ROWS, NULL));
    double before = squared_error(change, NULL, x, TOKENS);
    double after = squared_error(change, bias, x, TOKENS);
    assert_true(after < 0.5 * before);
    assert_true(fabs(before - after - compensate_gain(bias, &input, ROWS)) < 1e-6 * before);
    memory_free(input.sum);
    input.sum = NULL;
    struct error error = {0};
    assert_false(compensate_bias(bias, dense, pruned, &input, ROWS, &error));
    assert_non_null(strstr(error.text, "mean of the inputs"));
    input_statistics_free(&input);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_more_score),
        cmocka_unit_test(stays_within_stretches),
        cmocka_unit_test(kept_is_what_the_pattern_keeps),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(bias_takes_up_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

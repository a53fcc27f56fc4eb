/* Wanda and magnitude against the reference implementations' masks of single matrices. */
#include "base/memory.h"
#include "prune/score_methods.h"
#include "tests/matrix_case.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct scorer {
    const char *name;
    bool (*prune)(struct layer *layer, struct progress *progress, struct error *error);
    enum pattern_kind group; /* of its unstructured runs */
};

static const struct scorer scorers[] = {
    {"wanda", wanda_prune, PATTERN_ROW},
    {"magnitude", magnitude_prune, PATTERN_UNSTRUCTURED},
};

/* DEFAULT stands for the scorer's own group. */
static const struct matrix_run runs[] = {
    {"50", 0.5, {PATTERN_DEFAULT, 0, 0}, {.reference = true}},
    {"60", 0.6, {PATTERN_DEFAULT, 0, 0}, {.reference = true}},
    {"2_4", 0.5, {PATTERN_N_M, 2, 4}, {.reference = true}},
    {"4_8", 0.5, {PATTERN_N_M, 4, 8}, {.reference = true}},
    {"1_4", 0.25, {PATTERN_N_M, 3, 4}, {.reference = true}},
};

/* What a weight costs: of the reference's choice and ours the sums must be equal, and the choices where there is no
 * tie. */
static double cost(const struct matrix_case *one, const struct scorer *scorer, size_t i) {
    double norm = sqrt(one->input.sum_squares[i % (size_t)one->columns]);
    return fabs((double)one->w[i]) * (scorer->prune == wanda_prune ? norm : 1);
}

/* The references' top-k takes among equal scores of a group whichever comes; only such cells may differ. */
static size_t differing_cells(const struct matrix_case *one, const struct scorer *scorer, const struct layer *layer,
                              const uint8_t *expected) {
    size_t m = (size_t)layer->pattern.m, columns = (size_t)one->columns, differing = 0;
    bool grouped = layer->pattern.kind == PATTERN_N_M;
    for (size_t i = 0; i < (size_t)one->rows * columns; i++) {
        bool gone = layer->weights[i] == 0;
        assert_false(gone && signbit(layer->weights[i]));
        if (gone == (expected[i] != 0) || one->w[i] == 0)
            continue;
        differing++;
        size_t twin = i - i % columns + (grouped ? i % columns / m * m : 0), end = twin + (grouped ? m : columns);
        while (twin < end &&
               (cost(one, scorer, twin) != cost(one, scorer, i) || (expected[twin] != 0) == (expected[i] != 0)))
            twin++;
        assert_true(grouped && twin < end);
    }
    return differing;
}

static void check_run(const struct matrix_case *one, const char *name, const struct scorer *scorer,
                      const struct matrix_run *run) {
    char tensor[64];
    (void)snprintf(tensor, sizeof tensor, "%s_%s_mask", scorer->name, run->suffix);
    const struct tensor *expected = checkpoint_find(one->file, tensor);
    if (expected == NULL)
        return;
    struct layer layer = matrix_case_layer(one, run);
    if (layer.pattern.kind == PATTERN_DEFAULT)
        layer.pattern.kind = scorer->group;
    struct error error = {0};
    if (!scorer->prune(&layer, NULL, &error))
        fail_msg("%s %s: %s", name, tensor, error.text);
    size_t differing = differing_cells(one, scorer, &layer, expected->data);
    if (differing > 0)
        print_message("%s %s: %zu ties taken otherwise\n", name, tensor, differing);
    memory_free(layer.weights);
}

static void masks_equal_the_reference(void **state) {
    (void)state;
    for (size_t c = 0; c < MATRIX_CASES; c++) {
        struct matrix_case one = {0};
        matrix_case_open(&one, matrix_case_names[c]);
        for (size_t s = 0; s < sizeof scorers / sizeof *scorers; s++)
            for (size_t r = 0; r < sizeof runs / sizeof *runs; r++)
                check_run(&one, matrix_case_names[c], &scorers[s], &runs[r]);
        matrix_case_close(&one);
    }
}

int main(void) {
    if (golden_folder() == NULL)
        return GOLDEN_SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(masks_equal_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

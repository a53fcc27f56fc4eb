/* Every method with every pattern: exact counts, patterns that hold, errors that are what the method promises, and what
 * happens with inputs that no one would choose. */
#include "prune/method.h"
#include "base/memory.h"
#include "prune/factor.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

struct problem {
    int64_t rows, columns, tokens;
    float *dense, *x;
    struct input_statistics input;
};

static uint64_t random_state;

static float random_normal(void) {
    double sum = 0;
    for (int i = 0; i < 6; i++) {
        random_state = random_state * 6364136223846793005U + 1442695040888963407U;
        sum += (double)(random_state >> 40) / (1 << 24) - 0.5;
    }
    return (float)(sum * 1.41421356);
}

/* Inputs whose neighbours are correlated and whose sizes differ by a factor of up to 20, as they do in a model. */
static void make_inputs(float *x, int64_t tokens, int64_t columns) {
    for (int64_t t = 0; t < tokens; t++) {
        float common = random_normal();
        float before = random_normal();
        for (int64_t j = 0; j < columns; j++) {
            before = 0.8F * before + 0.5F * random_normal();
            x[t * columns + j] = expf(1.5F * sinf((float)(j * j))) * (before + 0.3F * common);
        }
    }
}

static struct problem problem_create(int64_t rows, int64_t columns, int64_t tokens) {
    struct problem problem = {.rows = rows, .columns = columns, .tokens = tokens};
    random_state = (uint64_t)(rows * 1000003 + columns * 1009 + tokens);
    problem.dense = memory_alloc_aligned((size_t)(rows * columns), sizeof(float), NULL);
    problem.x = memory_alloc_aligned((size_t)(tokens * columns), sizeof(float), NULL);
    for (int64_t i = 0; i < rows * columns; i++)
        problem.dense[i] = random_normal() + 1e-4F;
    make_inputs(problem.x, tokens, columns);
    return problem;
}

static void problem_gather(struct problem *problem) {
    assert_true(input_statistics_create(&problem->input, problem->columns, true, NULL));
    assert_true(input_statistics_add(&problem->input, problem->x, problem->tokens, 4, false, NULL));
}

static void problem_free(struct problem *problem) {
    input_statistics_free(&problem->input);
    memory_free(problem->dense);
    memory_free(problem->x);
}

static struct layer problem_layer(const struct problem *problem, struct pattern pattern, double sparsity) {
    size_t count = (size_t)(problem->rows * problem->columns);
    float *weights = memory_alloc_aligned(count, sizeof *weights, NULL);
    memcpy(weights, problem->dense, count * sizeof *weights);
    return (struct layer){.name = "made",
                          .weights = weights,
                          .rows = problem->rows,
                          .columns = problem->columns,
                          .input = &problem->input,
                          .pattern = pattern,
                          .sparsity = sparsity};
}

static void layer_free(struct layer *layer) {
    memory_free(layer->weights);
    factor_free(layer->factor);
}

static bool run(struct layer *layer, const char *method, struct error *error) {
    struct method_chain chain;
    return method_parse(&chain, method, error) && method_accepts(&chain, layer->pattern, error) &&
           method_run(layer, &chain, error);
}

static double output_error(const struct problem *problem, const float *weights) {
    size_t count = (size_t)(problem->rows * problem->columns);
    float *change = memory_alloc_aligned(count, sizeof *change, NULL);
    double value = NAN;
    for (size_t i = 0; i < count; i++)
        change[i] = problem->dense[i] - weights[i];
    assert_true(hessian_quadratic(&value, problem->input.hessian, change, problem->rows, NULL, NULL));
    memory_free(change);
    return value;
}

/* Zeros are the lowest |w|, so a selection by |w| finds exactly them when count and pattern are right. */
static void check_zeros(const struct layer *layer, const char *what) {
    size_t count = (size_t)(layer->rows * layer->columns);
    float *sizes = memory_alloc(count, sizeof *sizes, NULL);
    uint8_t *mask = memory_alloc(count, 1, NULL);
    uint64_t zeros = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(isfinite(layer->weights[i]));
        assert_false(layer->weights[i] == 0 && signbit(layer->weights[i]));
        sizes[i] = fabsf(layer->weights[i]);
        zeros += sizes[i] == 0;
    }
    uint64_t expected = pattern_count(layer->pattern, layer->rows, layer->columns, layer->sparsity);
    if (zeros != expected)
        fail_msg("%s: %llu zeros, not %llu", what, (unsigned long long)zeros, (unsigned long long)expected);
    assert_true(pattern_select(mask, sizes, layer->pattern, layer->rows, layer->columns, layer->sparsity, NULL));
    for (size_t i = 0; i < count; i++)
        if ((mask[i] != 0) != (layer->weights[i] == 0))
            fail_msg("%s: the pattern does not hold at entry %zu", what, i);
    memory_free(sizes);
    memory_free(mask);
}

/* Selections by a score promise no lower error than magnitude's, but activation-aware ones have it on such inputs. */
static const struct tried {
    const char *name;
    bool promises; /* an error no larger than magnitude's */
} methods[] = {
    {"magnitude", true},
    {"obd", true},
    {"wanda", true},
    {"ria", false},
    {"rowwise", true},
    {"sparsegpt", true},
    {"alps", true},
    {"admm-fast", true},
    {"lasso", true},
    {"group-lasso", true},
    {"iht", true},
    {"magnitude+repair", true},
    {"magnitude+sparsegpt", true},
    {"wanda+dsnot", false},
    {"wanda+dsnot+repair", true},
    {"wanda+repair", true},
    {"magnitude+dsnot", false},
};

static const struct pattern patterns[] = {
    {PATTERN_UNSTRUCTURED, 0, 0}, {PATTERN_ROW, 0, 0},           {PATTERN_COLUMN_BLOCK, 32, 0},
    {PATTERN_N_M, 2, 4},          {PATTERN_N_M, 4, 8},           {PATTERN_N_M, 3, 5},
    {PATTERN_TILE, 4, 4},         {PATTERN_WHOLE_COLUMNS, 0, 0}, {PATTERN_WHOLE_ROWS, 0, 0},
};

/* Runs one cell; its output error, NaN where the combination is refused. */
static double try_cell(const struct problem *problem, const char *method, struct pattern pattern, double sparsity) {
    struct layer layer = problem_layer(problem, pattern, sparsity);
    struct method_chain chain;
    struct error error = {0};
    char text[PATTERN_TEXT_SIZE];
    char what[96];
    (void)snprintf(what, sizeof what, "%s %s at %g of %lldx%lld", method, pattern_text(text, pattern), sparsity,
                   (long long)problem->rows, (long long)problem->columns);
    double value = NAN;
    if (!method_parse(&chain, method, &error))
        fail_msg("%s: %s", what, error.text);
    if (method_accepts(&chain, pattern, &error)) {
        if (!method_run(&layer, &chain, &error))
            fail_msg("%s: %s", what, error.text);
        check_zeros(&layer, what);
        value = output_error(problem, layer.weights);
        assert_true(isfinite(value));
    } else {
        assert_int_equal(error.code, ERROR_USAGE);
        assert_non_null(strstr(error.text, "works with"));
    }
    layer_free(&layer);
    return value;
}

static void every_method_with_every_pattern(void **state) {
    (void)state;
    struct problem problem = problem_create(48, 100, 400);
    problem_gather(&problem);
    static const double targets[] = {0.5, 0.7};
    size_t worse = 0;
    for (size_t p = 0; p < LENGTH(patterns); p++)
        for (size_t s = 0; s < LENGTH(targets); s++) {
            char text[PATTERN_TEXT_SIZE];
            double magnitude = try_cell(&problem, "magnitude", patterns[p], targets[s]);
            print_message("%s %g:", pattern_text(text, patterns[p]), targets[s]);
            for (size_t m = 0; m < LENGTH(methods); m++) {
                double value = try_cell(&problem, methods[m].name, patterns[p], targets[s]);
                bool broken = methods[m].promises && value > magnitude * (1 + 1e-5);
                worse += broken;
                print_message(" %s %.3f%s", methods[m].name, value / magnitude, broken ? " (worse)" : "");
            }
            print_message("\n");
        }
    assert_int_equal(worse, 0);
    problem_free(&problem);
}

static void every_shape(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{1, 1}, {1, 7}, {7, 1}, {3, 5}, {1, 130}, {5, 131}, {33, 127}, {40, 258}};
    for (size_t i = 0; i < LENGTH(shapes); i++) {
        struct problem problem = problem_create(shapes[i][0], shapes[i][1], 3 * shapes[i][1]);
        problem_gather(&problem);
        for (size_t p = 0; p < LENGTH(patterns); p++)
            for (size_t m = 0; m < LENGTH(methods); m++)
                (void)try_cell(&problem, methods[m].name, patterns[p], 0.6);
        problem_free(&problem);
    }
}

static void nothing_and_everything(void **state) {
    (void)state;
    struct problem problem = problem_create(20, 64, 200);
    problem_gather(&problem);
    for (size_t p = 0; p < LENGTH(patterns); p++)
        for (size_t m = 0; m < LENGTH(methods); m++) {
            double none = try_cell(&problem, methods[m].name, patterns[p], 0);
            assert_true(isnan(none) || none == 0);
            (void)try_cell(&problem, methods[m].name, patterns[p], 1);
        }
    problem_free(&problem);
}

/* Rows that differ in how their inputs go together: sharing out by exact errors beats the diagonal's own share, at the
 * same count. */
static void rows_share_by_what_they_cost(void **state) {
    (void)state;
    struct problem problem = problem_create(64, 96, 400);
    problem_gather(&problem);
    for (double sparsity = 0.3; sparsity < 0.85; sparsity += 0.1) {
        struct layer diagonal = problem_layer(&problem, patterns[0], sparsity);
        struct layer rowwise = problem_layer(&problem, patterns[0], sparsity);
        assert_true(run(&diagonal, "wanda", NULL));
        assert_true(run(&rowwise, "rowwise", NULL));
        check_zeros(&rowwise, "rowwise");
        assert_true(output_error(&problem, rowwise.weights) < output_error(&problem, diagonal.weights));
        layer_free(&diagonal);
        layer_free(&rowwise);
    }
    problem_free(&problem);
}

static void refusals_give_reasons(void **state) {
    (void)state;
    static const struct {
        const char *method, *reason;
    } refused[] = {
        {"repair", "magnitude+repair"},
        {"dsnot", "wanda+dsnot"},
        {"magnitude+alps", "cannot stand behind"},
        {"sparsgpt", "did you mean \"sparsegpt\""},
        {"nothing-of-ours", "there are magnitude"},
        {"", "there are"},
        {"wanda+", "there are"},
        {"wanda+repair+repair+repair+repair", "at most"},
    };
    for (size_t i = 0; i < LENGTH(refused); i++) {
        struct method_chain chain;
        struct error error = {0};
        assert_false(method_parse(&chain, refused[i].method, &error));
        assert_int_equal(error.code, ERROR_USAGE);
        if (strstr(error.text, refused[i].reason) == NULL)
            fail_msg("\"%s\": %s", refused[i].method, error.text);
    }
}

static void missing_data_is_refused(void **state) {
    (void)state;
    struct problem problem = problem_create(4, 8, 20);
    problem_gather(&problem);
    struct pattern row = {PATTERN_ROW, 0, 0};
    struct layer layer = problem_layer(&problem, row, 0.5);
    struct error error = {0};
    layer.input = NULL;
    assert_false(run(&layer, "wanda", &error));
    assert_int_equal(error.code, ERROR_USAGE);
    struct input_statistics diagonal = problem.input;
    diagonal.hessian = NULL;
    layer.input = &diagonal;
    assert_false(run(&layer, "sparsegpt", &error));
    assert_non_null(strstr(error.text, "calibration text"));
    assert_true(run(&layer, "wanda", &error));
    layer.weights[3] = NAN;
    assert_false(run(&layer, "magnitude", &error));
    assert_non_null(strstr(error.text, "NaN"));
    layer_free(&layer);
    problem_free(&problem);
}

/* All methods that use data, on inputs as they are; `note` must be in what they say, and `fails` whether they refuse.
 */
static void check_odd_inputs(struct problem *problem, const char *note, bool hessian_only, bool fails) {
    problem_gather(problem);
    for (size_t m = 0; m < method_count; m++) {
        const struct method *method = &method_table[m];
        if (method->needs == METHOD_NEEDS_NOTHING || (hessian_only && method->needs != METHOD_NEEDS_HESSIAN))
            continue;
        char name[64];
        struct error error = {0};
        (void)snprintf(name, sizeof name, "%s%s", method->chooses ? "" : "magnitude+", method->name);
        struct pattern pattern = {method->patterns & 1u << PATTERN_ROW ? PATTERN_ROW : method->group.kind, 0, 0};
        struct layer layer = problem_layer(problem, pattern, 0.5);
        bool ok = run(&layer, name, &error);
        if (ok == fails)
            fail_msg("%s: %s", name, ok ? "not refused" : error.text);
        const char *said = ok ? layer.report.note : error.text;
        if (strstr(said, note) == NULL)
            fail_msg("%s says \"%s\", nothing of \"%s\"", name, said, note);
        if (ok)
            check_zeros(&layer, name);
        layer_free(&layer);
    }
    problem_free(problem);
}

static void odd_inputs_are_handled_and_said(void **state) {
    (void)state;
    struct problem few = problem_create(16, 80, 10);
    check_odd_inputs(&few, "10 tokens for 80 inputs", true, false);
    struct problem zero = problem_create(16, 80, 100);
    memset(zero.x, 0, 100 * 80 * sizeof(float));
    check_odd_inputs(&zero, "every input was zero", false, false);
    struct problem odd = problem_create(16, 80, 100);
    odd.x[17 * 80 + 5] = NAN;
    check_odd_inputs(&odd, "input 5 was NaN or Inf", false, true);
    struct problem infinite = problem_create(16, 80, 100);
    infinite.x[80 + 6] = INFINITY;
    check_odd_inputs(&infinite, "input 6 was NaN or Inf", false, true);
    struct problem outlier = problem_create(16, 80, 100);
    for (int t = 0; t < 100; t++)
        outlier.x[t * 80 + 7] *= 1e4F;
    check_odd_inputs(&outlier, "input 7 is ", false, false);
}

static void dead_inputs_are_counted(void **state) {
    (void)state;
    struct problem problem = problem_create(8, 64, 200);
    for (int t = 0; t < 200; t++)
        problem.x[t * 64 + 3] = problem.x[t * 64 + 60] = 0;
    problem_gather(&problem);
    static const char *const names[] = {"wanda", "sparsegpt", "alps", "magnitude+repair", "lasso"};
    for (size_t i = 0; i < LENGTH(names); i++) {
        struct layer layer = problem_layer(&problem, patterns[0], 0.5);
        assert_true(run(&layer, names[i], NULL));
        assert_int_equal(layer.report.dead, 2);
        check_zeros(&layer, names[i]);
        layer_free(&layer);
    }
    problem_free(&problem);
}

/* Makes a Hessian indefinite by hand: two inputs correlated by more than one. */
static void correlate(struct problem *problem, double correlation) {
    double *sum = problem->input.hessian->sum;
    int64_t n = problem->columns; /* one tile */
    sum[1] = correlation * sqrt(sum[0] * sum[n + 1]);
}

static void damping_rises_until_it_suffices(void **state) {
    (void)state;
    static const char *const names[] = {"sparsegpt", "alps", "admm-fast", "lasso", "iht", "wanda+repair"};
    for (size_t i = 0; i < LENGTH(names); i++) {
        struct problem problem = problem_create(8, 12, 300);
        problem_gather(&problem);
        correlate(&problem, 1.2);
        struct layer layer = problem_layer(&problem, patterns[1], 0.5);
        layer.options.damping = 1e-3;
        struct error error = {0};
        if (!run(&layer, names[i], &error))
            fail_msg("%s: %s", names[i], error.text);
        assert_true(layer.report.retries > 0);
        assert_true(layer.report.damping > layer.options.damping);
        assert_non_null(strstr(layer.report.note, "damping 0.1% -> "));
        check_zeros(&layer, names[i]);
        layer_free(&layer);
        layer = problem_layer(&problem, patterns[1], 0.5);
        correlate(&problem, 1000);
        assert_false(run(&layer, names[i], &error));
        assert_non_null(strstr(error.text, "not positive definite"));
        layer_free(&layer);
        problem_free(&problem);
    }
}

/* Of inputs that bf16 holds exactly the sums are the same; of others they differ by its rounding. More than one tile
 * and more tokens than are taken at once, odd in number; the last tile and strip are narrow. */
static void bf16_sums_equal_f32_sums(void **state) {
    (void)state;
    enum { COLUMNS = 1100, TOKENS = 2051 };
    struct problem problem = problem_create(1, COLUMNS, TOKENS);
    for (int i = 0; i < TOKENS * COLUMNS; i++)
        problem.x[i] = rintf(4 * problem.x[i] / (fabsf(problem.x[i]) + 1)) / 4;
    struct hessian exact, rounded;
    assert_true(hessian_create(&exact, COLUMNS, NULL) && hessian_create(&rounded, COLUMNS, NULL));
    assert_true(hessian_add(&exact, problem.x, TOKENS, 1, false, NULL));
    assert_true(hessian_add(&rounded, problem.x, TOKENS, 1, true, NULL));
    float *a = memory_alloc_aligned((size_t)COLUMNS * COLUMNS, sizeof *a, NULL);
    float *b = memory_alloc_aligned((size_t)COLUMNS * COLUMNS, sizeof *b, NULL);
    hessian_copy(a, &exact, 1);
    hessian_copy(b, &rounded, 1);
    assert_memory_equal(a, b, (size_t)COLUMNS * COLUMNS * sizeof *a);
    assert_true(hessian_trace(&exact) > 0);
    memory_free(a);
    memory_free(b);
    hessian_free(&exact);
    hessian_free(&rounded);
    problem_free(&problem);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_with_every_pattern), cmocka_unit_test(every_shape),
        cmocka_unit_test(nothing_and_everything),          cmocka_unit_test(rows_share_by_what_they_cost),
        cmocka_unit_test(refusals_give_reasons),           cmocka_unit_test(missing_data_is_refused),
        cmocka_unit_test(odd_inputs_are_handled_and_said), cmocka_unit_test(dead_inputs_are_counted),
        cmocka_unit_test(damping_rises_until_it_suffices), cmocka_unit_test(bf16_sums_equal_f32_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

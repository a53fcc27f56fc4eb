/* The engine's kernels against plain loops, and the streaming of windows: spilling, passes that are thrown away, other
 * weights, observers. */
#include "base/memory.h"
#include "base/parallel.h"
#include "engine/evaluate.h"
#include "engine/generate.h"
#include "engine/norm.h"
#include "engine/states.h"
#include "engine/vector.h"
#include "tests/made_folder.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct error error;

#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        if (!(call))                                                                                                   \
            fail_msg("%s", error.text);                                                                                \
    } while (0)

static float *random_values(size_t count, uint64_t seed) {
    float *values = memory_alloc_aligned(count, sizeof *values, NULL);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        values[i] = (float)(seed >> 40) / (float)(1 << 23) - 1.0f;
    }
    return values;
}

static void assert_relative(double got, double expected, double tolerance, double at) {
    if (!(fabs(got - expected) <= tolerance * fabs(expected)))
        fail_msg("%.9g, expected %.9g at %g", got, expected, at);
}

static void test_elementary_functions(void **state) {
    (void)state;
    for (int i = -80000; i <= 80000; i++) {
        float x = (float)i * 1e-3f;
        double exact = (double)x;
        assert_relative((double)vector_exp(x), exp(exact), 2e-7, exact);
        assert_relative((double)vector_tanh(x), tanh(exact), 3e-7, exact);
        assert_relative((double)vector_sigmoid(x), 1 / (1 + exp(-exact)), 3e-7, exact);
        double normal = erfc(-exact / sqrt(2)) / 2;
        assert_true(fabs((double)vector_normal(x) - normal) < 1.2e-7);
        if (x > -5)
            assert_relative((double)vector_normal(x), normal, 1e-4, exact);
    }
    assert_true(vector_exp(-INFINITY) == 0.0f);
    assert_true(vector_exp(-200.0f) == 0.0f);
    assert_true(isfinite(vector_exp(500.0f)));
}

static void test_norms(void **state) {
    (void)state;
    const int64_t columns = 1003;
    float *x = random_values((size_t)columns, 1), *weight = random_values((size_t)columns, 2);
    float *bias = random_values((size_t)columns, 3), *y = random_values((size_t)columns, 4);
    for (int kind = 0; kind < 2; kind++) {
        struct norm norm = {kind == 0 ? NORM_RMS : NORM_LAYER, 1e-5, 1, weight, kind == 0 ? NULL : bias};
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < columns && kind == 1; i++)
            mean += (double)x[i] / (double)columns;
        for (int64_t i = 0; i < columns; i++)
            variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)columns;
        norm_rows(y, x, &norm, 1, columns);
        for (int64_t i = 0; i < columns; i++) {
            double expected = ((double)x[i] - mean) / sqrt(variance + 1e-5) * (1 + (double)weight[i]);
            assert_true(fabs((double)y[i] - expected - (kind == 1 ? (double)bias[i] : 0)) < 2e-6);
        }
    }
    memory_free(x);
    memory_free(weight);
    memory_free(bias);
    memory_free(y);
}

/* A matrix with values in memory, stored in a type, possibly transposed. */
struct stored {
    struct tensor tensor;
    struct matrix matrix;
    uint8_t *bytes;
};

static void store(struct stored *stored, const float *values, int64_t rows, int64_t columns, enum dtype dtype,
                  bool transposed) {
    size_t count = (size_t)(rows * columns);
    float *ordered = memory_alloc(count, sizeof *ordered, NULL);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            ordered[transposed ? j * rows + i : i * columns + j] = values[i * columns + j];
    stored->bytes = memory_alloc(count, 8, NULL);
    dtype_narrow(stored->bytes, ordered, dtype, count);
    stored->tensor = (struct tensor){.dtype = dtype, .count = count, .data = stored->bytes};
    stored->matrix =
        (struct matrix){.tensor = &stored->tensor, .rows = rows, .columns = columns, .transposed = transposed};
    memory_free(ordered);
}

static float rounded(float value, bool bf16) {
    uint16_t bits;
    if (bf16) {
        dtype_narrow(&bits, &value, DTYPE_BF16, 1);
        dtype_widen(&value, &bits, DTYPE_BF16, 1);
    }
    return value;
}

/* y = x Wᵀ + bias, row range and all, against a loop in f64 over the same rounded numbers. */
static void check_product(enum compute compute, enum dtype dtype, bool transposed, int64_t tokens, int64_t rows,
                          int64_t columns) {
    struct gemm gemm;
    struct stored stored;
    float *w = random_values((size_t)(rows * columns), 1), *x = random_values((size_t)(tokens * columns), 2);
    float *bias = random_values((size_t)rows, 3), *y = random_values((size_t)(tokens * (rows + 3)), 4);
    float *held = memory_alloc((size_t)(rows * columns), sizeof *held, NULL);
    store(&stored, w, rows, columns, dtype, transposed);
    matrix_read(held, &stored.matrix, 0, rows);
    CHECK(gemm_create(&gemm, compute, columns, tokens, &error));
    struct gemm_weights weights = {.matrix = &stored.matrix, .begin = rows / 3, .end = rows};
    CHECK(gemm_multiply(&gemm, y, rows + 3, x, &weights, bias, tokens, NULL, &error));
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t i = rows / 3; i < rows; i++) {
            double expected = (double)bias[i - rows / 3];
            for (int64_t j = 0; j < columns; j++)
                expected += (double)rounded(held[i * columns + j], compute == COMPUTE_BF16) *
                            (double)rounded(x[t * columns + j], compute == COMPUTE_BF16);
            double got = (double)y[t * (rows + 3) + i - rows / 3];
            if (!(fabs(got - expected) < 1e-5 + 5e-8 * (double)columns))
                fail_msg("%lld x %lld x %lld: %g, expected %g", (long long)tokens, (long long)rows, (long long)columns,
                         got, expected);
        }
    gemm_free(&gemm);
    memory_free(stored.bytes);
    memory_free(w);
    memory_free(x);
    memory_free(bias);
    memory_free(y);
    memory_free(held);
}

static void test_products(void **state) {
    static const int64_t sizes[][3] = {{1, 1, 1},      {5, 33, 7},    {12, 32, 64},
                                       {37, 100, 129}, {300, 70, 31}, {13, 65, 2050}};
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
            for (int transposed = 0; transposed < 2; transposed++) {
                check_product(COMPUTE_F32, dtypes[d], transposed, sizes[i][0], sizes[i][1], sizes[i][2]);
                if (gemm_has_bf16())
                    check_product(COMPUTE_BF16, dtypes[d], transposed, sizes[i][0], sizes[i][1], sizes[i][2]);
            }
}

static const char config[] = "{\"model_type\":\"llama\",\"vocab_size\":96,\"hidden_size\":32,\"intermediate_size\":48,"
                             "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
                             "\"rms_norm_eps\":1e-5,\"max_position_embeddings\":512,\"tie_word_embeddings\":true}";
static const struct made_tensor tensors[] = {
    {"model.embed_tokens.weight", 96, 32},
    {"model.norm.weight", 32, 0},
    {"model.layers.%d.input_layernorm.weight", 32, 0},
    {"model.layers.%d.post_attention_layernorm.weight", 32, 0},
    {"model.layers.%d.self_attn.q_proj.weight", 32, 32},
    {"model.layers.%d.self_attn.k_proj.weight", 16, 32},
    {"model.layers.%d.self_attn.v_proj.weight", 16, 32},
    {"model.layers.%d.self_attn.o_proj.weight", 32, 32},
    {"model.layers.%d.mlp.gate_proj.weight", 48, 32},
    {"model.layers.%d.mlp.up_proj.weight", 48, 32},
    {"model.layers.%d.mlp.down_proj.weight", 32, 48},
};

#define WINDOWS 5
#define LENGTH 450 /* several tiles of queries and of keys */

struct fixture {
    char *folder;
    struct model *model;
    int32_t ids[WINDOWS * LENGTH];
};

static int set_up(void **state) {
    struct fixture *fixture = memory_alloc(1, sizeof *fixture, NULL);
    fixture->folder = made_folder_create(config, tensors, sizeof tensors / sizeof *tensors, 2, DTYPE_F32, 1);
    fixture->model = fixture->folder != NULL ? model_open(fixture->folder, &error) : NULL;
    for (int i = 0; i < WINDOWS * LENGTH; i++)
        fixture->ids[i] = (i * 37 + i / 11) % 96;
    *state = fixture;
    return fixture->model != NULL && fixture->model->architecture_known ? 0 : -1;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    model_close(fixture->model);
    made_folder_remove(fixture->folder);
    memory_free(fixture);
    return 0;
}

static struct stream *open_stream(const struct fixture *fixture, const struct stream_options *options) {
    struct stream *stream = stream_open(fixture->model, fixture->ids, NULL, WINDOWS, LENGTH, options, &error);
    if (stream == NULL)
        fail_msg("%s", error.text);
    return stream;
}

static float *run_states(struct stream *stream) {
    float *states = memory_alloc((size_t)WINDOWS * LENGTH * 32, sizeof *states, NULL);
    CHECK(stream_run(stream, NULL, NULL, &error));
    CHECK(stream_read(states, stream, 0, WINDOWS, &error));
    return states;
}

static void assert_close(const float *a, const float *b, size_t count, double tolerance) {
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance))
            fail_msg("%g and %g at %zu", (double)a[i], (double)b[i], i);
}

/* A token's state depends on nothing behind it, and not on how the windows are cut: the tiles of attention agree. */
static void test_causal_tiles(void **state) {
    struct fixture *fixture = *state;
    struct stream_options options = {.compute = COMPUTE_F32};
    struct stream *stream = open_stream(fixture, &options);
    float *states = run_states(stream);
    static const size_t lengths[] = {1, 40, 128, 257};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct stream *part = stream_open(fixture->model, fixture->ids, NULL, 1, lengths[i], &options, &error);
        float *shorter = memory_alloc(lengths[i] * 32, sizeof *shorter, NULL);
        CHECK(stream_run(part, NULL, NULL, &error));
        CHECK(stream_read(shorter, part, 0, 1, &error));
        assert_close(shorter, states, lengths[i] * 32, 2e-5);
        memory_free(shorter);
        stream_close(part);
    }
    memory_free(states);
    stream_close(stream);
}

/* In bf16, in memory or spilled: the same states, near those in f32 and not equal to them. */
static void test_states_in_bf16(void **state) {
    const size_t window = (size_t)LENGTH * 32;
    struct stream_options plain = {.compute = COMPUTE_F32}, half = {.compute = COMPUTE_F32, .states_bf16 = true};
    struct stream_options spilled = {.states_bf16 = true, .states_memory = window * 2 * 2};
    struct stream *a = open_stream(*state, &plain), *b = open_stream(*state, &half), *c = open_stream(*state, &spilled);
    float *exact = run_states(a), *rounded = run_states(b), *back = run_states(c);
    double differences = 0, squares = 0;
    for (size_t i = 0; i < WINDOWS * window; i++) {
        differences += pow((double)(rounded[i] - exact[i]), 2);
        squares += pow((double)exact[i], 2);
    }
    uint64_t full, less;
    (void)stream_memory(&full, stream_model(a), WINDOWS, LENGTH, &plain);
    (void)stream_memory(&less, stream_model(a), WINDOWS, LENGTH, &half);
    assert_true(full == 2 * less);
    assert_true(differences > 0 && differences < 1e-4 * squares);
    assert_memory_equal(rounded, back, WINDOWS * window * sizeof *back);
    memory_free(exact);
    memory_free(rounded);
    memory_free(back);
    stream_close(a);
    stream_close(b);
    stream_close(c);
}

static void test_spilled_states(void **state) {
    struct stream_options plain = {.compute = COMPUTE_F32}, spilled = {.states_memory = (size_t)LENGTH * 32 * 4 * 2};
    struct stream *a = open_stream(*state, &plain), *b = open_stream(*state, &spilled);
    float *expected = run_states(a), *got = run_states(b);
    assert_memory_equal(expected, got, (size_t)WINDOWS * LENGTH * 32 * sizeof *got);
    memory_free(expected);
    memory_free(got);
    stream_close(a);
    stream_close(b);
}

static void test_threads(void **state) {
    struct stream_options options = {.compute = COMPUTE_F32};
    struct stream *a = open_stream(*state, &options);
    float *expected = run_states(a);
    stream_close(a);
    int threads = parallel_threads();
    parallel_set_threads(3);
    struct stream *b = open_stream(*state, &options);
    float *got = run_states(b);
    assert_close(got, expected, (size_t)WINDOWS * LENGTH * 32, 2e-5);
    stream_close(b);
    parallel_set_threads(threads);
    memory_free(expected);
    memory_free(got);
}

struct seen {
    const struct model *model;
    size_t matrices[16], count;
    int blocks, branches;
    int64_t rows;
};

static bool see_input(void *context, const struct observed_input *input, struct error *problem) {
    struct seen *seen = context;
    (void)problem;
    assert_int_equal(input->columns, seen->model->matrices[input->matrix].columns);
    assert_int_equal(input->rows, input->batch->windows * input->batch->length);
    if (input->batch->first == 0)
        seen->matrices[seen->count++] = input->matrix;
    seen->rows += input->rows;
    return true;
}

static bool see_branch(void *context, int64_t block, enum branch branch, const float *output, const struct batch *batch,
                       struct error *problem) {
    struct seen *seen = context;
    (void)block, (void)branch, (void)batch, (void)problem;
    assert_true(isfinite(output[0]));
    seen->branches++;
    return true;
}

static bool see_block(void *context, int64_t block, const float *before, const float *after, const struct batch *batch,
                      struct error *problem) {
    struct seen *seen = context;
    (void)block, (void)batch, (void)problem;
    assert_true(before[0] != after[0]);
    seen->blocks++;
    return true;
}

/* A pass that is thrown away changes nothing; inputs come once each, named by their first matrix. */
static void test_observer(void **state) {
    struct fixture *fixture = *state;
    struct stream_options options = {.compute = COMPUTE_F32};
    struct stream *stream = open_stream(fixture, &options), *plain = open_stream(fixture, &options);
    struct seen seen = {.model = fixture->model};
    struct block_observer observer = {.context = &seen, .input = see_input, .branch = see_branch, .block = see_block};
    CHECK(stream_pass(stream, NULL, true, NULL, &error));
    CHECK(stream_pass(stream, &observer, false, NULL, &error));
    assert_int_equal(stream_next(stream), 0);
    static const char *const labels[] = {"q", "o", "gate", "down"};
    assert_int_equal(seen.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(fixture->model->matrices[seen.matrices[i]].label, labels[i]);
    assert_int_equal(seen.rows, 4 * WINDOWS * LENGTH);
    assert_true(seen.blocks >= 1 && seen.branches == 2 * seen.blocks);
    float *got = run_states(stream), *expected = run_states(plain);
    assert_memory_equal(got, expected, (size_t)WINDOWS * LENGTH * 32 * sizeof *got);
    memory_free(got);
    memory_free(expected);
    stream_close(stream);
    stream_close(plain);
}

struct zeroed {
    const struct model *model;
    float zeros[48 * 32];
};

/* Nothing comes out of the branches of block 1. */
static const float *find_zeros(void *context, size_t matrix) {
    const struct zeroed *zeroed = context;
    const struct matrix *row = &zeroed->model->matrices[matrix];
    return row->block == 1 && (row->role == ROLE_O || row->role == ROLE_DOWN) ? zeroed->zeros : NULL;
}

static void test_other_weights(void **state) {
    struct fixture *fixture = *state;
    struct zeroed zeroed = {.model = fixture->model};
    struct weight_source source = {.find = find_zeros, .context = &zeroed};
    struct stream_options options = {.compute = COMPUTE_F32, .weights = &source}, plain = {.compute = COMPUTE_F32};
    struct stream *stream = open_stream(fixture, &options), *dense = open_stream(fixture, &plain);
    float *before = memory_alloc((size_t)LENGTH * 32, sizeof *before, NULL);
    float *after = memory_alloc((size_t)LENGTH * 32, sizeof *after, NULL);
    CHECK(stream_pass(stream, NULL, true, NULL, &error));
    CHECK(stream_pass(stream, NULL, true, NULL, &error));
    CHECK(stream_read(before, stream, 0, 1, &error));
    struct evaluation evaluation, same;
    CHECK(evaluate_against(&evaluation, stream, dense, NULL, NULL, &error));
    CHECK(stream_read(after, stream, 0, 1, &error));
    assert_memory_equal(before, after, (size_t)LENGTH * 32 * sizeof *after);
    assert_true(evaluation.kl > 1e-4 && evaluation.agreement < 1);
    CHECK(evaluate_against(&same, dense, dense, NULL, NULL, &error));
    assert_true(fabs(same.kl) < 1e-9 && same.agreement == 1 && fabs(same.delta_perplexity) < 1e-9);
    assert_true(fabs(same.perplexity + evaluation.delta_perplexity - evaluation.perplexity) < 1e-6);
    memory_free(before);
    memory_free(after);
    stream_close(stream);
    stream_close(dense);
}

/* The loss and the divergence, from all logits in f64. */
static void test_losses(void **state) {
    struct fixture *fixture = *state;
    struct zeroed zeroed = {.model = fixture->model};
    struct weight_source source = {.find = find_zeros, .context = &zeroed};
    struct stream_options plain = {.compute = COMPUTE_F32}, other = {.compute = COMPUTE_F32, .weights = &source};
    struct stream *a = open_stream(fixture, &plain), *b = open_stream(fixture, &other);
    struct prediction *predictions = memory_alloc((size_t)WINDOWS * LENGTH, sizeof *predictions, NULL);
    double *kl = memory_alloc((size_t)WINDOWS * LENGTH, sizeof *kl, NULL);
    float *la = memory_alloc((size_t)LENGTH * 96, sizeof *la, NULL), *lb = memory_alloc((size_t)LENGTH * 96, 4, NULL);
    CHECK(stream_run(a, NULL, NULL, &error));
    CHECK(stream_run(b, NULL, NULL, &error));
    CHECK(loss_compare(predictions, NULL, kl, a, b, 1, 1, NULL, &error));
    CHECK(loss_logits(la, a, 1, NULL, &error));
    CHECK(loss_logits(lb, b, 1, NULL, &error));
    for (size_t t = 0; t + 1 < LENGTH; t++) {
        double ta = 0, tb = 0, divergence = 0;
        for (size_t v = 0; v < 96; v++) {
            ta += exp((double)la[t * 96 + v]);
            tb += exp((double)lb[t * 96 + v]);
        }
        for (size_t v = 0; v < 96; v++) {
            double p = (double)la[t * 96 + v] - log(ta), q = (double)lb[t * 96 + v] - log(tb);
            divergence += exp(p) * (p - q);
        }
        double nll = log(ta) - (double)la[t * 96 + (size_t)fixture->ids[LENGTH + t + 1]];
        assert_true(fabs(predictions[t].nll - nll) < 1e-5);
        assert_true(fabs(kl[t] - divergence) < 1e-5);
    }
    assert_true(isnan(predictions[LENGTH - 1].nll));
    memory_free(predictions);
    memory_free(kl);
    memory_free(la);
    memory_free(lb);
    stream_close(a);
    stream_close(b);
}

static void test_bad_ids(void **state) {
    struct fixture *fixture = *state;
    struct stream_options options = {.compute = COMPUTE_F32};
    int32_t ids[4] = {1, 2, 96, 3};
    struct stream *stream = stream_open(fixture->model, ids, NULL, 1, 4, &options, &error);
    assert_non_null(stream);
    assert_false(stream_run(stream, NULL, NULL, &error));
    assert_int_equal(error.code, ERROR_INPUT);
    assert_non_null(strstr(error.text, "96"));
    stream_close(stream);
    assert_null(stream_open(fixture->model, ids, NULL, 0, 4, &options, &error));
}

static void test_cancel(void **state) {
    struct stream_options options = {.compute = COMPUTE_F32};
    struct stream *stream = open_stream(*state, &options);
    struct progress progress = {0};
    struct evaluation evaluation;
    progress.cancel = true;
    assert_false(evaluate(&evaluation, stream, NULL, &progress, &error));
    assert_int_equal(error.code, ERROR_CANCELLED);
    progress.cancel = false;
    uint64_t work = evaluate_work(stream);
    CHECK(evaluate(&evaluation, stream, NULL, &progress, &error));
    assert_true(progress.done == work);
    stream_close(stream);
}

/* Every allocation may fail: an error and no more. */
static void test_memory_faults(void **state) {
    struct fixture *fixture = *state;
    struct stream_options options = {.compute = COMPUTE_F32};
    bool ok = false;
    for (uint64_t n = 1; !ok && n < 200; n++) {
        struct evaluation evaluation;
        memory_fail_at(n);
        struct stream *stream = stream_open(fixture->model, fixture->ids, NULL, 1, 8, &options, &error);
        ok = stream != NULL && evaluate(&evaluation, stream, NULL, NULL, &error);
        memory_fail_at(0);
        if (!ok)
            assert_int_equal(error.code, ERROR_MEMORY);
        stream_close(stream);
    }
    assert_true(ok);
}

static void test_sampling(void **state) {
    struct fixture *fixture = *state;
    int32_t first[24] = {5, 9}, again[24] = {5, 9}, other[24] = {5, 9};
    size_t length = 2, same_length = 2, other_length = 2;
    struct generate_options options = {.temperature = 1, .seed = 7, .stop = -1};
    CHECK(generate(first, &length, 20, fixture->model, &options, NULL, NULL, NULL, &error));
    CHECK(generate(again, &same_length, 20, fixture->model, &options, NULL, NULL, NULL, &error));
    options.seed = 8;
    CHECK(generate(other, &other_length, 20, fixture->model, &options, NULL, NULL, NULL, &error));
    assert_int_equal(length, 22);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementary_functions),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_products),
        cmocka_unit_test_setup_teardown(test_causal_tiles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spilled_states, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_states_in_bf16, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_observer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_weights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_losses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_faults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sampling, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The engine against the reference implementation's logits, hidden states, losses and continuations. */
#include "base/memory.h"
#include "base/npy.h"
#include "engine/evaluate.h"
#include "engine/generate.h"
#include "tests/golden.h"
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

static char *in_folder(const char *folder, const char *file) {
    char relative[512];
    (void)snprintf(relative, sizeof relative, "%s/%s", folder, file);
    return golden_path(relative);
}

static struct npy open_array(const char *folder, const char *file) {
    struct npy npy;
    char *path = in_folder(folder, file);
    CHECK(npy_open(&npy, path, &error));
    memory_free(path);
    return npy;
}

static bool present(const char *folder, const char *file) {
    char *path = in_folder(folder, file);
    bool found = file_exists(path);
    memory_free(path);
    return found;
}

static float *read_floats(const char *folder, const char *file, size_t *count) {
    struct npy npy = open_array(folder, file);
    float *values = memory_alloc(npy.count, sizeof *values, NULL);
    npy_copy_floats(values, &npy, 0, npy.count);
    *count = npy.count;
    npy_close(&npy);
    return values;
}

/* Token ids [windows × length]. */
struct text {
    int32_t *ids;
    size_t windows, length;
};

static struct text read_tokens(const char *folder, const char *file) {
    struct npy npy = open_array(folder, file);
    assert_int_equal(npy.rank, 2);
    struct text text = {memory_alloc(npy.count, sizeof *text.ids, NULL), npy.shape[0], npy.shape[1]};
    for (size_t i = 0; i < npy.count; i++) {
        int64_t id;
        CHECK(npy_copy_integers(&id, &npy, i, 1, &error));
        text.ids[i] = (int32_t)id;
    }
    npy_close(&npy);
    return text;
}

static struct model *open_model(const char *folder) {
    char *path = golden_path(folder);
    struct model *model = model_open(path, &error);
    memory_free(path);
    if (model == NULL)
        fail_msg("%s: %s", folder, error.text);
    return model;
}

static struct stream *open_stream(const struct model *model, const struct text *text, const uint8_t *mask,
                                  enum compute compute) {
    struct stream_options options = {.compute = compute};
    struct stream *stream = stream_open(model, text->ids, mask, text->windows, text->length, &options, &error);
    if (stream == NULL)
        fail_msg("%s", error.text);
    return stream;
}

static void assert_near(const float *got, const float *expected, size_t count, double tolerance, const char *folder,
                        const char *what) {
    double worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)got[i] - (double)expected[i]);
        if (!(difference <= worst)) {
            worst = difference;
            at = i;
        }
    }
    if (!(worst <= tolerance))
        fail_msg("%s: %s differ by %g at %zu (%g, expected %g)", folder, what, worst, at, (double)got[at],
                 (double)expected[at]);
}

static double tolerance_of(const char *folder) {
    return strstr(folder, "gpt_neo") != NULL || strstr(folder, "mixtral") != NULL ? 2e-4 : 1e-4;
}

/* States before every block and behind the last, against hidden.npy. */
static void check_hidden(struct stream *stream, const char *folder) {
    size_t count,
        each = stream_windows(stream) * stream_length(stream) * (size_t)stream_model(stream)->architecture.hidden;
    float *expected = read_floats(folder, "hidden.npy", &count);
    float *states = memory_alloc(each, sizeof *states, NULL);
    for (size_t level = 0; level * each < count; level++) {
        char what[64];
        (void)snprintf(what, sizeof what, "hidden states %zu", level);
        CHECK(stream_pass(stream, NULL, true, NULL, &error));
        CHECK(stream_read(states, stream, 0, stream_windows(stream), &error));
        assert_near(states, expected + level * each, each, tolerance_of(folder), folder, what);
    }
    assert_int_equal(stream_next(stream), stream_model(stream)->architecture.blocks);
    memory_free(expected);
    memory_free(states);
}

static void check_logits(struct stream *stream, const char *folder, const char *file, const uint8_t *mask) {
    size_t count, length = stream_length(stream), vocabulary = (size_t)stream_model(stream)->architecture.vocabulary;
    float *expected = read_floats(folder, file, &count);
    float *logits = memory_alloc(length * vocabulary, sizeof *logits, NULL);
    for (size_t window = 0; window < stream_windows(stream); window++) {
        CHECK(loss_logits(logits, stream, window, NULL, &error));
        for (size_t t = 0; t < length; t++)
            if (mask == NULL || mask[window * length + t] != 0)
                assert_near(logits + t * vocabulary, expected + (window * length + t) * vocabulary, vocabulary,
                            tolerance_of(folder), folder, file);
    }
    memory_free(expected);
    memory_free(logits);
}

static void check_nll(struct stream *stream, const char *folder) {
    size_t count, length = stream_length(stream), windows = stream_windows(stream);
    float *expected = read_floats(folder, "nll.npy", &count);
    struct prediction *predictions = memory_alloc(windows * length, sizeof *predictions, NULL);
    CHECK(loss_predict(predictions, stream, 0, windows, NULL, &error));
    for (size_t window = 0; window < windows; window++)
        for (size_t t = 0; t + 1 < length; t++)
            assert_true(fabs(predictions[window * length + t].nll - (double)expected[window * (length - 1) + t]) <
                        tolerance_of(folder));
    memory_free(expected);
    memory_free(predictions);
}

static double read_number(const char *folder, const char *file) {
    char *path = in_folder(folder, file), *text = file_read(path, 1 << 16, NULL, &error);
    double value = text != NULL ? strtod(text, NULL) : (double)NAN;
    memory_free(path);
    memory_free(text);
    return value;
}

static void check_perplexity(const struct model *model, const char *folder, const char *tokens, const char *file,
                             double tolerance, enum compute compute) {
    struct text text = read_tokens(folder, tokens);
    struct stream *stream = open_stream(model, &text, NULL, compute);
    struct evaluation evaluation;
    double expected = read_number(folder, file);
    CHECK(evaluate(&evaluation, stream, NULL, NULL, &error));
    if (!(fabs(evaluation.perplexity - expected) <= tolerance * expected))
        fail_msg("%s: perplexity of %s is %.7f, expected %.7f", folder, tokens, evaluation.perplexity, expected);
    assert_true(evaluation.nll_error > 0);
    stream_close(stream);
    memory_free(text.ids);
}

static void check_greedy(const struct model *model, const char *folder) {
    struct text text = read_tokens(folder, "greedy.npy");
    struct generate_options options = {.stop = -1};
    for (size_t i = 0; i < text.windows; i++) {
        int32_t ids[64];
        size_t length = 8;
        const int32_t *expected = text.ids + i * text.length;
        memcpy(ids, expected, length * sizeof *ids);
        CHECK(generate(ids, &length, text.length - length, model, &options, NULL, NULL, NULL, &error));
        assert_int_equal(length, text.length);
        assert_memory_equal(ids, expected, length * sizeof *ids);
    }
    memory_free(text.ids);
}

static void check_padded(const struct model *model, const char *folder, const char *side) {
    char tokens[64], masks[64], logits[64];
    (void)snprintf(tokens, sizeof tokens, "pad_%s_tokens.npy", side);
    (void)snprintf(masks, sizeof masks, "pad_%s_mask.npy", side);
    (void)snprintf(logits, sizeof logits, "pad_%s_logits.npy", side);
    if (!present(folder, tokens))
        return;
    struct text text = read_tokens(folder, tokens), ones = read_tokens(folder, masks);
    uint8_t *mask = memory_alloc(text.windows * text.length, 1, NULL);
    for (size_t i = 0; i < text.windows * text.length; i++)
        mask[i] = ones.ids[i] != 0;
    struct stream *stream = open_stream(model, &text, mask, COMPUTE_F32);
    CHECK(stream_run(stream, NULL, NULL, &error));
    check_logits(stream, folder, logits, mask);
    stream_close(stream);
    memory_free(mask);
    memory_free(text.ids);
    memory_free(ones.ids);
}

static void test_family(void **state) {
    const char *folder = *state;
    struct model *model = open_model(folder);
    if (!model->architecture_known)
        fail_msg("%s: %s", folder, model->architecture_error.text);
    struct text text = read_tokens(folder, "tokens.npy");
    struct stream *stream = open_stream(model, &text, NULL, COMPUTE_F32);
    check_hidden(stream, folder);
    check_logits(stream, folder, "logits.npy", NULL);
    check_nll(stream, folder);
    stream_close(stream);
    check_perplexity(model, folder, "tokens.npy", "perplexity.txt", 1e-5, COMPUTE_F32);
    check_perplexity(model, folder, "heldout.npy", "ppl_dense.txt", 1e-5, COMPUTE_F32);
    check_greedy(model, folder);
    check_padded(model, folder, "left");
    check_padded(model, folder, "right");
    memory_free(text.ids);
    model_close(model);
}

/* Weights in models/, values in golden/trained_*. */
static const char *const trained[][2] = {
    {"models/sample", "golden/trained_sample"},
    {"models/stories260k", "golden/trained_stories260k"},
    {"models/llama-11m", "golden/trained_llama-11m"},
};

static void test_trained(void **state) {
    const char *const *row = *state;
    struct model *model = open_model(row[0]);
    check_perplexity(model, row[1], "tokens.npy", "perplexity.txt", 1e-5, COMPUTE_F32);
    check_perplexity(model, row[1], "heldout.npy", "ppl_dense.txt", 1e-5, COMPUTE_F32);
    if (gemm_has_bf16())
        check_perplexity(model, row[1], "heldout.npy", "ppl_dense.txt", 0.01, COMPUTE_BF16);
    model_close(model);
}

/* Every folder with logits.npy is a test. */
static size_t list_families(struct CMUnitTest *tests, size_t room) {
    char **names, *golden = golden_path("golden");
    size_t count, used = 0;
    if (!file_list(&names, &count, golden, &error))
        return 0;
    for (size_t i = 0; i < count && used < room; i++) {
        char *folder = file_join("golden", names[i], NULL);
        if (present(folder, "logits.npy"))
            tests[used++] = (struct CMUnitTest){.name = folder, .test_func = test_family, .initial_state = folder};
        else
            memory_free(folder);
    }
    file_list_free(names, count);
    memory_free(golden);
    return used;
}

int main(void) {
    struct CMUnitTest tests[128] = {0};
    if (golden_folder() == NULL)
        return GOLDEN_SKIPPED;
    size_t families = list_families(tests, 120);
    size_t count = families;
    for (size_t i = 0; i < sizeof trained / sizeof *trained; i++)
        tests[count++] = (struct CMUnitTest){
            .name = trained[i][0], .test_func = test_trained, .initial_state = (void *)(uintptr_t)trained[i]};
    int failures = _cmocka_run_group_tests("engine_golden", tests, count, NULL, NULL);
    for (size_t i = 0; i < families; i++)
        memory_free(tests[i].initial_state);
    return failures;
}

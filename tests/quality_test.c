/* The methods on a trained model's matrices: each one's output error beside SparseGPT's on the same inputs, which are
 * those of the dense model. */
#include "base/memory.h"
#include "calibrate/calibrate.h"
#include "engine/stream.h"
#include "model/corpus.h"
#include "prune/factor.h"
#include "prune/method.h"
#include "tests/golden.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define WINDOWS 16

static const struct target {
    double sparsity;
    struct pattern pattern;
} targets[] = {
    {0.5, {PATTERN_UNSTRUCTURED, 0, 0}}, {0.6, {PATTERN_UNSTRUCTURED, 0, 0}}, {0.7, {PATTERN_UNSTRUCTURED, 0, 0}},
    {0.8, {PATTERN_UNSTRUCTURED, 0, 0}}, {0.5, {PATTERN_N_M, 2, 4}},          {0.5, {PATTERN_N_M, 4, 8}},
};

static const struct candidate {
    const char *name;
    const char *rival; /* whose error it stays at or below ... */
    double share;      /* ... on at least this share of the matrices */
} candidates[] = {
    {"magnitude", NULL, 0},           {"sparsegpt", "magnitude", 0.95}, {"alps", "sparsegpt", 0.95},
    {"admm-fast", "sparsegpt", 0.75}, {"lasso", "magnitude", 0.95},     {"iht", "magnitude", 0.95},
    {"wanda", "magnitude", 0.75},     {"wanda+repair", "wanda", 0.95},  {"wanda+dsnot+repair", "wanda", 0.95},
};
#define CANDIDATES LENGTH(candidates)

struct score {
    double ratio; /* Σ log(error / SparseGPT's) */
    size_t wins, matrices;
};

struct study {
    struct model *model;
    struct score scores[LENGTH(targets)][CANDIDATES];
};

static double prune_error(const struct study *study, size_t matrix, const struct input_statistics *input,
                          struct factor **factor, const struct target *target, const char *method) {
    const struct matrix *one = &study->model->matrices[matrix];
    size_t count = (size_t)(one->rows * one->columns);
    float *weights = memory_alloc_aligned(count, sizeof *weights, NULL);
    float *change = memory_alloc_aligned(count, sizeof *change, NULL);
    struct method_chain chain;
    struct error error = {0};
    matrix_read(weights, one, 0, one->rows);
    memcpy(change, weights, count * sizeof *weights);
    struct layer layer = {.name = one->name,
                          .weights = weights,
                          .rows = one->rows,
                          .columns = one->columns,
                          .input = input,
                          .factor = *factor,
                          .pattern = target->pattern,
                          .sparsity = target->sparsity};
    if (!method_parse(&chain, method, &error) || !method_run(&layer, &chain, &error))
        fail_msg("%s: %s", one->name, error.text);
    *factor = layer.factor;
    for (size_t i = 0; i < count; i++)
        change[i] -= weights[i];
    double value = NAN;
    assert_true(hessian_quadratic(&value, input->hessian, change, one->rows, NULL, NULL));
    memory_free(weights);
    memory_free(change);
    return value;
}

static size_t candidate_index(const char *name) {
    size_t i = 0;
    while (strcmp(candidates[i].name, name) != 0)
        i++;
    return i;
}

static void study_matrix(struct study *study, size_t matrix, const struct input_statistics *input) {
    struct factor *factor = NULL;
    for (size_t t = 0; t < LENGTH(targets); t++) {
        double errors[CANDIDATES];
        for (size_t c = 0; c < CANDIDATES; c++)
            errors[c] = prune_error(study, matrix, input, &factor, &targets[t], candidates[c].name);
        for (size_t c = 0; c < CANDIDATES; c++) {
            struct score *score = &study->scores[t][c];
            score->matrices++;
            score->ratio += log(errors[c] / errors[candidate_index("sparsegpt")]);
            if (candidates[c].rival != NULL)
                score->wins += errors[c] <= errors[candidate_index(candidates[c].rival)];
        }
    }
    factor_free(factor);
}

static void study_block(struct study *study, struct stream *stream, int64_t block) {
    struct gathering gathering;
    struct error error = {0};
    assert_true(gathering_create(&gathering, study->model, block, true, false, &error));
    struct block_observer observer = gathering_observer(&gathering);
    assert_true(stream_pass(stream, &observer, true, NULL, &error));
    const struct block *place = &study->model->blocks[block];
    for (size_t m = place->first; m < place->first + place->count; m++)
        if (study->model->matrices[m].prunable)
            study_matrix(study, m, &gathering_input(&gathering, m)->statistics);
    gathering_free(&gathering);
}

static void study_model(struct study *study, const char *folder, const char *source) {
    struct error error = {0};
    struct corpus_options wanted = {.windows = WINDOWS};
    struct corpus corpus;
    if ((study->model = model_open(folder, &error)) == NULL || !corpus_open(&corpus, source, NULL, &wanted, &error))
        fail_msg("%s", error.text);
    struct stream_options options = {.compute = COMPUTE_F32};
    struct stream *stream =
        stream_open(study->model, corpus.ids, NULL, corpus.windows, corpus.length, &options, &error);
    if (stream == NULL || !stream_pass(stream, NULL, true, NULL, &error))
        fail_msg("%s", error.text);
    for (int64_t block = 0; block < (int64_t)study->model->block_count; block++)
        study_block(study, stream, block);
    stream_close(stream);
    corpus_close(&corpus);
    model_close(study->model);
}

static size_t print_study(const struct study *study) {
    size_t broken = 0;
    for (size_t t = 0; t < LENGTH(targets); t++) {
        char text[PATTERN_TEXT_SIZE];
        for (size_t c = 0; c < CANDIDATES; c++) {
            const struct score *score = &study->scores[t][c];
            double share = (double)score->wins / (double)score->matrices;
            bool bad = share < candidates[c].share;
            broken += bad;
            print_message("%s %g %-20s %.3f of sparsegpt's error, at most %s's on %zu of %zu%s\n",
                          pattern_text(text, targets[t].pattern), targets[t].sparsity, candidates[c].name,
                          exp(score->ratio / (double)score->matrices),
                          candidates[c].rival != NULL ? candidates[c].rival : "-", score->wins, score->matrices,
                          bad ? " (too few)" : "");
        }
    }
    return broken;
}

static void better_methods_have_lower_errors(void **state) {
    (void)state;
    static const char *const models[][2] = {{"models/stories260k", "golden/trained_stories260k/calib.npy"},
                                            {"models/sample", "golden/trained_sample/calib.npy"}};
    struct study study = {0};
    size_t broken = 0;
    for (size_t i = 0; i < LENGTH(models); i++) {
        char *folder = golden_path(models[i][0]);
        char *source = golden_path(models[i][1]);
        study_model(&study, folder, source);
        memory_free(folder);
        memory_free(source);
        broken = print_study(&study); /* of all models so far */
    }
    assert_int_equal(broken, 0);
}

int main(void) {
    if (golden_folder() == NULL)
        return GOLDEN_SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(better_methods_have_lower_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

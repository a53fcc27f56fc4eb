#include "tests/near_tie.h"

#include "base/memory.h"
#include "calibrate/calibrate.h"
#include "engine/stream.h"
#include "model/corpus.h"
#include "tests/solve_f64.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct replay {
    struct model *model; /* dense */
    float **pruned;      /* of each prunable matrix, [rows × columns] */
    int64_t begun;       /* blocks before it are the pruned ones */
    struct solve_f64 settings;
    struct near_ties found;
};

static const float *find_weights(void *context, size_t matrix) {
    const struct replay *replay = context;
    return replay->model->matrices[matrix].block < replay->begun ? replay->pruned[matrix] : NULL;
}

static float *read_matrix(const struct matrix *matrix) {
    float *weights = memory_alloc_aligned((size_t)(matrix->rows * matrix->columns), sizeof *weights, NULL);
    matrix_read(weights, matrix, 0, matrix->rows);
    return weights;
}

static void read_pruned(struct replay *replay, const struct checkpoint *pruned) {
    replay->pruned = memory_alloc(replay->model->matrix_count, sizeof *replay->pruned, NULL);
    for (size_t i = 0; i < replay->model->matrix_count; i++) {
        struct matrix matrix = replay->model->matrices[i];
        if (!matrix.prunable)
            continue;
        matrix.tensor = checkpoint_find(pruned, matrix.name);
        assert_non_null(matrix.tensor);
        replay->pruned[i] = read_matrix(&matrix);
    }
}

static void solve_matrix(struct replay *replay, size_t index, const struct input_statistics *input) {
    const struct matrix *matrix = &replay->model->matrices[index];
    struct solve_f64 solve = replay->settings;
    float *dense = read_matrix(matrix);
    solve.solved = replay->pruned[index];
    solve_f64_create(&solve, input, matrix->rows);
    solve_f64_run(&solve, dense);
    replay->found.ties += solve.near;
    replay->found.differing += solve_f64_differing(&solve, replay->pruned[index], NULL, NULL);
    solve_f64_free(&solve);
    memory_free(dense);
}

static void solve_block(struct replay *replay, struct stream *stream, int64_t block) {
    const struct block *place = &replay->model->blocks[block];
    struct gathering gathering;
    struct error error = {0};
    replay->begun = block;
    assert_true(gathering_create(&gathering, replay->model, block, true, false, &error));
    struct block_observer observer = gathering_observer(&gathering);
    assert_true(stream_pass(stream, &observer, false, NULL, &error));
    for (size_t m = place->first; m < place->first + place->count; m++)
        if (replay->model->matrices[m].prunable)
            solve_matrix(replay, m, &gathering_input(&gathering, m)->statistics);
    gathering_free(&gathering);
    replay->begun = block + 1;
    assert_true(stream_pass(stream, NULL, true, NULL, &error));
}

static void replay_all(struct replay *replay, const char *calibration) {
    struct corpus_options wanted = {.windows = 0};
    struct corpus corpus;
    struct error error = {0};
    struct weight_source source = {.find = find_weights, .context = replay};
    struct stream_options options = {.compute = COMPUTE_F32, .weights = &source};
    if (!corpus_open(&corpus, calibration, NULL, &wanted, &error))
        fail_msg("%s", error.text);
    struct stream *stream =
        stream_open(replay->model, corpus.ids, NULL, corpus.windows, corpus.length, &options, &error);
    if (stream == NULL || !stream_pass(stream, NULL, true, NULL, &error))
        fail_msg("%s", error.text);
    for (int64_t block = 0; block < (int64_t)replay->model->block_count; block++)
        solve_block(replay, stream, block);
    stream_close(stream);
    corpus_close(&corpus);
}

struct near_ties near_ties_find(const char *dense, const struct checkpoint *pruned, const char *calibration,
                                struct pattern pattern, double sparsity) {
    struct replay replay = {
        .settings = {.pattern = pattern, .sparsity = sparsity, .reference = true, .near_gap = NEAR_TIE_GAP}};
    struct error error = {0};
    if ((replay.model = model_open(dense, &error)) == NULL)
        fail_msg("%s", error.text);
    read_pruned(&replay, pruned);
    replay_all(&replay, calibration);
    for (size_t i = 0; i < replay.model->matrix_count; i++)
        memory_free(replay.pruned[i]);
    memory_free(replay.pruned);
    model_close(replay.model);
    return replay.found;
}

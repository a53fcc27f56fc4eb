/* What lies before the first block and behind the last: embedding, final norm, output matrix. */
#include "base/parallel.h"
#include "engine/engine.h"
#include "engine/vector.h"
#include <math.h>
#include <string.h>

static const struct weight *outer_weight(const struct engine *engine, enum role role) {
    return model_weight(engine->model, MODEL_NO_BLOCK, role, MODEL_NO_EXPERT, false);
}

/* Row `row` of a matrix outside blocks, wherever its numbers come from. */
static void read_row(float *out, const struct engine *engine, const struct weight *weight, int64_t row) {
    const struct matrix *matrix = &engine->model->matrices[weight->matrix];
    const struct weight_source *source = engine->options.weights;
    const float *values = source != NULL ? source->find(source->context, weight->matrix) : NULL;
    if (values != NULL)
        memcpy(out, values + row * matrix->columns, (size_t)matrix->columns * sizeof *out);
    else
        matrix_read(out, matrix, row, row + 1);
}

static bool check_ids(const struct engine *engine, const int32_t *ids, int64_t rows, struct error *error) {
    int64_t vocabulary = engine->model->matrices[outer_weight(engine, ROLE_EMBEDDING)->matrix].rows;
    for (int64_t i = 0; i < rows; i++)
        if (ids[i] < 0 || ids[i] >= vocabulary)
            return error_set(error, ERROR_INPUT, "token id %ld is outside the model's vocabulary of %lld", (long)ids[i],
                             (long long)vocabulary);
    return true;
}

/* Learned positions are counted over all tokens, in opt over those that are no padding. */
static void add_positions(const struct engine *engine, float *x, const struct batch *batch) {
    const struct architecture *a = &engine->model->architecture;
    const struct weight *table = outer_weight(engine, ROLE_POSITION);
    float *row = engine->fed;
    for (int64_t window = 0; window < batch->windows; window++) {
        const uint8_t *mask = batch->mask != NULL ? batch->mask + window * batch->length : NULL;
        int64_t position = 0;
        for (int64_t t = 0; t < batch->length; t++) {
            bool present = mask == NULL || mask[t] != 0 || a->position_offset == 0;
            read_row(row, engine, table, (present ? position : 0) + a->position_offset);
            for (int64_t j = 0; j < a->hidden; j++)
                x[(window * batch->length + t) * a->hidden + j] += row[j];
            position += present;
        }
    }
}

bool engine_embed(struct engine *engine, float *x, const int32_t *ids, const struct batch *batch, struct error *error) {
    const struct architecture *a = &engine->model->architecture;
    int64_t rows = batch->windows * batch->length, width = a->embedding_dim;
    const struct weight *table = outer_weight(engine, ROLE_EMBEDDING);
    const struct weight *project = outer_weight(engine, ROLE_PROJECT_IN);
    float *embedded = project != NULL ? engine->normed : x;
    engine->progress = NULL;
    if (!check_ids(engine, ids, rows, error))
        return false;
    for (int64_t i = 0; i < rows; i++)
        read_row(embedded + i * width, engine, table, ids[i]);
    if (a->embedding_multiplier != 1)
        for (int64_t i = 0; i < rows * width; i++)
            embedded[i] *= (float)a->embedding_multiplier;
    if (project != NULL && !engine_product(engine, x, a->hidden, embedded, project, rows, error))
        return false;
    if (a->position == POSITION_LEARNED)
        add_positions(engine, x, batch);
    if (a->embedding_norm)
        engine_norm(engine, x, x, MODEL_NO_BLOCK, ROLE_EMBEDDING_NORM, rows);
    return true;
}

bool engine_final(struct engine *engine, float *y, const float *x, int64_t rows, struct error *error) {
    const struct architecture *a = &engine->model->architecture;
    const struct weight *project = outer_weight(engine, ROLE_PROJECT_OUT);
    float *normed = project != NULL ? engine->normed : y;
    engine->progress = NULL;
    if (a->final_norm)
        engine_norm(engine, normed, x, MODEL_NO_BLOCK, ROLE_FINAL_NORM, rows);
    else
        memcpy(normed, x, (size_t)(rows * a->hidden) * sizeof *x);
    return project == NULL || engine_product(engine, y, a->embedding_dim, normed, project, rows, error);
}

struct logit_work {
    float *logits, multiplier, cap;
};

VECTOR_CLONES static void adjust(void *context, size_t begin, size_t end, int thread) {
    const struct logit_work *work = context;
    float *logits = work->logits, multiplier = work->multiplier;
    float cap = work->cap, inverse = cap > 0 ? 1.0f / cap : 0.0f;
    (void)thread;
    VECTOR_SIMD
    for (size_t i = begin; i < end; i++) {
        float value = logits[i] * multiplier;
        logits[i] = cap > 0 ? cap * vector_tanh(value * inverse) : value;
    }
}

bool engine_logits(struct engine *engine, float *logits, const float *final, int64_t rows, int64_t begin, int64_t end,
                   struct progress *progress, struct error *error) {
    const struct architecture *a = &engine->model->architecture;
    const struct weight *head = outer_weight(engine, ROLE_LM_HEAD);
    const struct weight_source *source = engine->options.weights;
    struct gemm_weights weights = {.matrix = &engine->model->matrices[head->matrix]};
    const float *bias = engine_vector(engine, MODEL_NO_BLOCK, ROLE_LM_HEAD, MODEL_NO_EXPERT, true);
    if (source != NULL)
        weights.values = source->find(source->context, head->matrix);
    weights.begin = begin;
    weights.end = end;
    if (!gemm_multiply(&engine->gemm, logits, end - begin, final, &weights, bias != NULL ? bias + begin : NULL, rows,
                       progress, error))
        return false;
    struct logit_work work = {logits, (float)a->logit_multiplier, (float)a->logit_softcap};
    if (a->logit_multiplier != 1 || a->logit_softcap > 0)
        parallel_for((size_t)(rows * (end - begin)), (size_t)1 << 15, adjust, &work);
    return true;
}

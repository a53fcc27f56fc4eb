/* The attention branch around the scores: projections, clipping, norms and turning of queries and keys. */
#include "engine/attention.h"

#include "base/parallel.h"
#include "engine/norm.h"
#include "engine/vector.h"

struct prepare_work {
    const struct architecture *architecture;
    const struct rotary *rotary;
    float *qkv;
    const struct norm *norms; /* per head: queries, then keys; or one for all queries and one for all keys */
    int64_t length;
};

VECTOR_CLONES static void clip(float *values, float limit, int64_t count) {
    VECTOR_SIMD
    for (int64_t i = 0; i < count; i++) {
        float low = values[i] < -limit ? -limit : values[i];
        values[i] = low > limit ? limit : low;
    }
}

/* Queries' and keys' heads counted together: first the queries' ones. */
static float *head_at(const struct architecture *a, float *row, int64_t head) {
    return row + (head < a->heads ? attention_query_place(a, head) : attention_key_place(a, head - a->heads));
}

static void norm_heads(const struct prepare_work *work, float *row) {
    const struct architecture *a = work->architecture;
    if (a->qk_norm_whole) {
        norm_row(head_at(a, row, 0), head_at(a, row, 0), &work->norms[0], a->heads * a->head_dim);
        norm_row(head_at(a, row, a->heads), head_at(a, row, a->heads), &work->norms[a->heads],
                 a->kv_heads * a->head_dim);
        return;
    }
    for (int64_t head = 0; head < a->heads + a->kv_heads; head++)
        norm_row(head_at(a, row, head), head_at(a, row, head), &work->norms[head], a->head_dim);
}

static void prepare_rows(void *context, size_t begin, size_t end, int thread) {
    const struct prepare_work *work = context;
    const struct architecture *a = work->architecture;
    (void)thread;
    for (size_t index = begin; index < end; index++) {
        float *row = work->qkv + index * (size_t)attention_row(a);
        if (a->qkv_clip > 0)
            clip(row, (float)a->qkv_clip, attention_row(a));
        if (a->qk_norm)
            norm_heads(work, row);
        for (int64_t head = 0; head < a->heads + a->kv_heads && work->rotary != NULL; head++)
            rotary_turn(head_at(a, row, head), work->rotary, (int64_t)index % work->length, a->rope.interleaved, false);
    }
}

/* One tensor for all heads, a row of one for each head, or a tensor for each. */
static const float *head_vector(const struct engine *engine, int64_t block, enum role role, int64_t head, bool bias) {
    const struct architecture *a = &engine->model->architecture;
    const float *all = engine_vector(engine, block, role, MODEL_NO_EXPERT, bias);
    if (!a->qk_norm_per_head_weights)
        return all;
    return all != NULL ? all + head * a->head_dim : engine_vector(engine, block, role, head, bias);
}

static void fill_head_norms(struct engine *engine, int64_t block) {
    const struct architecture *a = &engine->model->architecture;
    for (int64_t i = 0; i < a->heads + a->kv_heads; i++) {
        enum role role = i < a->heads ? ROLE_Q_NORM : ROLE_K_NORM;
        int64_t head = i < a->heads ? i : i - a->heads;
        engine->head_norms[i] = (struct norm){.kind = a->qk_norm_kind,
                                              .epsilon = a->norm_epsilon,
                                              .offset = a->norm_offset,
                                              .weight = head_vector(engine, block, role, head, false),
                                              .bias = head_vector(engine, block, role, head, true)};
    }
}

static void prepare(struct engine *engine, int64_t block, const struct batch *batch) {
    const struct architecture *a = &engine->model->architecture;
    struct prepare_work work = {.architecture = a,
                                .rotary = positions_rotary(&engine->positions, a, block),
                                .qkv = engine->qkv,
                                .norms = engine->head_norms,
                                .length = batch->length};
    if (a->qk_norm)
        fill_head_norms(engine, block);
    if (a->qk_norm || a->qkv_clip > 0 || work.rotary != NULL)
        parallel_for((size_t)(batch->windows * batch->length), 16, prepare_rows, &work);
}

static bool project(struct engine *engine, int64_t block, const float *x, const struct batch *batch,
                    struct error *error) {
    const struct model *model = engine->model;
    const struct architecture *a = &model->architecture;
    int64_t rows = batch->windows * batch->length, stride = attention_row(a);
    const struct weight *fused = model_weight(model, block, ROLE_QKV, MODEL_NO_EXPERT, false);
    const struct weight *q = model_weight(model, block, ROLE_Q, MODEL_NO_EXPERT, false);
    const struct weight *k = model_weight(model, block, ROLE_K, MODEL_NO_EXPERT, false);
    const struct weight *v = model_weight(model, block, ROLE_V, MODEL_NO_EXPERT, false);
    float *keys = engine->qkv + a->heads * a->head_dim, *values = keys + a->kv_heads * a->head_dim;
    if (!engine_observe(engine, fused != NULL ? fused : q, x, rows, batch, error))
        return false;
    if (fused != NULL)
        return engine_product(engine, engine->qkv, stride, x, fused, rows, error);
    return engine_product(engine, engine->qkv, stride, x, q, rows, error) &&
           engine_product(engine, keys, stride, x, k, rows, error) &&
           engine_product(engine, values, stride, x, v, rows, error);
}

bool attention_run(struct engine *engine, int64_t block, const float *x, const struct batch *batch,
                   struct error *error) {
    const struct model *model = engine->model;
    int64_t rows = batch->windows * batch->length;
    const struct weight *o = model_weight(model, block, ROLE_O, MODEL_NO_EXPERT, false);
    if (!project(engine, block, x, batch, error))
        return false;
    prepare(engine, block, batch);
    attention_attend(engine, block, batch);
    progress_add(engine->progress, attention_work(&model->architecture, block, batch->windows, batch->length));
    return engine_observe(engine, o, engine->context, rows, batch, error) &&
           engine_product(engine, engine->output, model->architecture.hidden, engine->context, o, rows, error);
}

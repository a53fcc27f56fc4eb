#include "engine/engine.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "engine/attention.h"
#include "engine/experts.h"
#include "engine/norm.h"
#include <string.h>

static bool is_vector(const struct weight *weight) {
    return weight->matrix == SIZE_MAX && weight->role < ROLE_SCALE && dtype_info(weight->tensor->dtype)->real;
}

/* Floats that the vectors of a block take, each beginning on a cache line. */
static size_t vector_floats(const struct model *model, int64_t block) {
    size_t total = 0;
    for (size_t i = 0; i < model->weight_count; i++)
        if (model->weights[i].block == block && is_vector(&model->weights[i]))
            total += ((size_t)model->weights[i].tensor->count + 15) / 16 * 16;
    return total;
}

static size_t most_vector_floats(const struct model *model) {
    size_t most = 0;
    for (int64_t block = 0; block < model->architecture.blocks; block++) {
        size_t floats = vector_floats(model, block);
        most = floats > most ? floats : most;
    }
    return most;
}

/* Widens the vectors of a block to `at`. */
static void load_vectors(struct engine *engine, float *at, int64_t block) {
    const struct model *model = engine->model;
    for (size_t i = 0; i < model->weight_count; i++) {
        const struct tensor *tensor = model->weights[i].tensor;
        if (model->weights[i].block != block || !is_vector(&model->weights[i]))
            continue;
        dtype_widen(at, tensor->data, tensor->dtype, (size_t)tensor->count);
        engine->vector_at[i] = at;
        at += ((size_t)tensor->count + 15) / 16 * 16;
    }
}

const float *engine_vector(const struct engine *engine, int64_t block, enum role role, int64_t expert, bool bias) {
    const struct weight *weight = model_weight(engine->model, block, role, expert, bias);
    const struct weight_source *source = engine->options.weights;
    if (weight == NULL)
        return NULL;
    size_t index = (size_t)(weight - engine->model->weights);
    const float *other =
        source != NULL && source->find_vector != NULL ? source->find_vector(source->context, index) : NULL;
    return other != NULL ? other : engine->vector_at[index];
}

static int64_t largest(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t most_units(const struct architecture *a) {
    return largest(a->intermediate, largest(a->experts.intermediate, a->experts.shared_intermediate));
}

static int64_t most_columns(const struct architecture *a) {
    return largest(largest(a->hidden, a->embedding_dim), largest(most_units(a), a->heads * a->head_dim));
}

/* The workspace: where each buffer is kept and how many floats a token takes in it. */
struct buffer_size {
    float **buffer;
    int64_t each;
};
#define BUFFERS 9

static void list_buffers(struct buffer_size list[BUFFERS], struct engine *engine, const struct architecture *a) {
    int64_t units = most_units(a);
    const struct buffer_size all[BUFFERS] = {
        {&engine->normed, largest(a->hidden, a->embedding_dim)},
        {&engine->normed_2, a->hidden},
        {&engine->qkv, attention_row(a)},
        {&engine->context, a->heads * a->head_dim},
        {&engine->output, a->hidden},
        {&engine->units, a->gated ? 2 * units : units},
        {&engine->hidden, units},
        {&engine->fed, a->hidden},
        {&engine->before, a->hidden},
    };
    memcpy(list, all, sizeof all);
}

uint64_t engine_bytes(const struct model *model, enum compute compute, int64_t length, int64_t tokens) {
    const struct architecture *a = &model->architecture;
    struct engine engine;
    struct buffer_size list[BUFFERS];
    uint64_t floats = most_vector_floats(model) + vector_floats(model, MODEL_NO_BLOCK) +
                      (uint64_t)parallel_threads() * attention_scratch(length);
    list_buffers(list, &engine, a);
    for (size_t i = 0; i < BUFFERS; i++)
        floats += (uint64_t)list[i].each * (uint64_t)tokens;
    return floats * sizeof(float) + gemm_bytes(compute, most_columns(a), tokens) + positions_bytes(a, length) +
           experts_bytes(a, tokens);
}

static bool create_workspace(struct engine *engine, struct error *error) {
    const struct architecture *a = &engine->model->architecture;
    struct buffer_size list[BUFFERS];
    list_buffers(list, engine, a);
    for (size_t i = 0; i < BUFFERS; i++) {
        size_t count = 0;
        if (!memory_multiply(&count, (size_t)list[i].each, (size_t)engine->tokens))
            return error_set(error, ERROR_MEMORY, "%lld tokens at once do not fit into memory",
                             (long long)engine->tokens);
        *list[i].buffer = memory_alloc_aligned(count, sizeof(float), error);
        if (*list[i].buffer == NULL)
            return false;
    }
    size_t scratch = attention_scratch(engine->length) * (size_t)parallel_threads();
    engine->attention_scratch = memory_alloc_aligned(scratch, sizeof(float), error);
    engine->head_norms = memory_alloc((size_t)(a->heads + a->kv_heads), sizeof *engine->head_norms, error);
    if (a->experts.count > 0)
        engine->routing = experts_create(a, engine->tokens, error);
    return engine->attention_scratch != NULL && engine->head_norms != NULL &&
           (a->experts.count == 0 || engine->routing != NULL);
}

static bool create_vectors(struct engine *engine, struct error *error) {
    const struct model *model = engine->model;
    engine->outer_vectors = vector_floats(model, MODEL_NO_BLOCK);
    engine->loaded = MODEL_NO_BLOCK;
    engine->vectors = memory_alloc_aligned(engine->outer_vectors + most_vector_floats(model), sizeof(float), error);
    engine->vector_at = memory_alloc(model->weight_count, sizeof *engine->vector_at, error);
    if (engine->vectors == NULL || engine->vector_at == NULL)
        return false;
    load_vectors(engine, engine->vectors, MODEL_NO_BLOCK);
    return true;
}

void engine_load(struct engine *engine, int64_t block) {
    if (engine->loaded != block)
        load_vectors(engine, engine->vectors + engine->outer_vectors, block);
    engine->loaded = block;
}

bool engine_create(struct engine *engine, const struct model *model, const struct engine_options *options,
                   int64_t length, int64_t tokens, struct error *error) {
    const struct architecture *a = &model->architecture;
    memset(engine, 0, sizeof *engine);
    if (!model->architecture_known) {
        if (error != NULL)
            *error = model->architecture_error;
        return false;
    }
    if (a->positions > 0 && length > a->positions && a->position == POSITION_LEARNED)
        return error_set(error, ERROR_USAGE, "windows of %lld tokens are longer than the model's %lld positions",
                         (long long)length, (long long)a->positions);
    engine->model = model;
    engine->options = *options;
    engine->length = length;
    engine->tokens = tokens;
    if (gemm_create(&engine->gemm, options->compute, most_columns(a), tokens, error) &&
        positions_create(&engine->positions, a, length, error) && create_vectors(engine, error) &&
        create_workspace(engine, error))
        return true;
    engine_free(engine);
    return false;
}

void engine_free(struct engine *engine) {
    struct buffer_size list[BUFFERS];
    if (engine->model == NULL)
        return;
    list_buffers(list, engine, &engine->model->architecture);
    for (size_t i = 0; i < BUFFERS; i++)
        memory_free(*list[i].buffer);
    gemm_free(&engine->gemm);
    positions_free(&engine->positions);
    experts_free(engine->routing);
    memory_free(engine->vectors);
    memory_free(engine->vector_at);
    memory_free(engine->attention_scratch);
    memory_free(engine->head_norms);
    memset(engine, 0, sizeof *engine);
}

void engine_norm(const struct engine *engine, float *y, const float *x, int64_t block, enum role role, int64_t rows) {
    const struct architecture *a = &engine->model->architecture;
    struct norm norm = {.kind = a->norm,
                        .epsilon = a->norm_epsilon,
                        .offset = a->norm_offset,
                        .weight = engine_vector(engine, block, role, MODEL_NO_EXPERT, false),
                        .bias = engine_vector(engine, block, role, MODEL_NO_EXPERT, true)};
    norm_rows(y, x, &norm, rows, a->hidden);
}

bool engine_product(struct engine *engine, float *y, int64_t y_stride, const float *x, const struct weight *weight,
                    int64_t rows, struct error *error) {
    const struct weight_source *source = engine->options.weights;
    struct gemm_weights weights = {.matrix = &engine->model->matrices[weight->matrix]};
    if (source != NULL)
        weights.values = source->find(source->context, weight->matrix);
    const float *bias = engine_vector(engine, weight->block, weight->role, weight->expert, true);
    return gemm_multiply(&engine->gemm, y, y_stride, x, &weights, bias, rows, engine->progress, error);
}

bool engine_observe_input(struct engine *engine, const struct weight *weight, struct observed_input *input,
                          struct error *error) {
    const struct block_observer *observer = engine->observer;
    const struct matrix *matrix = &engine->model->matrices[weight->matrix];
    if (observer == NULL || observer->input == NULL)
        return true;
    input->block = weight->block;
    input->matrix = engine->model->blocks[weight->block].first + matrix->input;
    input->columns = matrix->columns;
    return observer->input(observer->context, input, error);
}

bool engine_observe(struct engine *engine, const struct weight *weight, const float *x, int64_t rows,
                    const struct batch *batch, struct error *error) {
    struct observed_input input = {.x = x, .rows = rows, .batch = batch};
    return engine_observe_input(engine, weight, &input, error);
}

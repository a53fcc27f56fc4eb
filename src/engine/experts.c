#include "engine/experts.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "engine/feed_forward.h"
#include <math.h>
#include <string.h>

struct routing *experts_create(const struct architecture *a, int64_t tokens, struct error *error) {
    size_t count = (size_t)tokens, hidden = (size_t)a->hidden;
    struct routing *routing = memory_alloc(1, sizeof *routing, error);
    if (routing == NULL)
        return NULL;
    routing->probability = memory_alloc(count * (size_t)a->experts.count, sizeof(float), error);
    routing->chosen = memory_alloc(count * (size_t)a->experts.per_token, sizeof(int32_t), error);
    routing->weight = memory_alloc(count * (size_t)a->experts.per_token, sizeof(float), error);
    routing->tokens = memory_alloc(count, sizeof(int64_t), error);
    routing->share = memory_alloc(count, sizeof(float), error);
    routing->x = memory_alloc_aligned(count * hidden, sizeof(float), error);
    routing->y = memory_alloc_aligned(count * hidden, sizeof(float), error);
    if (routing->probability != NULL && routing->chosen != NULL && routing->weight != NULL && routing->tokens != NULL &&
        routing->share != NULL && routing->x != NULL && routing->y != NULL)
        return routing;
    experts_free(routing);
    return NULL;
}

void experts_free(struct routing *routing) {
    if (routing == NULL)
        return;
    memory_free(routing->probability);
    memory_free(routing->chosen);
    memory_free(routing->weight);
    memory_free(routing->tokens);
    memory_free(routing->share);
    memory_free(routing->x);
    memory_free(routing->y);
    memory_free(routing);
}

uint64_t experts_bytes(const struct architecture *a, int64_t tokens) {
    uint64_t each = (uint64_t)a->experts.count + 2 * (uint64_t)a->experts.per_token + 3 + 2 * (uint64_t)a->hidden;
    return a->experts.count > 0 ? (uint64_t)tokens * each * sizeof(float) : 0;
}

struct choose_work {
    struct routing *routing;
    const struct experts *experts;
};

static void softmax(float *values, int64_t count) {
    float peak = values[0];
    double total = 0;
    for (int64_t i = 1; i < count; i++)
        peak = values[i] > peak ? values[i] : peak;
    for (int64_t i = 0; i < count; i++)
        total += (double)(values[i] = expf(values[i] - peak));
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)((double)values[i] / total);
}

static bool is_chosen(const int32_t *chosen, int64_t count, int64_t expert) {
    for (int64_t i = 0; i < count; i++)
        if (chosen[i] == expert)
            return true;
    return false;
}

/* The experts with the largest probabilities, the first of equals; weights that add up to 1 where the model says so. */
static void choose_token(const struct choose_work *work, size_t token) {
    const struct experts *experts = work->experts;
    float *probability = work->routing->probability + token * (size_t)experts->count;
    int32_t *chosen = work->routing->chosen + token * (size_t)experts->per_token;
    float *weight = work->routing->weight + token * (size_t)experts->per_token;
    double total = 0;
    softmax(probability, experts->count);
    for (int64_t i = 0; i < experts->per_token; i++) {
        int64_t best = -1;
        for (int64_t expert = 0; expert < experts->count; expert++)
            if ((best < 0 || probability[expert] > probability[best]) && !is_chosen(chosen, i, expert))
                best = expert;
        chosen[i] = (int32_t)best;
        weight[i] = probability[best];
        total += (double)weight[i];
    }
    for (int64_t i = 0; i < experts->per_token && experts->normalize; i++)
        weight[i] = (float)((double)weight[i] / total);
}

static void choose_some(void *context, size_t begin, size_t end, int thread) {
    (void)thread;
    for (size_t token = begin; token < end; token++)
        choose_token(context, token);
}

/* The rows that go to an expert, put together; returns how many. */
static int64_t gather(struct routing *routing, const float *x, const struct architecture *a, int64_t expert,
                      int64_t rows) {
    int64_t count = 0, each = a->experts.per_token;
    for (int64_t slot = 0; slot < rows * each; slot++) {
        if (routing->chosen[slot] != expert)
            continue;
        routing->tokens[count] = slot / each;
        routing->share[count] = routing->weight[slot];
        memcpy(routing->x + count * a->hidden, x + slot / each * a->hidden, (size_t)a->hidden * sizeof *x);
        count++;
    }
    return count;
}

static void add_weighted(float *out, const struct routing *routing, int64_t count, int64_t hidden) {
    for (int64_t i = 0; i < count; i++) {
        float *row = out + routing->tokens[i] * hidden;
        for (int64_t j = 0; j < hidden; j++)
            row[j] += routing->share[i] * routing->y[i * hidden + j];
    }
}

static bool observe_expert(struct engine *engine, const struct feed_forward *part, struct error *error) {
    const struct block_observer *observer = engine->observer;
    struct observed_input output = {.block = part->block,
                                    .x = engine->routing->y,
                                    .rows = part->rows,
                                    .columns = engine->model->architecture.hidden,
                                    .batch = part->batch,
                                    .tokens = part->tokens,
                                    .routing = part->routing};
    return observer == NULL || observer->expert == NULL ||
           observer->expert(observer->context, part->expert, &output, error);
}

static bool run_expert(struct engine *engine, int64_t block, int64_t expert, const float *x, const struct batch *batch,
                       struct error *error) {
    const struct architecture *a = &engine->model->architecture;
    struct routing *routing = engine->routing;
    int64_t count = gather(routing, x, a, expert, batch->windows * batch->length);
    struct feed_forward part = {.block = block,
                                .expert = expert,
                                .x = routing->x,
                                .rows = count,
                                .batch = batch,
                                .tokens = routing->tokens,
                                .routing = routing->share};
    if (count == 0)
        return true;
    if (!feed_forward_run(engine, routing->y, &part, true, error) || !observe_expert(engine, &part, error))
        return false;
    add_weighted(engine->fed, routing, count, a->hidden);
    return true;
}

/* The expert that every token passes, behind a gate of its own (sigmoid of x·w) where there is one. */
static bool run_shared(struct engine *engine, int64_t block, const float *x, const struct batch *batch,
                       struct error *error) {
    const struct architecture *a = &engine->model->architecture;
    struct routing *routing = engine->routing;
    int64_t rows = batch->windows * batch->length;
    const struct weight *gate = model_weight(engine->model, block, ROLE_SHARED_ROUTER, MODEL_NO_EXPERT, false);
    if (gate == NULL)
        gate = model_weight(engine->model, block, ROLE_SHARED_ROUTER, MODEL_SHARED_EXPERT, false);
    struct feed_forward part = {.block = block, .expert = MODEL_SHARED_EXPERT, .x = x, .rows = rows, .batch = batch};
    if (!feed_forward_run(engine, routing->y, &part, false, error))
        return false;
    if (gate != NULL && !engine_product(engine, routing->share, 1, x, gate, rows, error))
        return false;
    for (int64_t i = 0; i < rows; i++) {
        routing->tokens[i] = i;
        routing->share[i] = gate != NULL ? 1.0f / (1.0f + expf(-routing->share[i])) : 1.0f;
    }
    add_weighted(engine->fed, routing, rows, a->hidden);
    return true;
}

bool experts_run(struct engine *engine, int64_t block, const float *x, const struct batch *batch, struct error *error) {
    const struct architecture *a = &engine->model->architecture;
    int64_t rows = batch->windows * batch->length;
    struct routing *routing = engine->routing;
    const struct weight *router = model_weight(engine->model, block, ROLE_ROUTER, MODEL_NO_EXPERT, false);
    if (!engine_observe(engine, router, x, rows, batch, error) ||
        !engine_product(engine, routing->probability, a->experts.count, x, router, rows, error))
        return false;
    struct choose_work work = {routing, &a->experts};
    parallel_for((size_t)rows, 64, choose_some, &work);
    memset(engine->fed, 0, (size_t)(rows * a->hidden) * sizeof *engine->fed);
    for (int64_t expert = 0; expert < a->experts.count; expert++)
        if (!run_expert(engine, block, expert, x, batch, error))
            return false;
    return a->experts.shared_intermediate == 0 || run_shared(engine, block, x, batch, error);
}

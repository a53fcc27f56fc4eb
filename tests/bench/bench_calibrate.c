/* What calibration costs beside the forward pass of a block of TinyLlama-1.1B's shapes on 2048 tokens, and Hessians
 * against the rate of ssyrk, copying included; all measured in this run. */
#include "base/memory.h"
#include "calibrate/calibrate.h"
#include "engine/engine.h"
#include "tests/bench/bench.h"
#include "tests/made_folder.h"
#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS 2048
#define HIDDEN 2048
#define UNITS 5632
#define KEYS 256

static const char config[] = "{\"model_type\":\"llama\",\"vocab_size\":64,\"hidden_size\":2048,"
                             "\"intermediate_size\":5632,\"num_hidden_layers\":1,\"num_attention_heads\":32,"
                             "\"num_key_value_heads\":4,\"rms_norm_eps\":1e-5,\"max_position_embeddings\":2048,"
                             "\"tie_word_embeddings\":true}";
static const struct made_tensor tensors[] = {
    {"model.embed_tokens.weight", 64, HIDDEN},
    {"model.norm.weight", HIDDEN, 0},
    {"model.layers.%d.input_layernorm.weight", HIDDEN, 0},
    {"model.layers.%d.post_attention_layernorm.weight", HIDDEN, 0},
    {"model.layers.%d.self_attn.q_proj.weight", HIDDEN, HIDDEN},
    {"model.layers.%d.self_attn.k_proj.weight", KEYS, HIDDEN},
    {"model.layers.%d.self_attn.v_proj.weight", KEYS, HIDDEN},
    {"model.layers.%d.self_attn.o_proj.weight", HIDDEN, HIDDEN},
    {"model.layers.%d.mlp.gate_proj.weight", UNITS, HIDDEN},
    {"model.layers.%d.mlp.up_proj.weight", UNITS, HIDDEN},
    {"model.layers.%d.mlp.down_proj.weight", HIDDEN, UNITS},
};

struct block_run {
    struct engine engine;
    struct batch batch;
    struct block_observer observer;
    bool watched;
    float *x, *y;
};

static void run_block(void *context) {
    struct block_run *run = context;
    memcpy(run->y, run->x, (size_t)TOKENS * HIDDEN * sizeof *run->y);
    if (!engine_block(&run->engine, 0, run->y, &run->batch, run->watched ? &run->observer : NULL, NULL, NULL))
        abort();
}

static void fill(float *x, size_t count) {
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((i * 2654435761u >> 7) % 2001) / 1000.0f - 1.0f;
}

static void bench_statistics(const struct model *model) {
    struct gathering gathering;
    struct block_run run = {.batch = {.windows = 1, .length = TOKENS}};
    struct engine_options options = {.compute = COMPUTE_F32};
    run.x = memory_alloc_aligned((size_t)TOKENS * HIDDEN, sizeof *run.x, NULL);
    run.y = memory_alloc_aligned((size_t)TOKENS * HIDDEN, sizeof *run.y, NULL);
    if (run.x == NULL || run.y == NULL || !engine_create(&run.engine, model, &options, TOKENS, TOKENS, NULL) ||
        !gathering_create(&gathering, model, 0, false, false, NULL))
        abort();
    fill(run.x, (size_t)TOKENS * HIDDEN);
    run.observer = gathering_observer(&gathering);
    double alone = bench_seconds(run_block, &run);
    run.watched = true;
    double watched = bench_seconds(run_block, &run);
    bench_at_most("activation statistics, % of the forward pass", 100 * (watched / alone - 1), 5);
    gathering_free(&gathering);
    engine_free(&run.engine);
    memory_free(run.x);
    memory_free(run.y);
}

struct hessian_run {
    struct hessian hessian;
    float *x, *c;
};

static void run_ssyrk(void *context) {
    struct hessian_run *run = context;
    int n = (int)run->hessian.n;
    cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, n, TOKENS, 1, run->x, n, 0, run->c, n);
}

static void run_hessian(void *context) {
    struct hessian_run *run = context;
    if (!hessian_add(&run->hessian, run->x, TOKENS, 1, false, NULL))
        abort();
}

static void bench_hessian(int64_t n) {
    char what[64];
    struct hessian_run run;
    size_t inputs = (size_t)n;
    run.x = memory_alloc_aligned(TOKENS * inputs, sizeof *run.x, NULL);
    run.c = memory_alloc_aligned(inputs * inputs, sizeof *run.c, NULL);
    if (run.x == NULL || run.c == NULL || !hessian_create(&run.hessian, n, NULL))
        abort();
    fill(run.x, TOKENS * inputs);
    double ssyrk = bench_seconds(run_ssyrk, &run);
    double ours = bench_seconds(run_hessian, &run);
    (void)snprintf(what, sizeof what, "Hessian of %lld inputs, %% of ssyrk's rate", (long long)n);
    bench_at_least(what, 100 * ssyrk / ours, 92);
    hessian_free(&run.hessian);
    memory_free(run.x);
    memory_free(run.c);
}

int main(void) {
    struct error error;
    char *folder = made_folder_create(config, tensors, sizeof tensors / sizeof *tensors, 1, DTYPE_F32, 1);
    struct model *model = folder != NULL ? model_open(folder, &error) : NULL;
    if (model == NULL)
        return 1;
    bench_statistics(model);
    model_close(model);
    made_folder_remove(folder);
    bench_hessian(4096);
    bench_hessian(11008);
    return 0;
}

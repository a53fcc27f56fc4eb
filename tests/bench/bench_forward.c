/* The forward pass of a block of TinyLlama-1.1B's shapes on 2048 tokens against the rate of sgemm, both measured in
 * this run; causal work is counted once. Goals: f32 products >= 95 % of sgemm, block >= 85 %; bf16 products >= 1.7
 * times the f32 ones, block >= 1.5 times; two threads >= 1.8 times one. */
#include "base/memory.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "engine/attention.h"
#include "engine/engine.h"
#include "engine/norm.h"
#include "tests/made_folder.h"
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEATS 7
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

/* Best times of one setting. */
struct times {
    double sgemm, products, attention, block;
};

static double product_work(const struct model *model) {
    double work = 0;
    for (size_t i = 0; i < model->blocks[0].count; i++)
        work += (double)gemm_work(&model->matrices[model->blocks[0].first + i], TOKENS);
    return work;
}

static double sgemm_time(const float *a, const float *b, float *c) {
    double start = progress_clock();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, TOKENS, HIDDEN, HIDDEN, 1, a, HIDDEN, b, HIDDEN, 0, c, HIDDEN);
    return (progress_clock() - start) / (2.0 * TOKENS * HIDDEN * HIDDEN);
}

static double products_time(struct engine *engine, const float *x, float *y) {
    const struct model *model = engine->model;
    double start = progress_clock();
    for (size_t i = 0; i < model->blocks[0].count; i++) {
        const struct matrix *matrix = &model->matrices[model->blocks[0].first + i];
        struct gemm_weights weights = {.matrix = matrix};
        (void)gemm_multiply(&engine->gemm, y, matrix->rows, x, &weights, NULL, TOKENS, NULL, NULL);
    }
    return progress_clock() - start;
}

static struct times measure(const struct model *model, enum compute compute, int threads) {
    struct engine engine;
    struct error error;
    struct engine_options options = {.compute = compute};
    struct batch batch = {.windows = 1, .length = TOKENS};
    struct times best = {INFINITY, INFINITY, INFINITY, INFINITY};
    parallel_set_threads(threads);
    if (!engine_create(&engine, model, &options, TOKENS, TOKENS, &error)) {
        (void)fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    float *x = memory_alloc_aligned((size_t)TOKENS * UNITS, sizeof *x, NULL);
    float *y = memory_alloc_aligned((size_t)TOKENS * UNITS, sizeof *y, NULL);
    for (size_t i = 0; i < (size_t)TOKENS * UNITS; i++)
        x[i] = (float)((i * 2654435761u >> 7) % 2001) / 1000.0f - 1.0f;
    for (int i = 0; i < REPEATS; i++) {
        best.sgemm = fmin(best.sgemm, sgemm_time(x, x + HIDDEN, y));
        best.products = fmin(best.products, products_time(&engine, x, y));
        double start = progress_clock();
        attention_attend(&engine, 0, &batch);
        best.attention = fmin(best.attention, progress_clock() - start);
        memcpy(y, x, (size_t)TOKENS * HIDDEN * sizeof *y);
        start = progress_clock();
        (void)engine_block(&engine, 0, y, &batch, NULL, NULL, NULL);
        best.block = fmin(best.block, progress_clock() - start);
    }
    memory_free(x);
    memory_free(y);
    engine_free(&engine);
    return best;
}

static void print_row(const char *name, const struct model *model, const struct times *times, double sgemm) {
    double products = product_work(model), block = (double)engine_block_work(model, 0, 1, TOKENS);
    (void)printf("%-16s products %6.1f GF/s (%5.1f %% of sgemm)  attention %6.1f  block %6.1f GF/s (%5.1f %%)\n", name,
                 products / times->products * 1e-9, 100 * products * sgemm / times->products,
                 (block - products) / times->attention * 1e-9, block / times->block * 1e-9,
                 100 * block * sgemm / times->block);
}

int main(void) {
    struct error error;
    char *folder = made_folder_create(config, tensors, sizeof tensors / sizeof *tensors, 1, DTYPE_BF16, 1);
    struct model *model = folder != NULL ? model_open(folder, &error) : NULL;
    if (model == NULL)
        return 1;
    struct times one = measure(model, COMPUTE_F32, 1), two = measure(model, COMPUTE_F32, 2);
    (void)printf("sgemm            %6.1f GF/s with 1 thread, %6.1f with 2\n", 1e-9 / one.sgemm, 1e-9 / two.sgemm);
    print_row("f32, 1 thread", model, &one, one.sgemm);
    print_row("f32, 2 threads", model, &two, two.sgemm);
    (void)printf("two threads      products %.2f, attention %.2f, block %.2f times one\n", one.products / two.products,
                 one.attention / two.attention, one.block / two.block);
    if (gemm_has_bf16()) {
        struct times half = measure(model, COMPUTE_BF16, 2);
        print_row("bf16, 2 threads", model, &half, two.sgemm);
        (void)printf("bf16             products %.2f, block %.2f times f32\n", two.products / half.products,
                     two.block / half.block);
    }
    model_close(model);
    made_folder_remove(folder);
    return 0;
}

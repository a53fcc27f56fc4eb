/* Families without reference files: the engine against the plain forward pass of reference_forward.c on small random
 * models. */
#include "base/memory.h"
#include "engine/loss.h"
#include "tests/made_folder.h"
#include "tests/reference_forward.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VOCABULARY 40
#define POSITIONS 48
#define LENGTH 20
#define PI 3.141592653589793

static struct error error;

static double silu(double x) {
    return x / (1 + exp(-x));
}

static double gelu(double x) {
    return x * erfc(-x / sqrt(2)) / 2;
}

static double gelu_tanh(double x) {
    return x * (1 + tanh(sqrt(2 / PI) * (x + 0.044715 * x * x * x))) / 2;
}

static double relu(double x) {
    return x > 0 ? x : 0;
}

static double relu_squared(double x) {
    return x > 0 ? x * x : 0;
}

static double linear_frequency(const struct reference *r, double base, int pair, int length) {
    (void)length;
    return pow(base, -2.0 * pair / r->turning) / 4;
}

/* max_position_embeddings 8, factor 2. */
static double dynamic_frequency(const struct reference *r, double base, int pair, int length) {
    double grown = base * pow(2.0 * length / 8 - 1, r->turning / (r->turning - 2.0));
    return pow(grown, -2.0 * pair / r->turning);
}

/* max_position_embeddings 512, factor 4, beta 32 and 1. */
static double yarn_frequency(const struct reference *r, double base, int pair, int length) {
    (void)length;
    double low = floor(r->turning * log(512 / (32 * 2 * PI)) / (2 * log(base)));
    double high = ceil(r->turning * log(512 / (1 * 2 * PI)) / (2 * log(base)));
    low = low < 0 ? 0 : low;
    high = high > r->turning - 1 ? r->turning - 1 : high;
    double ramp = (pair - low) / (high - low);
    ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
    double plain = pow(base, -2.0 * pair / r->turning);
    return plain / 4 * ramp + plain * (1 - ramp);
}

static double long_frequency(const struct reference *r, double base, int pair, int length) {
    static const double factors[] = {1.5, 2, 3, 4.5};
    (void)length;
    return pow(base, -2.0 * pair / r->turning) / factors[pair];
}

/* 4 heads: 2^-2, 2^-4, 2^-6, 2^-8. */
static double slope_of_4(const struct reference *r, int head) {
    (void)r;
    return pow(2, -2.0 * (head + 1));
}

/* 6 heads: those of 4, then every other one of 8. */
static double slope_of_6(const struct reference *r, int head) {
    static const double powers[] = {2, 4, 6, 8, 1, 3};
    (void)r;
    return pow(2, -powers[head]);
}

static int place_blocks(const struct reference *r, int part, int head) {
    int start = part == 0 ? 0 : part == 1 ? r->heads : r->heads + r->kv_heads;
    return (start + head) * r->dim;
}

static int place_per_head(const struct reference *r, int part, int head) {
    return (3 * head + part) * r->dim;
}

static int place_per_group(const struct reference *r, int part, int head) {
    int group = r->heads / r->kv_heads;
    if (part == 0)
        return ((head / group) * (group + 2) + head % group) * r->dim;
    return (head * (group + 2) + group + part - 1) * r->dim;
}

/* 4 groups of [q, v, k], one head in each. */
static int place_codegen(const struct reference *r, int part, int head) {
    static const int order[] = {0, 2, 1};
    return (head * 3 + order[part]) * r->dim;
}

#define SIZES                                                                                                          \
    "\"vocab_size\":40,\"hidden_size\":32,\"intermediate_size\":36,\"num_hidden_layers\":3,\"num_attention_heads\":4," \
    "\"num_key_value_heads\":2,\"max_position_embeddings\":48,"
#define OLD_SIZES "\"vocab_size\":40,\"n_embd\":32,\"n_inner\":36,\"n_layer\":3,\"n_head\":4,\"n_positions\":48,"
/* clang-format off */
#define SHAPE .blocks = 3, .hidden = 32, .heads = 4, .kv_heads = 2, .dim = 8, .units = 36
#define LLAMA_NAMES                                                                                                    \
    .block = "model.layers.%d.", .embed = "model.embed_tokens", .final_norm = "model.norm", .q = "self_attn.q_proj",   \
    .k = "self_attn.k_proj", .v = "self_attn.v_proj", .o = "self_attn.o_proj", .gate = "mlp.gate_proj",                \
    .up = "mlp.up_proj", .down = "mlp.down_proj", .norm_1 = "input_layernorm", .norm_2 = "post_attention_layernorm"
#define LLAMA LLAMA_NAMES, SHAPE, .epsilon = 1e-5, .activation = silu, .rope_base = 10000, .turning = 8
#define FALCON                                                                                                         \
    .block = "transformer.h.%d.", .embed = "transformer.word_embeddings", .final_norm = "transformer.ln_f",            \
    .qkv = "self_attention.query_key_value", .o = "self_attention.dense", .up = "mlp.dense_h_to_4h",                   \
    .down = "mlp.dense_4h_to_h", .layer_norm = true, .epsilon = 1e-5, .activation = gelu
#define GEMMA_NORMS                                                                                                    \
    .norm_3 = "pre_feedforward_layernorm", .norm_4 = "post_feedforward_layernorm"
/* clang-format on */

static const struct reference references[] = {
    {.name = "llama, linear",
     .config = "{\"model_type\":\"llama\"," SIZES
               "\"rms_norm_eps\":1e-5,\"rope_scaling\":{\"type\":\"linear\",\"factor\":4.0}}",
     LLAMA,
     .head = "lm_head",
     .frequency = linear_frequency},
    {.name = "llama, dynamic",
     .config = "{\"model_type\":\"llama\",\"vocab_size\":40,\"hidden_size\":32,\"intermediate_size\":36,"
               "\"num_hidden_layers\":3,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
               "\"max_position_embeddings\":8,\"rms_norm_eps\":1e-5,"
               "\"rope_scaling\":{\"rope_type\":\"dynamic\",\"factor\":2.0}}",
     LLAMA,
     .head = "lm_head",
     .frequency = dynamic_frequency},
    {.name = "llama, yarn",
     .config = "{\"model_type\":\"llama\",\"vocab_size\":40,\"hidden_size\":32,\"intermediate_size\":36,"
               "\"num_hidden_layers\":3,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
               "\"max_position_embeddings\":512,\"rms_norm_eps\":1e-5,"
               "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0}}",
     LLAMA,
     .head = "lm_head",
     .frequency = yarn_frequency,
     .rope_gain = 1.1386294361119891},
    {.name = "phi3, longrope",
     .config = "{\"model_type\":\"phi3\"," SIZES "\"rms_norm_eps\":1e-5,\"original_max_position_embeddings\":12,"
               "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1,1],\"long_factor\":[1.5,2,3,4.5]}}",
     LLAMA,
     .gate = NULL,
     .head = "lm_head",
     .qkv = "self_attn.qkv_proj",
     .place = place_blocks,
     .gate_up = "mlp.gate_up_proj",
     .frequency = long_frequency,
     .rope_gain = 1.2481529919},
    {.name = "gemma",
     .config = "{\"model_type\":\"gemma\"," SIZES "\"head_dim\":8,\"rms_norm_eps\":1e-5,\"hidden_act\":\"gelu\"}",
     LLAMA,
     .activation = gelu_tanh,
     .weight_offset = 1,
     .embed_gain = 5.656854249492381},
    {.name = "gemma3",
     .config = "{\"model_type\":\"gemma3_text\"," SIZES
               "\"head_dim\":8,\"rms_norm_eps\":1e-5,\"sliding_window\":6,\"sliding_window_pattern\":3,"
               "\"query_pre_attn_scalar\":16,\"rope_theta\":1000000.0,\"rope_local_base_freq\":10000.0}",
     LLAMA,
     GEMMA_NORMS,
     .form = SANDWICH,
     .activation = gelu_tanh,
     .weight_offset = 1,
     .embed_gain = 5.656854249492381,
     .q_norm = "self_attn.q_norm",
     .k_norm = "self_attn.k_norm",
     .window = 6,
     .global_every = 3,
     .rope_base = 1e6,
     .local_base = 1e4,
     .scale = 0.25},
    {.name = "granite",
     .config = "{\"model_type\":\"granite\"," SIZES
               "\"rms_norm_eps\":1e-5,\"embedding_multiplier\":3.0,\"logits_scaling\":4.0,"
               "\"residual_multiplier\":0.5,\"attention_multiplier\":0.2}",
     LLAMA,
     .head = "lm_head",
     .embed_gain = 3,
     .logit_gain = 0.25,
     .residual_gain = 0.5,
     .scale = 0.2},
    {.name = "olmo",
     .config = "{\"model_type\":\"olmo\"," SIZES "\"clip_qkv\":0.7}",
     LLAMA,
     .head = "lm_head",
     .layer_norm = true,
     .weightless_norms = true,
     .clip = 0.7},
    {.name = "cohere",
     .config =
         "{\"model_type\":\"cohere\"," SIZES "\"layer_norm_eps\":1e-5,\"logit_scale\":0.125,\"use_qk_norm\":true}",
     LLAMA,
     .norm_2 = NULL,
     .form = IN_PARALLEL,
     .layer_norm = true,
     .pairs_interleaved = true,
     .logit_gain = 0.125,
     .q_norm = "self_attn.q_norm",
     .k_norm = "self_attn.k_norm",
     .head_norms_layer = true,
     .head_norm_rows = true},
    {.name = "glm",
     .config = "{\"model_type\":\"glm\"," SIZES
               "\"head_dim\":8,\"rms_norm_eps\":1e-5,\"partial_rotary_factor\":0.5,\"attention_bias\":false}",
     LLAMA,
     .head = "lm_head",
     .gate = NULL,
     .gate_up = "mlp.gate_up_proj",
     .turning = 4,
     .pairs_interleaved = true},
    {.name = "nemotron",
     .config = "{\"model_type\":\"nemotron\"," SIZES
               "\"norm_eps\":1e-5,\"hidden_act\":\"relu2\",\"attention_bias\":true,\"mlp_bias\":true,"
               "\"partial_rotary_factor\":0.5}",
     LLAMA,
     .gate = NULL,
     .head = "lm_head",
     .biases = true,
     .layer_norm = true,
     .weight_offset = 1,
     .activation = relu_squared,
     .turning = 4},
    {.name = "phi",
     .config = "{\"model_type\":\"phi\"," SIZES "\"layer_norm_eps\":1e-5,\"partial_rotary_factor\":0.5}",
     LLAMA,
     .gate = NULL,
     .norm_2 = NULL,
     .head = "lm_head",
     .final_norm = "model.final_layernorm",
     .o = "self_attn.dense",
     .up = "mlp.fc1",
     .down = "mlp.fc2",
     .form = IN_PARALLEL,
     .biases = true,
     .head_bias = true,
     .layer_norm = true,
     .activation = gelu_tanh,
     .turning = 4},
    {.name = "qwen2_moe",
     .config = "{\"model_type\":\"qwen2_moe\"," SIZES
               "\"rms_norm_eps\":1e-5,\"num_experts\":5,\"num_experts_per_tok\":2,\"moe_intermediate_size\":12,"
               "\"shared_expert_intermediate_size\":20,\"qkv_bias\":false}",
     LLAMA,
     .head = "lm_head",
     .gate = "gate_proj",
     .up = "up_proj",
     .down = "down_proj",
     .router = "mlp.gate",
     .expert = "mlp.experts.%d.",
     .shared = "mlp.shared_expert.",
     .shared_gate = "mlp.shared_expert_gate",
     .experts = 5,
     .chosen = 2,
     .expert_units = 12,
     .shared_units = 20},
    {.name = "gpt_bigcode",
     .config = "{\"model_type\":\"gpt_bigcode\"," OLD_SIZES
               "\"layer_norm_epsilon\":1e-5,\"multi_query\":true,\"activation_function\":\"gelu_pytorch_tanh\"}",
     SHAPE,
     .kv_heads = 1,
     .block = "transformer.h.%d.",
     .embed = "transformer.wte",
     .positions = "transformer.wpe",
     .final_norm = "transformer.ln_f",
     .qkv = "attn.c_attn",
     .place = place_blocks,
     .o = "attn.c_proj",
     .up = "mlp.c_fc",
     .down = "mlp.c_proj",
     .norm_1 = "ln_1",
     .norm_2 = "ln_2",
     .biases = true,
     .layer_norm = true,
     .epsilon = 1e-5,
     .activation = gelu_tanh},
    {.name = "codegen",
     .config = "{\"model_type\":\"codegen\"," OLD_SIZES
               "\"layer_norm_epsilon\":1e-5,\"rotary_dim\":4,\"activation_function\":\"gelu_new\"}",
     SHAPE,
     .kv_heads = 4,
     .block = "transformer.h.%d.",
     .embed = "transformer.wte",
     .final_norm = "transformer.ln_f",
     .head = "lm_head",
     .qkv = "attn.qkv_proj",
     .place = place_codegen,
     .o = "attn.out_proj",
     .up = "mlp.fc_in",
     .down = "mlp.fc_out",
     .norm_1 = "ln_1",
     .form = IN_PARALLEL,
     .biases = true,
     .head_bias = true,
     .layer_norm = true,
     .epsilon = 1e-5,
     .activation = gelu_tanh,
     .rope_base = 10000,
     .turning = 4,
     .pairs_interleaved = true},
    {.name = "mpt",
     .config = "{\"model_type\":\"mpt\",\"vocab_size\":40,\"d_model\":48,\"n_layers\":3,\"n_heads\":6,"
               "\"max_seq_len\":48,\"expansion_ratio\":2,\"attn_config\":{\"alibi\":true,\"clip_qkv\":0.9}}",
     .blocks = 3,
     .hidden = 48,
     .heads = 6,
     .kv_heads = 6,
     .dim = 8,
     .units = 96,
     .block = "transformer.blocks.%d.",
     .embed = "transformer.wte",
     .final_norm = "transformer.norm_f",
     .qkv = "attn.Wqkv",
     .place = place_blocks,
     .o = "attn.out_proj",
     .up = "ffn.up_proj",
     .down = "ffn.down_proj",
     .norm_1 = "norm_1",
     .norm_2 = "norm_2",
     .layer_norm = true,
     .epsilon = 1e-5,
     .activation = gelu,
     .slope = slope_of_6,
     .clip = 0.9},
    {.name = "falcon, new decoder",
     .config = "{\"model_type\":\"falcon\"," SIZES "\"layer_norm_epsilon\":1e-5,\"ffn_hidden_size\":36,"
               "\"num_kv_heads\":2,\"new_decoder_architecture\":true,\"bias\":false}",
     SHAPE,
     FALCON,
     .place = place_per_group,
     .norm_1 = "ln_attn",
     .norm_2 = "ln_mlp",
     .form = IN_PARALLEL,
     .rope_base = 10000,
     .turning = 8},
    {.name = "falcon, ALiBi",
     .config = "{\"model_type\":\"falcon\"," SIZES
               "\"layer_norm_epsilon\":1e-5,\"ffn_hidden_size\":36,\"alibi\":true,\"multi_query\":false,"
               "\"parallel_attn\":false,\"new_decoder_architecture\":false,\"bias\":true}",
     SHAPE,
     FALCON,
     .kv_heads = 4,
     .place = place_per_head,
     .norm_1 = "input_layernorm",
     .norm_2 = "post_attention_layernorm",
     .biases = true,
     .slope = slope_of_4,
     .alibi_rounded = true},
    {.name = "opt, norm after the sum",
     .config = "{\"model_type\":\"opt\",\"vocab_size\":40,\"hidden_size\":32,\"ffn_dim\":36,\"num_hidden_layers\":3,"
               "\"num_attention_heads\":4,\"max_position_embeddings\":48,\"do_layer_norm_before\":false,"
               "\"word_embed_proj_dim\":32,\"activation_function\":\"relu\"}",
     SHAPE,
     .kv_heads = 4,
     .block = "model.decoder.layers.%d.",
     .embed = "model.decoder.embed_tokens",
     .q = "self_attn.q_proj",
     .k = "self_attn.k_proj",
     .v = "self_attn.v_proj",
     .o = "self_attn.out_proj",
     .up = "fc1",
     .down = "fc2",
     .norm_1 = "self_attn_layer_norm",
     .norm_2 = "final_layer_norm",
     .form = NORM_AFTER_SUM,
     .biases = true,
     .layer_norm = true,
     .epsilon = 1e-5,
     .activation = relu,
     .positions = "model.decoder.embed_positions",
     .position_offset = 2},
};

#define TENSORS 256

struct tensor_list {
    struct made_tensor list[TENSORS];
    size_t count;
};

static void add_tensor(void *context, const char *name, int64_t rows, int64_t columns) {
    struct tensor_list *tensors = context;
    assert_true(tensors->count < TENSORS);
    tensors->list[tensors->count++] = (struct made_tensor){memory_copy_string(name, NULL), rows, columns};
}

static char *make_folder(const struct reference *reference) {
    struct tensor_list tensors = {.count = 0};
    reference_tensors(reference, VOCABULARY, POSITIONS, add_tensor, &tensors);
    char *folder = made_folder_create(reference->config, tensors.list, tensors.count, 1, DTYPE_F32, 3);
    for (size_t i = 0; i < tensors.count; i++)
        memory_free((void *)(uintptr_t)tensors.list[i].name);
    return folder;
}

static void check_logits(const struct reference *reference, const struct model *model, const int *ids) {
    struct stream_options options = {.compute = COMPUTE_F32};
    struct stream *stream = stream_open(model, ids, NULL, 1, LENGTH, &options, &error);
    static float got[LENGTH * VOCABULARY];
    static double expected[LENGTH * VOCABULARY];
    if (stream == NULL || !stream_run(stream, NULL, NULL, &error) || !loss_logits(got, stream, 0, NULL, &error))
        fail_msg("%s: %s", reference->name, error.text);
    reference_logits(expected, reference, model->checkpoint, ids, LENGTH, VOCABULARY);
    for (int i = 0; i < LENGTH * VOCABULARY; i++)
        if (!(fabs((double)got[i] - expected[i]) < 1e-4))
            fail_msg("%s: logit %d of token %d is %g, expected %g", reference->name, i % VOCABULARY, i / VOCABULARY,
                     (double)got[i], expected[i]);
    stream_close(stream);
}

static void test_family(void **state) {
    const struct reference *reference = *state;
    char *folder = make_folder(reference);
    int ids[LENGTH];
    assert_non_null(folder);
    struct model *model = model_open(folder, &error);
    if (model == NULL || !model->architecture_known)
        fail_msg("%s: %s", reference->name, model != NULL ? model->architecture_error.text : error.text);
    for (int i = 0; i < LENGTH; i++)
        ids[i] = (i * 17 + i / 3) % VOCABULARY;
    check_logits(reference, model, ids);
    model_close(model);
    made_folder_remove(folder);
}

int main(void) {
    struct CMUnitTest tests[sizeof references / sizeof *references];
    size_t count = sizeof references / sizeof *references;
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){
            .name = references[i].name, .test_func = test_family, .initial_state = (void *)(uintptr_t)&references[i]};
    return _cmocka_run_group_tests("engine_families", tests, count, NULL, NULL);
}

#include "model/config.h"

#include "base/file.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

#define CONFIG_BYTES_MAXIMUM (16u << 20)

json_t *config_load(const char *path, struct error *error) {
    size_t size;
    char *text = file_read(path, CONFIG_BYTES_MAXIMUM, &size, error);
    if (text == NULL)
        return NULL;
    json_error_t fault;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &fault);
    memory_free(text);
    if (root == NULL) {
        (void)error_set(error, ERROR_INPUT, "%s: not JSON: line %d: %s", path, fault.line, fault.text);
    } else if (!json_is_object(root)) {
        json_decref(root);
        root = NULL;
        (void)error_set(error, ERROR_INPUT, "%s: must hold a JSON object of options", path);
    }
    return root;
}

const char *config_model_type(const json_t *root) {
    return json_string_value(json_object_get(root, "model_type"));
}

static const struct {
    const char *name;
    enum activation activation;
} activations[] = {
    {"silu", ACTIVATION_SILU},
    {"swish", ACTIVATION_SILU},
    {"gelu", ACTIVATION_GELU},
    {"gelu_python", ACTIVATION_GELU},
    {"gelu_new", ACTIVATION_GELU_TANH},
    {"gelu_fast", ACTIVATION_GELU_TANH},
    {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
    {"quick_gelu", ACTIVATION_GELU_QUICK},
    {"relu", ACTIVATION_RELU},
    {"relu2", ACTIVATION_RELU_SQUARED},
};

void config_read_activation(struct architecture *architecture, struct config *config, const char *key) {
    const char *name = config_string(config, key);
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
        if (strcmp(activations[i].name, name) != 0)
            continue;
        architecture->activation = activations[i].activation;
        return;
    }
    config_refuse(config, "\"%s\" is \"%s\", an activation that is not known", config_spelling(config, key), name);
}

static void read_heads(struct architecture *a, struct config *config) {
    a->heads = config_integer(config, "num_attention_heads", 1, CONFIG_SIZE_MAXIMUM);
    a->kv_heads = config_integer_or(config, "num_key_value_heads", 1, CONFIG_SIZE_MAXIMUM, a->heads);
    if (a->kv_heads > a->heads || a->heads % a->kv_heads != 0)
        config_refuse(config, "%lld attention heads cannot share %lld key-value heads evenly", (long long)a->heads,
                      (long long)a->kv_heads);
    if (!config_has(config, "head_dim") && a->hidden % a->heads != 0)
        config_refuse(config,
                      "the hidden size %lld is not a multiple of the %lld attention heads and no head_dim is "
                      "given",
                      (long long)a->hidden, (long long)a->heads);
    a->head_dim = config_integer_or(config, "head_dim", 1, CONFIG_SIZE_MAXIMUM, a->hidden / a->heads);
    if (a->head_dim > CONFIG_SIZE_MAXIMUM / a->heads)
        config_refuse(config, "%lld heads of %lld dimensions are more than any file holds", (long long)a->heads,
                      (long long)a->head_dim);
}

static void read_sizes(struct architecture *a, struct config *config) {
    a->blocks = config_integer(config, "num_hidden_layers", 1, CONFIG_BLOCKS_MAXIMUM);
    a->hidden = config_integer(config, "hidden_size", 1, CONFIG_SIZE_MAXIMUM);
    a->embedding_dim = a->hidden;
    a->vocabulary = config_integer(config, "vocab_size", 1, CONFIG_SIZE_MAXIMUM);
    a->positions = config_integer_or(config, "max_position_embeddings", 1, CONFIG_SIZE_MAXIMUM, 0);
    a->intermediate = config_integer_or(config, "intermediate_size", 1, CONFIG_SIZE_MAXIMUM, 4 * a->hidden);
    read_heads(a, config);
    if (a->position == POSITION_LEARNED && a->positions == 0)
        config_refuse(config, "the number of positions is null although positions are learned");
}

/* A number that is optional, with what its absence means. */
static void read_optional(double *value, struct config *config, const char *key) {
    if (config_has(config, key))
        *value = config_positive(config, key);
}

static void read_attention_scale(struct architecture *a, struct config *config) {
    a->attention_scale = 1 / sqrt((double)a->head_dim);
    if (config_has(config, "query_pre_attn_scalar"))
        a->attention_scale = 1 / sqrt(config_positive(config, "query_pre_attn_scalar"));
    read_optional(&a->attention_scale, config, "attention_multiplier");
    if (config_knows(config, "scale_attn_weights") && !config_boolean(config, "scale_attn_weights"))
        a->attention_scale = 1;
    if (config_knows(config, "scale_attn_by_inverse_layer_idx"))
        a->attention_scale_by_block = config_boolean(config, "scale_attn_by_inverse_layer_idx");
    read_optional(&a->attention_softcap, config, "attn_logit_softcapping");
    read_optional(&a->qkv_clip, config, "clip_qkv");
    if (config_knows(config, "qk_layernorm"))
        a->qk_norm = config_boolean(config, "qk_layernorm");
    if (config_knows(config, "use_qk_norm"))
        a->qk_norm = config_boolean(config, "use_qk_norm");
}

static void read_multipliers(struct architecture *a, struct config *config) {
    a->embedding_multiplier = a->residual_multiplier = a->logit_multiplier = 1;
    read_optional(&a->embedding_multiplier, config, "embedding_multiplier");
    read_optional(&a->residual_multiplier, config, "residual_multiplier");
    read_optional(&a->logit_multiplier, config, "logit_scale");
    if (config_has(config, "logits_scaling"))
        a->logit_multiplier = 1 / config_positive(config, "logits_scaling");
    read_optional(&a->logit_softcap, config, "final_logit_softcapping");
}

static void read_form(struct architecture *a, struct config *config) {
    read_optional(&a->norm_epsilon, config, "norm_epsilon");
    if (config_knows(config, "use_parallel_residual"))
        a->form = config_boolean(config, "use_parallel_residual") ? BLOCK_PARALLEL : BLOCK_PRE;
    if (config_knows(config, "apply_residual_connection_post_layernorm"))
        a->residual_after_norm = config_boolean(config, "apply_residual_connection_post_layernorm");
    if (config_knows(config, "hidden_act"))
        config_read_activation(a, config, "hidden_act");
    a->tied = config_boolean(config, "tie_word_embeddings");
}

static void mark_dense_blocks(struct architecture *a, struct config *config) {
    int64_t step = config_integer(config, "decoder_sparse_step", 1, CONFIG_BLOCKS_MAXIMUM);
    const json_t *listed = config_value(config, "mlp_only_layers");
    if (!json_is_null(listed) && !json_is_array(listed))
        config_refuse(config, "\"mlp_only_layers\" must be a list of block numbers");
    if (config->failed)
        return;
    a->dense_block = memory_alloc((size_t)a->blocks, sizeof *a->dense_block, config->error);
    config->failed = a->dense_block == NULL;
    if (config->failed)
        return;
    for (int64_t i = 0; i < a->blocks; i++)
        a->dense_block[i] = (i + 1) % step != 0;
    for (size_t i = 0; i < json_array_size(listed); i++) {
        const json_t *block = json_array_get(listed, i);
        if (!json_is_integer(block))
            config_refuse(config, "\"mlp_only_layers\" must be a list of block numbers");
        else if (json_integer_value(block) >= 0 && json_integer_value(block) < a->blocks)
            a->dense_block[json_integer_value(block)] = true;
    }
}

void config_read_experts(struct architecture *a, struct config *config) {
    if (!config_knows(config, "num_experts"))
        return;
    struct experts *experts = &a->experts;
    experts->count = config_integer(config, "num_experts", 1, CONFIG_BLOCKS_MAXIMUM);
    experts->per_token = config_integer(config, "num_experts_per_tok", 1, CONFIG_BLOCKS_MAXIMUM);
    if (experts->per_token > experts->count)
        config_refuse(config, "\"num_experts_per_tok\" is %lld but there are only %lld experts",
                      (long long)experts->per_token, (long long)experts->count);
    experts->intermediate = config_integer_or(config, "moe_intermediate_size", 1, CONFIG_SIZE_MAXIMUM, a->intermediate);
    experts->shared_intermediate =
        config_integer_or(config, "shared_expert_intermediate_size", 1, CONFIG_SIZE_MAXIMUM, 0);
    if (config_knows(config, "norm_topk_prob"))
        experts->normalize = config_boolean(config, "norm_topk_prob");
    if (config_knows(config, "decoder_sparse_step"))
        mark_dense_blocks(a, config);
}

static int64_t token_id(const json_t *root, const char *key) {
    const json_t *value = json_object_get(root, key);
    if (json_is_array(value))
        value = json_array_get(value, 0);
    return json_is_integer(value) && json_integer_value(value) >= 0 ? (int64_t)json_integer_value(value) : -1;
}

/* Whether this is the variant of a verified family that the reference files cover: its row's own form. Others (another
 * joining of the branches, other norms, projections, a fused layout of another generation) are not. */
static bool is_usual(const struct architecture *a, const struct family *family) {
    bool usual_rope = a->rope.scaling == ROPE_PLAIN || a->rope.scaling == ROPE_LLAMA3;
    bool usual_form = a->form == family->base.form && !a->residual_after_norm && a->embedding_dim == a->hidden &&
                      a->norm_weight == family->base.norm_weight && a->final_norm == family->base.final_norm;
    bool usual_attention = a->qkv == family->base.qkv && a->qk_norm == family->base.qk_norm &&
                           a->position == family->base.position && !a->attention_scale_by_block;
    return family->verified && usual_rope && usual_form && usual_attention;
}

bool config_read(struct architecture *architecture, const struct family *family, const json_t *root, const char *path,
                 struct error *error) {
    struct config config = {.path = path, .family = family->name, .error = error};
    *architecture = family->base;
    architecture->bos = token_id(root, "bos_token_id");
    architecture->eos = token_id(root, "eos_token_id");
    if (config_open(&config, family, root)) {
        read_sizes(architecture, &config);
        read_form(architecture, &config);
        read_attention_scale(architecture, &config);
        read_multipliers(architecture, &config);
        config_read_experts(architecture, &config);
        config_read_rope(architecture, &config);
        config_read_windows(architecture, &config);
        if (family->read != NULL && !config.failed)
            family->read(architecture, &config);
        architecture->verified = is_usual(architecture, family);
    }
    config_close(&config);
    return !config.failed;
}

void architecture_free(struct architecture *architecture) {
    memory_free(architecture->window);
    memory_free(architecture->dense_block);
    memory_free(architecture->rope.short_factor);
    memory_free(architecture->rope.long_factor);
    *architecture = (struct architecture){0};
}

/* Options that only one family has. */
#include "model/config.h"

#include <math.h>
#include <string.h>

void config_read_gemma(struct architecture *a, struct config *config) {
    if (config_has(config, "hidden_activation"))
        config_read_activation(a, config, "hidden_activation");
    else
        a->activation = ACTIVATION_GELU_TANH; /* whatever the older key hidden_act says */
    a->embedding_multiplier = sqrt((double)a->hidden);
    if (!config_knows(config, "rope_local_base_freq"))
        return;
    a->rope_local = (struct rope){.base = config_positive(config, "rope_local_base_freq"),
                                  .dims = a->rope.dims,
                                  .factor = 1,
                                  .original_positions = a->positions,
                                  .attention_factor = 1};
}

/* Appends a pattern's words, `times` over, as windows. */
static int64_t add_windows(struct architecture *a, struct config *config, int64_t block, const json_t *words,
                           int64_t times, int64_t window) {
    for (int64_t i = 0; i < times; i++) {
        for (size_t j = 0; j < json_array_size(words); j++, block++) {
            const char *word = json_string_value(json_array_get(words, j));
            bool local = word != NULL && strcmp(word, "local") == 0;
            if (!local && (word == NULL || strcmp(word, "global") != 0))
                config_refuse(config, "\"attention_types\" must be made of \"global\" and \"local\"");
            if (config->failed || block >= a->blocks)
                return block + 1;
            a->window[block] = local ? window : 0;
        }
    }
    return block;
}

/* attention_types is [[[words], times], ...]; attention_layers, where given, is the same written out. */
void config_read_gpt_neo(struct architecture *a, struct config *config) {
    a->attention_scale = 1;
    int64_t window = config_integer(config, "sliding_window", 1, CONFIG_SIZE_MAXIMUM), block = 0;
    const json_t *layers = config_value(config, "attention_layers"), *types = config_value(config, "attention_types");
    if (json_is_array(layers)) {
        block = add_windows(a, config, 0, layers, 1, window);
    } else {
        for (size_t i = 0; i < json_array_size(types); i++) {
            const json_t *type = json_array_get(types, i);
            json_int_t times = json_integer_value(json_array_get(type, 1));
            if (times > a->blocks)
                times = a->blocks + 1;
            block = add_windows(a, config, block, json_array_get(type, 0), times, window);
            if (block > a->blocks)
                break;
        }
    }
    if (block != a->blocks)
        config_refuse(config, "\"attention_types\" does not describe exactly %lld blocks", (long long)a->blocks);
}

void config_read_gpt_bigcode(struct architecture *a, struct config *config) {
    bool multi_query = config_boolean(config, "multi_query");
    a->kv_heads = multi_query ? 1 : a->heads;
    a->qkv = multi_query ? QKV_BLOCKS : QKV_PER_HEAD;
}

void config_read_opt(struct architecture *a, struct config *config) {
    bool before = config_boolean(config, "do_layer_norm_before");
    a->form = before ? BLOCK_PRE : BLOCK_POST;
    a->final_norm = before && !config_boolean(config, "_remove_final_layer_norm");
    a->embedding_dim = config_integer_or(config, "word_embed_proj_dim", 1, CONFIG_SIZE_MAXIMUM, a->hidden);
    a->norm_weight = a->norm_bias = config_boolean(config, "layer_norm_elementwise_affine");
}

static void read_falcon_positions(struct architecture *a, struct config *config) {
    if (!config_boolean(config, "alibi"))
        return;
    a->position = POSITION_ALIBI;
    a->alibi_bias_maximum = 8;
    a->alibi_scaled = a->alibi_bf16 = true;
}

/* num_kv_heads counts only in the new decoder; the norms of its two branches are one or two. */
void config_read_falcon(struct architecture *a, struct config *config) {
    bool newer = config_boolean(config, "new_decoder_architecture");
    bool multi_query = config_boolean(config, "multi_query");
    bool parallel = config_boolean(config, "parallel_attn");
    int64_t norms = config_integer_or(config, "num_ln_in_parallel_attn", 1, 2, newer ? 2 : 1);
    if (newer && norms == 1 && !parallel)
        config_refuse(config, "\"parallel_attn\" is false although \"num_ln_in_parallel_attn\" is 1");
    if (!newer)
        a->kv_heads = multi_query ? 1 : a->heads;
    a->qkv = newer ? QKV_PER_KV_GROUP : multi_query ? QKV_BLOCKS : QKV_PER_HEAD;
    a->form = newer || parallel ? BLOCK_PARALLEL : BLOCK_PRE;
    read_falcon_positions(a, config);
}

/* Keys of attn_config that change the result only when they are not switched off. */
static bool mpt_key_is_fine(const char *key, const json_t *value) {
    static const char *const used[] = {"clip_qkv", "softmax_scale", "alibi_bias_max", "alibi", "attn_type"};
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        if (strcmp(used[i], key) == 0)
            return true;
    return config_is_empty(value) || config_is_harmless(key);
}

static double mpt_number(struct config *config, const json_t *options, const char *key, double otherwise) {
    const json_t *value = json_object_get(options, key);
    if (value == NULL || json_is_null(value))
        return otherwise;
    if (!json_is_number(value) || !(json_number_value(value) > 0))
        config_refuse(config, "\"attn_config\": \"%s\" must be a number greater than 0", key);
    return json_number_value(value);
}

void config_read_mpt(struct architecture *a, struct config *config) {
    const json_t *options = config_value(config, "attn_config");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)options, key, value) {
        if (!mpt_key_is_fine(key, value))
            config_refuse(config, "\"attn_config\" has the option \"%s\", which is not known", key);
    }
    const char *type = json_string_value(json_object_get(options, "attn_type"));
    if (type != NULL && strcmp(type, "multihead_attention") != 0)
        config_refuse(config, "\"attn_config\": the attn_type \"%s\" is not known", type);
    if (json_is_false(json_object_get(options, "alibi")))
        config_refuse(config, "\"attn_config\": alibi is false; only models with ALiBi positions are known");
    a->intermediate = a->hidden * config_integer(config, "expansion_ratio", 1, 1024);
    a->attention_scale = mpt_number(config, options, "softmax_scale", a->attention_scale);
    a->qkv_clip = mpt_number(config, options, "clip_qkv", 0);
    a->alibi_bias_maximum = mpt_number(config, options, "alibi_bias_max", 8);
}

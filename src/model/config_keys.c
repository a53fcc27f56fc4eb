/* The keys of config.json: other names of one option, keys that do not matter, and typed access. */
#include "model/config.h"

#include "base/text.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Families name the same option differently; the reader knows it by the first name. */
static const char *const same_option[][8] = {
    {"hidden_size", "n_embd", "d_model", "n_embed"},
    {"num_hidden_layers", "n_layer", "n_layers", "num_layers"},
    {"num_attention_heads", "n_head", "n_heads", "num_heads"},
    {"num_key_value_heads", "num_kv_heads", "n_head_kv"},
    {"intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"},
    {"max_position_embeddings", "n_positions", "max_seq_len"},
    {"hidden_act", "activation_function", "activation"},
    {"norm_epsilon", "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps"},
    {"rope_theta", "rotary_emb_base"},
    {"partial_rotary_factor", "rotary_pct"},
    {"rope_scaling", "rope_parameters"},
    {"sliding_window", "window_size", "sliding_window_size"},
    {"sliding_window_pattern", "_sliding_window_pattern"},
    {"num_experts", "num_local_experts"},
};

/* Keys, as patterns, that do not change what a model computes from given tokens. */
static const char *const harmless[] = {
    "*dropout*",
    "*_pdrop",
    "*_token_id",
    "*_token_ids",
    "_*",
    "*initializer*",
    "init_*",
    "summary_*",
    "use_cache",
    "torch_dtype",
    "dtype",
    "transformers_version",
    "architectures",
    "model_type",
    "auto_map",
    "name_or_path",
    "id2label",
    "label2id",
    "num_labels",
    "problem_type",
    "finetuning_task",
    "task_specific_params",
    "tokenizer_class",
    "return_dict",
    "return_dict_in_generate",
    "output_*",
    "torchscript",
    "use_return_dict",
    "is_decoder",
    "is_llama_config",
    "layerdrop",
    "gradient_checkpointing",
    "cache_implementation",
    "attn_implementation",
    "pretraining_tp",
    "slow_but_exact",
    "reorder_and_upcast_attn",
    "attention_softmax_in_fp32",
    "scale_attention_softmax_in_fp32",
    "masked_softmax_fusion",
    "bias_dropout_fusion",
    "skip_bias_add",
    "skip_bias_add_qkv",
    "seq_length",
    "n_ctx",
    "offset_alibi",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "router_z_loss_coef",
    "max_window_layers",
    "embedding_fraction",
    "verbose",
    "learned_pos_emb",
    "norm_type",
    "attn_impl",
    "attn_pdrop",
    "attn_uses_sequence_id",
    "attention_config",
    "early_stopping",
    "length_penalty",
    "max_length",
    "min_length",
    "max_new_tokens",
    "num_beams",
    "num_beam_groups",
    "num_return_sequences",
    "no_repeat_ngram_size",
    "repetition_penalty",
    "diversity_penalty",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
    "do_sample",
    "bad_words_ids",
    "suppress_tokens",
    "begin_suppress_tokens",
    "prefix",
    "vision_config",
    "image_*",
    "boi_token_index",
    "eoi_token_index",
    "mm_tokens_per_image",
    "use_flash_attn",
    "use_bfloat16",
    "unsloth_*",
    "language",
    "license",
    "eos_token",
    "bos_token",
    "pad_token",
    "onnx",
    "tokenizer_name",
    "pad_key_length",
    "validate_runner_input",
    "max_batch_size",
    "max_sequence_length",
    "inference_runtime",
};

/* Keys that some families' files carry with the one value that is computed anyway. */
static const struct {
    const char *key, *value; /* the value as JSON */
} usual[] = {
    {"scale_attn_weights", "true"},
    {"rotary", "true"},
    {"mlp_type", "\"default\""},
};

static const char *own_name(const char *key) {
    for (size_t i = 0; i < sizeof same_option / sizeof *same_option; i++)
        for (size_t j = 1; j < 8 && same_option[i][j] != NULL; j++)
            if (strcmp(same_option[i][j], key) == 0)
                return same_option[i][0];
    return key;
}

const char *config_spelling(const struct config *config, const char *key) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)config->options, name, value) {
        if (strcmp(own_name(name), key) == 0 && !json_is_null(value))
            return name;
    }
    return key;
}

bool config_is_harmless(const char *key) {
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (text_glob(harmless[i], key))
            return true;
    return false;
}

bool config_is_empty(const json_t *value) {
    if (json_is_null(value) || json_is_false(value))
        return true;
    if (json_is_number(value))
        return !(fabs(json_number_value(value)) > 0);
    if (json_is_string(value))
        return *json_string_value(value) == '\0';
    return (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

void config_refuse(struct config *config, const char *format, ...) {
    if (config->failed)
        return;
    char sentence[768];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    config->failed = true;
    (void)error_set(config->error, ERROR_INPUT, "%s: %s", config->path, sentence);
}

static void no_memory(struct config *config) {
    config->failed = true;
    (void)error_set(config->error, ERROR_MEMORY, "%s: out of memory for its options", config->path);
}

/* A value as config.json writes it, cut to what fits a sentence. */
static const char *value_text(char text[64], const json_t *value) {
    char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(8));
    (void)snprintf(text, 64, "%.60s", dump != NULL ? dump : "?");
    free(dump);
    return text;
}

static bool same_value(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b))
        return !(fabs(json_number_value(a) - json_number_value(b)) > 0);
    return json_equal(a, b);
}

/* Takes one key of config.json over into values; `given` holds the options that came from config.json before. */
static void take(struct config *config, json_t *given, const char *key, const json_t *value) {
    const char *name = own_name(key);
    const json_t *before = json_object_get(given, name);
    if (before != NULL && json_is_null(value))
        return;
    if (before != NULL && !json_is_null(before) && !same_value(before, value)) {
        char one[64], other[64];
        config_refuse(config, "\"%s\" is %s but another name of the same option says %s", key, value_text(one, value),
                      value_text(other, before));
        return;
    }
    if (json_object_set(given, name, (json_t *)(uintptr_t)value) != 0)
        no_memory(config);
}

static bool has_usual_value(const char *key, const json_t *value) {
    char text[64];
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strcmp(usual[i].key, key) == 0 && strcmp(value_text(text, value), usual[i].value) == 0)
            return true;
    return false;
}

static void check_key(struct config *config, const char *key, const json_t *value) {
    if (config_knows(config, own_name(key)) || config_is_harmless(key) || config_is_empty(value) ||
        has_usual_value(key, value))
        return;
    char text[64];
    config_refuse(config, "the option \"%s\" (%s) is not known for %s models and may change what they compute", key,
                  value_text(text, value), config->family);
}

/* The object that holds the language model's options. */
static const json_t *options_of(const struct family *family, const json_t *root) {
    const json_t *nested = family->nested ? json_object_get(root, "text_config") : NULL;
    return json_is_object(nested) ? nested : root;
}

static void merge(struct config *config, const json_t *options) {
    json_t *given = json_object();
    const char *key;
    json_t *value;
    if (given == NULL)
        no_memory(config);
    json_object_foreach((json_t *)(uintptr_t)options, key, value) {
        check_key(config, key, value);
        take(config, given, key, value);
    }
    if (!config->failed && json_object_update_existing(config->values, given) != 0)
        no_memory(config);
    json_decref(given);
}

bool config_open(struct config *config, const struct family *family, const json_t *root) {
    config->values = json_loads(family->defaults, 0, NULL);
    if (config->values == NULL) {
        no_memory(config);
        return false;
    }
    const json_t *options = options_of(family, root);
    config->options = options;
    merge(config, options);
    const json_t *tied = json_object_get(root, "tie_word_embeddings");
    if (options != root && json_is_boolean(tied))
        (void)json_object_set(config->values, "tie_word_embeddings", (json_t *)(uintptr_t)tied);
    return !config->failed;
}

void config_close(struct config *config) {
    json_decref(config->values);
    config->values = NULL;
}

const json_t *config_value(const struct config *config, const char *key) {
    return json_object_get(config->values, key);
}

bool config_knows(const struct config *config, const char *key) {
    return config_value(config, key) != NULL;
}

bool config_has(const struct config *config, const char *key) {
    return config_knows(config, key) && !json_is_null(config_value(config, key));
}

int64_t config_integer(struct config *config, const char *key, int64_t low, int64_t high) {
    const json_t *value = config_value(config, key);
    double number = json_number_value(value);
    /* 8.0 is an integer, too: some writers know floats only. */
    if (json_is_number(value) && number >= (double)low && number <= (double)high && !(fabs(number - rint(number)) > 0))
        return json_is_integer(value) ? (int64_t)json_integer_value(value) : (int64_t)number;
    char text[64];
    config_refuse(config, "\"%s\" is %s; it must be a whole number from %lld to %lld", config_spelling(config, key),
                  value_text(text, value), (long long)low, (long long)high);
    return low;
}

int64_t config_integer_or(struct config *config, const char *key, int64_t low, int64_t high, int64_t otherwise) {
    return config_has(config, key) ? config_integer(config, key, low, high) : otherwise;
}

double config_number(struct config *config, const char *key) {
    const json_t *value = config_value(config, key);
    if (json_is_number(value) && isfinite(json_number_value(value)))
        return json_number_value(value);
    char text[64];
    config_refuse(config, "\"%s\" is %s; it must be a number", config_spelling(config, key), value_text(text, value));
    return 1;
}

double config_positive(struct config *config, const char *key) {
    double number = config_number(config, key);
    if (number > 0)
        return number;
    config_refuse(config, "\"%s\" is %g; it must be greater than 0", config_spelling(config, key), number);
    return 1;
}

bool config_boolean(struct config *config, const char *key) {
    const json_t *value = config_value(config, key);
    char text[64];
    if (!json_is_boolean(value))
        config_refuse(config, "\"%s\" is %s; it must be true or false", config_spelling(config, key),
                      value_text(text, value));
    return json_is_true(value);
}

const char *config_string(struct config *config, const char *key) {
    const json_t *value = config_value(config, key);
    char text[64];
    if (json_is_string(value))
        return json_string_value(value);
    config_refuse(config, "\"%s\" is %s; it must be a string", config_spelling(config, key), value_text(text, value));
    return "";
}

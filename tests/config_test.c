/* config.json: what is not known or contradicts itself is refused by name; what is known means what the family's
 * configuration class means. */
#include "model/config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Reads `family` with `text` (JSON) as its config.json. */
static bool read_text(struct architecture *architecture, struct error *error, const char *family, const char *text) {
    json_error_t fault;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
    if (root == NULL)
        fail_msg("%s: %s", text, fault.text);
    assert_non_null(family_find(family));
    *error = (struct error){0};
    bool ok = config_read(architecture, family_find(family), root, "config.json", error);
    json_decref(root);
    return ok;
}

static const struct {
    const char *family, *text, *sentence; /* a part of the error */
} wrong[] = {
    /* options that are not known */
    {"llama", "{\"quantization_config\":{\"bits\":4}}", "\"quantization_config\""},
    {"llama", "{\"sliding_window\":4096}", "\"sliding_window\" (4096) is not known for llama"},
    {"llama", "{\"use_magic\":true}", "\"use_magic\" (true)"},
    {"llama", "{\"is_encoder_decoder\":true}", "\"is_encoder_decoder\""},
    {"llama", "{\"pruned_heads\":{\"0\":[1]}}", "\"pruned_heads\""},
    {"llama", "{\"partial_rotary_factor\":0.5}", "\"partial_rotary_factor\""},
    {"gpt2", "{\"add_cross_attention\":true}", "\"add_cross_attention\""},
    {"gptj", "{\"scale_attn_weights\":false,\"rotary\":3}", "\"rotary\""},
    {"mixtral", "{\"shared_expert_intermediate_size\":64}", "\"shared_expert_intermediate_size\""},
    /* words that are not known */
    {"llama", "{\"hidden_act\":\"mish\"}", "\"hidden_act\" is \"mish\""},
    {"gpt2", "{\"activation_function\":\"gelu_2000\"}", "gelu_2000"},
    {"gemma2", "{\"hidden_activation\":\"tanh\"}", "\"hidden_activation\" is \"tanh\""},
    {"llama", "{\"rope_scaling\":{\"rope_type\":\"spiral\",\"factor\":2}}", "\"spiral\""},
    {"llama", "{\"rope_scaling\":{\"factor\":2}}", "the type \"\""},
    {"llama", "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2,\"mscale\":0.7}}", "\"mscale\""},
    {"qwen2", "{\"rope_scaling\":{\"type\":\"mrope\",\"mrope_section\":[1]}}", "\"mrope\""},
    {"qwen2", "{\"num_hidden_layers\":1,\"layer_types\":[\"chunked_attention\"]}", "\"chunked_attention\""},
    {"gpt_neo", "{\"num_layers\":1,\"attention_types\":[[[\"odd\"],1]]}", "\"attention_types\""},
    {"mpt", "{\"attn_config\":{\"attn_type\":\"multiquery_attention\"}}", "\"multiquery_attention\""},
    {"mpt", "{\"attn_config\":{\"qk_ln\":true}}", "\"qk_ln\""},
    {"mpt", "{\"attn_config\":{\"alibi\":false}}", "alibi is false"},
    {"mpt", "{\"logit_scale\":2}", "\"logit_scale\""},
    /* values that cannot be */
    {"llama", "{\"hidden_size\":-64}", "\"hidden_size\" is -64"},
    {"llama", "{\"hidden_size\":64.5}", "\"hidden_size\" is 64.5"},
    {"llama", "{\"hidden_size\":\"64\"}", "\"hidden_size\" is \"64\""},
    {"llama", "{\"hidden_size\":null}", "\"hidden_size\" is null"},
    {"llama", "{\"hidden_size\":1e30}", "\"hidden_size\""},
    {"llama", "{\"num_hidden_layers\":0}", "\"num_hidden_layers\" is 0"},
    {"llama", "{\"num_hidden_layers\":100000000}", "\"num_hidden_layers\""},
    {"llama", "{\"num_attention_heads\":0}", "\"num_attention_heads\" is 0"},
    {"llama", "{\"vocab_size\":[256]}", "\"vocab_size\" is [256]"},
    {"llama", "{\"rms_norm_eps\":-1e-5}", "\"rms_norm_eps\" is -1e-05"},
    {"llama", "{\"rope_theta\":0}", "\"rope_theta\" is 0"},
    {"llama", "{\"tie_word_embeddings\":\"yes\"}", "\"tie_word_embeddings\" is \"yes\""},
    {"llama", "{\"rope_scaling\":\"linear\"}", "\"rope_scaling\" must be an object"},
    {"llama", "{\"rope_scaling\":{\"type\":\"linear\"}}", "needs \"factor\""},
    {"llama", "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":-2}}", "needs \"factor\""},
    {"llama", "{\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8}}", "\"low_freq_factor\""},
    {"phi3", "{\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1],\"long_factor\":[1]}}", "\"short_factor\""},
    {"mistral", "{\"sliding_window\":0}", "\"sliding_window\" is 0"},
    {"phi", "{\"partial_rotary_factor\":1.5}", "\"partial_rotary_factor\" is 1.5"},
    {"gptj", "{\"rotary_dim\":null}", "\"rotary_dim\" is null"},
    {"mixtral", "{\"num_local_experts\":0}", "\"num_local_experts\" is 0"},
    /* values that contradict each other */
    {"llama", "{\"hidden_size\":65,\"num_attention_heads\":4}", "65 is not a multiple of the 4"},
    {"llama", "{\"num_attention_heads\":32,\"num_key_value_heads\":5}", "32 attention heads cannot share 5"},
    {"llama", "{\"num_attention_heads\":4,\"num_key_value_heads\":8}", "4 attention heads cannot share 8"},
    {"gpt2", "{\"n_embd\":64,\"hidden_size\":128}", "\"hidden_size\" is 128 but another name"},
    {"gpt_neox", "{\"rotary_pct\":0.25,\"partial_rotary_factor\":0.5}", "another name of the same option says 0.25"},
    {"llama", "{\"head_dim\":15}", "15 of a head's 15 dimensions"},
    {"mixtral", "{\"num_local_experts\":4,\"num_experts_per_tok\":5}", "is 5 but there are only 4"},
    {"qwen3", "{\"num_hidden_layers\":2,\"layer_types\":[\"full_attention\"]}", "a list of 2 words"},
    {"gemma3_text", "{\"num_hidden_layers\":1,\"sliding_window\":null,\"layer_types\":[\"sliding_attention\"]}",
     "\"sliding_window\" is null"},
    {"gpt_neo", "{\"num_layers\":3,\"attention_types\":[[[\"global\",\"local\"],2]]}", "exactly 3 blocks"},
    {"gpt_neo", "{\"num_layers\":4,\"attention_types\":[[[\"global\"],1000000000]]}", "exactly 4 blocks"},
    {"gptj", "{\"n_embd\":48,\"n_head\":4,\"rotary_dim\":64}", "\"rotary_dim\" is 64"},
    {"falcon", "{\"new_decoder_architecture\":true,\"parallel_attn\":false,\"num_ln_in_parallel_attn\":1}",
     "\"parallel_attn\" is false"},
    {"qwen3_moe", "{\"mlp_only_layers\":[\"first\"]}", "\"mlp_only_layers\""},
    {"gpt2", "{\"n_positions\":null}", "positions is null"},
    {"gemma3", "{\"text_config\":{\"hidden_size\":0}}", "\"hidden_size\" is 0"},
};

static void wrong_options_are_named(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct architecture architecture;
        struct error error;
        bool ok = read_text(&architecture, &error, wrong[i].family, wrong[i].text);
        architecture_free(&architecture);
        if (ok || error.code != ERROR_INPUT || strstr(error.text, wrong[i].sentence) == NULL ||
            strncmp(error.text, "config.json: ", 13) != 0)
            fail_msg("%s %s: \"%s\" lacks \"%s\"", wrong[i].family, wrong[i].text, ok ? "no error" : error.text,
                     wrong[i].sentence);
    }
}

/* Keys that real files carry and that change nothing. */
static void harmless_options_pass(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"torch_dtype\":\"bfloat16\",\"transformers_version\":\"4.48.0\",\"architectures\":[\"X\"]}",
        "{\"attention_dropout\":0.1,\"initializer_range\":0.02,\"use_cache\":true,\"pretraining_tp\":2}",
        "{\"bos_token_id\":1,\"eos_token_id\":[2,3],\"pad_token_id\":0,\"_name_or_path\":\"a/b\"}",
        "{\"rope_scaling\":null,\"new_option\":false,\"another\":null,\"third\":{},\"fourth\":0,\"fifth\":\"\"}",
        "{\"id2label\":{\"0\":\"LABEL_0\"},\"max_length\":20,\"top_k\":50,\"return_dict\":true}",
        "{\"hidden_size\":4096.0}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct architecture architecture;
        struct error error;
        if (!read_text(&architecture, &error, "llama", texts[i]))
            fail_msg("%s: %s", texts[i], error.text);
        assert_int_equal(architecture.hidden, 4096);
        architecture_free(&architecture);
    }
}

/* Options as the families' files on the hub carry them. */
static void published_files_pass(void **state) {
    (void)state;
    static const struct {
        const char *family, *text;
    } files[] = {
        {"gptj", "{\"rotary\":true,\"rotary_dim\":64,\"scale_attn_weights\":true,\"gradient_checkpointing\":false}"},
        {"codegen", "{\"n_ctx\":2048,\"scale_attn_weights\":true,\"summary_type\":\"cls_index\"}"},
        {"starcoder2", "{\"mlp_type\":\"default\",\"norm_type\":\"layer_norm\",\"norm_epsilon\":1e-05}"},
        {"gemma2", "{\"sliding_window\":4096,\"sliding_window_size\":4096,\"cache_implementation\":\"hybrid\"}"},
        {"bloom", "{\"n_embed\":1024,\"hidden_size\":1024,\"n_head\":16,\"offset_alibi\":100,\"n_inner\":null,"
                  "\"skip_bias_add\":true,\"bias_dropout_fusion\":true,\"unk_token_id\":0}"},
        {"mpt", "{\"attn_config\":{\"alibi\":true,\"alibi_bias_max\":8,\"attn_type\":\"multihead_attention\"},"
                "\"init_config\":{\"name\":\"kaiming_normal_\"},\"tokenizer_name\":\"EleutherAI/gpt-neox-20b\"}"},
        {"gpt_bigcode", "{\"validate_runner_input\":true,\"pad_key_length\":true,\"n_inner\":3072}"},
        {"opt", "{\"prefix\":\"</s>\",\"activation_dropout\":0.0,\"layerdrop\":0.1,\"word_embed_proj_dim\":768}"},
        {"qwen3", "{\"layer_types\":null,\"max_window_layers\":36,\"dtype\":\"bfloat16\"}"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct architecture architecture;
        struct error error;
        if (!read_text(&architecture, &error, files[i].family, files[i].text))
            fail_msg("%s %s: %s", files[i].family, files[i].text, error.text);
        architecture_free(&architecture);
    }
}

/* Absent keys mean what the configuration class says. */
static void defaults_are_the_family_s(void **state) {
    (void)state;
    static const struct {
        const char *family;
        bool tied;
        int64_t kv_heads, window_of_block_0, head_dim;
        double rope_base;
    } expected[] = {
        {"llama", false, 32, 0, 128, 1e4},    {"mistral", false, 8, 4096, 128, 1e4},
        {"mixtral", false, 8, 0, 128, 1e6},   {"qwen2", false, 32, 0, 128, 1e4},
        {"qwen3", false, 32, 0, 128, 1e4},    {"gemma", true, 16, 0, 256, 1e4},
        {"gemma2", true, 4, 4096, 256, 1e4},  {"gpt2", true, 12, 0, 64, 0},
        {"gpt_neo", true, 16, 0, 128, 0},     {"gpt_neox", false, 64, 0, 96, 1e4},
        {"gptj", false, 16, 0, 256, 1e4},     {"opt", true, 12, 0, 64, 0},
        {"bloom", true, 8, 0, 8, 0},          {"falcon", true, 1, 0, 64, 1e4},
        {"mpt", true, 16, 0, 128, 0},         {"gpt_bigcode", true, 1, 0, 64, 0},
        {"codegen", false, 16, 0, 256, 1e4},  {"phi", false, 32, 0, 64, 1e4},
        {"phi3", false, 32, 0, 96, 1e4},      {"stablelm", false, 32, 0, 80, 1e4},
        {"olmo", false, 32, 0, 128, 1e4},     {"starcoder2", true, 2, 0, 128, 1e4},
        {"olmo2", false, 32, 0, 128, 1e4},    {"cohere", true, 64, 0, 128, 1e4},
        {"nemotron", false, 48, 0, 128, 1e4}, {"glm", false, 2, 0, 128, 1e4},
        {"granite", false, 32, 0, 128, 1e4},  {"qwen2_moe", false, 16, 0, 128, 1e4},
        {"qwen3_moe", false, 4, 0, 64, 1e4},  {"gemma3_text", true, 4, 4096, 256, 1e6},
        {"gemma3", true, 4, 4096, 256, 1e6},
    };
    assert_int_equal(sizeof expected / sizeof *expected, family_count);
    for (size_t i = 0; i < family_count; i++) {
        struct architecture a;
        struct error error;
        if (!read_text(&a, &error, expected[i].family, "{}"))
            fail_msg("%s: %s", expected[i].family, error.text);
        if (a.tied != expected[i].tied || a.kv_heads != expected[i].kv_heads || a.head_dim != expected[i].head_dim ||
            a.window[0] != expected[i].window_of_block_0 || fabs(a.rope.base - expected[i].rope_base) > 0)
            fail_msg("%s: tied %d, kv heads %d, head_dim %d, window %d, rope base %g", expected[i].family, a.tied,
                     (int)a.kv_heads, (int)a.head_dim, (int)a.window[0], a.rope.base);
        architecture_free(&a);
    }
}

static void read_good(struct architecture *a, const char *family, const char *text) {
    struct error error;
    if (!read_text(a, &error, family, text))
        fail_msg("%s %s: %s", family, text, error.text);
}

/* What the reference files cover is marked; another variant of the same family is not. */
static void variants_are_not_verified(void **state) {
    static const char *const pairs[][3] = {
        {"gpt_neox", "{}", "{\"use_parallel_residual\":false}"},
        {"stablelm", "{}", "{\"use_parallel_residual\":true}"},
        {"stablelm", "{}", "{\"qk_layernorm\":true}"},
        {"opt", "{}", "{\"word_embed_proj_dim\":64}"},
        {"opt", "{}", "{\"do_layer_norm_before\":false}"},
        {"bloom", "{}", "{\"apply_residual_connection_post_layernorm\":true}"},
        {"falcon", "{}", "{\"new_decoder_architecture\":true}"},
        {"falcon", "{}", "{\"alibi\":true}"},
        {"falcon", "{}", "{\"parallel_attn\":false}"},
        {"gpt2", "{}", "{\"scale_attn_by_inverse_layer_idx\":true}"},
        {"llama", "{}", "{\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":2}}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int variant = 0; variant < 2; variant++) {
            struct architecture a;
            read_good(&a, pairs[i][0], pairs[i][1 + variant]);
            if (a.verified == (variant == 1))
                fail_msg("%s %s: verified %d", pairs[i][0], pairs[i][1 + variant], a.verified);
            architecture_free(&a);
        }
}

static void positions_scale_as_published(void **state) {
    (void)state;
    struct architecture a;
    read_good(&a, "llama", "{\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4}}");
    assert_int_equal(a.rope.scaling, ROPE_YARN);
    assert_true(fabs(a.rope.attention_factor - (0.1 * log(4) + 1)) < 1e-12);
    assert_true(fabs(a.rope.beta_fast - 32) < 1e-12 && fabs(a.rope.beta_slow - 1) < 1e-12);
    assert_int_equal(a.rope.original_positions, 2048);
    assert_false(a.verified);
    architecture_free(&a);
    read_good(&a, "phi3",
              "{\"hidden_size\":48,\"num_attention_heads\":8,\"max_position_embeddings\":64,"
              "\"original_max_position_embeddings\":16,\"rope_scaling\":{\"type\":\"longrope\","
              "\"short_factor\":[1,1,2],\"long_factor\":[1,2,4]}}");
    assert_int_equal(a.rope.scaling, ROPE_LONGROPE);
    assert_int_equal(a.rope.original_positions, 16);
    assert_true(fabs(a.rope.attention_factor - sqrt(1 + log(4) / log(16))) < 1e-12);
    assert_true(fabs(a.rope.long_factor[2] - 4) < 1e-12);
    architecture_free(&a);
    read_good(&a, "llama", "{\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":5e5}}");
    assert_true(fabs(a.rope.base - 5e5) < 1e-6);
    assert_int_equal(a.rope.scaling, ROPE_PLAIN);
    architecture_free(&a);
}

static void windows_follow_their_pattern(void **state) {
    (void)state;
    struct architecture a;
    read_good(&a, "gemma3_text", "{\"num_hidden_layers\":7}");
    for (int i = 0; i < 7; i++)
        assert_int_equal(a.window[i], i == 5 ? 0 : 4096);
    assert_true(fabs(a.rope_local.base - 1e4) < 1e-9 && a.qk_norm);
    architecture_free(&a);
    read_good(&a, "gemma2", "{\"num_hidden_layers\":3,\"query_pre_attn_scalar\":144}");
    assert_true(a.window[0] == 4096 && a.window[1] == 0 && a.window[2] == 4096);
    assert_true(fabs(a.attention_scale - 1.0 / 12) < 1e-12);
    architecture_free(&a);
    read_good(&a, "qwen2", "{\"use_sliding_window\":true,\"sliding_window\":8}");
    assert_int_equal(a.window[31], 8);
    architecture_free(&a);
    read_good(&a, "qwen2",
              "{\"num_hidden_layers\":2,\"use_sliding_window\":true,\"layer_types\":[\"full_attention\","
              "\"sliding_attention\"]}");
    assert_true(a.window[0] == 0 && a.window[1] == 4096);
    architecture_free(&a);
    read_good(&a, "gpt_neo", "{\"num_layers\":3,\"attention_types\":[[[\"global\",\"local\"],1],[[\"global\"],1]]}");
    assert_true(a.window[0] == 0 && a.window[1] == 256 && a.window[2] == 0);
    architecture_free(&a);
}

static void variants_of_a_family(void **state) {
    (void)state;
    struct architecture a;
    read_good(&a, "falcon", "{\"new_decoder_architecture\":true,\"num_kv_heads\":71}");
    assert_true(a.qkv == QKV_PER_KV_GROUP && a.kv_heads == 71 && a.form == BLOCK_PARALLEL);
    architecture_free(&a);
    read_good(&a, "falcon", "{\"multi_query\":false,\"parallel_attn\":false,\"alibi\":true}");
    assert_true(a.qkv == QKV_PER_HEAD && a.form == BLOCK_PRE && a.position == POSITION_ALIBI && a.alibi_scaled);
    architecture_free(&a);
    read_good(&a, "opt",
              "{\"do_layer_norm_before\":false,\"word_embed_proj_dim\":512,\"hidden_size\":1024,"
              "\"num_attention_heads\":16}");
    assert_true(a.form == BLOCK_POST && !a.final_norm && a.embedding_dim == 512 && a.position_offset == 2);
    architecture_free(&a);
    read_good(&a, "gpt_bigcode", "{\"multi_query\":false}");
    assert_true(a.qkv == QKV_PER_HEAD && a.kv_heads == 12);
    architecture_free(&a);
    read_good(&a, "qwen2_moe", "{\"num_hidden_layers\":4,\"decoder_sparse_step\":2,\"mlp_only_layers\":[3]}");
    assert_true(a.dense_block[0] && !a.dense_block[1] && a.dense_block[2] && a.dense_block[3]);
    assert_true(a.experts.shared_gate && a.experts.shared_intermediate == 5632 && !a.experts.normalize);
    architecture_free(&a);
    read_good(&a, "granite", "{\"logits_scaling\":8,\"attention_multiplier\":0.5,\"residual_multiplier\":0.25}");
    assert_true(fabs(a.logit_multiplier - 0.125) < 1e-12 && fabs(a.attention_scale - 0.5) < 1e-12);
    architecture_free(&a);
    read_good(&a, "mpt", "{\"attn_config\":{\"clip_qkv\":6,\"alibi_bias_max\":16,\"attn_impl\":\"torch\"}}");
    assert_true(fabs(a.qkv_clip - 6) < 1e-12 && fabs(a.alibi_bias_maximum - 16) < 1e-12 && !a.norm_bias);
    architecture_free(&a);
}

static void files_that_are_not_json(void **state) {
    (void)state;
    char path[] = "/tmp/secateur-config-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    static const char *const texts[] = {"", "{", "[1]", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        FILE *stream = fopen(path, "w");
        assert_non_null(stream);
        (void)fputs(texts[i], stream);
        (void)fclose(stream);
        struct error error = {0};
        assert_null(config_load(path, &error));
        assert_int_equal(error.code, ERROR_INPUT);
        assert_non_null(strstr(error.text, path));
    }
    (void)remove(path);
    (void)close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_options_are_named),      cmocka_unit_test(harmless_options_pass),
        cmocka_unit_test(published_files_pass),         cmocka_unit_test(defaults_are_the_family_s),
        cmocka_unit_test(variants_are_not_verified),    cmocka_unit_test(positions_scale_as_published),
        cmocka_unit_test(windows_follow_their_pattern), cmocka_unit_test(variants_of_a_family),
        cmocka_unit_test(files_that_are_not_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The table of families. Class defaults follow the Hugging Face implementations (transformers 4.48; qwen3 and gemma3:
 * 4.52). */
#include "model/config.h"
#include "model/family_tensors.h"

/* Computations that several families share. */
/* clang-format off */
#define RMS .norm = NORM_RMS, .norm_weight = true, .final_norm = true
#define LAYER .norm = NORM_LAYER, .norm_weight = true, .norm_bias = true, .final_norm = true
#define ROTARY .position = POSITION_ROTARY
#define ROTARY_PAIRS .position = POSITION_ROTARY, .rope = {.interleaved = true}
#define LLAMA_LIKE RMS, ROTARY, .gated = true
/* clang-format on */

const struct family families[] = {
    {.name = "llama",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_llama_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":32000,\"hidden_size\":4096,\"intermediate_size\":11008,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":null,\"head_dim\":null,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":2048,\"norm_epsilon\":1e-6,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"attention_bias\":false,\"mlp_bias\":false}",
     .base = {LLAMA_LIKE},
     .verified = true},
    {.name = "mistral",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_llama_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":32000,\"hidden_size\":4096,\"intermediate_size\":14336,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":8,\"head_dim\":null,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":131072,\"norm_epsilon\":1e-6,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"sliding_window\":4096,\"layer_types\":null}",
     .base = {LLAMA_LIKE},
     .verified = true},
    {.name = "mixtral",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_mixtral_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":32000,\"hidden_size\":4096,\"intermediate_size\":14336,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":8,\"head_dim\":null,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":131072,\"norm_epsilon\":1e-5,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e6,\"rope_scaling\":null,\"sliding_window\":null,\"num_experts_per_tok\":2,"
                 "\"num_experts\":8}",
     .base = {LLAMA_LIKE, .experts = {.normalize = true}},
     .verified = true},
    {.name = "qwen2",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_llama_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":151936,\"hidden_size\":4096,\"intermediate_size\":22016,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":32,\"head_dim\":null,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":32768,\"norm_epsilon\":1e-6,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"use_sliding_window\":false,\"sliding_window\":4096,"
                 "\"max_window_layers\":28,\"layer_types\":null}",
     .base = {LLAMA_LIKE},
     .verified = true},
    {.name = "qwen2_moe",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_qwen2_moe_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":151936,\"hidden_size\":2048,\"intermediate_size\":5632,\"num_hidden_layers\":24,"
                 "\"num_attention_heads\":16,\"num_key_value_heads\":16,\"head_dim\":null,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":32768,\"norm_epsilon\":1e-6,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"use_sliding_window\":false,\"sliding_window\":4096,"
                 "\"max_window_layers\":28,\"layer_types\":null,\"qkv_bias\":true,\"decoder_sparse_step\":1,"
                 "\"moe_intermediate_size\":1408,\"shared_expert_intermediate_size\":5632,\"num_experts_per_tok\":4,"
                 "\"num_experts\":60,\"norm_topk_prob\":false,\"mlp_only_layers\":null}",
     .base = {LLAMA_LIKE, .experts = {.shared_gate = true}}},
    {.name = "qwen3",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_qwen3_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":151936,\"hidden_size\":4096,\"intermediate_size\":22016,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":32,\"head_dim\":128,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":32768,\"norm_epsilon\":1e-6,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"attention_bias\":false,\"use_sliding_window\":false,"
                 "\"sliding_window\":4096,\"max_window_layers\":28,\"layer_types\":null}",
     .base = {LLAMA_LIKE, .qk_norm = true},
     .verified = true},
    {.name = "qwen3_moe",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_qwen3_moe_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":151936,\"hidden_size\":2048,\"intermediate_size\":6144,\"num_hidden_layers\":24,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":4,\"head_dim\":null,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":32768,\"norm_epsilon\":1e-6,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"attention_bias\":false,\"use_sliding_window\":false,"
                 "\"sliding_window\":4096,\"max_window_layers\":28,\"decoder_sparse_step\":1,"
                 "\"moe_intermediate_size\":768,\"num_experts_per_tok\":8,\"num_experts\":128,"
                 "\"norm_topk_prob\":false,\"mlp_only_layers\":null}",
     .base = {LLAMA_LIKE, .qk_norm = true},
     .verified = true},
    {.name = "gemma",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_llama_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":256000,\"hidden_size\":3072,\"intermediate_size\":24576,\"num_hidden_layers\":28,"
                 "\"num_attention_heads\":16,\"num_key_value_heads\":16,\"head_dim\":256,\"hidden_activation\":null,"
                 "\"hidden_act\":\"gelu_pytorch_tanh\",\"max_position_embeddings\":8192,\"norm_epsilon\":1e-6,"
                 "\"tie_word_embeddings\":true,\"rope_theta\":1e4,\"rope_scaling\":null,\"attention_bias\":false}",
     .base = {LLAMA_LIKE, .norm_offset = 1},
     .read = config_read_gemma},
    {.name = "gemma2",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_gemma2_inside,
     .outside = family_llama_outside,
     .defaults =
         "{\"vocab_size\":256000,\"hidden_size\":2304,\"intermediate_size\":9216,\"num_hidden_layers\":26,"
         "\"num_attention_heads\":8,\"num_key_value_heads\":4,\"head_dim\":256,\"hidden_act\":\"gelu_pytorch_tanh\","
         "\"hidden_activation\":\"gelu_pytorch_tanh\",\"max_position_embeddings\":8192,\"norm_epsilon\":1e-6,"
         "\"tie_word_embeddings\":true,\"rope_theta\":1e4,\"rope_scaling\":null,\"attention_bias\":false,"
         "\"query_pre_attn_scalar\":256,\"sliding_window\":4096,\"sliding_window_pattern\":2,\"layer_types\":null,"
         "\"final_logit_softcapping\":30.0,\"attn_logit_softcapping\":50.0}",
     .base = {LLAMA_LIKE, .norm_offset = 1, .form = BLOCK_SANDWICH},
     .read = config_read_gemma,
     .verified = true},
#define GEMMA3_DEFAULTS                                                                                                \
    "{\"vocab_size\":262208,\"hidden_size\":2304,\"intermediate_size\":9216,\"num_hidden_layers\":26,"                 \
    "\"num_attention_heads\":8,\"num_key_value_heads\":4,\"head_dim\":256,\"hidden_act\":\"gelu_pytorch_tanh\","       \
    "\"hidden_activation\":\"gelu_pytorch_tanh\",\"max_position_embeddings\":131072,\"norm_epsilon\":1e-6,"            \
    "\"tie_word_embeddings\":true,\"rope_theta\":1e6,\"rope_scaling\":null,\"rope_local_base_freq\":1e4,"              \
    "\"attention_bias\":false,\"query_pre_attn_scalar\":256,\"sliding_window\":4096,\"sliding_window_pattern\":6,"     \
    "\"layer_types\":null,\"final_logit_softcapping\":null,\"attn_logit_softcapping\":null}"
    {.name = "gemma3_text",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_gemma2_inside,
     .outside = family_llama_outside,
     .defaults = GEMMA3_DEFAULTS,
     .base = {LLAMA_LIKE, .norm_offset = 1, .form = BLOCK_SANDWICH, .qk_norm = true},
     .read = config_read_gemma},
    {.name = "gemma3",
     .prefixes = {"language_model.model.", "model.language_model.", "model."},
     .block = "layers.",
     .inside = family_gemma2_inside,
     .outside = family_llama_outside,
     .defaults = GEMMA3_DEFAULTS,
     .base = {LLAMA_LIKE, .norm_offset = 1, .form = BLOCK_SANDWICH, .qk_norm = true},
     .read = config_read_gemma,
     .nested = true},
    {.name = "phi",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_phi_inside,
     .outside = family_phi_outside,
     .defaults = "{\"vocab_size\":51200,\"hidden_size\":2048,\"intermediate_size\":8192,\"num_hidden_layers\":24,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":null,\"head_dim\":null,"
                 "\"hidden_act\":\"gelu_new\",\"max_position_embeddings\":2048,\"norm_epsilon\":1e-5,"
                 "\"tie_word_embeddings\":false,\"rope_theta\":1e4,\"rope_scaling\":null,"
                 "\"partial_rotary_factor\":0.5,\"qk_layernorm\":false}",
     .base = {LAYER, ROTARY, .form = BLOCK_PARALLEL, .qk_norm_kind = NORM_LAYER, .qk_norm_bias = true}},
    {.name = "phi3",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_phi3_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":32064,\"hidden_size\":3072,\"intermediate_size\":8192,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":null,\"head_dim\":null,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":4096,\"original_max_position_embeddings\":4096,\"norm_epsilon\":1e-5,"
                 "\"tie_word_embeddings\":false,\"rope_theta\":1e4,\"rope_scaling\":null,"
                 "\"partial_rotary_factor\":1.0,\"sliding_window\":null}",
     .base = {LLAMA_LIKE, .qkv = QKV_BLOCKS},
     .verified = true},
    {.name = "gpt2",
     .prefixes = {"transformer."},
     .block = "h.",
     .inside = family_gpt2_inside,
     .outside = family_gpt_outside,
     .defaults = "{\"vocab_size\":50257,\"hidden_size\":768,\"intermediate_size\":null,\"num_hidden_layers\":12,"
                 "\"num_attention_heads\":12,\"hidden_act\":\"gelu_new\",\"max_position_embeddings\":1024,"
                 "\"norm_epsilon\":1e-5,\"tie_word_embeddings\":true,\"scale_attn_weights\":true,"
                 "\"scale_attn_by_inverse_layer_idx\":false}",
     .base = {LAYER, .position = POSITION_LEARNED, .qkv = QKV_BLOCKS},
     .verified = true},
    {.name = "gpt_neo",
     .prefixes = {"transformer."},
     .block = "h.",
     .inside = family_gpt_neo_inside,
     .outside = family_gpt_outside,
     .defaults = "{\"vocab_size\":50257,\"hidden_size\":2048,\"intermediate_size\":null,\"num_hidden_layers\":24,"
                 "\"num_attention_heads\":16,\"hidden_act\":\"gelu_new\",\"max_position_embeddings\":2048,"
                 "\"norm_epsilon\":1e-5,\"tie_word_embeddings\":true,\"sliding_window\":256,"
                 "\"attention_types\":[[[\"global\",\"local\"],12]],\"attention_layers\":null}",
     .base = {LAYER, .position = POSITION_LEARNED},
     .read = config_read_gpt_neo,
     .verified = true},
    {.name = "gpt_neox",
     .prefixes = {"gpt_neox."},
     .block = "layers.",
     .inside = family_gpt_neox_inside,
     .outside = family_gpt_neox_outside,
     .defaults = "{\"vocab_size\":50432,\"hidden_size\":6144,\"intermediate_size\":24576,\"num_hidden_layers\":44,"
                 "\"num_attention_heads\":64,\"hidden_act\":\"gelu\",\"max_position_embeddings\":2048,"
                 "\"norm_epsilon\":1e-5,\"tie_word_embeddings\":false,\"rope_theta\":1e4,\"rope_scaling\":null,"
                 "\"partial_rotary_factor\":0.25,\"use_parallel_residual\":true,\"attention_bias\":true}",
     .base = {LAYER, ROTARY, .form = BLOCK_PARALLEL, .qkv = QKV_PER_HEAD},
     .verified = true},
    {.name = "gptj",
     .prefixes = {"transformer."},
     .block = "h.",
     .inside = family_gptj_inside,
     .outside = family_gpt_outside,
     .defaults = "{\"vocab_size\":50400,\"hidden_size\":4096,\"intermediate_size\":null,\"num_hidden_layers\":28,"
                 "\"num_attention_heads\":16,\"hidden_act\":\"gelu_new\",\"max_position_embeddings\":2048,"
                 "\"norm_epsilon\":1e-5,\"tie_word_embeddings\":false,\"rotary_dim\":64}",
     .base = {LAYER, ROTARY_PAIRS, .form = BLOCK_PARALLEL},
     .verified = true},
    {.name = "gpt_bigcode",
     .prefixes = {"transformer."},
     .block = "h.",
     .inside = family_gpt_bigcode_inside,
     .outside = family_gpt_outside,
     .defaults = "{\"vocab_size\":50257,\"hidden_size\":768,\"intermediate_size\":null,\"num_hidden_layers\":12,"
                 "\"num_attention_heads\":12,\"hidden_act\":\"gelu_pytorch_tanh\",\"max_position_embeddings\":1024,"
                 "\"norm_epsilon\":1e-5,\"tie_word_embeddings\":true,\"scale_attn_weights\":true,"
                 "\"multi_query\":true}",
     .base = {LAYER, .position = POSITION_LEARNED},
     .read = config_read_gpt_bigcode},
    {.name = "codegen",
     .prefixes = {"transformer."},
     .block = "h.",
     .inside = family_codegen_inside,
     .outside = family_gpt_outside,
     .defaults = "{\"vocab_size\":50400,\"hidden_size\":4096,\"intermediate_size\":null,\"num_hidden_layers\":28,"
                 "\"num_attention_heads\":16,\"hidden_act\":\"gelu_new\",\"max_position_embeddings\":2048,"
                 "\"norm_epsilon\":1e-5,\"tie_word_embeddings\":false,\"rotary_dim\":64}",
     .base = {LAYER, ROTARY_PAIRS, .form = BLOCK_PARALLEL, .qkv = QKV_CODEGEN}},
    {.name = "opt",
     .prefixes = {"model.decoder.", "decoder."},
     .block = "layers.",
     .inside = family_opt_inside,
     .outside = family_opt_outside,
     .defaults = "{\"vocab_size\":50272,\"hidden_size\":768,\"intermediate_size\":3072,\"num_hidden_layers\":12,"
                 "\"num_attention_heads\":12,\"hidden_act\":\"relu\",\"max_position_embeddings\":2048,"
                 "\"tie_word_embeddings\":true,\"do_layer_norm_before\":true,\"_remove_final_layer_norm\":false,"
                 "\"word_embed_proj_dim\":null,\"enable_bias\":true,\"layer_norm_elementwise_affine\":true}",
     .base = {LAYER, .norm_epsilon = 1e-5, .position = POSITION_LEARNED, .position_offset = 2},
     .read = config_read_opt,
     .verified = true},
    {.name = "bloom",
     .prefixes = {"transformer."},
     .block = "h.",
     .inside = family_bloom_inside,
     .outside = family_bloom_outside,
     .defaults = "{\"vocab_size\":250880,\"hidden_size\":64,\"intermediate_size\":null,\"num_hidden_layers\":2,"
                 "\"num_attention_heads\":8,\"norm_epsilon\":1e-5,\"tie_word_embeddings\":true,"
                 "\"apply_residual_connection_post_layernorm\":false}",
     .base = {LAYER, .activation = ACTIVATION_GELU_TANH, .position = POSITION_ALIBI, .alibi_bias_maximum = 8,
              .qkv = QKV_PER_HEAD, .embedding_norm = true},
     .verified = true},
    {.name = "falcon",
     .prefixes = {"transformer."},
     .block = "h.",
     .inside = family_bloom_inside,
     .outside = family_bloom_outside,
     .defaults = "{\"vocab_size\":65024,\"hidden_size\":4544,\"intermediate_size\":null,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":71,\"num_key_value_heads\":null,\"hidden_act\":\"gelu\","
                 "\"max_position_embeddings\":2048,\"norm_epsilon\":1e-5,\"tie_word_embeddings\":true,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"alibi\":false,\"new_decoder_architecture\":false,"
                 "\"multi_query\":true,\"parallel_attn\":true,\"bias\":false,\"num_ln_in_parallel_attn\":null}",
     .base = {LAYER, ROTARY, .form = BLOCK_PARALLEL, .qkv = QKV_BLOCKS},
     .read = config_read_falcon,
     .verified = true},
    {.name = "mpt",
     .prefixes = {"transformer."},
     .block = "blocks.",
     .inside = family_mpt_inside,
     .outside = family_mpt_outside,
     .defaults = "{\"vocab_size\":50368,\"hidden_size\":2048,\"intermediate_size\":null,\"num_hidden_layers\":24,"
                 "\"num_attention_heads\":16,\"max_position_embeddings\":2048,\"norm_epsilon\":1e-5,"
                 "\"tie_word_embeddings\":true,\"expansion_ratio\":4,\"attn_config\":null,\"no_bias\":true}",
     .base = {.norm = NORM_LAYER,
              .norm_weight = true,
              .final_norm = true,
              .activation = ACTIVATION_GELU,
              .position = POSITION_ALIBI,
              .qkv = QKV_BLOCKS},
     .read = config_read_mpt},
    {.name = "stablelm",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_stablelm_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":50304,\"hidden_size\":2560,\"intermediate_size\":6912,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":32,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":4096,\"norm_epsilon\":1e-5,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"partial_rotary_factor\":0.25,\"use_qkv_bias\":false,"
                 "\"qk_layernorm\":false,\"use_parallel_residual\":false}",
     .base = {LAYER, ROTARY, .gated = true, .qk_norm_kind = NORM_LAYER, .qk_norm_per_head_weights = true},
     .verified = true},
    {.name = "starcoder2",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_starcoder2_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":49152,\"hidden_size\":3072,\"intermediate_size\":12288,\"num_hidden_layers\":30,"
                 "\"num_attention_heads\":24,\"num_key_value_heads\":2,\"head_dim\":null,"
                 "\"hidden_act\":\"gelu_pytorch_tanh\",\"max_position_embeddings\":4096,\"norm_epsilon\":1e-5,"
                 "\"tie_word_embeddings\":true,\"rope_theta\":1e4,\"rope_scaling\":null,\"sliding_window\":null,"
                 "\"use_bias\":true}",
     .base = {LAYER, ROTARY},
     .verified = true},
    {.name = "olmo",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_llama_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":50304,\"hidden_size\":4096,\"intermediate_size\":11008,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":null,\"head_dim\":null,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":2048,\"tie_word_embeddings\":false,\"rope_theta\":1e4,"
                 "\"rope_scaling\":null,\"attention_bias\":false,\"clip_qkv\":null}",
     .base = {ROTARY, .norm = NORM_LAYER, .norm_epsilon = 1e-5, .final_norm = true, .gated = true}},
    {.name = "olmo2",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_olmo2_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":50304,\"hidden_size\":4096,\"intermediate_size\":11008,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":null,\"head_dim\":null,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":2048,\"norm_epsilon\":1e-5,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"attention_bias\":false}",
     .base = {LLAMA_LIKE, .form = BLOCK_BRANCH, .qk_norm = true, .qk_norm_whole = true},
     .verified = true},
    {.name = "granite",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_llama_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":32000,\"hidden_size\":4096,\"intermediate_size\":11008,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":null,\"head_dim\":null,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":2048,\"norm_epsilon\":1e-6,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"attention_bias\":false,\"mlp_bias\":false,"
                 "\"embedding_multiplier\":1.0,\"logits_scaling\":1.0,\"residual_multiplier\":1.0,"
                 "\"attention_multiplier\":1.0}",
     .base = {LLAMA_LIKE}},
    {.name = "cohere",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_qwen3_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":256000,\"hidden_size\":8192,\"intermediate_size\":22528,\"num_hidden_layers\":40,"
                 "\"num_attention_heads\":64,\"num_key_value_heads\":null,\"head_dim\":null,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":8192,\"norm_epsilon\":1e-5,\"tie_word_embeddings\":true,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"attention_bias\":false,\"logit_scale\":0.0625,"
                 "\"use_qk_norm\":false}",
     .base = {ROTARY_PAIRS, .norm = NORM_LAYER, .norm_weight = true, .final_norm = true, .form = BLOCK_PARALLEL,
              .gated = true, .qk_norm_kind = NORM_LAYER, .qk_norm_per_head_weights = true}},
    {.name = "nemotron",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_nemotron_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":256000,\"hidden_size\":6144,\"intermediate_size\":24576,\"num_hidden_layers\":32,"
                 "\"num_attention_heads\":48,\"num_key_value_heads\":null,\"head_dim\":null,\"hidden_act\":\"relu2\","
                 "\"max_position_embeddings\":4096,\"norm_epsilon\":1e-5,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"partial_rotary_factor\":0.5,\"attention_bias\":false,"
                 "\"mlp_bias\":false}",
     .base = {LAYER, ROTARY, .norm_offset = 1}},
    {.name = "glm",
     .prefixes = {"model."},
     .block = "layers.",
     .inside = family_glm_inside,
     .outside = family_llama_outside,
     .defaults = "{\"vocab_size\":151552,\"hidden_size\":4096,\"intermediate_size\":13696,\"num_hidden_layers\":40,"
                 "\"num_attention_heads\":32,\"num_key_value_heads\":2,\"head_dim\":128,\"hidden_act\":\"silu\","
                 "\"max_position_embeddings\":131072,\"norm_epsilon\":1.5625e-7,\"tie_word_embeddings\":false,"
                 "\"rope_theta\":1e4,\"rope_scaling\":null,\"partial_rotary_factor\":0.5,\"attention_bias\":false}",
     .base = {ROTARY_PAIRS, RMS, .gated = true}},
};
const size_t family_count = sizeof families / sizeof *families;

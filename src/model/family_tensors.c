/* Where each family keeps its tensors. Matrices stand in module order, which is the order of calibration files and of
 * --hessian. Names follow the Hugging Face implementations. */
#include "model/family_tensors.h"

/* clang-format off */
#define AT(module, kind) {.path = (module), .role = (kind)}
#define Q_K_V(path) AT(path ".q_proj", ROLE_Q), AT(path ".k_proj", ROLE_K), AT(path ".v_proj", ROLE_V)
#define K_V_Q(path) AT(path ".k_proj", ROLE_K), AT(path ".v_proj", ROLE_V), AT(path ".q_proj", ROLE_Q)
#define GATE_UP_DOWN(path) \
    AT(path ".gate_proj", ROLE_GATE), AT(path ".up_proj", ROLE_UP), AT(path ".down_proj", ROLE_DOWN)
#define LLAMA_NORMS AT("input_layernorm", ROLE_NORM_1), AT("post_attention_layernorm", ROLE_NORM_2)
#define QK_NORMS AT("self_attn.q_norm", ROLE_Q_NORM), AT("self_attn.k_norm", ROLE_K_NORM)
#define END AT(NULL, ROLE_OTHER)
/* clang-format on */

const struct family_tensor family_llama_inside[] = {Q_K_V("self_attn"), AT("self_attn.o_proj", ROLE_O),
                                                    GATE_UP_DOWN("mlp"), LLAMA_NORMS, END};
const struct family_tensor family_llama_outside[] = {AT("embed_tokens", ROLE_EMBEDDING), AT("norm", ROLE_FINAL_NORM),
                                                     AT("lm_head", ROLE_LM_HEAD), END};

const struct family_tensor family_mixtral_inside[] = {Q_K_V("self_attn"),
                                                      AT("self_attn.o_proj", ROLE_O),
                                                      AT("block_sparse_moe.gate", ROLE_ROUTER),
                                                      AT("block_sparse_moe.experts.%d.w1", ROLE_GATE),
                                                      AT("block_sparse_moe.experts.%d.w2", ROLE_DOWN),
                                                      AT("block_sparse_moe.experts.%d.w3", ROLE_UP),
                                                      LLAMA_NORMS,
                                                      END};
const struct family_tensor family_qwen2_moe_inside[] = {
    Q_K_V("self_attn"),
    AT("self_attn.o_proj", ROLE_O),
    AT("mlp.gate", ROLE_ROUTER),
    GATE_UP_DOWN("mlp.experts.%d"),
    {.path = "mlp.shared_expert.gate_proj", .role = ROLE_GATE, .shared = true},
    {.path = "mlp.shared_expert.up_proj", .role = ROLE_UP, .shared = true},
    {.path = "mlp.shared_expert.down_proj", .role = ROLE_DOWN, .shared = true},
    AT("mlp.shared_expert_gate", ROLE_SHARED_ROUTER),
    GATE_UP_DOWN("mlp"),
    LLAMA_NORMS,
    END};
const struct family_tensor family_qwen3_inside[] = {
    Q_K_V("self_attn"), AT("self_attn.o_proj", ROLE_O), QK_NORMS, GATE_UP_DOWN("mlp"), LLAMA_NORMS, END};
const struct family_tensor family_qwen3_moe_inside[] = {Q_K_V("self_attn"),
                                                        AT("self_attn.o_proj", ROLE_O),
                                                        QK_NORMS,
                                                        AT("mlp.gate", ROLE_ROUTER),
                                                        GATE_UP_DOWN("mlp.experts.%d"),
                                                        GATE_UP_DOWN("mlp"),
                                                        LLAMA_NORMS,
                                                        END};
const struct family_tensor family_gemma2_inside[] = {Q_K_V("self_attn"),
                                                     AT("self_attn.o_proj", ROLE_O),
                                                     QK_NORMS,
                                                     GATE_UP_DOWN("mlp"),
                                                     LLAMA_NORMS,
                                                     AT("pre_feedforward_layernorm", ROLE_NORM_3),
                                                     AT("post_feedforward_layernorm", ROLE_NORM_4),
                                                     END};
const struct family_tensor family_phi_inside[] = {Q_K_V("self_attn"),
                                                  AT("self_attn.dense", ROLE_O),
                                                  AT("self_attn.q_layernorm", ROLE_Q_NORM),
                                                  AT("self_attn.k_layernorm", ROLE_K_NORM),
                                                  AT("mlp.fc1", ROLE_FC1),
                                                  AT("mlp.fc2", ROLE_FC2),
                                                  AT("input_layernorm", ROLE_NORM_1),
                                                  END};
const struct family_tensor family_phi_outside[] = {
    AT("embed_tokens", ROLE_EMBEDDING), AT("final_layernorm", ROLE_FINAL_NORM), AT("lm_head", ROLE_LM_HEAD), END};
const struct family_tensor family_phi3_inside[] = {AT("self_attn.o_proj", ROLE_O),
                                                   AT("self_attn.qkv_proj", ROLE_QKV),
                                                   AT("mlp.gate_up_proj", ROLE_GATE_UP),
                                                   AT("mlp.down_proj", ROLE_DOWN),
                                                   LLAMA_NORMS,
                                                   END};
const struct family_tensor family_glm_inside[] = {Q_K_V("self_attn"),
                                                  AT("self_attn.o_proj", ROLE_O),
                                                  AT("mlp.gate_up_proj", ROLE_GATE_UP),
                                                  AT("mlp.down_proj", ROLE_DOWN),
                                                  LLAMA_NORMS,
                                                  END};

const struct family_tensor family_gpt2_inside[] = {{.path = "attn.c_attn", .role = ROLE_QKV, .transposed = true},
                                                   {.path = "attn.c_proj", .role = ROLE_O, .transposed = true},
                                                   {.path = "mlp.c_fc", .role = ROLE_FC1, .transposed = true},
                                                   {.path = "mlp.c_proj", .role = ROLE_FC2, .transposed = true},
                                                   AT("ln_1", ROLE_NORM_1),
                                                   AT("ln_2", ROLE_NORM_2),
                                                   END};
const struct family_tensor family_gpt_bigcode_inside[] = {AT("attn.c_attn", ROLE_QKV),
                                                          AT("attn.c_proj", ROLE_O),
                                                          AT("mlp.c_fc", ROLE_FC1),
                                                          AT("mlp.c_proj", ROLE_FC2),
                                                          AT("ln_1", ROLE_NORM_1),
                                                          AT("ln_2", ROLE_NORM_2),
                                                          END};
const struct family_tensor family_gpt_neo_inside[] = {K_V_Q("attn.attention"),
                                                      AT("attn.attention.out_proj", ROLE_O),
                                                      AT("mlp.c_fc", ROLE_FC1),
                                                      AT("mlp.c_proj", ROLE_FC2),
                                                      AT("ln_1", ROLE_NORM_1),
                                                      AT("ln_2", ROLE_NORM_2),
                                                      END};
const struct family_tensor family_gptj_inside[] = {K_V_Q("attn"),
                                                   AT("attn.out_proj", ROLE_O),
                                                   AT("mlp.fc_in", ROLE_FC1),
                                                   AT("mlp.fc_out", ROLE_FC2),
                                                   AT("ln_1", ROLE_NORM_1),
                                                   END};
const struct family_tensor family_codegen_inside[] = {AT("attn.qkv_proj", ROLE_QKV), AT("attn.out_proj", ROLE_O),
                                                      AT("mlp.fc_in", ROLE_FC1),     AT("mlp.fc_out", ROLE_FC2),
                                                      AT("ln_1", ROLE_NORM_1),       END};
const struct family_tensor family_gpt_outside[] = {AT("wte", ROLE_EMBEDDING), AT("wpe", ROLE_POSITION),
                                                   AT("ln_f", ROLE_FINAL_NORM), AT("lm_head", ROLE_LM_HEAD), END};
const struct family_tensor family_gpt_neox_inside[] = {AT("attention.query_key_value", ROLE_QKV),
                                                       AT("attention.dense", ROLE_O),
                                                       AT("mlp.dense_h_to_4h", ROLE_FC1),
                                                       AT("mlp.dense_4h_to_h", ROLE_FC2),
                                                       LLAMA_NORMS,
                                                       END};
const struct family_tensor family_gpt_neox_outside[] = {
    AT("embed_in", ROLE_EMBEDDING), AT("final_layer_norm", ROLE_FINAL_NORM), AT("embed_out", ROLE_LM_HEAD), END};

const struct family_tensor family_opt_inside[] = {K_V_Q("self_attn"),
                                                  AT("self_attn.out_proj", ROLE_O),
                                                  AT("fc1", ROLE_FC1),
                                                  AT("fc2", ROLE_FC2),
                                                  AT("self_attn_layer_norm", ROLE_NORM_1),
                                                  AT("final_layer_norm", ROLE_NORM_2),
                                                  END};
const struct family_tensor family_opt_outside[] = {AT("embed_tokens", ROLE_EMBEDDING),
                                                   AT("embed_positions", ROLE_POSITION),
                                                   AT("project_in", ROLE_PROJECT_IN),
                                                   AT("project_out", ROLE_PROJECT_OUT),
                                                   AT("final_layer_norm", ROLE_FINAL_NORM),
                                                   AT("lm_head", ROLE_LM_HEAD),
                                                   END};
/* bloom and falcon; falcon-40b has a norm for each branch instead. */
const struct family_tensor family_bloom_inside[] = {AT("self_attention.query_key_value", ROLE_QKV),
                                                    AT("self_attention.dense", ROLE_O),
                                                    AT("mlp.dense_h_to_4h", ROLE_FC1),
                                                    AT("mlp.dense_4h_to_h", ROLE_FC2),
                                                    LLAMA_NORMS,
                                                    AT("ln_attn", ROLE_NORM_1),
                                                    AT("ln_mlp", ROLE_NORM_2),
                                                    END};
const struct family_tensor family_bloom_outside[] = {AT("word_embeddings", ROLE_EMBEDDING),
                                                     AT("word_embeddings_layernorm", ROLE_EMBEDDING_NORM),
                                                     AT("ln_f", ROLE_FINAL_NORM), AT("lm_head", ROLE_LM_HEAD), END};
const struct family_tensor family_mpt_inside[] = {AT("attn.Wqkv", ROLE_QKV),
                                                  AT("attn.out_proj", ROLE_O),
                                                  AT("ffn.up_proj", ROLE_FC1),
                                                  AT("ffn.down_proj", ROLE_FC2),
                                                  AT("norm_1", ROLE_NORM_1),
                                                  AT("norm_2", ROLE_NORM_2),
                                                  END};
const struct family_tensor family_mpt_outside[] = {AT("wte", ROLE_EMBEDDING), AT("norm_f", ROLE_FINAL_NORM),
                                                   AT("lm_head", ROLE_LM_HEAD), END};
const struct family_tensor family_stablelm_inside[] = {Q_K_V("self_attn"),
                                                       AT("self_attn.o_proj", ROLE_O),
                                                       AT("self_attn.q_layernorm.norms.%d", ROLE_Q_NORM),
                                                       AT("self_attn.k_layernorm.norms.%d", ROLE_K_NORM),
                                                       GATE_UP_DOWN("mlp"),
                                                       LLAMA_NORMS,
                                                       END};
const struct family_tensor family_starcoder2_inside[] = {Q_K_V("self_attn"),
                                                         AT("self_attn.o_proj", ROLE_O),
                                                         AT("mlp.c_fc", ROLE_FC1),
                                                         AT("mlp.c_proj", ROLE_FC2),
                                                         LLAMA_NORMS,
                                                         END};
const struct family_tensor family_nemotron_inside[] = {Q_K_V("self_attn"),
                                                       AT("self_attn.o_proj", ROLE_O),
                                                       AT("mlp.up_proj", ROLE_FC1),
                                                       AT("mlp.down_proj", ROLE_FC2),
                                                       LLAMA_NORMS,
                                                       END};
const struct family_tensor family_olmo2_inside[] = {Q_K_V("self_attn"),
                                                    AT("self_attn.o_proj", ROLE_O),
                                                    QK_NORMS,
                                                    GATE_UP_DOWN("mlp"),
                                                    AT("post_attention_layernorm", ROLE_NORM_1),
                                                    AT("post_feedforward_layernorm", ROLE_NORM_2),
                                                    END};

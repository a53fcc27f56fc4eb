/* Everything about a decoder-only model's computation that its config.json decides: filled by config.c and the family's
 * row, read by the engine. Field by field this is data, so that a new family is a row and not a new engine. */
#ifndef SECATEUR_ARCHITECTURE_H
#define SECATEUR_ARCHITECTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum norm_kind { NORM_RMS, NORM_LAYER };
enum activation {
    ACTIVATION_SILU,
    ACTIVATION_GELU,
    ACTIVATION_GELU_TANH,
    ACTIVATION_GELU_QUICK,
    ACTIVATION_RELU,
    ACTIVATION_RELU_SQUARED
};

/* How a block joins its two branches to the residual stream x (A = attention, M = feed-forward, n1.. = norms):
 *   PRE       h = x + A(n1 x);  y = h + M(n2 h)                         llama, gpt2, opt, bloom, ...
 *   POST      h = n1(x + A x);  y = n2(h + M h)                         opt-350m
 *   PARALLEL  y = x + A(n1 x) + M(n2 x); n2 = n1 where there is one norm   gpt_neox, falcon, phi, gptj, cohere
 *   SANDWICH  h = x + n2 A(n1 x);  y = h + n4 M(n3 h)                   gemma2, gemma3
 *   BRANCH    h = x + n1 A x;  y = h + n2 M h                           olmo2 */
enum block_form { BLOCK_PRE, BLOCK_POST, BLOCK_PARALLEL, BLOCK_SANDWICH, BLOCK_BRANCH };

enum position_kind { POSITION_NONE, POSITION_ROTARY, POSITION_LEARNED, POSITION_ALIBI };
enum rope_scaling { ROPE_PLAIN, ROPE_LINEAR, ROPE_DYNAMIC, ROPE_YARN, ROPE_LLAMA3, ROPE_LONGROPE };

struct rope {
    enum rope_scaling scaling;
    double base;
    int64_t dims;     /* how many of a head's dimensions turn (partial rotary) */
    bool interleaved; /* pairs (2i, 2i+1); otherwise (i, i + dims/2) */
    double factor;
    int64_t original_positions; /* the trained length that dynamic, yarn, llama3 and longrope reckon from */
    double low_frequency_factor, high_frequency_factor; /* llama3 */
    double beta_fast, beta_slow;                        /* yarn */
    double attention_factor;            /* multiplies cos and sin; always filled in, 1 where nothing is scaled */
    double *short_factor, *long_factor; /* longrope, dims/2 each; owned */
};

/* Rows of a fused query-key-value matrix. */
enum qkv_layout {
    QKV_SEPARATE,
    QKV_BLOCKS,       /* all q, all k, all v               phi3, gpt2, gpt_bigcode (multi-query), mpt, falcon-7b */
    QKV_PER_HEAD,     /* [head][q, k, v][dim]              gpt_neox, bloom, falcon-rw, gpt_bigcode (multi-head) */
    QKV_PER_KV_GROUP, /* [kv head][its q heads, k, v][dim]             falcon-40b, falcon-11b */
    QKV_CODEGEN,      /* 4 groups of [q, v, k]                         codegen */
};

struct experts {
    int64_t count; /* 0: a dense feed-forward in every block */
    int64_t per_token;
    int64_t intermediate;        /* of one expert */
    bool normalize;              /* the chosen experts' probabilities are scaled to sum 1 */
    int64_t shared_intermediate; /* 0: no shared expert */
    bool shared_gate;            /* sigmoid gate on the shared expert (qwen2_moe) */
};

struct architecture {
    int64_t blocks, hidden, heads, kv_heads, head_dim, intermediate, vocabulary;
    int64_t positions;     /* limit of the context length; 0 = none stated */
    int64_t embedding_dim; /* = hidden, but for opt's project_in/out */

    enum norm_kind norm;
    double norm_epsilon;
    double norm_offset;          /* 1 where weights are stored minus 1 (gemma, nemotron) */
    bool norm_weight, norm_bias; /* what exists; olmo's layer norm has neither */
    bool embedding_norm;         /* bloom */
    bool final_norm;
    enum block_form form;
    bool residual_after_norm; /* bloom's apply_residual_connection_post_layernorm: the residual is the normed input */

    enum position_kind position;
    struct rope rope;
    struct rope rope_local;    /* blocks with a window, where these turn differently (gemma3); scaling PLAIN and base 0
                                  when unused */
    int64_t position_offset;   /* opt: learned positions start at row 2 */
    double alibi_bias_maximum; /* mpt: 8 by default; slopes scaled accordingly */
    bool alibi_scaled;         /* falcon: the bias is added before attention_scale multiplies */
    bool alibi_bf16;           /* falcon: slope x position is rounded to bf16 */

    enum qkv_layout qkv;
    double attention_scale;        /* multiplies q·k; normally 1/sqrt(head_dim) */
    bool attention_scale_by_block; /* gpt2's scale_attn_by_inverse_layer_idx: also divided by block + 1 */
    double attention_softcap;      /* 0 = none */
    int64_t *window;               /* per block: a query at t sees keys t-window+1 .. t; 0 = all. Owned */
    enum norm_kind qk_norm_kind;
    bool qk_norm;                  /* norms of q and k before rotary */
    bool qk_norm_whole;            /* over all heads at once (olmo2) and not per head */
    bool qk_norm_per_head_weights; /* weights [heads, head_dim] (cohere), or a tensor per head found as weight.expert
                                      (stablelm) */
    bool qk_norm_bias;
    double qkv_clip; /* olmo, mpt: clamp q, k, v to ±clip; 0 = none */

    enum activation activation;
    bool gated; /* act(gate) ⊙ up → down; otherwise act(fc1) → fc2 */
    struct experts experts;
    bool *dense_block; /* with experts: true where a block has a plain feed-forward all the same. Owned; NULL = none */

    double embedding_multiplier, residual_multiplier, logit_multiplier; /* 1 when absent; logits are multiplied */
    double logit_softcap;                                               /* 0 = none */
    bool tied;                                                          /* the output matrix is the embedding */
    bool head_bias;                                                     /* gptj, phi, codegen */

    int64_t bos, eos; /* token ids; -1 = none */
    bool verified;    /* the engine was compared with the reference implementation for this family */
};

#endif

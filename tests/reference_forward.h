/* A slow, plain forward pass in f64, written apart from the engine: one token, one head, one number at a time. What a
 * family computes is stated by names and flags of its own. */
#ifndef SECATEUR_REFERENCE_FORWARD_H
#define SECATEUR_REFERENCE_FORWARD_H

#include "checkpoint/checkpoint.h"

#define REFERENCE_ROWS 256 /* most rows of any dimension */

enum reference_form { IN_SEQUENCE, IN_PARALLEL, SANDWICH, NORM_AFTER_SUM };

struct reference {
    const char *name, *config;
    /* names: behind "block" for what lies in blocks; weights end in ".weight", biases in ".bias" where the file has
     * them */
    const char *block, *embed, *positions, *final_norm, *head;
    const char *q, *k, *v; /* or: */
    const char *qkv;
    int (*place)(const struct reference *reference, int part,
                 int head); /* row of q (0), k (1), v (2) of a head in qkv */
    const char *o, *gate, *up, *down, *gate_up;
    const char *norm_1, *norm_2, *norm_3, *norm_4; /* norm_2 NULL: the first serves both (parallel) */
    const char *q_norm, *k_norm;
    const char *router, *expert, *shared, *shared_gate; /* expert: prefix with %d */
    int experts, chosen, expert_units, shared_units;
    bool norm_chosen, biases, head_bias;
    int position_offset;
    int blocks, hidden, heads, kv_heads, dim, units;
    enum reference_form form;
    bool layer_norm, weightless_norms;
    double epsilon, weight_offset;
    double (*activation)(double x);
    double rope_base, local_base;
    double (*frequency)(const struct reference *reference, double base, int pair, int length);
    int turning; /* dimensions that turn; 0: none */
    bool pairs_interleaved;
    double rope_gain; /* on cos and sin; 0: 1 */
    double (*slope)(const struct reference *reference, int head);
    bool alibi_rounded; /* falcon: bf16, and before the scale */
    double scale;       /* of the scores; 0: 1 / sqrt(dim) */
    double clip;
    int window, global_every;                     /* global_every n: every n-th block has no window */
    double embed_gain, residual_gain, logit_gain; /* 0: 1 */
    bool head_norms_layer, head_norm_rows;
};

/* Calls add(context, name, rows, columns) for every tensor that a file of this model holds; vectors have columns 0. */
void reference_tensors(const struct reference *reference, int vocabulary, int positions,
                       void (*add)(void *context, const char *name, int64_t rows, int64_t columns), void *context);

/* logits[length × vocabulary] of one window. */
void reference_logits(double *logits, const struct reference *reference, const struct checkpoint *checkpoint,
                      const int *ids, int length, int vocabulary);

#endif

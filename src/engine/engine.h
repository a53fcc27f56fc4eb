/* One block of the model at work on a batch of tokens: what the streaming of text, calibration and pruning share. */
#ifndef SECATEUR_ENGINE_H
#define SECATEUR_ENGINE_H

#include "engine/gemm.h"
#include "engine/norm.h"
#include "engine/position.h"
#include "model/model.h"

/* Tokens that pass a block together: whole windows, rows = windows × length. */
struct batch {
    int64_t first; /* the first window's number in the whole text */
    int64_t windows, length;
    const uint8_t *mask; /* [windows × length], 0 = padding; NULL: none */
};

/* Puts other numbers in a matrix's place: pruned weights that are not on disk yet, a what-if. find returns
 * [rows × columns] (outputs × inputs) that stay valid while the block runs, or NULL for the file's own. `matrix` is an
 * index in model->matrices. */
struct weight_source {
    const float *(*find)(void *context, size_t matrix);
    void *context;
    /* The same for biases and norms: an index in model->weights. NULL: all are the file's own. */
    const float *(*find_vector)(void *context, size_t weight);
};

/* The input of some matrices of a block, as an observer sees it. */
struct observed_input {
    int64_t block;
    size_t matrix; /* index in model->matrices of the first matrix that has this input; the others are those of the same
                      block with the same matrix.input */
    const float *x; /* [rows × columns] */
    int64_t rows, columns;
    const struct batch *batch; /* where the rows come from */
    const int64_t *tokens; /* an expert's rows: their places in the batch, ascending; NULL: all of the batch in order */
    const float *routing;  /* an expert's rows: the router's weight of each; NULL otherwise */
};

enum branch { BRANCH_ATTENTION, BRANCH_FEED_FORWARD };

/* Looks on while a block runs. Every member may be NULL. Rows of padding (batch->mask 0) are handed over with the rest;
 * who gathers statistics leaves them out. A callback that returns false stops the block with its error. Called in the
 * thread that runs the block, which may use parallel_for inside. */
struct block_observer {
    void *context;
    /* Each distinct input of a block's matrices, once per batch, in the order of computation: hidden units after the
     * activation are the input of `down` (or fc2), the heads' outputs that of `o`. */
    bool (*input)(void *context, const struct observed_input *input, struct error *error);
    /* What one routed expert gives for the tokens that are sent to it, before the router's weights: x[rows × hidden],
     * with tokens and routing set. */
    bool (*expert)(void *context, int64_t expert, const struct observed_input *output, struct error *error);
    /* What a branch adds to the residual stream, [rows × hidden], after its own norm and before the residual
     * multiplier. */
    bool (*branch)(void *context, int64_t block, enum branch branch, const float *output, const struct batch *batch,
                   struct error *error);
    /* A block's input and output, [rows × hidden]. */
    bool (*block)(void *context, int64_t block, const float *before, const float *after, const struct batch *batch,
                  struct error *error);
};

struct engine_options {
    enum compute compute;
    const struct weight_source *weights; /* NULL: the file's */
};

/* A model made ready for windows of one length, with the workspace for batches of up to `tokens` tokens. */
struct engine {
    const struct model *model;
    struct engine_options options;
    int64_t length, tokens;
    struct gemm gemm;
    struct positions positions;
    float *vectors;          /* norms and biases, widened: those outside blocks, then those of `loaded` */
    const float **vector_at; /* where a weight's vector lies there; NULL: nowhere */
    size_t outer_vectors;    /* floats of those outside blocks */
    int64_t loaded;          /* the block whose vectors are there */
    struct norm *head_norms; /* of the queries' heads, then the keys' */
    /* workspace, [tokens × ...] */
    float *normed, *normed_2; /* hidden: inputs of the branches */
    float *qkv;               /* (heads + 2 kv heads) × head_dim */
    float *context;           /* heads × head_dim */
    float *output;            /* hidden: what attention gives */
    float *units;             /* 2 × intermediate where gated, or intermediate */
    float *hidden;            /* intermediate: units after the activation */
    float *fed;               /* hidden: what the feed-forward gives */
    float *before;            /* hidden: the block's input */
    float *attention_scratch; /* for each thread */
    struct routing *routing;  /* of mixtures of experts */
    const struct block_observer *observer;
    struct progress *progress;
};

/* Fails with the model's architecture_error when the model cannot be run. `length` is the windows' length, `tokens` the
 * most that come at once (a multiple of length). The model must outlive the engine. */
bool engine_create(struct engine *engine, const struct model *model, const struct engine_options *options,
                   int64_t length, int64_t tokens, struct error *error);
void engine_free(struct engine *engine);

/* Bytes that engine_create takes. */
uint64_t engine_bytes(const struct model *model, enum compute compute, int64_t length, int64_t tokens);

/* x[batch rows × hidden]: block's input on entry, its output on return. Observer and progress (operations) may be
 * NULL. */
bool engine_block(struct engine *engine, int64_t block, float *x, const struct batch *batch,
                  const struct block_observer *observer, struct progress *progress, struct error *error);

/* Floating-point operations of one block on windows × length tokens: what progress is counted in. */
uint64_t engine_block_work(const struct model *model, int64_t block, int64_t windows, int64_t length);

/* x[batch rows × hidden] = the first block's input for ids[batch rows]: embedding, positions, projection, norm. */
bool engine_embed(struct engine *engine, float *x, const int32_t *ids, const struct batch *batch, struct error *error);

/* y[rows × embedding_dim] = final norm and projection of x[rows × hidden]: what the output matrix multiplies. y may not
 * be x. */
bool engine_final(struct engine *engine, float *y, const float *x, int64_t rows, struct error *error);

/* logits[rows × (end - begin)] of the tokens' vocabulary entries [begin, end), multiplied and capped as the model does.
 */
bool engine_logits(struct engine *engine, float *logits, const float *final, int64_t rows, int64_t begin, int64_t end,
                   struct progress *progress, struct error *error);

/* A vector (norm, bias) of the block at work (MODEL_NO_BLOCK: outside) as f32, NULL when the model has none. */
const float *engine_vector(const struct engine *engine, int64_t block, enum role role, int64_t expert, bool bias);

/* y[rows × hidden] = the norm of that role of rows of x. y may be x. */
void engine_norm(const struct engine *engine, float *y, const float *x, int64_t block, enum role role, int64_t rows);

/* y = x Wᵀ + bias for a matrix, its bias included. */
bool engine_product(struct engine *engine, float *y, int64_t y_stride, const float *x, const struct weight *weight,
                    int64_t rows, struct error *error);

/* Tells the observer of the input of a matrix and of all that share it. */
bool engine_observe(struct engine *engine, const struct weight *weight, const float *x, int64_t rows,
                    const struct batch *batch, struct error *error);

/* The same for an input with more to say: x, rows, batch, tokens and routing are set by the caller. */
bool engine_observe_input(struct engine *engine, const struct weight *weight, struct observed_input *input,
                          struct error *error);

/* Makes a block's vectors those that engine_vector finds. engine_block does it. */
void engine_load(struct engine *engine, int64_t block);

#endif

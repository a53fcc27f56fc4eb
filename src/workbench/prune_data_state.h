/* A run with data at work: shared by prune_data.c, prune_matrix.c, prune_bias.c and prune_reorder.c only. */
#ifndef SECATEUR_PRUNE_DATA_STATE_H
#define SECATEUR_PRUNE_DATA_STATE_H

#include "calibrate/calibrate.h"
#include "checkpoint/imatrix.h"
#include "engine/stream.h"
#include "prune/factor.h"
#include "workbench/prune_data.h"

/* Hidden units (or a head's values) of a block in an order under which keeping N of M loses less: the consumer's
 * columns and the producers' rows move together, so that the block computes what it did. */
struct unit_order {
    size_t consumer;     /* down, fc2 or o: an index in model->matrices */
    size_t producers[2]; /* gate and up, or one of fc1, gate_up, v */
    size_t producer_count;
    int64_t units;
    int64_t *order; /* [units]: new place p holds old unit order[p] */
};

struct data_run {
    struct prune_run *run;
    struct writer *writer;
    struct progress *progress;
    struct corpus corpus;
    struct imatrix imatrix; /* in place of text: entries then are there, and there is no stream */
    struct stream *stream;
    struct weight_source source;
    float **pruned;  /* [matrix_count]: final weights of the block in hand, as they are stored; NULL otherwise */
    float **vectors; /* [weight_count]: biases that change in the block in hand; NULL otherwise */
    bool overridden; /* the stream sees both */
    struct unit_order *orders; /* of the block in hand: units that stand in another order than in the source */
    size_t order_count;
    float *spare;               /* workspace of reordering: the largest matrix concerned */
    struct gathering gathering; /* of the block in hand */
    struct factor *factor;      /* of the input seen last */
    const struct gathered_input *factor_input;
};

/* The source's weights of a matrix, [rows × columns], with units in the block's order. */
void prune_data_dense(float *weights, const struct data_run *data, size_t matrix);

/* values[count] as the output's type of that tensor holds them. */
bool prune_data_round(float *values, size_t count, enum dtype dtype, struct error *error);

/* prune_matrix.c */
const struct matrix *prune_matrix_of(const struct data_run *data, size_t task);
size_t prune_matrix_tensor(const struct data_run *data, size_t task); /* its place in the writer */
/* The factor belongs to the input seen last: to be called before the gathering goes. */
void prune_matrix_drop_factor(struct data_run *data);
/* Prunes a task's matrix to this sparsity from what is gathered; the last time, measures, writes and publishes it. */
bool prune_matrix(struct data_run *data, size_t task, double sparsity, bool last, struct error *error);

/* prune_bias.c: adds to the matrix's bias what its pruned weights gave on average, and writes it. Refused for a matrix
 * without bias. */
bool prune_bias_check(const struct model *model, size_t matrix, struct error *error);
bool prune_bias_take(struct data_run *data, size_t matrix, const float *pruned, const struct input_statistics *input,
                     struct error *error);
/* Lets the stream see a changed bias (values[count] of weight `weight`, taken over) and, when it is final, writes it.
 */
bool prune_bias_put(struct data_run *data, size_t weight, float *values, bool final, struct error *error);

/* prune_reorder.c */
bool prune_reorder_wanted(const struct data_run *data, size_t first_task, size_t end_task);
/* Finds the orders from the gathered inputs, puts the reordered dense weights of all matrices concerned where the
 * stream sees them, and writes those that no task prunes. */
bool prune_reorder(struct data_run *data, size_t first_task, size_t end_task, struct error *error);
void prune_reorder_apply(float *weights, const struct data_run *data, size_t matrix);
void prune_reorder_drop(struct data_run *data);

#endif

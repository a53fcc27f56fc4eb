/* What the whole model loses when some of its matrices are cut: measured on a few windows, without writing anything.
 *
 * The dense states in front of a block are kept, so that cutting a matrix of that block runs the blocks behind it only.
 * Changes are differences on the same windows: their standard error is that of the paired differences. */
#ifndef SECATEUR_PROBE_H
#define SECATEUR_PROBE_H

#include "engine/engine.h"
#include "plan/plan.h"
#include "plan/sensitivity.h"

struct probe {
    const struct sensitivity *sensitivity; /* whose inputs activation-aware methods cut by */
    const struct model *model;
    struct engine engine;
    struct batch batch;
    const int32_t *ids; /* [windows × length]; of the caller */
    size_t windows, length;
    int64_t block;       /* that `prefix` is the input of */
    float *prefix;       /* dense states, [windows × length × hidden] */
    float *x;            /* states under work, as many */
    float *final;        /* a window's, [length × embedding_dim] */
    float *logits;       /* a tile of a window's, [length × PROBE_TILE] */
    float **weights;     /* [matrix_count]: cut matrices while a block runs, else NULL */
    double *dense, *cut; /* mean negative log-likelihood of each window */
    struct weight_source source;
};

struct probe_change {
    double change;    /* of the mean negative log-likelihood per token, in nats */
    double deviation; /* its standard error */
};

/* Runs the dense model once. ids must outlive the probe. */
bool probe_create(struct probe *probe, const struct sensitivity *sensitivity, const int32_t *ids, size_t windows,
                  size_t length, enum compute compute, struct progress *progress, struct error *error);
void probe_free(struct probe *probe);

uint64_t probe_bytes(const struct model *model, size_t windows, size_t length, enum compute compute);

/* Mean negative log-likelihood of the dense model on these windows, and the tokens that it is the mean of. */
double probe_dense(const struct probe *probe);
uint64_t probe_tokens(const struct probe *probe);

/* Moves on until the prefix is the input of `block`, which is never before the last one. */
bool probe_seek(struct probe *probe, int64_t block, struct progress *progress, struct error *error);

/* Only this matrix, of the block that was sought, is cut. method: magnitude, wanda or another that needs no Hessian. */
bool probe_matrix(struct probe_change *change, struct probe *probe, size_t matrix, const struct target *target,
                  struct progress *progress, struct error *error);

/* All targets[matrix_count]; method for those that name none. Leaves the prefix where it is. */
bool probe_plan(struct probe_change *change, struct probe *probe, const struct target *targets, const char *method,
                struct progress *progress, struct error *error);

/* Operations that a seek past a block, a cut matrix of it and a plan add to progress. */
uint64_t probe_block_work(const struct probe *probe, int64_t block);
uint64_t probe_matrix_work(const struct probe *probe, int64_t block);
uint64_t probe_plan_work(const struct probe *probe);

#endif

/* What a plan is expected to cost, computed without pruning; always shown apart from what was measured.
 *
 * The load of a plan is Σ (c_m e_m)^0.85: the relative output error expected of every matrix (sensitivity.h), weighted
 * by how much the model's loss answers to it. c_m comes from cutting that matrix alone (:measure) where this was done,
 * else from the matrices of its role that were measured, else all are equal. The change of the mean negative
 * log-likelihood is read off anchors: plans whose change was measured, joined by straight lines in log(load),
 * log(change), for uniform plans. An uneven plan lies off that line by its distance, the part of its load that a
 * uniform plan has elsewhere: errors of the weights cancel between plans of the same proportions, but not here. Bias
 * and spread per distance come from uneven plans that were measured; the nearest of these corrects a plan the more the
 * nearer it is. The interval is as wide as the uniform anchors are from each other's line, and wider by the distance.
 */
#ifndef SECATEUR_FORECAST_H
#define SECATEUR_FORECAST_H

#include "plan/plan.h"
#include "plan/sensitivity.h"

/* A plan that was measured. */
struct forecast_anchor {
    char name[48];          /* "uniform 50 % wanda" */
    struct target *targets; /* [matrix_count], owned */
    double change;          /* of the mean negative log-likelihood per token, in nats */
    double deviation;       /* its standard error */
    uint64_t tokens, text;  /* it was measured on, with the hash of the windows */
    bool on_line;           /* uniform: the line goes through it */
    double load;
    double distance, residual; /* from the line's nearest plan; of log(change) from the line */
};

#define FORECAST_RATIOS 8 /* of a matrix: more loss points are left out */
/* What the loss of a matrix cut alone was, per relative output error, at the sparsities that were measured. */
struct forecast_ratios {
    double at[FORECAST_RATIOS], logarithm[FORECAST_RATIOS];
    size_t count;
};

struct forecaster {
    const struct sensitivity *sensitivity;
    char method[24]; /* for targets that name none */
    struct forecast_anchor *anchors;
    size_t anchor_count;
    double dense_nll; /* mean negative log-likelihood of the dense model on the anchors' text; NaN while unknown */
    double *weights;  /* c_m, [matrix_count] */
    struct forecast_ratios *ratios; /* [matrix_count]: c_m by sparsity, where it was measured */
    uint64_t weights_of;            /* the sensitivity's revision that they were made from, + 1 */
    double *loads;                  /* of the uniform anchors, in rising order, with their changes: the line */
    double *changes;
    size_t line_count;
    double *shares;       /* [1 + anchors][matrix_count] of the load: the last plan's, then the anchors' */
    double spread;        /* of log(change) about the line through the other anchors */
    double uneven_spread; /* of log(change), per distance */
};

struct forecast {
    bool error_known;   /* total_error and block errors mean something */
    bool change_known;  /* the change and perplexities, too */
    double total_error; /* Σ over matrices of relative output error */
    double load;
    double change, low, high; /* of the mean negative log-likelihood, with a 90 % interval */
    double perplexity, perplexity_low, perplexity_high;
    double distance; /* the part of the load that lies elsewhere than in the most similar anchor, 0 to 1 */
    size_t measured; /* anchors that it rests on */
    bool estimated;  /* some errors are estimates without any measured point */
};

struct forecaster *forecaster_create(const struct sensitivity *sensitivity, struct error *error);
void forecaster_free(struct forecaster *forecaster);

/* Room for `count` anchors in all. */
bool forecaster_reserve(struct forecaster *forecaster, size_t count, struct error *error);

/* Records a measured plan, in place of an earlier measurement of the same: `measured` gives all but the targets, which
 * are the plan's. */
bool forecaster_add(struct forecaster *forecaster, const struct forecast_anchor *measured, const struct plan *plan,
                    struct error *error);

/* Whether this plan has been measured on this text. */
bool forecaster_has(const struct forecaster *forecaster, const struct plan *plan, uint64_t text);

/* block_errors: [block_count] sums over each block's matrices, or NULL. Takes well under a millisecond per hundred
 * matrices. */
void forecast_plan(struct forecast *forecast, double *block_errors, struct forecaster *forecaster,
                   const struct plan *plan);

/* The expected relative output error of one matrix under a target; NaN while unknown. */
double forecast_matrix(const struct forecaster *forecaster, size_t matrix, const struct target *target,
                       bool *estimated);

/* c_m: the change of loss per relative output error of a matrix, up to a common factor. */
double forecast_weight(struct forecaster *forecaster, size_t matrix);

#endif

/* All that calibration has found out about a model: what views show, strategies allocate by and forecasts are made of.
 * Data only: filled by the calibration run (workbench/calibrate_run.c), kept in a cache file, compared by `revision`.
 */
#ifndef SECATEUR_SENSITIVITY_H
#define SECATEUR_SENSITIVITY_H

#include "calibrate/activity.h"
#include "model/model.h"
#include "plan/curve.h"

/* OWL's M: an outlier is a weight whose |w|·‖X_j‖ exceeds M times its block's mean. Shares are kept for these. */
#define SENSITIVITY_OUTLIER_LEVELS 5
extern const double sensitivity_outlier_levels[SENSITIVITY_OUTLIER_LEVELS]; /* 3, 5, 6, 7, 10 */

/* One measured point: the exact trace with the full Hessian, or, with loss, what the whole model lost. */
struct measured_point {
    char method[24];
    struct pattern pattern;
    double sparsity;
    double error; /* relative output error ‖WX − ŴX‖²/‖WX‖² */
};

struct loss_point {
    char method[24];
    double sparsity;
    double change;    /* of the mean negative log-likelihood per token when only this matrix is cut, in nats */
    double deviation; /* standard error of it */
    uint64_t text;    /* hash of the windows that it was measured on */
};

/* What the whole model loses around the plan that cuts all matrices to `base`: with this one at base - step, base and
 * base + step. Changes of the mean negative log-likelihood per token, in nats. Near a plan that cuts much, this is what
 * a matrix is worth; its cut alone, in a dense model, says little of it. */
struct slope_point {
    char method[24];
    double base, step;
    double below, level, above;
    uint64_t text; /* as above */
};

struct matrix_sensitivity {
    bool known;
    bool exact;             /* energy from the full Hessian, not from its diagonal */
    double energy;          /* ‖WX‖²_F per token */
    double diagonal_energy; /* Σ w² Σx² per token: what curves are relative to is `energy` times ratio */
    struct curve *curves;   /* [CURVE_ORDERS], relative to diagonal_energy */
    struct measured_point *points;
    size_t point_count;
    struct loss_point *losses;
    size_t loss_count;
    struct slope_point *slopes;
    size_t slope_count;
    double metric_sum; /* Σ |w| ‖X_j‖, ‖X_j‖ = sqrt(Σx²/T): Wanda's scores, for OWL and DLP */
    double metric_median;
    double outliers[SENSITIVITY_OUTLIER_LEVELS]; /* how many of its weights are OWL outliers of its block */
    double hill;                                 /* AlphaPruning's exponent; NaN while not asked for */
};

/* One distinct matrix input, by (block, matrix.input). */
struct input_sensitivity {
    bool known;
    int64_t block;
    size_t input; /* matrix.input */
    int64_t columns;
    uint64_t tokens;
    struct activity activity;
    double *sum, *sum_squares; /* [columns] each */
    double trace;              /* tr(H), H = 2/T Σxxᵀ */
    double largest, smallest;  /* eigenvalues of H; NaN while not computed */
    double outlier_channels;   /* with at least 6 times the median channel's RMS */
    size_t top_channels[8];    /* the largest of them */
};

struct block_sensitivity {
    bool known;
    double influence;        /* 1 − mean cos(block input, block output): ShortGPT's BI */
    struct activity hidden;  /* after the non-linearity of the feed-forward */
    uint64_t *expert_tokens; /* [experts]: routed to each; NULL without experts */
    double *expert_norm;     /* [experts]: mean gate × ‖output‖ over its tokens (REAP) */
};

struct sensitivity {
    const struct model *model;
    struct matrix_sensitivity *matrices; /* [model->matrix_count] */
    struct input_sensitivity *inputs;
    size_t input_count;
    size_t *input_of;                 /* [model->matrix_count]: which of inputs a matrix sees */
    struct block_sensitivity *blocks; /* [model->block_count] */
    double *distances; /* [block_count × block_count]: angular distance of the input of block i to the output of block j
                          ≥ i */
    uint64_t tokens;   /* calibrated on */
    char source[256];  /* "stories.txt: 128 windows × 128 tokens, random, seed 0" */
    uint64_t corpus_hash;
    uint64_t key;      /* names what it was made from: text and settings; 0: not kept */
    uint64_t revision; /* grows with every addition */
};

struct sensitivity *sensitivity_create(const struct model *model, struct error *error);
void sensitivity_free(struct sensitivity *sensitivity);

/* The input of a matrix; NULL while unknown. */
const struct input_sensitivity *sensitivity_input(const struct sensitivity *sensitivity, size_t matrix);

/* Add a copy of what was measured of a matrix; false when memory ran out. */
bool sensitivity_add_point(struct sensitivity *sensitivity, size_t matrix, const struct measured_point *point,
                           struct error *error);
bool sensitivity_add_loss(struct sensitivity *sensitivity, size_t matrix, const struct loss_point *point,
                          struct error *error);

/* In place of an earlier one of the same method and base. */
bool sensitivity_add_slope(struct sensitivity *sensitivity, size_t matrix, const struct slope_point *point,
                           struct error *error);
/* The one of this method whose base is nearest to `sparsity`; NULL when none is within SLOPE_REACH. */
#define SLOPE_REACH 0.1
const struct slope_point *sensitivity_slope(const struct sensitivity *sensitivity, size_t matrix, const char *method,
                                            double sparsity);

/* Relative output error as estimated: the diagonal's curve of the method's order, with the matrix's exact energy where
 * that is known, through the method's one measured point of the highest sparsity where there is one. NaN while unknown.
 */
double sensitivity_estimate(const struct sensitivity *sensitivity, size_t matrix, const char *method,
                            struct pattern pattern, double sparsity);

/* Relative output error expected of a target, by method name: the estimate, moved on to the measured
 * points of that method where there are any (between them by interpolation in log error). NaN while unknown. *estimated
 * says that no measured point took part. */
double sensitivity_error(const struct sensitivity *sensitivity, size_t matrix, const char *method,
                         struct pattern pattern, double sparsity, bool *estimated);

/* The order in which a method cuts: what curve stands for it. */
enum curve_order sensitivity_order(const char *method);

#endif

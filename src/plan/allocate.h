/* Strategies: rules that fill a plan for a global budget. One row of strategy_table and one file each.
 *
 * A strategy proposes a sparsity for every matrix that it may set; allocate() then fits the proposal to the budget
 * within the matrices' bounds (what a clamp takes away is given to the others) and rounds to exact counts by the plan's
 * own rebalancing. */
#ifndef SECATEUR_ALLOCATE_H
#define SECATEUR_ALLOCATE_H

#include "plan/forecast.h"
#include "plan/plan.h"
#include "plan/sensitivity.h"
#include "tensor/summary.h"

/* What a strategy has to be given. */
enum strategy_need {
    STRATEGY_NEEDS_NOTHING,
    STRATEGY_NEEDS_SCAN,        /* the weights' statistics */
    STRATEGY_NEEDS_CALIBRATION, /* sensitivity.h */
    STRATEGY_NEEDS_SPECTRUM,    /* singular values: Hill exponents */
    STRATEGY_NEEDS_GRADIENTS,   /* of the loss: squares summed for each matrix */
    STRATEGY_NEEDS_EVALUATION,  /* a way to measure a plan's loss */
};

/* How a proposal is moved onto the budget. */
enum strategy_fit {
    FIT_SHIFT,   /* s + x: keeps differences */
    FIT_SCALE,   /* s · x: keeps ratios of sparsities */
    FIT_DENSITY, /* 1 − (1 − s) · x: keeps ratios of densities */
};

struct allocation {
    struct plan *plan;
    const struct sensitivity *sensitivity;  /* NULL: not calibrated */
    struct forecaster *forecaster;          /* NULL: likewise */
    const struct summary *const *summaries; /* [matrix_count], entries NULL until scanned; NULL: none */
    const double *fisher;                   /* [matrix_count]: sum of squared gradients; NULL: no gradients */
    /* A loss of the plan that has these sparsities, only to be compared; NULL: cannot be measured here. */
    bool (*measure)(void *context, double *nll, const struct allocation *allocation, struct error *error);
    void *context;
    double budget;          /* of all weights that take part */
    double parameter;       /* the strategy's own; NaN = its default */
    const size_t *matrices; /* to be set: prunable, unlocked, selected */
    size_t count;
    double *sizes;        /* [count]: weights */
    double *lows, *highs; /* [count]: bounds */
    double wanted;        /* Σ sizes · sparsity that these matrices have to give */
    double *sparsity;     /* [count], out */
};

struct strategy {
    const char *name, *help, *source;
    enum strategy_need needs;
    enum strategy_fit fit;
    const char *parameter; /* name and meaning of its one number: "lambda: spread of densities"; NULL */
    double fallback;       /* its default */
    bool (*propose)(struct allocation *allocation, struct error *error);
};
extern const struct strategy strategy_table[];
extern const size_t strategy_count;

const struct strategy *strategy_find(const char *name);
const char *const *strategy_names(void); /* NULL-terminated, for completion */

/* Fills the plan's matrices by a strategy so that all matrices that take part together have the budget's sparsity;
 * matrices that are locked or not among `matrices` (NULL: all) stay as they are and count. One undo group, named
 * "allocate NAME BUDGET". The budget, bounds and locks of the plan are respected; ERROR_USAGE with what is missing when
 * the strategy cannot work. Only fields plan, sensitivity, forecaster, summaries, fisher, measure, context, budget and
 * parameter of `given` are read. */
bool allocate(const struct strategy *strategy, const struct allocation *given, const size_t *matrices, size_t count,
              struct error *error);

/* The least and the largest sparsity of all that take part which bounds and locks leave room for. */
bool allocate_range(double *low, double *high, struct plan *plan, const size_t *matrices, size_t count,
                    struct error *error);

/* prices[matrix_count × CURVE_POINTS] for plan_set_prices, from the forecast's weights and the estimated errors, made
 * convex; NaN for matrices whose sensitivity is not known. */
void allocation_prices(float *prices, const struct plan *plan, struct forecaster *forecaster);

/* Moves the proposal onto the budget: Σ sizes · clamp(fit(sparsity, x)) = wanted. */
void allocation_fit(struct allocation *allocation, enum strategy_fit fit);

/* Helpers for strategies that work per block: values[count] of a block's matrices from one number for each block. */
double allocation_parameter(const struct allocation *allocation, double fallback);

/* Densities by block from scores, as OWL and DLP do it: keep_b = (score_b − min)/(max − min) · 2 spread, moved so that
 * its mean over weights is 1 − budget. scores[block_count]; a higher score keeps more. Blocks without a score (NaN) get
 * the mean. */
void allocation_spread_blocks(struct allocation *allocation, const double *scores, double spread);

/* The proposals, one file each. */
bool strategy_uniform(struct allocation *allocation, struct error *error);
bool strategy_global(struct allocation *allocation, struct error *error);
bool strategy_erk(struct allocation *allocation, struct error *error);
bool strategy_lamp(struct allocation *allocation, struct error *error);
bool strategy_owl(struct allocation *allocation, struct error *error);
bool strategy_dlp(struct allocation *allocation, struct error *error);
bool strategy_alpha(struct allocation *allocation, struct error *error);
bool strategy_atp(struct allocation *allocation, struct error *error);
bool strategy_influence(struct allocation *allocation, struct error *error);
bool strategy_fisher(struct allocation *allocation, struct error *error);
bool strategy_knapsack(struct allocation *allocation, struct error *error);

#endif

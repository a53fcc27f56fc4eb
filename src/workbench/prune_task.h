/* What a run does to which matrix: a plan and the run's settings, resolved and checked before anything is written. */
#ifndef SECATEUR_PRUNE_TASK_H
#define SECATEUR_PRUNE_TASK_H

#include "plan/plan.h"
#include "engine/gemm.h"
#include "model/corpus.h"
#include "prune/method.h"

/* Which inputs a block's matrices are pruned by. */
enum prune_sequence {
    PRUNE_TOGETHER, /* those that come from the pruned blocks before it, through the dense block: the references'
                       default */
    PRUNE_IN_ORDER, /* matrix after matrix inside the block as well: their true-sequential */
    PRUNE_DENSE,    /* those of the dense model throughout */
};

struct prune_settings {
    char method[PLAN_METHOD_SIZE]; /* for targets that name none */
    struct pattern pattern;        /* for targets that name none; PATTERN_DEFAULT: the method's own */
    bool global;                   /* one threshold on |w| over all matrices of the plan (magnitude only) */
    bool reference;                /* selection by the reference implementations' conventions */
    bool narrow;                   /* store the pruned matrices as dtype; otherwise in their own type */
    enum dtype dtype;
    bool force;  /* an existing target may be exchanged */
    bool resume; /* demand that there be something to resume */
    /* for methods that need data */
    const char *source; /* calibration text; NULL: none */
    struct corpus_options corpus;
    enum prune_sequence sequence;
    enum compute compute;
    bool measure;               /* the error of every matrix by the full Hessian, whatever the method needs */
    bool experts_dense;         /* experts with too few tokens go by all tokens of their block */
    bool bias;                  /* what pruned weights gave on average goes into the bias */
    bool permute;               /* units in an order under which keeping N of M loses less */
    int rounds;                 /* of iterative pruning along the cubic schedule; 1: one shot */
    struct layer_options layer; /* reference is taken from above */
};

struct prune_task {
    size_t matrix; /* index in the model */
    double sparsity;
    struct pattern pattern; /* never PATTERN_DEFAULT */
    char method[PLAN_METHOD_SIZE];
    struct method_chain chain;
    uint64_t planned; /* weights that go; with a global threshold it is known only after the threshold */
};

/* One task for each matrix whose target is not 0, in the order of the matrices. Refuses an empty plan, methods that
 * need data, patterns that a method does not work with, matrices that cannot be pruned. Caller frees *tasks. */
bool prune_tasks_make(struct prune_task **tasks, size_t *count, const struct plan *plan,
                      const struct prune_settings *settings, struct error *error);

#endif

/* A strategy at work: what it needs is gathered first where it is not known yet, then it fills a copy of the plan,
 * which takes the place of the plan's targets as one undo group. */
#ifndef SECATEUR_ALLOCATE_RUN_H
#define SECATEUR_ALLOCATE_RUN_H

#include "plan/allocate.h"
#include "workbench/workbench.h"

/* What the budget counts. */
enum budget_unit {
    BUDGET_WEIGHTS,    /* fraction of the prunable weights that go */
    BUDGET_BYTES,      /* of the whole model, zeros stored sparse, in `format` */
    BUDGET_PERPLEXITY, /* the largest sparsity whose forecast perplexity is at most this */
    BUDGET_FLOPS,      /* of the matrix products for one token */
};

struct allocate_settings {
    const struct strategy *strategy;
    enum budget_unit unit;
    double budget;
    bool formatted; /* bytes are counted in `format`, not in the model's own types */
    enum dtype format;
    int group; /* 4 or 8: "keep N of group" for every matrix, N chosen by forecast error; 0: as the plan has it */
    double parameter; /* the strategy's own; NaN: its default */
    size_t *matrices; /* to be set; owned; NULL: all */
    size_t count;
    char *calibrate; /* text to calibrate on first; owned; NULL: none */
    char *gradients; /* a safetensors file; owned; NULL: none */
    char *out;       /* a plan.csv to write; owned; NULL: none */
};
void allocate_settings_free(struct allocate_settings *settings);

struct allocate_run {
    struct workbench *workbench;
    struct allocate_settings settings;
    struct plan *plan; /* a copy, filled */
    double *fisher;    /* [matrix_count]: squared gradients summed; NULL: no gradients given */
};

/* Takes over settings, on failure too. NULL with an error. */
struct allocate_run *allocate_run_create(struct workbench *workbench, struct allocate_settings *settings,
                                         struct error *error);
void allocate_run_free(struct allocate_run *run);

/* Whether anything has to be gathered that takes long. */
bool allocate_run_is_long(const struct allocate_run *run);

/* In the worker, or, when it is not long, in the screen's thread. */
bool allocate_run_work(struct allocate_run *run, struct progress *progress, struct error *error);

/* In the screen's thread, after the work: the plan's targets become those of the copy. */
bool allocate_run_apply(const struct allocate_run *run, struct text *output, struct error *error);

#endif

/* The plan: a target for every matrix. Data only: made by hand, by a strategy, or both; saved as CSV; undone and redone
 * in groups. */
#ifndef SECATEUR_PLAN_H
#define SECATEUR_PLAN_H

#include "model/model.h"
#include "prune/pattern.h"

#define PLAN_METHOD_SIZE 24

struct target {
    double sparsity; /* 0..1 */
    struct pattern pattern;
    char method[PLAN_METHOD_SIZE]; /* name of a row of the method table; "" = the run's default */
    bool locked;                   /* the budget lock and strategies leave it alone */
    double low, high;              /* bounds for strategies and the budget lock: 0 and 1 by default */
};

struct plan; /* targets, tags and history of one model; opaque */

struct plan *plan_create(const struct model *model, struct error *error);
void plan_free(struct plan *plan);
struct plan *plan_copy(const struct plan *plan, struct error *error); /* targets and tags, without history */

const struct model *plan_model(const struct plan *plan);
const struct target *plan_target(const struct plan *plan, size_t matrix);

/* Every change happens between begin and end; one group is one undo step, named for :undolist ("set mlp.* 60"). A group
 * that changes nothing leaves no trace. rollback undoes a group that failed half-way. */
bool plan_begin(struct plan *plan, const char *name, struct error *error);
void plan_end(struct plan *plan);
void plan_rollback(struct plan *plan);
bool plan_set(struct plan *plan, size_t matrix, const struct target *target, struct error *error);

bool plan_undo(struct plan *plan, char *name,
               size_t name_size); /* false when there is nothing to undo; name of the group */
bool plan_redo(struct plan *plan, char *name, size_t name_size);
size_t plan_history(const struct plan *plan, size_t *current); /* number of groups, and how many of them are done */
const char *plan_history_name(const struct plan *plan, size_t group);
uint64_t plan_revision(const struct plan *plan); /* grows with every change, undo included: what views compare */
bool plan_saved(const struct plan *plan);        /* unchanged since plan_mark_saved */
void plan_mark_saved(struct plan *plan);

/* Tags: a selection that is no part of the plan's history. */
bool plan_tagged(const struct plan *plan, size_t matrix);
void plan_tag(struct plan *plan, size_t matrix, bool tagged);

/* Totals over prunable matrices (those pruned by exact name count, too). */
struct plan_totals {
    uint64_t prunable;                /* weights that selectors reach */
    uint64_t pruned;                  /* of all matrices, as pattern_count gives them */
    double sparsity;                  /* pruned / prunable */
    uint64_t parameters, dense_bytes; /* of the whole model as it is stored */
    double compressed_bytes;          /* estimate: bitmap + kept weights where that is smaller */
};
void plan_totals(struct plan_totals *totals, const struct plan *plan);

/* Budget lock: with a budget set, plan_rebalance moves the unlocked matrices other than `fixed` (an array of matrix
 * indices, may be empty) proportionally, within their bounds, until the total is as near to the budget as the patterns
 * allow; clamped ones drop out. Call it inside the group of the edit. False with a sentence when it cannot; then the
 * group should be rolled back. */
bool plan_budget(const struct plan *plan, double *sparsity);
void plan_set_budget(struct plan *plan, bool on, double sparsity);
bool plan_rebalance(struct plan *plan, const size_t *fixed, size_t fixed_count, struct error *error);

#endif

/* The plan: a target for every matrix. Data only: made by hand, by a strategy, or both; saved as CSV; undone and redone
 * in groups. */
#ifndef SECATEUR_PLAN_H
#define SECATEUR_PLAN_H

#include "model/model.h"
#include "prune/pattern.h"

#define PLAN_METHOD_SIZE 48

struct target {
    double sparsity; /* 0..1 */
    struct pattern pattern;
    char method[PLAN_METHOD_SIZE]; /* as method_parse takes it: "sparsegpt", "wanda+repair"; "" = the run's default */
    bool locked;                   /* the budget lock and strategies leave it alone */
    double low, high;              /* bounds for strategies and the budget lock: 0 and 1 by default */
};
bool target_equal(const struct target *a, const struct target *b);

struct plan; /* targets, tags and history of one model; opaque */

/* Every target starts at sparsity 0, the default pattern and method, unlocked, without bounds. The model must outlive
 * the plan. */
struct plan *plan_create(const struct model *model, struct error *error);
void plan_free(struct plan *plan);
/* Targets, tags and budget, without history and snapshots. */
struct plan *plan_copy(const struct plan *plan, struct error *error);

const struct model *plan_model(const struct plan *plan);
const struct target *plan_target(const struct plan *plan, size_t matrix);
/* The target that plan_create gives to every matrix. */
struct target plan_default_target(void);

/* Every change happens between begin and end; one group is one undo step, named for :undolist ("set mlp.* 60"). A group
 * that changes nothing leaves no trace. rollback takes back a group that failed half-way. Groups nest: an inner one
 * joins the outer, and its rollback takes back what the outer has done so far. */
bool plan_begin(struct plan *plan, const char *name, struct error *error);
void plan_end(struct plan *plan);
void plan_rollback(struct plan *plan);
/* Refuses matrices that are never pruned, values out of range and bounds that cross (ERROR_USAGE). The sparsity of a
 * "keep N of M" target is what the pattern gives, 1 - N/M, unless it is 0: not pruned. */
bool plan_set(struct plan *plan, size_t matrix, const struct target *target, struct error *error);

/* False when there is nothing to undo. name (may be NULL) receives the group's name. Not inside a group. History is
 * as deep as its memory allows (PLAN_HISTORY_BYTES): then the oldest groups are forgotten. */
#define PLAN_HISTORY_BYTES ((size_t)256 << 20)
bool plan_undo(struct plan *plan, char *name, size_t name_size);
bool plan_redo(struct plan *plan, char *name, size_t name_size);
size_t plan_history(const struct plan *plan, size_t *current); /* number of groups, and how many of them are done */
const char *plan_history_name(const struct plan *plan, size_t group);
uint64_t plan_revision(const struct plan *plan); /* grows with every change, undo included: what views compare */
bool plan_saved(const struct plan *plan); /* the targets are those of plan_mark_saved, be it again after an undo */
void plan_mark_saved(struct plan *plan);

/* Named copies of all targets and of the budget. Saving under a name that exists replaces it. restore is one undo
 * group. ERROR_USAGE when there is no snapshot of that name. */
bool plan_snapshot_save(struct plan *plan, const char *name, struct error *error);
bool plan_snapshot_restore(struct plan *plan, const char *name, struct error *error);
bool plan_snapshot_delete(struct plan *plan, const char *name, struct error *error);
size_t plan_snapshot_count(const struct plan *plan);
const char *plan_snapshot_name(const struct plan *plan, size_t snapshot); /* in the order in which they were made */
/* One target for each matrix of the model. */
const struct target *plan_snapshot_targets(const struct plan *plan, size_t snapshot);
/* True when a budget was set; then *sparsity is it. */
bool plan_snapshot_budget(const struct plan *plan, size_t snapshot, double *sparsity);
/* A snapshot from elsewhere: targets[matrix_count] are copied, unchecked. */
bool plan_snapshot_add(struct plan *plan, const char *name, const struct target *targets, bool budget, double sparsity,
                       struct error *error);

/* Tags: a selection that is no part of the plan's history. */
bool plan_tagged(const struct plan *plan, size_t matrix);
void plan_tag(struct plan *plan, size_t matrix, bool tagged);
size_t plan_tag_count(const struct plan *plan);

/* Totals over the matrices that take part: the prunable ones, and those pruned by exact name (their target is not 0).
 */
struct plan_totals {
    uint64_t prunable;                /* weights of the matrices that take part */
    uint64_t pruned;                  /* of them, as plan_count gives them */
    double sparsity;                  /* pruned / prunable */
    uint64_t parameters, dense_bytes; /* of the whole model as it is stored */
    double compressed_bytes;          /* estimate: bitmap + kept weights where that is smaller */
    double flops, dense_flops;        /* operations per token, zeros skipped and not (plan/cost.h) */
    uint64_t asked;                   /* weights that the budget asks to go; 0 without a budget */
    uint64_t step; /* the smallest change of `pruned` that unlocked matrices allow; 0 when none can move */
};
void plan_totals(struct plan_totals *totals, const struct plan *plan);

/* Weights of a matrix that its target removes, and the pattern that they are counted by: for PATTERN_DEFAULT that of
 * the target's method, and unstructured where the method is left to the run. */
uint64_t plan_count(const struct plan *plan, size_t matrix);
struct pattern plan_pattern(const struct plan *plan, size_t matrix);

/* Budget lock: with a budget set, plan_rebalance moves the unlocked matrices other than `fixed` (an array of matrix
 * indices, may be empty) within their bounds until the total is as near to the budget as the patterns allow: exactly
 * there when an unstructured one has room within its bounds, else within the smallest step of those that have room.
 * Sparsities are multiplied by one common factor; clamped ones drop out; only when that does not suffice, those at 0
 * rise as well. "Keep N of M" matrices do not move. Call it inside the group of the edit. Does nothing without a
 * budget. False with a sentence when it cannot; then the group should be rolled back. */
bool plan_budget(const struct plan *plan, double *sparsity);
/* Setting it moves nothing; it is part of the open group, or, outside one, of no undo step. */
void plan_set_budget(struct plan *plan, bool on, double sparsity);
bool plan_rebalance(struct plan *plan, const size_t *fixed, size_t fixed_count, struct error *error);

/* Spreads what the lock moves by equal marginal error in place of proportion: what has to go is taken where one more
 * weight costs least, what may stay is given back where it costs most, until these prices are equal.
 * prices[matrix_count × points]: the cost of one more weight at sparsity i / (points - 1), never falling with i; NaN at
 * i = 0 where a matrix's are not known: it then moves only when the others cannot. Copied; NULL goes back to
 * proportion. A plan_copy goes by proportion. */
bool plan_set_prices(struct plan *plan, const float *prices, size_t points, struct error *error);
bool plan_has_prices(const struct plan *plan);

#endif

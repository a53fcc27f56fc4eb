/* What a plan holds; for the files of this floor that make up the plan, and nobody else. */
#ifndef SECATEUR_PLAN_STATE_H
#define SECATEUR_PLAN_STATE_H

#include "plan/plan.h"

struct budget {
    bool on;
    double sparsity;
};

/* A matrix and the target (or only its sparsity) that it had before the group, or after it once the group is undone. */
struct target_change {
    size_t matrix;
    struct target other;
};
struct sparsity_change {
    uint32_t matrix;
    double other;
};

/* One undo step. Most changes touch nothing but sparsities (a budget lock moves every row), hence the small kind. */
struct group {
    char *name;
    uint64_t id; /* of the state behind it, for plan_saved */
    struct target_change *changes;
    struct sparsity_change *shifts;
    size_t change_count, shift_count, bytes;
    struct budget budget;
};

struct history {
    struct group *groups;
    size_t count, capacity, current, bytes;
    uint64_t next_id, base_id; /* base: the state before the first group that is remembered */
    unsigned depth;            /* of nested groups; 0 = none open */
    struct group open;         /* its changes are in `changes` until it ends */
    size_t open_capacity;
};

struct snapshot {
    char *name;
    struct target *targets;
    struct budget budget;
};

struct plan {
    const struct model *model;
    struct target *targets;
    uint64_t *counts;         /* of removed weights, kept with the targets */
    struct pattern *patterns; /* what PATTERN_DEFAULT stands for is settled here, once for each change */
    bool *tags;
    bool *touched; /* already in the open group */
    struct budget budget;
    float *prices; /* [matrix_count × price_points] that the budget lock goes by; NULL: in proportion */
    size_t price_points;
    struct history history;
    struct snapshot *snapshots;
    size_t snapshot_count, snapshot_capacity;
    uint64_t revision, saved_id;
};

/* Puts a target in place and keeps its count and the revision with it; records nothing. */
void plan_place(struct plan *plan, size_t matrix, const struct target *target);

/* Notes a matrix's target in the open group before its first change there. */
bool history_note(struct plan *plan, size_t matrix, struct error *error);
uint64_t history_state(const struct plan *plan);
void history_free(struct plan *plan);
void snapshots_free(struct plan *plan);

#endif

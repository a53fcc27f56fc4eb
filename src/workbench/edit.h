/* What all commands that edit targets do: find the matrices, change each, let the budget lock follow. */
#ifndef SECATEUR_EDIT_H
#define SECATEUR_EDIT_H

#include "workbench/workbench.h"

/* How one target changes as the command's values say. */
struct edit {
    bool (*change)(struct target *target, const struct value *values, struct error *error);
    /* instead of change, where the matrix itself matters */
    bool (*change_matrix)(struct target *target, struct workbench *workbench, size_t matrix, const struct value *values,
                          struct error *error);
    bool moves; /* the budget lock may move the changed matrices as well as the others */
};

/* Changes every matrix of the selector and rebalances, inside the caller's group. Says what happened in output. */
bool edit_selected(struct workbench *workbench, const char *selector, const struct value *values,
                   const struct edit *edit, struct text *output, struct error *error);

/* A sparsity as typed: absolute, or with its sign relative to the old one, within 0 and 1. */
double edit_sparsity(double old, const struct value *value);

/* "total 50.00 % of 12.3 M weights", and how far from the budget that is. */
void edit_say_total(struct text *output, const struct plan *plan);

#endif

/* Blocks and matrices as rows of a list, and what is known about one: sizes, sparsity, the density of its weights. */
#ifndef SECATEUR_ROWS_H
#define SECATEUR_ROWS_H

#include "workbench/workbench.h"

/* A block with its matrices, or one matrix (count 1). */
struct model_row {
    bool block;
    size_t index;        /* of the block in model.blocks, or of the matrix */
    size_t first, count; /* matrices */
};

struct model_row row_of_block(const struct model *model, size_t block);
struct model_row row_of_matrix(size_t matrix);

/* Every block, each followed by its matrices, then the matrices outside blocks; *rows grows as needed and is the
 * caller's. */
bool rows_list(struct model_row **rows, size_t *capacity, size_t *count, const struct model *model,
               struct error *error);

void row_selector(struct text *text, const struct model *model, const struct model_row *row);
void row_label(struct text *text, const struct model *model, const struct model_row *row);
bool row_prunable(const struct model *model, const struct model_row *row);
uint64_t row_parameters(const struct model *model, const struct model_row *row);
/* Of what can be pruned (all of a matrix that was set by name). */
double row_sparsity(const struct workbench *workbench, const struct model_row *row);
/* The same of any plan. */
double row_sparsity_in(const struct plan *plan, const struct model_row *row);
bool row_locked(const struct workbench *workbench, const struct model_row *row); /* all of it */
bool row_tagged(const struct workbench *workbench, const struct model_row *row); /* all of it */

#endif

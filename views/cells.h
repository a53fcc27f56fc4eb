/* The model as a grid of cells: blocks down, labels of matrices across. */
#ifndef SECATEUR_CELLS_H
#define SECATEUR_CELLS_H

#include "model/model.h"

struct cells {
    size_t rows, columns;
    const char **labels; /* [columns], in the order of the first block that has them */
    size_t *matrices;    /* [rows × columns]; CELLS_NONE where a block has no such matrix */
};
#define CELLS_NONE SIZE_MAX

bool cells_create(struct cells *cells, const struct model *model, struct error *error);
void cells_free(struct cells *cells);

/* The index of the matrix in a cell; CELLS_NONE in an empty one and outside the grid. */
size_t cells_at(const struct cells *cells, size_t row, size_t column);
/* Where a matrix stands; false for one outside blocks. */
bool cells_find(size_t *row, size_t *column, const struct cells *cells, size_t matrix);

#endif

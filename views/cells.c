#include "views/cells.h"
#include "base/memory.h"
#include <string.h>

static size_t column_of(const struct cells *cells, const char *label) {
    size_t column = 0;
    while (column < cells->columns && strcmp(cells->labels[column], label) != 0)
        column++;
    return column;
}

static void list_labels(struct cells *cells, const struct model *model) {
    for (size_t i = 0; i < model->matrix_count; i++) {
        const struct matrix *matrix = &model->matrices[i];
        if (matrix->block >= 0 && matrix->prunable && column_of(cells, matrix->label) == cells->columns)
            cells->labels[cells->columns++] = matrix->label;
    }
}

bool cells_create(struct cells *cells, const struct model *model, struct error *error) {
    *cells = (struct cells){.rows = model->block_count};
    cells->labels = memory_alloc(model->matrix_count, sizeof *cells->labels, error);
    if (!cells->labels)
        return false;
    list_labels(cells, model);
    cells->matrices = memory_alloc(cells->rows * cells->columns, sizeof *cells->matrices, error);
    for (size_t i = 0; cells->matrices && i < cells->rows * cells->columns; i++)
        cells->matrices[i] = CELLS_NONE;
    for (size_t row = 0; cells->matrices && row < cells->rows; row++) {
        const struct block *block = &model->blocks[row];
        for (size_t i = block->first; i < block->first + block->count; i++)
            if (model->matrices[i].prunable)
                cells->matrices[row * cells->columns + column_of(cells, model->matrices[i].label)] = i;
    }
    return cells->matrices != NULL;
}

void cells_free(struct cells *cells) {
    memory_free(cells->labels);
    memory_free(cells->matrices);
}

size_t cells_at(const struct cells *cells, size_t row, size_t column) {
    return row < cells->rows && column < cells->columns ? cells->matrices[row * cells->columns + column] : CELLS_NONE;
}

bool cells_find(size_t *row, size_t *column, const struct cells *cells, size_t matrix) {
    for (size_t i = 0; i < cells->rows * cells->columns; i++) {
        if (cells->matrices[i] != matrix)
            continue;
        *row = i / cells->columns;
        *column = i % cells->columns;
        return true;
    }
    return false;
}

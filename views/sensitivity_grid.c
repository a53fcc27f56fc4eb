#include "views/sensitivity_grid.h"
#include "views/chart.h"
#include <math.h>
#include <stdio.h>

enum { NAME_WIDTH = 6, NUMBER_WIDTH = 5, CHART_MOST = 32, LEAST_WIDTH = 9 };
#define LOWEST_DECADE (-4)

/* Errors from 10^-4 to 1 as heights from 0 to 1. */
static double height_of(double error) {
    return error > 0 ? fmax((log10(error) - LOWEST_DECADE) / -LOWEST_DECADE, 0) : 0;
}

static void draw_cell(struct canvas *canvas, int row, int column, int width, struct workbench *workbench, size_t matrix,
                      bool chosen) {
    double levels[CHART_MOST];
    struct model_row of = row_of_matrix(matrix);
    int cells = width - NUMBER_WIDTH - 2;
    cells = cells < CHART_MOST ? cells : CHART_MOST;
    for (int i = 0; i < cells; i++)
        levels[i] = height_of(known_error(workbench, &of, (i + 0.5) / cells));
    double here = known_error(workbench, &of, KNOWN_PLANNED), sparsity = row_sparsity(workbench, &of);
    if (isnan(here)) {
        canvas_text(canvas, row, column, 1, PAINT_DIM, canvas->glyphs->unknown);
    } else {
        char number[16];
        chart_levels(canvas, row, column, cells, levels, sparsity > 0 ? sparsity : -1);
        snprintf(number, sizeof number, here < 0.0995 ? "%.3f" : "%.2f", here);
        canvas_text(canvas, row, column + cells + 1, NUMBER_WIDTH, chosen ? PAINT_CURSOR : PAINT_TEXT,
                    number + (here < 1));
    }
}

static void draw_heading(struct canvas *canvas, const struct cells *cells, size_t first, int shown, int width) {
    canvas_repeat(canvas, 1, 0, canvas->width, PAINT_HEADING, " ");
    canvas_text(canvas, 1, 1, NAME_WIDTH - 1, PAINT_HEADING, "block");
    for (int i = 0; i < shown && first + (size_t)i < cells->columns; i++)
        canvas_text(canvas, 1, NAME_WIDTH + 1 + i * width, width - 1, PAINT_HEADING, cells->labels[first + (size_t)i]);
}

void sensitivity_grid_draw(struct canvas *canvas, int *row, int *cell, struct workbench *workbench,
                           const struct cells *cells, const struct model_row *chosen) {
    size_t block = chosen->block ? chosen->index : 0, column = 0;
    if (!chosen->block)
        (void)cells_find(&block, &column, cells, chosen->index);
    int room = canvas->width - NAME_WIDTH - 1, most = room / LEAST_WIDTH > 0 ? room / LEAST_WIDTH : 1;
    int shown = (size_t)most < cells->columns ? most : (int)cells->columns;
    int width = shown > 0 ? room / shown : room, height = canvas->height - 2;
    width = width < CHART_MOST + NUMBER_WIDTH + 2 ? width : CHART_MOST + NUMBER_WIDTH + 2;
    size_t left = column >= (size_t)shown ? column - (size_t)shown + 1 : 0;
    size_t top = height > 0 && block >= (size_t)height ? block - (size_t)height + 1 : 0;
    canvas_format(
        canvas, 0, 1, canvas->width - 1, PAINT_DIM,
        "error at the present sparsity beside its curve: 0 to 100 %% sparsity, heights 1e-4 to 1, logarithmic");
    draw_heading(canvas, cells, left, shown, width);
    for (int i = 0; i < height && top + (size_t)i < cells->rows; i++) {
        size_t at = top + (size_t)i;
        canvas_format(canvas, 2 + i, 1, NAME_WIDTH - 1, at == block ? PAINT_CURSOR : PAINT_NAME, "%lld",
                      (long long)workbench->model->blocks[at].index);
        for (int j = 0; j < shown; j++) {
            size_t matrix = cells_at(cells, at, left + (size_t)j);
            bool here = at == block && !chosen->block && left + (size_t)j == column;
            if (matrix != CELLS_NONE)
                draw_cell(canvas, 2 + i, NAME_WIDTH + 1 + j * width, width, workbench, matrix, here);
        }
        if (at == block)
            canvas_select(canvas, 2 + i);
    }
    *row = 2 + (int)(block - top);
    *cell = chosen->block ? 0 : NAME_WIDTH + 1 + (int)(column - left) * width;
}

/* The curves of all matrices at once, one small chart for each, blocks down and labels across. */
#ifndef SECATEUR_SENSITIVITY_GRID_H
#define SECATEUR_SENSITIVITY_GRID_H

#include "views/cells.h"
#include "views/draw.h"
#include "views/known.h"

/* Draws as many blocks as there is room for, so that the chosen row can be seen; *row and *cell: where that stands. */
void sensitivity_grid_draw(struct canvas *canvas, int *row, int *cell, struct workbench *workbench,
                           const struct cells *cells, const struct model_row *chosen);

#endif

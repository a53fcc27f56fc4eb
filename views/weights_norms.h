/* Sorted norms of the rows or columns of a matrix: dead and dominant channels stand at the ends. */
#ifndef SECATEUR_WEIGHTS_NORMS_H
#define SECATEUR_WEIGHTS_NORMS_H

#include "views/density.h"
#include "views/draw.h"

enum norms_shown { NORMS_OFF, NORMS_ROWS, NORMS_COLUMNS };

/* Draws them for the matrix of a row, over the whole canvas. */
void norms_draw(struct canvas *canvas, struct workbench *workbench, const struct model_row *row,
                enum norms_shown which);

#endif

/* The figures beside a sensitivity curve. */
#ifndef SECATEUR_SENSITIVITY_FACTS_H
#define SECATEUR_SENSITIVITY_FACTS_H

#include "views/draw.h"
#include "views/rows.h"

/* Draws them for the matrix of a row; a figure that is not known yet is a dot. */
void sensitivity_facts_draw(struct canvas *canvas, struct workbench *workbench, const struct model_row *row);

#endif

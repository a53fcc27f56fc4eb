/* What overview.c and overview_draw.c share. */
#ifndef SECATEUR_OVERVIEW_STATE_H
#define SECATEUR_OVERVIEW_STATE_H

#include "views/known.h"
#include "views/table.h"
#include "views/view.h"

enum {
    COLUMN_NAME,
    COLUMN_SIZE,
    COLUMN_SHAPE,
    COLUMN_DENSITY,
    COLUMN_ZEROS,
    COLUMN_ACTIVATION,
    COLUMN_SENSITIVITY,
    COLUMN_PATTERN,
    COLUMN_SLIDER,
    COLUMN_SPARSITY,
    COLUMN_COUNT
};

extern const struct column overview_columns[COLUMN_COUNT];

struct entry {
    struct model_row row;
    double key; /* what it is sorted by */
    size_t order;
};

struct overview {
    struct table table;
    struct entry *entries;
    size_t capacity;
    bool *unfolded;           /* per block */
    int axis_first, axis_end; /* bins of the density */
    double highest_error;     /* of all rows at the sparsity that rows are compared at */
};

/* What a row of the view is: row < view->rows. Stays valid until the next refresh. */
const struct model_row *overview_row(const struct view *view, size_t row);

/* The view's draw (view.h). */
void overview_draw(struct view *view, struct canvas *canvas);

#endif

/* Tables: columns that share a width and drop out in a fixed order where it does not suffice. */
#ifndef SECATEUR_TABLE_H
#define SECATEUR_TABLE_H

#include "views/draw.h"

enum { TABLE_COLUMNS = 24, TABLE_LUXURY = 8 };

struct column {
    const char *name;    /* for `sort` and `columns` */
    const char *heading; /* with its unit */
    int width, most;     /* at least, and at most where there is room to share */
    int rank;            /* the highest drops first; 0 never drops; from TABLE_LUXURY on a column is only shown where
                            the others have comfortable widths */
    bool right;          /* numbers */
};

struct table {
    const struct column *columns;
    size_t count;
    uint32_t hidden; /* bit per column: switched off by the user */
    int sort;        /* index of the sorted column; -1: the model's own order */
    bool descending;
    int start[TABLE_COLUMNS], width[TABLE_COLUMNS]; /* of the last layout; width 0: not shown */
};

/* Shares `width` among the columns, one blank between them. */
void table_layout(struct table *table, int width);
/* The headings, with an arrow at the sorted one. */
void table_heading(const struct table *table, struct canvas *canvas, int row);
/* Text in a column, aligned as the column says; nothing where it is not shown. */
void table_text(const struct table *table, struct canvas *canvas, int row, size_t column, enum paint paint,
                const char *string);
/* The column under a cell, or -1. */
int table_column_at(const struct table *table, int cell);
int table_find(const struct table *table, const char *name); /* -1: none */

#endif

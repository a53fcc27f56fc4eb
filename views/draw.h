/* Drawing on a grid of cells in memory: a canvas is a clipped rectangle of it. Nothing here knows curses, so charts
 * and views are pure functions and a screen can be saved as text. The screen copies changed rows to the terminal. */
#ifndef SECATEUR_DRAW_H
#define SECATEUR_DRAW_H

#include "base/error.h"
#include "base/text.h"
#include "views/glyphs.h"
#include "views/theme.h"

struct cell {
    char text[13];       /* one character with its combining marks, UTF-8; empty behind a wide character */
    unsigned char paint; /* enum paint */
    bool selected;       /* on the active row */
};

struct grid {
    struct cell *cells; /* height × width */
    int width, height;
};

struct canvas {
    struct grid *grid;
    const struct glyphs *glyphs;
    int row, column, height, width; /* in the grid */
};

/* Makes the grid of this size and blank. */
bool grid_resize(struct grid *grid, int height, int width, struct error *error);
void grid_free(struct grid *grid);
struct canvas grid_canvas(struct grid *grid, const struct glyphs *glyphs);
/* The grid as lines of text without trailing blanks. */
void grid_text(struct text *text, const struct grid *grid);

/* A part of a canvas, clipped to it. */
struct canvas canvas_part(const struct canvas *canvas, int row, int column, int height, int width);
void canvas_clear(struct canvas *canvas);

/* Writes a string into at most `width` columns, cut with an ellipsis when it is longer; returns the columns used.
 * Control characters and invalid bytes show as "?"; ASCII glyph sets get transliterated characters. */
int canvas_text(struct canvas *canvas, int row, int column, int width, enum paint paint, const char *string);
int canvas_format(struct canvas *canvas, int row, int column, int width, enum paint paint, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* The first of `count` texts, said at length first, that takes at most `width` columns; the last where none does. */
const char *canvas_choose(const struct canvas *canvas, int width, const char *const texts[], size_t count);
/* Columns that a string takes with this canvas's glyphs. */
int canvas_columns(const struct canvas *canvas, const char *string);
/* Right-aligned in `width` columns. */
void canvas_right(struct canvas *canvas, int row, int column, int width, enum paint paint, const char *string);
/* One glyph, `count` times. */
void canvas_repeat(struct canvas *canvas, int row, int column, int count, enum paint paint, const char *glyph);
/* The character in a cell; "" outside. */
const char *canvas_peek(const struct canvas *canvas, int row, int column);
/* Marks a whole row as the active one. */
void canvas_select(struct canvas *canvas, int row);
/* Paints over what is there (a search match, the key in a line of keys). */
void canvas_paint(struct canvas *canvas, int row, int column, int width, enum paint paint);

#endif

/* Colour roles and themes: what is drawn says what it is (a role), a theme says how that looks with 256, 8 and no
 * colours. The theme follows from the terminal and the environment until `set theme` names one. */
#ifndef SECATEUR_THEME_H
#define SECATEUR_THEME_H

#include <stdbool.h>

enum paint {
    PAINT_TEXT,
    PAINT_DIM,     /* units, what is not known, what cannot be pruned */
    PAINT_TITLE,   /* the program's and the model's name */
    PAINT_HEADING, /* column headings */
    PAINT_KEY,     /* a key in the bottom line */
    PAINT_MESSAGE,
    PAINT_ERROR,
    PAINT_NAME,   /* a block or a matrix */
    PAINT_CURSOR, /* the name on the active row */
    PAINT_NUMBER, /* the number being managed: sparsity */
    PAINT_DENSITY,
    PAINT_CUT,
    PAINT_BAR,
    PAINT_SLIDER,
    PAINT_TRACK,
    PAINT_MARK,
    PAINT_LOCK,
    PAINT_TAG,
    PAINT_AXIS,
    PAINT_PRUNED,
    PAINT_KEPT,
    PAINT_OVERLAY,
    PAINT_CURVE,
    PAINT_POINT,
    PAINT_MATCH,
    PAINT_LESS, /* diverging pair of a comparison */
    PAINT_MORE,
    PAINT_HEAT_0,
    PAINT_HEAT_1,
    PAINT_HEAT_2,
    PAINT_HEAT_3,
    PAINT_HEAT_4,
    PAINT_HEAT_5,
    PAINT_COUNT
};

/* What the terminal has to switch on for one role. */
struct theme_style {
    short foreground, background; /* colour numbers; -1: the terminal's own */
    bool bold, dim, reverse, underline;
};

/* NULL-terminated: dark, light, mono, contrast. */
extern const char *const theme_names[];

/* Theme for this environment: mono without colours or with NO_COLOR (set and not empty), light where COLORFGBG says so,
 * dark otherwise. */
const char *theme_detect(int colors);

/* The look of a role in a theme on a terminal with this many colours (256, 8 or 0). */
struct theme_style theme_style(const char *theme, int colors, enum paint paint, bool selected);

#endif

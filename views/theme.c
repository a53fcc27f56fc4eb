#include "views/theme.h"
#include <stdlib.h>
#include <string.h>

const char *const theme_names[] = {"dark", "light", "mono", "contrast", NULL};
enum { THEME_DARK, THEME_LIGHT, THEME_MONO, THEME_CONTRAST, THEME_COUNT };
enum { BOLD = 1, DIM = 2, REVERSE = 4, UNDERLINE = 8 };

/* A role in a theme: colours of the 256-colour cube, their nearest of the first eight, attributes. The ramp and the
 * pair of opposites survive colour blindness: blue to yellow, never red against green. */
struct row {
    short foreground, background, foreground_8, background_8;
    unsigned attributes;
};
#define PLAIN(fg, fg8, attributes)                                                                                     \
    { fg, -1, fg8, -1, attributes }

static const struct row rows[THEME_COUNT][PAINT_COUNT] =
    {
        [THEME_DARK] =
            {
                [PAINT_TEXT] = PLAIN(-1, -1, 0),
                [PAINT_DIM] = PLAIN(248, -1, 0),
                [PAINT_TITLE] = PLAIN(74, 6, BOLD),
                [PAINT_HEADING] = PLAIN(250, -1, UNDERLINE),
                [PAINT_KEY] = PLAIN(227, 3, BOLD),
                [PAINT_MESSAGE] = PLAIN(227, 3, 0),
                [PAINT_ERROR] = PLAIN(214, 3, BOLD),
                [PAINT_NAME] = PLAIN(-1, -1, 0),
                [PAINT_CURSOR] = PLAIN(227, 3, BOLD),
                [PAINT_NUMBER] = PLAIN(231, 7, BOLD),
                [PAINT_DENSITY] = PLAIN(74, 4, 0),
                [PAINT_CUT] = PLAIN(214, 3, BOLD),
                [PAINT_BAR] = PLAIN(186, 3, 0),
                [PAINT_SLIDER] = PLAIN(74, 6, 0),
                [PAINT_TRACK] = PLAIN(245, -1, 0),
                [PAINT_MARK] = PLAIN(250, 7, 0),
                [PAINT_LOCK] = PLAIN(214, 3, BOLD),
                [PAINT_TAG] = PLAIN(227, 3, BOLD),
                [PAINT_AXIS] = PLAIN(248, -1, 0),
                [PAINT_PRUNED] = PLAIN(246, -1, 0),
                [PAINT_KEPT] = PLAIN(74, 6, 0),
                [PAINT_OVERLAY] = PLAIN(214, 3, 0),
                [PAINT_CURVE] = PLAIN(74, 6, 0),
                [PAINT_POINT] = PLAIN(227, 3, BOLD),
                [PAINT_MATCH] = {16, 227, 0, 3, 0},
                [PAINT_LESS] = PLAIN(74, 4, 0),
                [PAINT_MORE] = PLAIN(214, 3, 0),
                [PAINT_HEAT_0] = {231, 17, 7, 0, 0},
                [PAINT_HEAT_1] = {231, 60, 7, 0, 0},
                [PAINT_HEAT_2] = {16, 103, 7, 0, 0},
                [PAINT_HEAT_3] = {16, 144, 3, 0, 0},
                [PAINT_HEAT_4] = {16, 186, 3, 0, BOLD},
                [PAINT_HEAT_5] = {16, 227, 3, 0, BOLD | REVERSE},
            },
        [THEME_LIGHT] =
            {
                [PAINT_TEXT] = PLAIN(-1, -1, 0),
                [PAINT_DIM] = PLAIN(241, -1, 0),
                [PAINT_TITLE] = PLAIN(25, 4, BOLD),
                [PAINT_HEADING] = PLAIN(238, -1, UNDERLINE),
                [PAINT_KEY] = PLAIN(25, 4, BOLD),
                [PAINT_MESSAGE] = PLAIN(25, 4, 0),
                [PAINT_ERROR] = PLAIN(94, 5, BOLD),
                [PAINT_NAME] = PLAIN(-1, -1, 0),
                [PAINT_CURSOR] = PLAIN(25, 4, BOLD),
                [PAINT_NUMBER] = PLAIN(16, 0, BOLD),
                [PAINT_DENSITY] = PLAIN(26, 4, 0),
                [PAINT_CUT] = PLAIN(130, 5, BOLD),
                [PAINT_BAR] = PLAIN(94, 5, 0),
                [PAINT_SLIDER] = PLAIN(26, 4, 0),
                [PAINT_TRACK] = PLAIN(244, -1, 0),
                [PAINT_MARK] = PLAIN(241, 0, 0),
                [PAINT_LOCK] = PLAIN(94, 5, BOLD),
                [PAINT_TAG] = PLAIN(94, 5, BOLD),
                [PAINT_AXIS] = PLAIN(241, -1, 0),
                [PAINT_PRUNED] = PLAIN(244, -1, 0),
                [PAINT_KEPT] = PLAIN(26, 4, 0),
                [PAINT_OVERLAY] = PLAIN(130, 5, 0),
                [PAINT_CURVE] = PLAIN(26, 4, 0),
                [PAINT_POINT] = PLAIN(94, 5, BOLD),
                [PAINT_MATCH] = {16, 227, 0, 3, 0},
                [PAINT_LESS] = PLAIN(26, 4, 0),
                [PAINT_MORE] = PLAIN(130, 5, 0),
                [PAINT_HEAT_0] = {231, 17, 0, 7, 0},
                [PAINT_HEAT_1] = {231, 60, 0, 7, 0},
                [PAINT_HEAT_2] = {16, 103, 0, 7, 0},
                [PAINT_HEAT_3] = {16, 144, 4, 7, 0},
                [PAINT_HEAT_4] = {16, 186, 4, 7, BOLD},
                [PAINT_HEAT_5] = {16, 227, 4, 7, BOLD | REVERSE},
            },
        [THEME_MONO] =
            {
                [PAINT_TEXT] = PLAIN(-1, -1, 0),
                [PAINT_DIM] = PLAIN(-1, -1, DIM),
                [PAINT_TITLE] = PLAIN(-1, -1, BOLD),
                [PAINT_HEADING] = PLAIN(-1, -1, UNDERLINE),
                [PAINT_KEY] = PLAIN(-1, -1, BOLD),
                [PAINT_MESSAGE] = PLAIN(-1, -1, 0),
                [PAINT_ERROR] = PLAIN(-1, -1, BOLD | REVERSE),
                [PAINT_CURSOR] = PLAIN(-1, -1, BOLD | REVERSE),
                [PAINT_NUMBER] = PLAIN(-1, -1, BOLD),
                [PAINT_CUT] = PLAIN(-1, -1, BOLD),
                [PAINT_TRACK] = PLAIN(-1, -1, DIM),
                [PAINT_LOCK] = PLAIN(-1, -1, BOLD),
                [PAINT_TAG] = PLAIN(-1, -1, BOLD),
                [PAINT_PRUNED] = PLAIN(-1, -1, DIM),
                [PAINT_OVERLAY] = PLAIN(-1, -1, BOLD),
                [PAINT_POINT] = PLAIN(-1, -1, BOLD),
                [PAINT_MATCH] = PLAIN(-1, -1, REVERSE),
                [PAINT_HEAT_4] = PLAIN(-1, -1, BOLD),
                [PAINT_HEAT_5] = PLAIN(-1, -1, BOLD | REVERSE),
            },
        [THEME_CONTRAST] =
            {
                [PAINT_TEXT] = {231, 16, 7, 0, 0},
                [PAINT_DIM] = {231, 16, 7, 0, 0},
                [PAINT_TITLE] = {16, 231, 0, 7, BOLD},
                [PAINT_HEADING] = {231, 16, 7, 0, BOLD | UNDERLINE},
                [PAINT_KEY] = {226, 16, 3, 0, BOLD},
                [PAINT_MESSAGE] = {226, 16, 3, 0, BOLD},
                [PAINT_ERROR] = {16, 226, 0, 3, BOLD},
                [PAINT_NAME] = {231, 16, 7, 0, 0},
                [PAINT_CURSOR] = {16, 226, 0, 3, BOLD},
                [PAINT_NUMBER] = {226, 16, 3, 0, BOLD},
                [PAINT_DENSITY] = {51, 16, 6, 0, 0},
                [PAINT_CUT] = {226, 16, 3, 0, BOLD},
                [PAINT_BAR] = {226, 16, 3, 0, 0},
                [PAINT_SLIDER] = {51, 16, 6, 0, BOLD},
                [PAINT_TRACK] = {252, 16, 7, 0, 0},
                [PAINT_MARK] = {231, 16, 7, 0, BOLD},
                [PAINT_LOCK] = {226, 16, 3, 0, BOLD},
                [PAINT_TAG] = {226, 16, 3, 0, BOLD},
                [PAINT_AXIS] = {231, 16, 7, 0, 0},
                [PAINT_PRUNED] = {252, 16, 7, 0, 0},
                [PAINT_KEPT] = {51, 16, 6, 0, BOLD},
                [PAINT_OVERLAY] = {226, 16, 3, 0, BOLD},
                [PAINT_CURVE] = {51, 16, 6, 0, BOLD},
                [PAINT_POINT] = {226, 16, 3, 0, BOLD},
                [PAINT_MATCH] = {16, 226, 0, 3, BOLD},
                [PAINT_LESS] = {51, 16, 6, 0, BOLD},
                [PAINT_MORE] = {226, 16, 3, 0, BOLD},
                [PAINT_HEAT_0] = {231, 17, 7, 0, 0},
                [PAINT_HEAT_1] = {231, 60, 7, 0, 0},
                [PAINT_HEAT_2] = {16, 103, 7, 0, 0},
                [PAINT_HEAT_3] = {16, 144, 3, 0, 0},
                [PAINT_HEAT_4] = {16, 186, 3, 0, BOLD},
                [PAINT_HEAT_5] = {16, 227, 3, 0, BOLD | REVERSE},
            },
};

/* Background of the active row in 256 colours; elsewhere it is bold and its name reversed. */
static const short selected_background[THEME_COUNT] = {237, 254, -1, 19};

static bool terminal_is_light(void) {
    const char *colors = getenv("COLORFGBG"), *background = colors ? strrchr(colors, ';') : NULL;
    return background && (!strcmp(background, ";7") || !strcmp(background, ";15"));
}

const char *theme_detect(int colors) {
    const char *no_color = getenv("NO_COLOR");
    if (colors < 8 || (no_color && *no_color))
        return theme_names[THEME_MONO];
    return theme_names[terminal_is_light() ? THEME_LIGHT : THEME_DARK];
}

static int theme_index(const char *theme) {
    for (int i = 0; theme_names[i]; i++)
        if (!strcmp(theme_names[i], theme))
            return i;
    return THEME_MONO;
}

struct theme_style theme_style(const char *theme, int colors, enum paint paint, bool selected) {
    int index = colors < 8 ? THEME_MONO : theme_index(theme);
    const struct row *row = &rows[index][paint];
    bool mono = index == THEME_MONO, cube = colors >= 256;
    struct theme_style style = {
        .foreground = mono   ? -1
                      : cube ? row->foreground
                             : row->foreground_8,
        .background = mono   ? -1
                      : cube ? row->background
                             : row->background_8,
        .bold = row->attributes & BOLD,
        .dim = row->attributes & DIM,
        .reverse = (row->attributes & REVERSE) && (mono || !cube || paint != PAINT_HEAT_5),
        .underline = row->attributes & UNDERLINE,
    };
    if (!selected)
        return style;
    if (!mono && cube && (style.background == -1 || style.background == 16))
        style.background = selected_background[index];
    else if (paint == PAINT_CURSOR)
        style.reverse = true;
    else
        style.bold = true, style.dim = false;
    return style;
}

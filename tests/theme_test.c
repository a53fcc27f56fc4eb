/* Every colour can be read on its background: contrast as WCAG 2.1 (1.4.3, 1.4.11) defines it, on xterm's 256 colours.
 */
#include "views/theme.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { COLORS = 256, CUBE = 16, GREYS = 232, BLACK = 16, WHITE = 231 };

static double channel(int level) {
    double share = level / 255.0;
    return share <= 0.03928 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4);
}

static double luminance(short color) {
    static const int levels[6] = {0, 95, 135, 175, 215, 255};
    int index = color - CUBE;
    if (color >= GREYS)
        return channel(8 + 10 * (color - GREYS));
    return 0.2126 * channel(levels[index / 36]) + 0.7152 * channel(levels[index / 6 % 6]) +
           0.0722 * channel(levels[index % 6]);
}

static double contrast(short first, short second) {
    double one = luminance(first), other = luminance(second);
    return (fmax(one, other) + 0.05) / (fmin(one, other) + 0.05);
}

/* Charts and what is meant to stand back may be fainter than text. */
static bool drawn(enum paint paint) {
    return paint == PAINT_TRACK || paint == PAINT_PRUNED || paint == PAINT_KEPT || paint == PAINT_CUT ||
           paint == PAINT_OVERLAY || paint == PAINT_LESS || paint == PAINT_MORE || paint == PAINT_CURVE;
}

static void check(const char *theme, short page, double text_contrast) {
    for (int paint = 0; paint < PAINT_COUNT; paint++)
        for (int selected = 0; selected < 2; selected++) {
            struct theme_style style = theme_style(theme, COLORS, (enum paint)paint, selected);
            double least = drawn((enum paint)paint) ? 3 : text_contrast;
            if (style.foreground < 0)
                continue; /* the terminal's own */
            double found = contrast(style.foreground, style.background < 0 ? page : style.background);
            if (found < least)
                fail_msg("%s: colour %d of paint %d%s has a contrast of %.2f, not %.1f", theme, style.foreground, paint,
                         selected ? " in the active row" : "", found, least);
        }
}

static void test_colours_can_be_read(void **state) {
    (void)state;
    check("dark", BLACK, 4.5);
    check("light", WHITE, 4.5);
    check("contrast", BLACK, 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_colours_can_be_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

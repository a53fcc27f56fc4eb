/* Glyph sets: every sign that a chart or a view draws, as one table row per set, so that a terminal without UTF-8 or a
 * font without braille gets a real rendering. Each string is one column wide. */
#ifndef SECATEUR_GLYPHS_H
#define SECATEUR_GLYPHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct glyphs {
    const char *name;
    const char *heights[9]; /* a column filled to 0/8 .. 8/8 */
    const char *lengths[9]; /* a bar filled to 0/8 .. 8/8 */
    const char *cut;        /* the threshold inside a density */
    const char *slider_on, *slider_off, *knob, *mark;
    const char *cursor, *tag, *lock, *folded, *unfolded;
    const char *horizontal, *vertical, *corner, *tick_below, *tick_left, *centre;
    const char *frame_left, *frame_right;
    const char *ellipsis, *unknown, *shade, *pointer;
    const char *measured, *here, *knee, *dot; /* dot: of a line without braille */
    const char *heat[5];
    bool utf8, braille;
};

extern const struct glyphs glyph_sets[]; /* utf8, utf8-blocks, ascii; a row without a name ends them */

/* By name; NULL when there is none. */
const struct glyphs *glyphs_find(const char *name);
bool glyphs_locale_is_utf8(void);
/* utf8 where the locale's code set is UTF-8, else ascii; ascii on the Linux console, whose fonts have no braille and no
 * eighths of blocks. */
const struct glyphs *glyphs_detect(void);

/* What stands for a character that an ASCII terminal cannot show: "+-" for ±; "?" for what is not in the table. */
const char *glyphs_ascii(int32_t codepoint);

#endif

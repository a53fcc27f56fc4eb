#include "views/glyphs.h"
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#define UTF8_SIGNS                                                                                                     \
    .heights = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},                                                          \
    .lengths = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"}, .cut = "┃", .slider_on = "━", .slider_off = "─",         \
    .knob = "●", .mark = "┊", .cursor = "›", .tag = "+", .lock = "=", .folded = "▸", .unfolded = "▾",                  \
    .horizontal = "─", .vertical = "│", .corner = "└", .tick_below = "┴", .tick_left = "┤", .centre = "┼",             \
    .frame_left = "▕", .frame_right = "▏", .ellipsis = "…", .unknown = "·", .shade = "░", .pointer = "▲",              \
    .measured = "×", .here = "●", .knee = "◆", .dot = "•", .heat = {"·", "░", "▒", "▓", "█"}, .utf8 = true

const struct glyphs glyph_sets[] = {
    {.name = "utf8", UTF8_SIGNS, .braille = true},
    {.name = "utf8-blocks", UTF8_SIGNS},
    {.name = "ascii",
     .heights = {" ", ".", ":", "-", "=", "+", "*", "#", "#"},
     .lengths = {" ", " ", " ", "-", "-", "=", "=", "#", "#"},
     .cut = "|",
     .slider_on = "=",
     .slider_off = "-",
     .knob = "O",
     .mark = "!",
     .cursor = ">",
     .tag = "*",
     .lock = "=",
     .folded = "+",
     .unfolded = "-",
     .horizontal = "-",
     .vertical = "|",
     .corner = "+",
     .tick_below = "+",
     .tick_left = "|",
     .centre = "|",
     .frame_left = "[",
     .frame_right = "]",
     .ellipsis = "~",
     .unknown = ".",
     .shade = ":",
     .pointer = "^",
     .measured = "x",
     .here = "O",
     .knee = "K",
     .dot = "*",
     .heat = {".", ":", "+", "%", "#"}},
    {.name = NULL},
};

const struct glyphs *glyphs_find(const char *name) {
    for (const struct glyphs *set = glyph_sets; set->name; set++)
        if (!strcmp(set->name, name))
            return set;
    return NULL;
}

bool glyphs_locale_is_utf8(void) {
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

const struct glyphs *glyphs_detect(void) {
    const char *terminal = getenv("TERM");
    bool console = terminal && !strncmp(terminal, "linux", 5);
    return glyphs_find(glyphs_locale_is_utf8() && !console ? "utf8" : "ascii");
}

const char *glyphs_ascii(int32_t codepoint) {
    static const struct {
        int32_t codepoint;
        const char *ascii;
    } table[] = {
        {0x00b1, "+-"},   {0x00b7, "|"},  {0x00d7, "x"},          {0x2026, "~"}, {0x2014, "-"},  {0x2013, "-"},
        {0x0394, "d"},    {0x2502, "|"},  {0x2082, "2"},          {0x2080, "0"}, {0x00b2, "2"},  {0x03a3, "sum"},
        {0x03c4, "t"},    {0x03bc, "u"},  {0x03c3, "sd"},         {0x2212, "-"}, {0x2265, ">="}, {0x2264, "<="},
        {0x2016, "||"},   {0x0174, "W'"}, {0x03bb, "eigenvalue"}, {0x203a, ">"}, {0x2192, "->"}, {0x2190, "<-"},
        {0x2713, "done"}, {0x25b6, ">"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].codepoint == codepoint)
            return table[i].ascii;
    return "?";
}

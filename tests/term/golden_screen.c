#include "tests/term/golden_screen.h"
#include "tests/term/program.h"
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SCREENS ABS_TOP_SRCDIR "/tests/screens"
#define ROUNDING 2e-3 /* relative */

const struct look looks[LOOKS] = {
    {"80x24-ascii", 24, 80, ascii},  {"100x30-dark", 30, 100, color},  {"100x30-light", 30, 100, light},
    {"200x60-dark", 60, 200, color}, {"200x60-light", 60, 200, light},
};

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    if (file && text)
        (void)!fread(text, 1, (1 << 20) - 1, file);
    if (file)
        (void)fclose(file);
    return text;
}

static const char *number_start(const char *text, const char *at) {
    while (at > text && (isdigit((unsigned char)at[-1]) || at[-1] == '.' || at[-1] == '-'))
        at--;
    return at;
}

/* Whether both hold numbers here that are the same but for rounding, and equally long; then behind them. */
static bool same_number(const char **a, const char **b, const char *text_a, const char *text_b) {
    const char *start_a = number_start(text_a, *a), *start_b = number_start(text_b, *b);
    char *end_a = NULL, *end_b = NULL;
    double value_a = strtod(start_a, &end_a), value_b = strtod(start_b, &end_b);
    bool same = end_a > *a && end_b > *b && end_a - start_a == end_b - start_b &&
                fabs(value_a - value_b) <= ROUNDING * fmax(fabs(value_a), fabs(value_b));
    *a = same ? end_a : *a;
    *b = same ? end_b : *b;
    return same;
}

static bool same_screen(const char *golden, const char *text) {
    const char *a = golden, *b = text;
    while (*a && *b) {
        if (*a == *b) {
            a++;
            b++;
        } else if (!same_number(&a, &b, golden, text)) {
            return false;
        }
    }
    return *a == *b;
}

static void write_golden(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void check_text(char *text, const char *view, const char *look) {
    char path[512];
    const char *mode = getenv("SECATEUR_SCREENS");
    (void)snprintf(path, sizeof path, SCREENS "/%s-%s.txt", view, look);
    if (mode && !strcmp(mode, "write")) {
        write_golden(path, text);
    } else {
        char *golden = read_file(path);
        bool same = same_screen(golden, text);
        if (!same) {
            print_message("%s differs; it is now:\n%s", path, text);
            assert_string_equal(golden, text);
        }
        free(golden);
    }
    free(text);
}

void golden_screen_check(struct pty *pty, const char *view, const char *look) {
    check_text(pty_text(pty, true), view, look);
}

/* The number before `unit`, and of the blanks that align it those up to `width`, become #. */
static void mask_before(char *text, const char *unit, int width) {
    for (char *at = strstr(text, unit); at != NULL; at = strstr(at + 1, unit)) {
        char *digit = at;
        for (; digit > text && (isdigit((unsigned char)digit[-1]) || digit[-1] == '.'); digit--)
            digit[-1] = '#';
        for (; digit < at && digit > text && at - digit < width && digit[-1] == ' '; digit--)
            digit[-1] = '#';
    }
}

/* Digits on both sides of a colon: minutes and seconds. */
static void mask_clock(char *text) {
    for (char *at = strchr(text, ':'); at != NULL; at = strchr(at + 1, ':')) {
        if (at == text || !isdigit((unsigned char)at[-1]) || !isdigit((unsigned char)at[1]))
            continue;
        for (char *digit = at; digit > text && isdigit((unsigned char)digit[-1]); digit--)
            digit[-1] = '#';
        for (char *digit = at + 1; isdigit((unsigned char)*digit); digit++)
            *digit = '#';
    }
}

/* Where a line begins, counted from 0. */
static char *line_at(char *text, size_t line) {
    for (; line > 0 && text != NULL; line--)
        text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
    return text;
}

static size_t lines_before(const char *text, const char *end) {
    size_t lines = 0;
    for (; text < end; text++)
        lines += *text == '\n';
    return lines;
}

static void cut_line(char *from) {
    char *end = from ? strchr(from, '\n') : NULL;
    if (end != NULL)
        memmove(from, end, strlen(end) + 1);
}

/* The line with the load of the processors and the memory goes, and its colours in the second half with it. */
static void mask_line(char *text, const char *beginning) {
    char *line = strstr(text, beginning);
    if (line == NULL)
        return;
    size_t number = lines_before(text, line + 1), rows = lines_before(text, text + strlen(text)) / 2;
    cut_line(line_at(text, rows + number));
    cut_line(line + strlen(beginning));
}

void golden_screen_check_run(struct pty *pty, const char *look) {
    static const char *const sizes[] = {" kB", " MB", " GB"};
    char *text = pty_text(pty, true);
    mask_line(text, "\n cpu ");
    mask_clock(text);
    mask_before(text, " s", 7);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        mask_before(text, sizes[i], 0);
    check_text(text, "run", look);
}

#include "views/draw.h"
#include "base/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

static void cell_blank(struct cell *cell) {
    *cell = (struct cell){.text = " ", .paint = PAINT_TEXT};
}

bool grid_resize(struct grid *grid, int height, int width, struct error *error) {
    size_t cells = 0;
    if (!memory_multiply(&cells, (size_t)height, (size_t)width))
        return error_set(error, ERROR_MEMORY, "a screen of %d x %d cells is too large", width, height);
    struct cell *fresh = memory_alloc(cells, sizeof *fresh, error);
    if (!fresh)
        return false;
    memory_free(grid->cells);
    *grid = (struct grid){fresh, width, height};
    for (size_t i = 0; i < cells; i++)
        cell_blank(&fresh[i]);
    return true;
}

void grid_free(struct grid *grid) {
    memory_free(grid->cells);
    *grid = (struct grid){0};
}

struct canvas grid_canvas(struct grid *grid, const struct glyphs *glyphs) {
    return (struct canvas){.grid = grid, .glyphs = glyphs, .height = grid->height, .width = grid->width};
}

void grid_text(struct text *text, const struct grid *grid) {
    for (int row = 0; row < grid->height; row++) {
        const struct cell *cells = grid->cells + (size_t)row * (size_t)grid->width;
        int end = grid->width;
        while (end > 0 && !strcmp(cells[end - 1].text, " "))
            end--;
        for (int column = 0; column < end; column++)
            text_add(text, "%s", cells[column].text);
        text_add(text, "\n");
    }
}

static int clamp(int value, int low, int high) {
    return value < low ? low : value > high ? high : value;
}

struct canvas canvas_part(const struct canvas *canvas, int row, int column, int height, int width) {
    struct canvas part = *canvas;
    row = clamp(row, 0, canvas->height);
    column = clamp(column, 0, canvas->width);
    part.row += row;
    part.column += column;
    part.height = clamp(height, 0, canvas->height - row);
    part.width = clamp(width, 0, canvas->width - column);
    return part;
}

static struct cell *canvas_cell(const struct canvas *canvas, int row, int column) {
    if (row < 0 || column < 0 || row >= canvas->height || column >= canvas->width)
        return NULL;
    return canvas->grid->cells + (size_t)(canvas->row + row) * (size_t)canvas->grid->width +
           (size_t)(canvas->column + column);
}

void canvas_clear(struct canvas *canvas) {
    for (int row = 0; row < canvas->height; row++)
        for (int column = 0; column < canvas->width; column++)
            cell_blank(canvas_cell(canvas, row, column));
}

/* Puts one character of `columns` columns; what does not fit into the canvas is left out. */
static void put(struct canvas *canvas, int row, int column, enum paint paint, const char *bytes, size_t length,
                int columns) {
    struct cell *cell = canvas_cell(canvas, row, column);
    if (!cell || !canvas_cell(canvas, row, column + columns - 1) || length >= sizeof cell->text)
        return;
    memcpy(cell->text, bytes, length);
    cell->text[length] = '\0';
    cell->paint = (unsigned char)paint;
    for (int i = 1; i < columns; i++)
        cell[i] = (struct cell){.text = "", .paint = (unsigned char)paint, .selected = cell->selected};
}

static void put_combining(struct canvas *canvas, int row, int column, const char *bytes, size_t length) {
    struct cell *cell = canvas_cell(canvas, row, column);
    if (!cell)
        return;
    size_t used = strlen(cell->text);
    if (used == 0 || used + length >= sizeof cell->text)
        return;
    memcpy(cell->text + used, bytes, length);
    cell->text[used + length] = '\0';
}

/* One character of a string, ready to be put. */
struct character {
    const char *bytes;
    size_t length, consumed;
    int columns;
};

static struct character character_next(const char *string, bool utf8) {
    utf8proc_int32_t codepoint = 0;
    utf8proc_ssize_t read = utf8proc_iterate((const utf8proc_uint8_t *)string, -1, &codepoint);
    if (read <= 0 || codepoint < 0x20 || (codepoint >= 0x7f && codepoint < 0xa0))
        return (struct character){"?", 1, read <= 0 ? 1 : (size_t)read, 1};
    int columns = utf8proc_charwidth(codepoint);
    if (utf8 || codepoint < 0x80)
        return (struct character){string, (size_t)read, (size_t)read, columns};
    const char *ascii = columns > 0 ? glyphs_ascii(codepoint) : "";
    return (struct character){ascii, strlen(ascii), (size_t)read, (int)strlen(ascii)};
}

static int string_columns(const char *string, bool utf8) {
    int columns = 0;
    while (*string) {
        struct character next = character_next(string, utf8);
        columns += next.columns;
        string += next.consumed;
    }
    return columns;
}

static int put_ascii(struct canvas *canvas, int row, int column, int end, enum paint paint,
                     const struct character *next) {
    for (size_t i = 0; i < next->length && column < end; i++)
        put(canvas, row, column++, paint, next->bytes + i, 1, 1);
    return column;
}

int canvas_text(struct canvas *canvas, int row, int column, int width, enum paint paint, const char *string) {
    bool utf8 = canvas->glyphs->utf8;
    bool cut = string_columns(string, utf8) > width;
    int start = column, end = column + (cut ? width - 1 : width);
    if (width <= 0)
        return 0;
    while (*string) {
        struct character next = character_next(string, utf8);
        if (column + (utf8 ? next.columns : 0) > end || (column >= end && next.columns > 0))
            break;
        if (next.columns == 0)
            put_combining(canvas, row, column - 1, next.bytes, next.length);
        else if (utf8)
            put(canvas, row, column, paint, next.bytes, next.length, next.columns);
        else
            put_ascii(canvas, row, column, end, paint, &next);
        column = column + next.columns < end ? column + next.columns : end;
        string += next.consumed;
    }
    if (cut)
        put(canvas, row, column++, paint, canvas->glyphs->ellipsis, strlen(canvas->glyphs->ellipsis), 1);
    return column - start;
}

int canvas_columns(const struct canvas *canvas, const char *string) {
    return string_columns(string, canvas->glyphs->utf8);
}

const char *canvas_choose(const struct canvas *canvas, int width, const char *const texts[], size_t count) {
    size_t chosen = 0;
    while (chosen + 1 < count && canvas_columns(canvas, texts[chosen]) > width)
        chosen++;
    return texts[chosen];
}

int canvas_format(struct canvas *canvas, int row, int column, int width, enum paint paint, const char *format, ...) {
    char buffer[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return canvas_text(canvas, row, column, width, paint, buffer);
}

void canvas_right(struct canvas *canvas, int row, int column, int width, enum paint paint, const char *string) {
    int columns = canvas_columns(canvas, string);
    int shift = columns < width ? width - columns : 0;
    canvas_text(canvas, row, column + shift, width - shift, paint, string);
}

void canvas_repeat(struct canvas *canvas, int row, int column, int count, enum paint paint, const char *glyph) {
    for (int i = 0; i < count; i++)
        put(canvas, row, column + i, paint, glyph, strlen(glyph), 1);
}

void canvas_select(struct canvas *canvas, int row) {
    for (int column = 0; column < canvas->width; column++) {
        struct cell *cell = canvas_cell(canvas, row, column);
        if (cell)
            cell->selected = true;
    }
}

void canvas_paint(struct canvas *canvas, int row, int column, int width, enum paint paint) {
    for (int i = 0; i < width; i++) {
        struct cell *cell = canvas_cell(canvas, row, column + i);
        if (cell)
            cell->paint = (unsigned char)paint;
    }
}

const char *canvas_peek(const struct canvas *canvas, int row, int column) {
    const struct cell *cell = canvas_cell(canvas, row, column);
    return cell ? cell->text : "";
}

/* The help view: made from the tables of keys, commands, options and views, so it cannot lie. And the output view: what
 * a command said in more than one line. */
#include "base/memory.h"
#include "views/keymap.h"
#include "views/screen_state.h"
#include <stdio.h>
#include <string.h>

#define CONTINUED_INDENT 2 /* more than the line it goes on with */
#define WIDTH_MINIMUM 12

/* What stands in one row: a line, or a part of one that is wider than the screen. */
struct piece {
    size_t start, length;
    size_t indent; /* beyond what its text has */
    bool heading;
};

struct pages {
    struct text text;     /* lines, NUL between them */
    struct piece *pieces; /* of those that pass the filter */
    size_t count, capacity;
    size_t width; /* lines are broken to it; 0: not known yet */
};

static struct text output_text;
static char output_title[128];

void output_show(struct text *text, const char *title) {
    text_free(&output_text);
    output_text = *text;
    *text = (struct text){0};
    snprintf(output_title, sizeof output_title, "%s", title);
}

static void add_keys(struct text *text, const char *view) {
    for (size_t i = 0; keymap_at(i); i++) {
        const struct binding *binding = keymap_at(i);
        if (!strcmp(binding->view, view))
            text_add(text, "  %-10s %-24s %s\n", binding->key, binding->command, binding->help ? binding->help : "");
    }
}

static void add_all_keys(struct text *text) {
    for (size_t i = 0; view_table[i]; i++) {
        text_add(text, "VIEW %s: %s\n", view_table[i]->name, view_table[i]->help);
        add_keys(text, view_table[i]->name);
        text_add(text, "\n");
    }
    text_add(text, "KEYS in every view\n");
    add_keys(text, "all");
}

static void add_commands(struct text *text) {
    text_add(text, "\nCOMMANDS, typed after \":\" (\"here\" is the row under the cursor)\n");
    for (size_t i = 0; command_at(i); i++) {
        struct text usage = {0};
        command_usage(&usage, command_at(i), false);
        text_add(text, "  %s\n      %s\n", text_string(&usage), command_at(i)->help);
        text_free(&usage);
    }
    text_add(text, "\nOPTIONS: set NAME VALUE\n");
    for (const struct option *option = option_table; option->name; option++)
        text_add(text, "  %-10s %-32s %s\n", option->name, option->values, option->help);
}

/* Columns of a table stay where they are: only a line without two blanks in a row is broken. */
static size_t piece_length(const char *rest, size_t width, bool prose) {
    size_t length = strlen(rest), end = width;
    if (!prose || width < WIDTH_MINIMUM || length <= width)
        return length;
    while (end > 0 && rest[end] != ' ')
        end--;
    return end > 0 ? end : strcspn(rest, " ");
}

static bool add_pieces(struct pages *pages, size_t start, struct error *error) {
    const char *line = pages->text.data + start;
    size_t indent = strspn(line, " "), done = 0;
    size_t width = pages->width > indent + CONTINUED_INDENT ? pages->width - indent - CONTINUED_INDENT : 0;
    bool prose = strlen(line) > pages->width && strstr(line + indent, "  ") == NULL;
    do {
        if (!memory_grow(&pages->pieces, &pages->capacity, pages->count, sizeof *pages->pieces, error))
            return false;
        size_t lead = done == 0 ? indent : 0;
        size_t length = lead + piece_length(line + done + lead, width, prose);
        pages->pieces[pages->count++] = (struct piece){.start = start + done,
                                                       .length = length,
                                                       .indent = done > 0 ? indent + CONTINUED_INDENT : 0,
                                                       .heading = *line != '\0' && *line != ' '};
        done += length;
        done += strspn(line + done, " ");
    } while (line[done] != '\0');
    return true;
}

static bool split_lines(struct view *view, struct error *error) {
    struct pages *pages = view->state;
    char *data = pages->text.data;
    pages->count = 0;
    for (size_t start = 0; data && start < pages->text.length;) {
        size_t length = strcspn(data + start, "\n");
        data[start + length] = '\0';
        if (view_matches(data + start, view->filter) && !add_pieces(pages, start, error))
            return false;
        start += length + 1;
    }
    view->rows = pages->count;
    return true;
}

/* Lines are broken anew when the screen has another width. */
static void fit_lines(struct view *view, int width) {
    struct pages *pages = view->state;
    if (pages->width == (size_t)width)
        return;
    pages->width = (size_t)width;
    if (!split_lines(view, NULL))
        view->rows = pages->count;
    if (view->cursor >= view->rows)
        view->cursor = view->rows > 0 ? view->rows - 1 : 0;
}

static bool refresh_help(struct view *view, struct error *error) {
    struct pages *pages = view->state;
    text_clear(&pages->text);
    add_all_keys(&pages->text);
    add_commands(&pages->text);
    return split_lines(view, error);
}

static bool refresh_output(struct view *view, struct error *error) {
    struct pages *pages = view->state;
    text_clear(&pages->text);
    text_add(&pages->text, "%s\n\n", output_title);
    text_add_bytes(&pages->text, text_string(&output_text), output_text.length);
    text_add(&pages->text, "\n");
    return split_lines(view, error);
}

static void close_pages(struct view *view) {
    struct pages *pages = view->state;
    text_free(&pages->text);
    memory_free(pages->pieces);
}

static void close_output(struct view *view) {
    close_pages(view);
    text_free(&output_text);
}

static void draw_piece(const struct pages *pages, struct canvas *canvas, int row, const struct piece *piece) {
    int indent = (int)piece->indent;
    canvas_format(canvas, row, 1 + indent, canvas->width - 1 - indent, piece->heading ? PAINT_TITLE : PAINT_TEXT,
                  "%.*s", (int)piece->length, pages->text.data + piece->start);
}

static void draw(struct view *view, struct canvas *canvas) {
    const struct pages *pages = view->state;
    fit_lines(view, canvas->width - 1);
    view_scroll(view, canvas->height);
    for (int i = 0; i < canvas->height && view->top + (size_t)i < view->rows; i++) {
        size_t row = view->top + (size_t)i;
        draw_piece(pages, canvas, i, &pages->pieces[row]);
        if (row == view->cursor)
            canvas_select(canvas, i);
    }
    view->list_row = 0;
    view->cursor_row = (int)(view->cursor - view->top);
    view->cursor_cell = 1;
}

static bool row_text(struct view *view, size_t row, struct text *text) {
    const struct pages *pages = view->state;
    if (row >= view->rows)
        return false;
    text_add_bytes(text, pages->text.data + pages->pieces[row].start, pages->pieces[row].length);
    return true;
}

const struct view_ops help_view = {.name = "help",
                                   .help = "every key, command and option",
                                   .keys = "q back  / find  \\ filter  j/k move  ^D/^U page  g/G ends",
                                   .state_size = sizeof(struct pages),
                                   .close = close_pages,
                                   .refresh = refresh_help,
                                   .draw = draw,
                                   .row_text = row_text};

const struct view_ops output_view = {.name = "output",
                                     .help = "what a command said",
                                     .keys = "q back  / find  \\ filter  j/k move  ^D/^U page  g/G ends",
                                     .state_size = sizeof(struct pages),
                                     .close = close_output,
                                     .refresh = refresh_output,
                                     .draw = draw,
                                     .row_text = row_text};

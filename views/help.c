/* The help view: made from the tables of keys, commands, options and views, so it cannot lie. And the output view: what
 * a command said in more than one line. */
#include "base/memory.h"
#include "views/keymap.h"
#include "views/screen_state.h"
#include <stdio.h>
#include <string.h>

struct pages {
    struct text text; /* lines, NUL between them */
    size_t *lines;    /* offsets of those that pass the filter */
    size_t count, capacity;
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

static bool split_lines(struct view *view, struct error *error) {
    struct pages *pages = view->state;
    char *data = pages->text.data;
    pages->count = 0;
    for (size_t start = 0; data && start < pages->text.length;) {
        size_t length = strcspn(data + start, "\n");
        data[start + length] = '\0';
        if (view_matches(data + start, view->filter)) {
            if (!memory_grow(&pages->lines, &pages->capacity, pages->count, sizeof *pages->lines, error))
                return false;
            pages->lines[pages->count++] = start;
        }
        start += length + 1;
    }
    view->rows = pages->count;
    return true;
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
    memory_free(pages->lines);
}

static void close_output(struct view *view) {
    close_pages(view);
    text_free(&output_text);
}

static const char *line_at(const struct view *view, size_t row) {
    const struct pages *pages = view->state;
    return pages->text.data + pages->lines[row];
}

static void draw(struct view *view, struct canvas *canvas) {
    view_scroll(view, canvas->height);
    for (int i = 0; i < canvas->height && view->top + (size_t)i < view->rows; i++) {
        size_t row = view->top + (size_t)i;
        const char *line = line_at(view, row);
        bool heading = *line && *line != ' ';
        canvas_text(canvas, i, 1, canvas->width - 1, heading ? PAINT_TITLE : PAINT_TEXT, line);
        if (row == view->cursor)
            canvas_select(canvas, i);
    }
    view->list_row = 0;
    view->cursor_row = (int)(view->cursor - view->top);
    view->cursor_cell = 1;
}

static bool row_text(struct view *view, size_t row, struct text *text) {
    if (row >= view->rows)
        return false;
    text_add(text, "%s", line_at(view, row));
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

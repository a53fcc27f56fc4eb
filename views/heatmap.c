/* Blocks down, matrices across, one figure in every cell as shade, colour and number; a bar for each block. */
#include "base/memory.h"
#include "views/cells.h"
#include "views/chart.h"
#include "views/known.h"
#include "views/view.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH = 7, CELL_LEAST = 7, CELL_WIDE = 9, CELL_MOST = 14, MARGIN_WIDTH = 22, MARGIN_FROM = 64 };

static double planned_error(struct workbench *workbench, const struct model_row *row) {
    return known_error(workbench, row, KNOWN_PLANNED);
}

static double input_zeros(struct workbench *workbench, const struct model_row *row) {
    return 100 * known_zeros(workbench, row);
}

static double outlier_percent(struct workbench *workbench, const struct model_row *row) {
    return 100 * known_outliers(workbench, row);
}

static double planned_sparsity(struct workbench *workbench, const struct model_row *row) {
    return 100 * row_sparsity(workbench, row);
}

/* What a cell can show, in the order in which `value next` goes through them. */
static const struct value_kind {
    const char *name, *help, *format;
    double (*read)(struct workbench *workbench, const struct model_row *row);
    bool logarithmic, mean; /* the ramp's scale; the margin is a mean and not a sum */
} kinds[] = {
    {"error", "relative output error expected at the present sparsity", "%.3f", planned_error, false, false},
    {"marginal", "error that one more percent of sparsity adds", "%.4f", known_marginal, false, false},
    {"activation", "exact zeros in the input, %", "%.1f", input_zeros, false, true},
    {"trace", "tr(H) of the input", "%.3g", known_trace, true, true},
    {"outliers", "weights of 5 times the block's mean |w|·‖x‖, %", "%.3f", outlier_percent, false, true},
    {"sparsity", "present sparsity, %", "%.1f", planned_sparsity, false, true},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct margin {
    double value;
    size_t block;
};

struct heatmap {
    struct cells cells;
    double *values;         /* as cells.matrices */
    struct margin *margins; /* [cells.rows], in the order of the rows shown */
    double lowest, highest, highest_margin;
    size_t column, first_column;
    size_t kind;
    bool sorted, known;
    int cell_width; /* of the last frame, for the mouse */
};

/* ---- figures ---- */

static void read_cells(struct view *view) {
    struct heatmap *heatmap = view->state;
    heatmap->lowest = INFINITY;
    heatmap->highest = 0;
    heatmap->known = false;
    for (size_t i = 0; i < heatmap->cells.rows * heatmap->cells.columns; i++) {
        double value = NAN;
        if (heatmap->cells.matrices[i] != CELLS_NONE) {
            struct model_row row = row_of_matrix(heatmap->cells.matrices[i]);
            value = kinds[heatmap->kind].read(view->workbench, &row);
        }
        heatmap->values[i] = value;
        heatmap->known = heatmap->known || !isnan(value);
        if (value > 0) {
            heatmap->lowest = fmin(heatmap->lowest, value);
            heatmap->highest = fmax(heatmap->highest, value);
        }
    }
}

static double margin_of(const struct heatmap *heatmap, size_t block) {
    double sum = 0, count = 0;
    for (size_t column = 0; column < heatmap->cells.columns; column++) {
        double value = heatmap->values[block * heatmap->cells.columns + column];
        if (isnan(value))
            continue;
        sum += value;
        count++;
    }
    return count == 0 ? NAN : kinds[heatmap->kind].mean ? sum / count : sum;
}

static int compare_margins(const void *a, const void *b) {
    const struct margin *left = a, *right = b;
    if (left->value != right->value && !(isnan(left->value) && isnan(right->value)))
        return left->value > right->value || isnan(right->value) ? -1 : 1;
    return left->block < right->block ? -1 : 1;
}

static bool refresh(struct view *view, struct error *error) {
    struct heatmap *heatmap = view->state;
    (void)error;
    read_cells(view);
    heatmap->highest_margin = 0;
    for (size_t i = 0; i < heatmap->cells.rows; i++) {
        heatmap->margins[i] = (struct margin){margin_of(heatmap, i), i};
        heatmap->highest_margin = fmax(heatmap->highest_margin, heatmap->margins[i].value);
    }
    if (heatmap->sorted)
        qsort(heatmap->margins, heatmap->cells.rows, sizeof *heatmap->margins, compare_margins);
    view->rows = heatmap->cells.rows;
    return true;
}

static bool open_heatmap(struct view *view, struct error *error) {
    struct heatmap *heatmap = view->state;
    if (!cells_create(&heatmap->cells, view->workbench->model, error))
        return false;
    heatmap->values = memory_alloc(heatmap->cells.rows * heatmap->cells.columns, sizeof *heatmap->values, error);
    heatmap->margins = memory_alloc(heatmap->cells.rows, sizeof *heatmap->margins, error);
    return heatmap->values && heatmap->margins;
}

static void close_heatmap(struct view *view) {
    struct heatmap *heatmap = view->state;
    memory_free(heatmap->values);
    memory_free(heatmap->margins);
    cells_free(&heatmap->cells);
}

/* Where on the ramp a value lies, 0..1. */
static double share_of(const struct heatmap *heatmap, double value) {
    if (!(value > 0) || heatmap->highest <= 0)
        return 0;
    if (!kinds[heatmap->kind].logarithmic)
        return value / heatmap->highest;
    double span = log(heatmap->highest / heatmap->lowest);
    return span > 0 ? log(value / heatmap->lowest) / span : 1;
}

static double value_at(const struct heatmap *heatmap, double share) {
    if (!kinds[heatmap->kind].logarithmic || heatmap->highest <= 0)
        return share * heatmap->highest;
    return heatmap->lowest * pow(heatmap->highest / heatmap->lowest, share);
}

/* ---- drawing ---- */

static void draw_cell(struct view *view, struct canvas *canvas, int line, int column, int width, size_t index,
                      bool active) {
    const struct heatmap *heatmap = view->state;
    double value = heatmap->values[index];
    size_t matrix = heatmap->cells.matrices[index];
    char number[24];
    if (matrix == CELLS_NONE)
        return;
    if (isnan(value)) {
        canvas_right(canvas, line, column + 1, width - 2, PAINT_DIM, canvas->glyphs->unknown);
    } else {
        snprintf(number, sizeof number, kinds[heatmap->kind].format, value);
        bool no_room = width < CELL_WIDE && number[0] == '0' && number[1] == '.';
        chart_heat(canvas, line, column + 1, width - 2, share_of(heatmap, value), number + no_room);
    }
    bool tagged = plan_tagged(view->workbench->plan, matrix);
    bool locked = plan_target(view->workbench->plan, matrix)->locked;
    if (tagged || active)
        canvas_text(canvas, line, column, 1, active ? PAINT_CURSOR : PAINT_TAG, tagged ? canvas->glyphs->tag : "[");
    if (locked || active)
        canvas_text(canvas, line, column + width - 1, 1, active ? PAINT_CURSOR : PAINT_LOCK,
                    locked ? canvas->glyphs->lock : "]");
}

static void draw_margin(struct view *view, struct canvas *canvas, int line, int column, double value) {
    const struct heatmap *heatmap = view->state;
    char number[24];
    canvas_text(canvas, line, column, 1, PAINT_AXIS, canvas->glyphs->vertical);
    if (isnan(value))
        return;
    if (heatmap->highest_margin > 0)
        chart_bar(canvas, line, column + 2, MARGIN_WIDTH - 12, PAINT_BAR, value / heatmap->highest_margin);
    snprintf(number, sizeof number, kinds[heatmap->kind].format, value);
    canvas_right(canvas, line, column + MARGIN_WIDTH - 9, 8, PAINT_TEXT, number);
}

/* Which columns are shown and how wide: all of them where there is room, else so many that the cursor's is there. */
static size_t lay_out(struct heatmap *heatmap, int room) {
    size_t columns = heatmap->cells.columns;
    size_t fit = room >= CELL_LEAST ? (size_t)(room / CELL_LEAST) : 1;
    size_t shown = columns < fit ? columns : fit;
    if (heatmap->column < heatmap->first_column)
        heatmap->first_column = heatmap->column;
    if (heatmap->column >= heatmap->first_column + shown)
        heatmap->first_column = heatmap->column - shown + 1;
    if (heatmap->first_column + shown > columns)
        heatmap->first_column = columns - shown;
    heatmap->cell_width = shown > 0 ? room / (int)shown : room;
    if (heatmap->cell_width > CELL_MOST)
        heatmap->cell_width = CELL_MOST;
    return shown;
}

static void draw_row(struct view *view, struct canvas *canvas, int line, size_t index, size_t shown, int margin) {
    const struct heatmap *heatmap = view->state;
    size_t block = heatmap->margins[index].block;
    bool here = index == view->cursor;
    canvas_text(canvas, line, 0, 1, PAINT_CURSOR, here ? canvas->glyphs->cursor : "");
    canvas_format(canvas, line, 2, NAME_WIDTH - 3, here ? PAINT_CURSOR : PAINT_NAME, "%lld",
                  (long long)view->workbench->model->blocks[block].index);
    for (size_t i = 0; i < shown; i++) {
        size_t column = heatmap->first_column + i;
        draw_cell(view, canvas, line, NAME_WIDTH + (int)i * heatmap->cell_width, heatmap->cell_width,
                  block * heatmap->cells.columns + column, here && column == heatmap->column);
    }
    if (margin > 0)
        draw_margin(view, canvas, line, margin, heatmap->margins[index].value);
}

static void draw_heading(struct view *view, struct canvas *canvas, size_t shown, int margin) {
    const struct heatmap *heatmap = view->state;
    canvas_format(canvas, 0, 1, canvas->width - 1, PAINT_TEXT, "%s   (v: another value)%s", kinds[heatmap->kind].help,
                  heatmap->sorted ? "   sorted by block" : "");
    canvas_repeat(canvas, 1, 0, canvas->width, PAINT_HEADING, " ");
    canvas_text(canvas, 1, 1, NAME_WIDTH - 1, PAINT_HEADING, "block");
    for (size_t i = 0; i < shown; i++)
        canvas_right(canvas, 1, NAME_WIDTH + (int)i * heatmap->cell_width, heatmap->cell_width - 1, PAINT_HEADING,
                     heatmap->cells.labels[heatmap->first_column + i]);
    if (margin > 0)
        canvas_text(canvas, 1, margin + 2, MARGIN_WIDTH - 2, PAINT_HEADING,
                    kinds[heatmap->kind].mean ? "block, mean" : "block, sum");
}

/* Which shade stands for what. */
static void draw_ramp(struct view *view, struct canvas *canvas, int line) {
    enum { SHADES = 5, STEP = 13 };
    const struct heatmap *heatmap = view->state;
    if (heatmap->highest <= 0) {
        canvas_text(canvas, line, 1, canvas->width - 1, PAINT_MESSAGE,
                    heatmap->known ? "Zero everywhere."
                                   : "Not calibrated yet: :calibrate TEXT runs text through the model.");
        return;
    }
    canvas_text(canvas, line, 1, 5, PAINT_DIM, "ramp");
    for (int i = 0; i < SHADES; i++) {
        char number[24];
        snprintf(number, sizeof number, kinds[heatmap->kind].format, value_at(heatmap, (i + 1.0) / SHADES));
        enum paint paint = PAINT_HEAT_0 + (unsigned)((i + 0.5) / SHADES * 6);
        canvas_repeat(canvas, line, 7 + i * STEP, 2, paint, canvas->glyphs->heat[i]);
        canvas_format(canvas, line, 10 + i * STEP, STEP - 3, PAINT_DIM, "%s%s", i < SHADES - 1 ? "<" : "to ", number);
    }
}

static void draw(struct view *view, struct canvas *canvas) {
    struct heatmap *heatmap = view->state;
    bool with_margin = canvas->width >= MARGIN_FROM;
    size_t shown = lay_out(heatmap, canvas->width - NAME_WIDTH - (with_margin ? MARGIN_WIDTH : 0));
    int margin = with_margin ? NAME_WIDTH + (int)shown * heatmap->cell_width + 1 : 0;
    view_scroll(view, canvas->height - 3);
    draw_heading(view, canvas, shown, margin);
    for (int i = 0; i < view->list_height && view->top + (size_t)i < view->rows; i++)
        draw_row(view, canvas, i + 2, view->top + (size_t)i, shown, margin);
    draw_ramp(view, canvas, canvas->height - 1);
    view->list_row = 2;
    view->cursor_row = 2 + (int)(view->cursor - view->top);
    view->cursor_cell = NAME_WIDTH + (int)(heatmap->column - heatmap->first_column) * heatmap->cell_width;
}

/* ---- what screen.c asks ---- */

static size_t matrix_at(const struct view *view, size_t row) {
    const struct heatmap *heatmap = view->state;
    return row < view->rows ? cells_at(&heatmap->cells, heatmap->margins[row].block, heatmap->column) : CELLS_NONE;
}

static bool selector(struct view *view, size_t row, struct text *text) {
    size_t matrix = matrix_at(view, row);
    struct model_row of = row_of_matrix(matrix);
    if (matrix == CELLS_NONE)
        return false;
    row_selector(text, view->workbench->model, &of);
    return true;
}

/* To a cell by its matrix, to a row by its block. */
static bool go(struct view *view, const char *name) {
    struct heatmap *heatmap = view->state;
    const struct model *model = view->workbench->model;
    struct text text = {0};
    size_t old = heatmap->column;
    bool found = false;
    for (size_t i = 0; i < view->rows * heatmap->cells.columns && !found; i++) {
        heatmap->column = i % heatmap->cells.columns;
        text_clear(&text);
        found = selector(view, i / heatmap->cells.columns, &text) && !strcmp(text_string(&text), name);
        if (found)
            view->cursor = i / heatmap->cells.columns;
    }
    heatmap->column = found ? heatmap->column : old;
    for (size_t i = 0; i < view->rows && !found; i++) {
        struct model_row row = row_of_block(model, heatmap->margins[i].block);
        text_clear(&text);
        row_selector(&text, model, &row);
        found = !strcmp(text_string(&text), name);
        if (found)
            view->cursor = i;
    }
    text_free(&text);
    return found;
}

/* ---- verbs ---- */

static bool choose_value(struct heatmap *heatmap, const char *name, struct error *error) {
    if (!*name || !strcmp(name, "next")) {
        heatmap->kind = (heatmap->kind + 1) % KINDS;
        return true;
    }
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        heatmap->kind = i;
        return true;
    }
    return error_set(error, ERROR_USAGE,
                     "there is no value \"%s\"; there are error marginal activation trace outliers sparsity", name);
}

static bool choose_column(struct heatmap *heatmap, const char *name, struct error *error) {
    size_t last = heatmap->cells.columns > 0 ? heatmap->cells.columns - 1 : 0;
    if (!strcmp(name, "left"))
        heatmap->column -= heatmap->column > 0;
    else if (!strcmp(name, "right"))
        heatmap->column += heatmap->column < last;
    else {
        size_t column = 0;
        while (column <= last && strcmp(heatmap->cells.labels[column], name) != 0)
            column++;
        if (column > last)
            return error_set(error, ERROR_USAGE, "there is no column \"%s\"; left and right go to the next", name);
        heatmap->column = column;
    }
    return true;
}

/* The cursor stays on its block. */
static bool sort_blocks(struct view *view, bool sorted, struct error *error) {
    struct heatmap *heatmap = view->state;
    size_t block = view->cursor < view->rows ? heatmap->margins[view->cursor].block : 0;
    heatmap->sorted = sorted;
    if (!refresh(view, error))
        return false;
    for (size_t i = 0; i < view->rows; i++)
        if (heatmap->margins[i].block == block)
            view->cursor = i;
    return true;
}

static enum view_answer command(struct view *view, const char *verb, const char *argument, struct error *error) {
    struct heatmap *heatmap = view->state;
    bool ok = true;
    if (!strcmp(verb, "value"))
        ok = choose_value(heatmap, argument, error);
    else if (!strcmp(verb, "column"))
        ok = choose_column(heatmap, argument, error);
    else if (!strcmp(verb, "sort"))
        return sort_blocks(view, strcmp(argument, "none") != 0 && !heatmap->sorted, error) ? VIEW_DONE : VIEW_FAILED;
    else
        return VIEW_UNKNOWN;
    return ok && refresh(view, error) ? VIEW_DONE : VIEW_FAILED;
}

static void mouse(struct view *view, const struct view_mouse *event, struct text *line) {
    const struct heatmap *heatmap = view->state;
    if (event->dragged || event->column < NAME_WIDTH || heatmap->cell_width < 1)
        return;
    size_t column = heatmap->first_column + (size_t)((event->column - NAME_WIDTH) / heatmap->cell_width);
    if (event->twice)
        text_add(line, "view sensitivity");
    else if (column < heatmap->cells.columns)
        text_add(line, "column %s", heatmap->cells.labels[column]);
}

const struct view_ops heatmap_view = {
    .name = "heatmap",
    .help = "blocks by matrices: error, marginal error, zeros, tr(H), outliers or sparsity",
    .keys = "arrows move  h/l ±0.5  = type  v value  t tag  c tag column  s sort  Enter curve  z lock  u undo  q back  "
            "? help",
    .state_size = sizeof(struct heatmap),
    .open = open_heatmap,
    .close = close_heatmap,
    .refresh = refresh,
    .draw = draw,
    .row_text = selector,
    .row_selector = selector,
    .go = go,
    .command = command,
    .mouse = mouse};

/* The overview: every block and matrix as a row of a tree, with its density, its target as a slider, and what is known
 * about it. */
#include "base/memory.h"
#include "views/chart.h"
#include "views/density.h"
#include "views/known.h"
#include "views/table.h"
#include "views/view.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COLUMN_NAME,
    COLUMN_SIZE,
    COLUMN_SHAPE,
    COLUMN_DENSITY,
    COLUMN_ZEROS,
    COLUMN_ACTIVATION,
    COLUMN_SENSITIVITY,
    COLUMN_PATTERN,
    COLUMN_SLIDER,
    COLUMN_SPARSITY,
    COLUMN_COUNT
};

static const struct column columns[COLUMN_COUNT] = {
    [COLUMN_NAME] = {"block", "    block", 12, 16, 0, false},
    [COLUMN_SIZE] = {"params", "params", 8, 8, 4, true},
    [COLUMN_SHAPE] = {"shape", "rows×cols", 12, 12, 9, true},
    [COLUMN_DENSITY] = {"weights", "log2|w|", 12, 36, 3, false},
    [COLUMN_ZEROS] = {"zeros", "zeros", 6, 6, 6, true},
    [COLUMN_ACTIVATION] = {"act=0", "act=0", 6, 6, 7, true},
    [COLUMN_SENSITIVITY] = {"sensitivity", "error at 50%", 12, 18, 5, false},
    [COLUMN_PATTERN] = {"pattern", "pattern", 9, 12, 8, false},
    [COLUMN_SLIDER] = {"slider", "0 sparsity 100", 14, 41, 2, false},
    [COLUMN_SPARSITY] = {"sparsity", "%", 6, 6, 0, true},
};

struct entry {
    struct model_row row;
    double key; /* what it is sorted by */
    size_t order;
};

struct overview {
    struct table table;
    struct entry *entries;
    size_t capacity;
    bool *unfolded;           /* per block */
    int axis_first, axis_end; /* bins of the density */
    double highest_error;     /* of all rows at the sparsity that rows are compared at */
};

/* ---- rows ---- */

/* What is not known sorts before all that is. */
static double or_least(double value) {
    return isnan(value) ? -1 : value;
}

static double sort_key(struct view *view, const struct model_row *row) {
    struct overview *overview = view->state;
    struct density density;
    switch (overview->table.sort) {
    case COLUMN_SIZE:
    case COLUMN_SHAPE:
        return (double)row_parameters(view->workbench->model, row);
    case COLUMN_ZEROS:
        return density_read(&density, view->workbench, row) ? density.zeros / density.count : -1;
    case COLUMN_DENSITY:
        return density_read(&density, view->workbench, row) ? density_position(&density, 0.5) : -1;
    case COLUMN_ACTIVATION:
        return or_least(known_zeros(view->workbench, row));
    case COLUMN_SENSITIVITY:
        return or_least(known_error(view->workbench, row, KNOWN_REFERENCE));
    case COLUMN_SLIDER:
    case COLUMN_SPARSITY:
        return row_sparsity(view->workbench, row);
    default:
        return (double)row->first;
    }
}

static int compare_entries(const void *a, const void *b) {
    const struct entry *left = a, *right = b;
    if (left->key < right->key)
        return -1;
    if (left->key > right->key)
        return 1;
    return left->order < right->order ? -1 : 1;
}

static bool passes_filter(struct view *view, const struct model_row *row) {
    struct text text = {0};
    row_selector(&text, view->workbench->model, row);
    text_add(&text, " %s", row->block ? "" : view->workbench->model->matrices[row->first].name);
    bool passes = view_matches(text_string(&text), view->filter);
    text_free(&text);
    return passes;
}

static bool add_entry(struct view *view, struct model_row row, struct error *error) {
    struct overview *overview = view->state;
    if (!passes_filter(view, &row))
        return true;
    if (!memory_grow(&overview->entries, &overview->capacity, view->rows, sizeof *overview->entries, error))
        return false;
    double key = sort_key(view, &row);
    overview->entries[view->rows] = (struct entry){row, overview->table.descending ? -key : key, view->rows};
    view->rows++;
    return true;
}

static void sort_from(struct view *view, size_t first) {
    struct overview *overview = view->state;
    if (overview->table.sort >= 0)
        qsort(overview->entries + first, view->rows - first, sizeof *overview->entries, compare_entries);
}

static bool add_matrices(struct view *view, size_t begin, size_t end, struct error *error) {
    size_t first = view->rows;
    for (size_t i = begin; i < end; i++)
        if (!add_entry(view, row_of_matrix(i), error))
            return false;
    sort_from(view, first);
    return true;
}

/* Blocks in the order that is asked for, then the matrices of each unfolded one behind it. A filter unfolds all: what
 * it finds is to be seen. */
static bool add_blocks(struct view *view, struct error *error) {
    struct overview *overview = view->state;
    const struct model *model = view->workbench->model;
    const char *filter = view->filter;
    size_t *order = memory_alloc(model->block_count, sizeof *order, error);
    if (!order)
        return false;
    view->filter = "";
    bool ok = true;
    for (size_t i = 0; i < model->block_count && ok; i++)
        ok = add_entry(view, row_of_block(model, i), error);
    if (ok)
        sort_from(view, 0);
    for (size_t i = 0; ok && i < model->block_count; i++)
        order[i] = overview->entries[i].row.index;
    view->filter = filter;
    view->rows = 0;
    for (size_t i = 0; i < model->block_count && ok; i++) {
        const struct block *block = &model->blocks[order[i]];
        ok = add_entry(view, row_of_block(model, order[i]), error);
        if (ok && (overview->unfolded[order[i]] || *filter))
            ok = add_matrices(view, block->first, block->first + block->count, error);
    }
    memory_free(order);
    return ok;
}

static bool refresh(struct view *view, struct error *error) {
    struct overview *overview = view->state;
    const struct model *model = view->workbench->model;
    size_t outside = 0;
    for (size_t i = 0; i < model->block_count; i++)
        if (model->blocks[i].first + model->blocks[i].count > outside)
            outside = model->blocks[i].first + model->blocks[i].count;
    view->rows = 0;
    overview->highest_error = 0;
    for (size_t i = 0; i < model->matrix_count; i++) {
        struct model_row row = row_of_matrix(i);
        if (model->matrices[i].prunable)
            overview->highest_error =
                fmax(overview->highest_error, known_error(view->workbench, &row, KNOWN_REFERENCE));
    }
    density_axis(&overview->axis_first, &overview->axis_end, view->workbench);
    return add_blocks(view, error) && add_matrices(view, outside, model->matrix_count, error);
}

static bool open_overview(struct view *view, struct error *error) {
    struct overview *overview = view->state;
    overview->table = (struct table){.columns = columns, .count = COLUMN_COUNT, .sort = -1};
    overview->unfolded = memory_alloc(view->workbench->model->block_count, sizeof *overview->unfolded, error);
    return overview->unfolded != NULL;
}

static void close_overview(struct view *view) {
    struct overview *overview = view->state;
    memory_free(overview->entries);
    memory_free(overview->unfolded);
}

static const struct model_row *row_at(const struct view *view, size_t row) {
    const struct overview *overview = view->state;
    return &overview->entries[row].row;
}

/* ---- drawing ---- */

static void draw_name(struct view *view, struct canvas *canvas, int line, const struct model_row *row, bool active) {
    const struct overview *overview = view->state;
    const struct glyphs *glyphs = canvas->glyphs;
    struct text label = {0};
    int width = overview->table.width[COLUMN_NAME], indent = row->block ? 4 : 6;
    if (active)
        canvas_text(canvas, line, 0, 1, PAINT_CURSOR, glyphs->cursor);
    if (row_tagged(view->workbench, row))
        canvas_text(canvas, line, 1, 1, PAINT_TAG, glyphs->tag);
    if (row->block)
        canvas_text(canvas, line, 2, 1, PAINT_AXIS, overview->unfolded[row->index] ? glyphs->unfolded : glyphs->folded);
    row_label(&label, view->workbench->model, row);
    bool outside = !row->block && view->workbench->model->matrices[row->index].block < 0;
    indent = outside ? 4 : indent;
    bool prunable = row_prunable(view->workbench->model, row);
    int used = canvas_text(canvas, line, indent, width - indent,
                           active     ? PAINT_CURSOR
                           : prunable ? PAINT_NAME
                                      : PAINT_DIM,
                           text_string(&label));
    if (row_locked(view->workbench, row))
        canvas_text(canvas, line, indent + used + 1, width - indent - used - 1, PAINT_LOCK, glyphs->lock);
    text_free(&label);
}

static void draw_sizes(struct view *view, struct canvas *canvas, int line, const struct model_row *row) {
    const struct overview *overview = view->state;
    char number[TEXT_NUMBER_SIZE], shape[48];
    const struct matrix *matrix = &view->workbench->model->matrices[row->first];
    table_text(&overview->table, canvas, line, COLUMN_SIZE, PAINT_TEXT,
               text_count(number, (double)row_parameters(view->workbench->model, row)));
    snprintf(shape, sizeof shape, "%lld×%lld", (long long)matrix->rows, (long long)matrix->columns);
    if (!row->block)
        table_text(&overview->table, canvas, line, COLUMN_SHAPE, PAINT_DIM, shape);
}

/* The axis ends at whole powers of two; the cut is the |w| below which the target's share lies. */
static void draw_density(struct view *view, struct canvas *canvas, int line, const struct model_row *row) {
    const struct overview *overview = view->state;
    const struct table *table = &overview->table;
    struct density density;
    char zeros[16];
    if (table->width[COLUMN_DENSITY] == 0 && table->width[COLUMN_ZEROS] == 0)
        return;
    if (!density_read(&density, view->workbench, row)) {
        table_text(table, canvas, line, COLUMN_DENSITY, PAINT_DIM, canvas->glyphs->unknown);
        table_text(table, canvas, line, COLUMN_ZEROS, PAINT_DIM, canvas->glyphs->unknown);
        return;
    }
    int bins = overview->axis_end - overview->axis_first;
    double sparsity = row_sparsity(view->workbench, row), cut = -1;
    if (sparsity > 0)
        cut = fmax((density_position(&density, sparsity) - overview->axis_first) / bins, 0);
    chart_sparkline(canvas, line, table->start[COLUMN_DENSITY], table->width[COLUMN_DENSITY],
                    density.bins + overview->axis_first, (size_t)bins, cut);
    snprintf(zeros, sizeof zeros, "%.1f%%", 100 * density.zeros / density.count);
    table_text(table, canvas, line, COLUMN_ZEROS, PAINT_TEXT, zeros);
}

/* Zeros of the inputs, and the error expected where every row has the same sparsity, as a bar and a number. */
static void draw_calibration(struct view *view, struct canvas *canvas, int line, const struct model_row *row) {
    enum { NUMBER = 7 };
    const struct overview *overview = view->state;
    const struct table *table = &overview->table;
    double zeros = known_zeros(view->workbench, row);
    double error = known_error(view->workbench, row, KNOWN_REFERENCE);
    char text[24];
    snprintf(text, sizeof text, "%.1f%%", 100 * zeros);
    table_text(table, canvas, line, COLUMN_ACTIVATION, isnan(zeros) ? PAINT_DIM : PAINT_TEXT,
               isnan(zeros) ? canvas->glyphs->unknown : text);
    if (isnan(error)) {
        table_text(table, canvas, line, COLUMN_SENSITIVITY, PAINT_DIM, canvas->glyphs->unknown);
        return;
    }
    int start = table->start[COLUMN_SENSITIVITY], width = table->width[COLUMN_SENSITIVITY];
    if (overview->highest_error > 0)
        chart_bar(canvas, line, start, width - NUMBER, PAINT_BAR, error / overview->highest_error);
    snprintf(text, sizeof text, error < 0.0995 ? "%.4f" : "%.3f", error);
    canvas_right(canvas, line, start, width, PAINT_TEXT, text);
}

static double uniform_mark(const struct view *view) {
    struct plan_totals totals;
    double budget = 0;
    if (plan_budget(view->workbench->plan, &budget))
        return budget;
    plan_totals(&totals, view->workbench->plan);
    return totals.sparsity;
}

static void draw_target(struct view *view, struct canvas *canvas, int line, const struct model_row *row, double mark) {
    const struct overview *overview = view->state;
    const struct table *table = &overview->table;
    const struct model *model = view->workbench->model;
    double sparsity = row_sparsity(view->workbench, row);
    char text[PATTERN_TEXT_SIZE];
    if (!row_prunable(model, row) && sparsity == 0) {
        const char *reason = model->matrices[row->first].reason;
        table_text(table, canvas, line, COLUMN_SLIDER, PAINT_DIM, reason ? reason : "not pruned");
        table_text(table, canvas, line, COLUMN_SPARSITY, PAINT_DIM, canvas->glyphs->unknown);
        return;
    }
    if (!row->block) {
        struct pattern pattern = plan_target(view->workbench->plan, row->index)->pattern;
        if (pattern.kind != PATTERN_DEFAULT)
            table_text(table, canvas, line, COLUMN_PATTERN, PAINT_TEXT, pattern_text(text, pattern));
    }
    chart_slider(canvas, line, table->start[COLUMN_SLIDER], table->width[COLUMN_SLIDER], sparsity, mark);
    snprintf(text, sizeof text, "%.1f", 100 * sparsity);
    table_text(table, canvas, line, COLUMN_SPARSITY, PAINT_NUMBER, text);
}

static void draw_row(struct view *view, struct canvas *canvas, int line, size_t index, double mark) {
    const struct model_row *row = row_at(view, index);
    bool active = index == view->cursor;
    draw_name(view, canvas, line, row, active);
    draw_sizes(view, canvas, line, row);
    draw_density(view, canvas, line, row);
    draw_calibration(view, canvas, line, row);
    draw_target(view, canvas, line, row, mark);
    if (active)
        canvas_select(canvas, line);
}

static int axis_octave(int bin) {
    return bin / DENSITY_QUARTERS + DENSITY_LOWEST;
}

/* The headings of the two charts say what their ends are. */
static void draw_heading(struct view *view, struct canvas *canvas) {
    const struct overview *overview = view->state;
    const struct table *table = &overview->table;
    char text[64];
    table_heading(table, canvas, 0);
    int width = table->width[COLUMN_DENSITY], start = table->start[COLUMN_DENSITY];
    if (width >= 12 && width < 18) {
        snprintf(text, sizeof text, "%d..%d", axis_octave(overview->axis_first), axis_octave(overview->axis_end));
        canvas_repeat(canvas, 0, start, width, PAINT_HEADING, " ");
        canvas_text(canvas, 0, start, width, PAINT_HEADING, width < 16 ? "log2" : "log2|w|");
        canvas_right(canvas, 0, start + 5, width - 5, PAINT_HEADING, text);
    } else if (width >= 18) {
        snprintf(text, sizeof text, "%d", axis_octave(overview->axis_end));
        canvas_right(canvas, 0, start + width - 4, 4, PAINT_HEADING, text);
        snprintf(text, sizeof text, "%d log2|w|", axis_octave(overview->axis_first));
        canvas_text(canvas, 0, start, width - 4, PAINT_HEADING, text);
    }
    width = table->width[COLUMN_SLIDER];
    start = table->start[COLUMN_SLIDER];
    if (width >= 14) {
        canvas_repeat(canvas, 0, start, width, PAINT_HEADING, " ");
        canvas_text(canvas, 0, start, width, PAINT_HEADING, "0");
        canvas_text(canvas, 0, start + width / 2 - 4, 9, PAINT_HEADING, "sparsity");
        canvas_right(canvas, 0, start, width, PAINT_HEADING, "100");
    }
}

static void draw(struct view *view, struct canvas *canvas) {
    struct overview *overview = view->state;
    table_layout(&overview->table, canvas->width);
    view_scroll(view, canvas->height - 1);
    draw_heading(view, canvas);
    double mark = uniform_mark(view);
    for (int i = 0; i < view->list_height && view->top + (size_t)i < view->rows; i++)
        draw_row(view, canvas, i + 1, view->top + (size_t)i, mark);
    view->list_row = 1;
    view->cursor_row = 1 + (int)(view->cursor - view->top);
    view->cursor_cell = 0;
}

/* ---- what screen.c asks ---- */

static bool row_text(struct view *view, size_t row, struct text *text) {
    if (row >= view->rows)
        return false;
    const struct model_row *found = row_at(view, row);
    row_selector(text, view->workbench->model, found);
    if (!found->block)
        text_add(text, " %s", view->workbench->model->matrices[found->index].name);
    return true;
}

static bool selector(struct view *view, size_t row, struct text *text) {
    if (row >= view->rows)
        return false;
    row_selector(text, view->workbench->model, row_at(view, row));
    return true;
}

/* ---- verbs ---- */

static size_t block_of(const struct view *view, const struct model_row *row) {
    const struct model *model = view->workbench->model;
    if (row->block)
        return row->index;
    for (size_t i = 0; i < model->block_count; i++)
        if (row->index >= model->blocks[i].first && row->index < model->blocks[i].first + model->blocks[i].count)
            return i;
    return SIZE_MAX;
}

static bool fold_all(struct view *view) {
    struct overview *overview = view->state;
    size_t count = view->workbench->model->block_count;
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any = any || overview->unfolded[i];
    for (size_t i = 0; i < count; i++)
        overview->unfolded[i] = !any;
    return true;
}

static bool fold(struct view *view, const char *how) {
    struct overview *overview = view->state;
    if (!strcmp(how, "all"))
        return fold_all(view);
    size_t block = view->cursor < view->rows ? block_of(view, row_at(view, view->cursor)) : SIZE_MAX;
    if (block == SIZE_MAX)
        return true;
    bool unfold = !strcmp(how, "open") || (strcmp(how, "close") != 0 && !overview->unfolded[block]);
    overview->unfolded[block] = unfold;
    struct model_row row = row_of_block(view->workbench->model, block);
    for (size_t i = 0; i < view->rows && !unfold; i++)
        if (row_at(view, i)->block && row_at(view, i)->index == row.index)
            view->cursor = i;
    return true;
}

static bool sort(struct view *view, const char *how, struct error *error) {
    struct table *table = &((struct overview *)view->state)->table;
    int step = !strcmp(how, "next") ? 1 : !strcmp(how, "previous") ? -1 : 0;
    if (!strcmp(how, "invert")) {
        table->descending = !table->descending;
    } else if (!strcmp(how, "none")) {
        table->sort = -1;
    } else if (step) {
        do {
            table->sort = (table->sort + 1 + step + COLUMN_COUNT + 1) % (COLUMN_COUNT + 1) - 1;
        } while (table->sort >= 0 && table->width[table->sort] == 0);
    } else {
        int found = table_find(table, how);
        if (found < 0)
            return error_set(error, ERROR_USAGE, "there is no column \"%s\"", how);
        table->descending = table->sort == found ? !table->descending : false;
        table->sort = found;
    }
    return true;
}

static bool choose_columns(struct view *view, const char *names, struct error *error) {
    struct table *table = &((struct overview *)view->state)->table;
    char name[32];
    int used = 0;
    for (; sscanf(names, "%31s%n", name, &used) == 1; names += used) {
        int found = table_find(table, name);
        if (!strcmp(name, "all"))
            table->hidden = 0;
        else if (found < 0)
            return error_set(error, ERROR_USAGE,
                             "there is no column \"%s\"; there are block params shape weights zeros act=0 sensitivity "
                             "pattern slider sparsity",
                             name);
        else
            table->hidden ^= UINT32_C(1) << found;
    }
    return true;
}

static enum view_answer command(struct view *view, const char *verb, const char *argument, struct error *error) {
    bool ok = true;
    if (!strcmp(verb, "fold"))
        ok = fold(view, argument);
    else if (!strcmp(verb, "sort"))
        ok = sort(view, argument, error);
    else if (!strcmp(verb, "columns"))
        ok = choose_columns(view, argument, error);
    else
        return VIEW_UNKNOWN;
    return ok && refresh(view, error) ? VIEW_DONE : VIEW_FAILED;
}

/* A click on the heading sorts, on the fold sign folds, on the slider sets; dragging the slider goes on setting. */
static void mouse(struct view *view, const struct view_mouse *event, struct text *line) {
    const struct table *table = &((struct overview *)view->state)->table;
    int column = table_column_at(table, event->column);
    bool on_cursor = event->row - view->list_row + (int)view->top == (int)view->cursor;
    if (event->row < view->list_row && column >= 0 && !event->dragged)
        text_add(line, "sort %s", columns[column].name);
    else if (event->row < view->list_row || !on_cursor || view->rows == 0)
        return;
    else if (column == COLUMN_SLIDER)
        text_add(line, "set here %.1f%%",
                 100 * chart_slider_value(event->column - table->start[COLUMN_SLIDER], table->width[COLUMN_SLIDER]));
    else if (column == COLUMN_NAME && event->column < 4 && !event->dragged)
        text_add(line, "fold toggle");
    else if (event->twice)
        text_add(line, "view weights");
}

const struct view_ops overview_view = {
    .name = "overview",
    .help = "every block and matrix: sizes, weights, sparsity",
    .keys = "h/l ±0.5  H/L ±5  = type  t tag  A tagged  b budget  z lock  u undo  Space fold  Enter weights  < > sort  "
            "/ find  : command  ? help",
    .state_size = sizeof(struct overview),
    .open = open_overview,
    .close = close_overview,
    .refresh = refresh,
    .draw = draw,
    .row_text = row_text,
    .row_selector = selector,
    .command = command,
    .mouse = mouse};

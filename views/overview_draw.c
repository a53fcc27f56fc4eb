/* The overview's lines: tree, density, sliders. */
#include "views/chart.h"
#include "views/density.h"
#include "model/role.h"
#include "views/overview_state.h"
#include <math.h>
#include <stdio.h>

const struct column overview_columns[COLUMN_COUNT] = {
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

/* Why a matrix is not pruned, in as many words as the slider's place has room for. */
static const char *reason_in(int width, const struct matrix *matrix) {
    const char *reason = matrix->reason ? matrix->reason : "not pruned";
    if ((int)text_columns(reason) <= width || reason != role_info(matrix->role)->reason)
        return reason;
    switch (role_info(matrix->role)->prunable) {
    case PRUNABLE_WHEN_NAMED:
        return width < 15 ? "when named" : "only when named";
    case PRUNABLE_NO:
        return "never pruned";
    case PRUNABLE_YES:
        break;
    }
    return reason;
}

static void draw_target(struct view *view, struct canvas *canvas, int line, const struct model_row *row, double mark) {
    const struct overview *overview = view->state;
    const struct table *table = &overview->table;
    const struct model *model = view->workbench->model;
    double sparsity = row_sparsity(view->workbench, row);
    char text[PATTERN_TEXT_SIZE];
    if (!row_prunable(model, row) && sparsity == 0) {
        table_text(table, canvas, line, COLUMN_SLIDER, PAINT_DIM,
                   reason_in(table->width[COLUMN_SLIDER], &model->matrices[row->first]));
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
    const struct model_row *row = overview_row(view, index);
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

void overview_draw(struct view *view, struct canvas *canvas) {
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

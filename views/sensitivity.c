/* The output error of a matrix or block against its sparsity: the estimate as a line, what was measured as marks, the
 * present sparsity, the knee; other curves over it, or all of them in a grid. */
#include "base/memory.h"
#include "plan/sensitivity.h"
#include "views/chart.h"
#include "views/sensitivity_facts.h"
#include "views/sensitivity_grid.h"
#include "views/view.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLES = 201, POINTS = 32, OVERLAYS = 96, SIDE_WIDTH = 34, SIDE_FROM = 90 };
#define LOWEST_DECADE (-5.0)

enum overlay { OVERLAY_NONE, OVERLAY_ROLE, OVERLAY_BLOCK, OVERLAY_COUNT };
static const char *const overlay_names[] = {"off", "the same matrix of other blocks", "the others of its block", NULL};

struct sensitivity_state {
    struct model_row *list;
    size_t capacity;
    struct cells cells;
    enum overlay overlay;
    bool grid, log_y;
};

static bool refresh(struct view *view, struct error *error) {
    struct sensitivity_state *state = view->state;
    return rows_list(&state->list, &state->capacity, &view->rows, view->workbench->model, error);
}

static bool open_sensitivity(struct view *view, struct error *error) {
    struct sensitivity_state *state = view->state;
    return cells_create(&state->cells, view->workbench->model, error);
}

static void close_sensitivity(struct view *view) {
    struct sensitivity_state *state = view->state;
    memory_free(state->list);
    cells_free(&state->cells);
}

static const struct model_row *current(const struct view *view) {
    const struct sensitivity_state *state = view->state;
    return view->cursor < view->rows ? &state->list[view->cursor] : NULL;
}

/* ---- the chart ---- */

/* What one frame draws from: the points of all lines in one piece of memory. */
struct lines {
    struct chart_line lines[OVERLAYS + 3];
    size_t count, used;
    double *numbers; /* x of all lines, then each line's y */
    double point_x[POINTS], point_y[POINTS];
    bool log_y;
};

static double on_axis(const struct lines *lines, double error) {
    return lines->log_y ? log10(fmax(error, 1e-30)) : error;
}

static void add_line(struct lines *lines, struct workbench *workbench, const struct model_row *row, enum paint paint,
                     bool faint, double (*figure)(struct workbench *, const struct model_row *, double)) {
    if (lines->count >= OVERLAYS + 2)
        return;
    double *y = lines->numbers + SAMPLES * (lines->count + 1);
    for (size_t i = 0; i < SAMPLES; i++) {
        lines->numbers[i] = 100.0 * (double)i / (SAMPLES - 1);
        y[i] = on_axis(lines, figure(workbench, row, (double)i / (SAMPLES - 1)));
    }
    lines->lines[lines->count++] =
        (struct chart_line){.x = lines->numbers, .y = y, .count = SAMPLES, .paint = paint, .faint = faint};
}

static bool lies_over(const struct view *view, const struct model_row *row, const struct model_row *other) {
    const struct sensitivity_state *state = view->state;
    const struct model *model = view->workbench->model;
    if (row->block != other->block || row->index == other->index)
        return false;
    if (row->block)
        return state->overlay == OVERLAY_ROLE;
    const struct matrix *a = &model->matrices[row->index], *b = &model->matrices[other->index];
    return state->overlay == OVERLAY_ROLE ? !strcmp(a->label, b->label) : a->block == b->block;
}

static void add_overlays(struct view *view, struct lines *lines, const struct model_row *row) {
    const struct sensitivity_state *state = view->state;
    for (size_t i = 0; i < view->rows && state->overlay != OVERLAY_NONE && lines->count < OVERLAYS; i++)
        if (lies_over(view, row, &state->list[i]))
            add_line(lines, view->workbench, &state->list[i], PAINT_OVERLAY, true, known_error);
}

static void add_points(struct view *view, struct lines *lines, const struct model_row *row) {
    size_t count = known_points(lines->point_x, lines->point_y, POINTS, view->workbench, row);
    for (size_t i = 0; i < count; i++) {
        lines->point_x[i] *= 100;
        lines->point_y[i] = on_axis(lines, lines->point_y[i]);
    }
    lines->lines[lines->count++] = (struct chart_line){
        .x = lines->point_x, .y = lines->point_y, .count = count, .paint = PAINT_POINT, .points = true};
}

static void draw_chart(struct view *view, struct canvas *canvas, const struct model_row *row) {
    const struct sensitivity_state *state = view->state;
    struct lines lines = {.log_y = state->log_y};
    lines.numbers = memory_alloc((size_t)SAMPLES * (OVERLAYS + 3), sizeof(double), NULL);
    if (!lines.numbers)
        return;
    add_overlays(view, &lines, row);
    add_line(&lines, view->workbench, row, PAINT_DIM, true, known_estimate);
    add_line(&lines, view->workbench, row, PAINT_CURVE, false, known_error);
    add_points(view, &lines, row);
    double here = row_sparsity(view->workbench, row), knee = known_knee(view->workbench, row);
    chart_curve(canvas,
                &(struct curve_chart){.curves = lines.lines,
                                      .curve_count = lines.count,
                                      .x_low = 0,
                                      .x_high = 100,
                                      .y_low = state->log_y ? LOWEST_DECADE : 0,
                                      .y_high = state->log_y ? 0 : 1,
                                      .x_tick = "%.0f",
                                      .y_tick = state->log_y ? "%.0e" : "%.2f",
                                      .log_y = state->log_y,
                                      .x_unit = "% sparsity",
                                      .here = 100 * here,
                                      .here_y = on_axis(&lines, known_error(view->workbench, row, KNOWN_PLANNED)),
                                      .knee = 100 * knee,
                                      .knee_y = on_axis(&lines, known_error(view->workbench, row, knee))});
    memory_free(lines.numbers);
}

/* ---- the frame ---- */

static void draw_head(struct view *view, struct canvas *canvas, const struct model_row *row) {
    const struct sensitivity_state *state = view->state;
    const struct glyphs *glyphs = canvas->glyphs;
    struct text name = {0};
    row_selector(&name, view->workbench->model, row);
    int used = canvas_text(canvas, 0, 1, canvas->width / 2, PAINT_CURSOR, text_string(&name)) + 2;
    text_free(&name);
    char method[PLAN_METHOD_SIZE];
    known_method(method, view->workbench, row);
    char what[3][128], text[3][512], signs[96], overlay[64] = "";
    const char *by = *method ? ", by " : "", *mean = row->block ? ", mean of its matrices" : "";
    if (state->overlay)
        snprintf(overlay, sizeof overlay, "  overlay: %s", overlay_names[state->overlay]);
    snprintf(signs, sizeof signs, "%s expected  %s estimate  %s measured", glyphs->horizontal, glyphs->unknown,
             glyphs->measured);
    snprintf(what[0], sizeof what[0], "error ‖WX-ŴX‖²/‖WX‖²%s%s%s", mean, by, method);
    snprintf(what[1], sizeof what[1], "relative error%s%s%s", mean, by, method);
    snprintf(what[2], sizeof what[2], "relative error%s%s", by, method);
    for (int i = 0; i < 3; i++)
        snprintf(text[i], sizeof text[i], "%s  %s%s", what[i], signs, overlay);
    int room = canvas->width - used - 1;
    canvas_text(canvas, 0, used + 1, room, PAINT_TEXT,
                canvas_choose(canvas, room, (const char *const[]){text[0], text[1], text[2]}, 3));
}

static void draw_here(struct view *view, struct canvas *canvas, int line, const struct model_row *row) {
    struct workbench *workbench = view->workbench;
    const struct glyphs *glyphs = canvas->glyphs;
    double sparsity = row_sparsity(workbench, row), knee = known_knee(workbench, row);
    double error = known_error(workbench, row, KNOWN_PLANNED);
    if (isnan(error)) {
        canvas_text(canvas, line, 1, canvas->width - 1, PAINT_MESSAGE,
                    known_calibrated(workbench) ? "Not known for this row."
                                                : "Not calibrated yet: :calibrate TEXT runs text through the model.");
        return;
    }
    int used =
        canvas_format(canvas, line, 1, canvas->width - 1, PAINT_POINT, "%s now %.1f %%", glyphs->here, 100 * sparsity);
    used += canvas_format(canvas, line, used + 1, canvas->width - used - 1, PAINT_TEXT, "  error %.4g", error);
    used += canvas_format(canvas, line, used + 1, canvas->width - used - 1, PAINT_DIM, "  (-1 %%: %.4g, +1 %%: %.4g)",
                          known_error(workbench, row, fmax(sparsity - 0.01, 0)),
                          known_error(workbench, row, fmin(sparsity + 0.01, 1)));
    char text[2][64];
    int room = canvas->width - used - 4;
    snprintf(text[0], sizeof text[0], "%s knee %.1f %%  error %.4g", glyphs->knee, 100 * knee,
             known_error(workbench, row, knee));
    snprintf(text[1], sizeof text[1], "%s knee %.1f %%", glyphs->knee, 100 * knee);
    canvas_text(canvas, line, used + 4, room, PAINT_MARK,
                canvas_choose(canvas, room, (const char *const[]){text[0], text[1]}, 2));
}

static void draw_one(struct view *view, struct canvas *canvas, const struct model_row *row) {
    int side = canvas->width >= SIDE_FROM ? SIDE_WIDTH : 0;
    draw_head(view, canvas, row);
    struct canvas chart = canvas_part(canvas, 1, 0, canvas->height - 2, canvas->width - side - (side > 0 ? 2 : 0));
    draw_chart(view, &chart, row);
    draw_here(view, canvas, canvas->height - 1, row);
    if (side > 0) {
        struct canvas facts = canvas_part(canvas, 1, canvas->width - side, canvas->height - 2, side - 1);
        sensitivity_facts_draw(&facts, view->workbench, row);
    }
    view->cursor_row = view->cursor_cell = 0;
}

static void draw(struct view *view, struct canvas *canvas) {
    const struct sensitivity_state *state = view->state;
    const struct model_row *row = current(view);
    view->cursor_row = view->cursor_cell = view->list_row = 0;
    view->list_height = 1;
    view->top = view->cursor;
    if (!row)
        canvas_text(canvas, 0, 1, canvas->width - 1, PAINT_TEXT, "This model has no matrices.");
    else if (state->grid)
        sensitivity_grid_draw(canvas, &view->cursor_row, &view->cursor_cell, view->workbench, &state->cells, row);
    else
        draw_one(view, canvas, row);
}

static bool selector(struct view *view, size_t row, struct text *text) {
    const struct sensitivity_state *state = view->state;
    if (row >= view->rows)
        return false;
    row_selector(text, view->workbench->model, &state->list[row]);
    return true;
}

/* ---- verbs ---- */

/* The same matrix of the next block, or the next block. */
static bool step_block(struct view *view, int step) {
    const struct sensitivity_state *state = view->state;
    const struct model *model = view->workbench->model;
    const struct model_row *row = current(view);
    if (!row)
        return true;
    for (size_t i = view->cursor + (size_t)step; i < view->rows; i += (size_t)step) {
        const struct model_row *other = &state->list[i];
        bool same = row->block == other->block &&
                    (row->block || !strcmp(model->matrices[row->index].label, model->matrices[other->index].label));
        if (!same)
            continue;
        view->cursor = i;
        return true;
    }
    return true;
}

static bool set_to_knee(struct view *view, struct error *error) {
    const struct model_row *row = current(view);
    double knee = row ? known_knee(view->workbench, row) : NAN;
    if (isnan(knee))
        return error_set(error, ERROR_USAGE, "the knee is not known before :calibrate");
    struct text line = {0}, output = {0};
    text_add(&line, "set ");
    row_selector(&line, view->workbench->model, row);
    text_add(&line, " %.1f%%", 100 * knee);
    bool ok = command_run(view->workbench, text_string(&line), &output, error);
    text_free(&output);
    text_free(&line);
    return ok;
}

static enum view_answer command(struct view *view, const char *verb, const char *argument, struct error *error) {
    struct sensitivity_state *state = view->state;
    bool ok = true;
    if (!strcmp(verb, "overlay"))
        state->overlay = !strcmp(argument, "none") ? OVERLAY_NONE : (state->overlay + 1) % OVERLAY_COUNT;
    else if (!strcmp(verb, "grid"))
        state->grid = !state->grid;
    else if (!strcmp(verb, "axis"))
        state->log_y = !state->log_y;
    else if (!strcmp(verb, "knee"))
        ok = set_to_knee(view, error);
    else if (!strcmp(verb, "step"))
        ok = step_block(view, !strcmp(argument, "previous") ? -1 : 1);
    else
        return VIEW_UNKNOWN;
    return ok ? VIEW_DONE : VIEW_FAILED;
}

const struct view_ops sensitivity_view = {
    .name = "sensitivity",
    .help = "what a cut costs: error against sparsity, measured points, knee",
    .keys = "h/l ±0.5  H/L ±5  = type  K knee  j/k row  [ ] block  o overlay  g grid  y axis  u undo  q back  ? help",
    .state_size = sizeof(struct sensitivity_state),
    .open = open_sensitivity,
    .close = close_sensitivity,
    .refresh = refresh,
    .draw = draw,
    .row_text = selector,
    .row_selector = selector,
    .command = command};

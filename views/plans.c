/* The plan under work and its snapshots: what each cuts, what it is expected to cost, what was measured of it; as a
 * list, and as points of cost against sparsity. */
#include "base/memory.h"
#include "views/chart.h"
#include "views/plan_figures.h"
#include "views/table.h"
#include "views/view.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    COLUMN_NAME,
    COLUMN_SPARSITY,
    COLUMN_BUDGET,
    COLUMN_LOCKED,
    COLUMN_ERROR,
    COLUMN_PERPLEXITY,
    COLUMN_INTERVAL,
    COLUMN_MEASURED,
    COLUMN_SIZE,
    COLUMN_COUNT
};

static const struct column columns[COLUMN_COUNT] = {
    [COLUMN_NAME] = {"name", "     plan", 18, 40, 0, false},
    [COLUMN_SPARSITY] = {"sparsity", "cut %", 7, 8, 0, true},
    [COLUMN_BUDGET] = {"budget", "budget %", 8, 9, 6, true},
    [COLUMN_LOCKED] = {"locked", "locked", 6, 7, 7, true},
    [COLUMN_ERROR] = {"error", "forecast Σ", 12, 12, 2, true},
    [COLUMN_PERPLEXITY] = {"perplexity", "forecast ppl", 12, 12, 1, true},
    [COLUMN_INTERVAL] = {"interval", "90 % interval", 15, 18, 3, true},
    [COLUMN_MEASURED] = {"measured", "measured ppl", 15, 18, 1, true},
    [COLUMN_SIZE] = {"size", "compressed", 10, 11, 5, true},
};

struct plans {
    struct table table;
    struct plan_figures *list;
    size_t snapshots; /* of the last refresh */
};

static bool refresh(struct view *view, struct error *error) {
    struct plans *plans = view->state;
    size_t count = 0;
    struct plan_figures *list = plan_figures_list(&count, view->workbench, error);
    if (!list)
        return false;
    memory_free(plans->list);
    plans->list = list;
    plans->snapshots = plan_snapshot_count(view->workbench->plan);
    view->rows = count;
    return true;
}

static bool open_plans(struct view *view, struct error *error) {
    struct plans *plans = view->state;
    (void)error;
    plans->table = (struct table){.columns = columns, .count = COLUMN_COUNT, .sort = -1};
    return true;
}

static void close_plans(struct view *view) {
    struct plans *plans = view->state;
    memory_free(plans->list);
}

static const char *plan_name(const struct plan_figures *figures) {
    return figures->name ? figures->name : "this plan";
}

/* Points in the chart and rows in the list are named by the same letter. */
static char letter_of(size_t row) {
    static const char letters[] = "@abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return row < sizeof letters - 1 ? letters[row] : '*';
}

/* ---- the list ---- */

static void number(struct view *view, struct canvas *canvas, int line, size_t column, enum paint paint, bool known,
                   const char *format, double value) {
    const struct plans *plans = view->state;
    char text[32];
    snprintf(text, sizeof text, format, value);
    known = known && isfinite(value);
    table_text(&plans->table, canvas, line, column, known ? paint : PAINT_DIM, known ? text : canvas->glyphs->unknown);
}

static void draw_forecast(struct view *view, struct canvas *canvas, int line, const struct plan_figures *figures) {
    const struct plans *plans = view->state;
    const struct forecast *forecast = &figures->forecast;
    char text[48];
    number(view, canvas, line, COLUMN_ERROR, PAINT_TEXT, forecast->error_known, "%.4g", forecast->total_error);
    number(view, canvas, line, COLUMN_PERPLEXITY, PAINT_MESSAGE, forecast->change_known, "%.4g", forecast->perplexity);
    snprintf(text, sizeof text, "%.4g to %.4g", forecast->perplexity_low, forecast->perplexity_high);
    bool known = forecast->change_known && isfinite(forecast->perplexity);
    table_text(&plans->table, canvas, line, COLUMN_INTERVAL, PAINT_DIM, known ? text : canvas->glyphs->unknown);
    snprintf(text, sizeof text, "%.4g ± %.2g", figures->measured, figures->measured_error);
    known = isfinite(figures->measured);
    table_text(&plans->table, canvas, line, COLUMN_MEASURED, known ? PAINT_NUMBER : PAINT_DIM,
               known ? text : canvas->glyphs->unknown);
}

static void draw_row(struct view *view, struct canvas *canvas, int line, size_t row) {
    const struct plans *plans = view->state;
    const struct plan_figures *figures = &plans->list[row];
    char size[TEXT_NUMBER_SIZE];
    bool active = row == view->cursor;
    if (active)
        canvas_text(canvas, line, 0, 1, PAINT_CURSOR, canvas->glyphs->cursor);
    canvas_format(canvas, line, 2, plans->table.width[COLUMN_NAME] - 2, active ? PAINT_CURSOR : PAINT_NAME, "%c  %s",
                  letter_of(row), plan_name(figures));
    number(view, canvas, line, COLUMN_SPARSITY, PAINT_NUMBER, true, "%.2f", 100 * figures->totals.sparsity);
    number(view, canvas, line, COLUMN_BUDGET, PAINT_TEXT, figures->has_budget, "%.2f", 100 * figures->budget);
    number(view, canvas, line, COLUMN_LOCKED, PAINT_TEXT, true, "%.0f", (double)figures->locked);
    draw_forecast(view, canvas, line, figures);
    table_text(&plans->table, canvas, line, COLUMN_SIZE, PAINT_DIM, text_bytes(size, figures->totals.compressed_bytes));
    if (active)
        canvas_select(canvas, line);
}

static void draw_list(struct view *view, struct canvas *canvas) {
    struct plans *plans = view->state;
    table_layout(&plans->table, canvas->width);
    view_scroll(view, canvas->height - 1);
    table_heading(&plans->table, canvas, 0);
    for (int i = 0; i < view->list_height && view->top + (size_t)i < view->rows; i++)
        draw_row(view, canvas, i + 1, view->top + (size_t)i);
    view->list_row = 1;
    view->cursor_row = 1 + (int)(view->cursor - view->top);
    view->cursor_cell = 0;
}

/* ---- cost against sparsity ---- */

enum { PLANS_DRAWN = 54, MEASURED_DRAWN = 64 };

/* Perplexity as soon as it can be forecast, the sum of errors before. */
static double cost(const struct plan_figures *figures, bool perplexity) {
    const struct forecast *forecast = &figures->forecast;
    if (perplexity)
        return forecast->change_known ? forecast->perplexity : NAN;
    return forecast->error_known ? forecast->total_error : NAN;
}

/* No other plan cuts at least as much at less cost. */
static bool is_best(const struct plans *plans, size_t count, size_t row, bool perplexity) {
    for (size_t i = 0; i < count; i++) {
        double more = plans->list[i].totals.sparsity - plans->list[row].totals.sparsity;
        double dearer = cost(&plans->list[i], perplexity) - cost(&plans->list[row], perplexity);
        if (i != row && more >= 0 && dearer <= 0 && (more > 0 || dearer < 0))
            return false;
    }
    return true;
}

static void widen(double *low, double *high, double value) {
    if (!isfinite(value))
        return;
    *low = fmin(*low, value);
    *high = fmax(*high, value);
}

/* The chart's points: each plan by its letter, and what was measured. */
struct points {
    double x[PLANS_DRAWN], y[PLANS_DRAWN], measured_x[MEASURED_DRAWN], measured_y[MEASURED_DRAWN];
    char signs[PLANS_DRAWN][2];
    struct chart_line lines[PLANS_DRAWN + 1];
    size_t count, measured;
};

static void gather_points(struct points *points, struct view *view, bool perplexity) {
    const struct plans *plans = view->state;
    points->count = view->rows < PLANS_DRAWN ? view->rows : PLANS_DRAWN;
    points->measured =
        perplexity ? plan_figures_measured(points->measured_x, points->measured_y, MEASURED_DRAWN, view->workbench) : 0;
    for (size_t i = 0; i < points->measured; i++)
        points->measured_x[i] *= 100;
    points->lines[0] = (struct chart_line){.x = points->measured_x,
                                           .y = points->measured_y,
                                           .count = points->measured,
                                           .paint = PAINT_NUMBER,
                                           .points = true};
    for (size_t i = 0; i < points->count; i++) {
        points->x[i] = 100 * plans->list[i].totals.sparsity;
        points->y[i] = cost(&plans->list[i], perplexity);
        points->signs[i][0] = letter_of(i);
        enum paint paint = i == view->cursor                           ? PAINT_CURSOR
                           : is_best(plans, view->rows, i, perplexity) ? PAINT_POINT
                                                                       : PAINT_DIM;
        points->lines[i + 1] = (struct chart_line){.x = &points->x[i],
                                                   .y = &points->y[i],
                                                   .count = 1,
                                                   .paint = paint,
                                                   .points = true,
                                                   .sign = points->signs[i]};
    }
}

/* Axes with a little room around all points; false when there is none. */
static bool set_axes(struct curve_chart *chart, const struct points *points) {
    chart->x_low = chart->y_low = INFINITY;
    chart->x_high = chart->y_high = -INFINITY;
    for (size_t line = 0; line < points->count + 1; line++) {
        for (size_t i = 0; i < points->lines[line].count; i++) {
            widen(&chart->x_low, &chart->x_high, points->lines[line].x[i]);
            widen(&chart->y_low, &chart->y_high, points->lines[line].y[i]);
        }
    }
    double across = fmax(0.05 * (chart->x_high - chart->x_low), 1);
    double up = fmax(0.08 * (chart->y_high - chart->y_low), 0.02 * fabs(chart->y_high) + 1e-9);
    chart->x_low = fmax(chart->x_low - across, 0);
    chart->x_high += across;
    chart->y_low = fmax(chart->y_low - up, 0);
    chart->y_high += up;
    return isfinite(chart->x_high) && isfinite(chart->y_high);
}

static void draw_points(struct view *view, struct canvas *canvas, bool perplexity) {
    struct points *points = memory_alloc(1, sizeof *points, NULL);
    if (!points)
        return;
    gather_points(points, view, perplexity);
    struct curve_chart chart = {.curves = points->lines,
                                .curve_count = points->count + 1,
                                .x_tick = "%.0f",
                                .y_tick = "%.4g",
                                .x_unit = "% sparsity",
                                .here = NAN,
                                .knee = NAN};
    if (set_axes(&chart, points))
        chart_curve(canvas, &chart);
    else
        canvas_text(canvas, 0, 1, canvas->width - 1, PAINT_MESSAGE, "Nothing can be forecast yet: see :calibrate.");
    memory_free(points);
}

static void draw_pareto(struct view *view, struct canvas *canvas) {
    enum { LIST = 6 };
    const struct plans *plans = view->state;
    bool perplexity = view->rows > 0 && plans->list[0].forecast.change_known;
    int list = canvas->height > 2 * LIST + 4 ? LIST : canvas->height > LIST + 6 ? 3 : 2;
    struct canvas rows = canvas_part(canvas, canvas->height - list, 0, list, canvas->width);
    struct canvas plot = canvas_part(canvas, 1, 0, canvas->height - list - 1, canvas->width);
    canvas_format(canvas, 0, 1, canvas->width - 1, PAINT_TEXT,
                  perplexity
                      ? "forecast perplexity of the plans below against sparsity; %s measured"
                      : "forecast error Σ of the plans below against sparsity; :measure lets perplexity be forecast",
                  canvas->glyphs->measured);
    draw_points(view, &plot, perplexity);
    draw_list(view, &rows);
    view->list_row += canvas->height - list;
    view->cursor_row += canvas->height - list;
}

static void draw_plans(struct view *view, struct canvas *canvas) {
    draw_list(view, canvas);
    if (view->rows < 2 && canvas->height > 4)
        canvas_text(canvas, 3, 5, canvas->width - 5, PAINT_DIM, "s keeps the plan under a name; snapshots stand here.");
}

/* ---- what screen.c asks ---- */

/* "here" is the snapshot's name, as a command takes it. */
static bool selector(struct view *view, size_t row, struct text *text) {
    const struct plans *plans = view->state;
    if (row >= view->rows || !plans->list[row].name)
        return false;
    text_add(text, strpbrk(plans->list[row].name, " \\\"'") ? "'%s'" : "%s", plans->list[row].name);
    return true;
}

static bool row_text(struct view *view, size_t row, struct text *text) {
    const struct plans *plans = view->state;
    if (row >= view->rows)
        return false;
    text_add(text, "%s", plan_name(&plans->list[row]));
    return true;
}

#define PLANS_KEYS "Enter compare  r restore  s snapshot  a allocate  d delete  u undo  q back  : command  ? help"

const struct view_ops plans_view = {.name = "plans",
                                    .help = "this plan and its snapshots: budget, forecast, measured",
                                    .keys = "p chart  " PLANS_KEYS,
                                    .state_size = sizeof(struct plans),
                                    .open = open_plans,
                                    .close = close_plans,
                                    .refresh = refresh,
                                    .draw = draw_plans,
                                    .row_text = row_text,
                                    .row_selector = selector};

const struct view_ops pareto_view = {.name = "pareto",
                                     .help = "forecast and measured cost against sparsity, for all snapshots",
                                     .keys = "j/k plan  " PLANS_KEYS,
                                     .state_size = sizeof(struct plans),
                                     .open = open_plans,
                                     .close = close_plans,
                                     .refresh = refresh,
                                     .draw = draw_pareto,
                                     .row_text = row_text,
                                     .row_selector = selector};

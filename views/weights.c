/* The weights of a matrix or a block: histogram of |w| with the threshold, statistics beside it, norms of rows and
 * columns. Moving the threshold sets the sparsity; setting the sparsity moves the threshold. */
#include "base/memory.h"
#include "views/chart.h"
#include "views/density.h"
#include "views/view.h"
#include "views/weights_norms.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 512, SIDE_WIDTH = 30, SIDE_FROM = 84 };

/* A histogram as it was computed last: bins depend on what is known, on the row, the axis and the number of cells. */
struct bins {
    struct model_row row;
    double low, high, counts[BINS];
    int cells;
    bool log_x;
    uint64_t knowledge;
};

struct weights {
    struct model_row *list; /* every block, each followed by its matrices, then the rest */
    size_t capacity;
    struct model_row overlay;
    bool has_overlay, log_x, linear_y;
    enum norms_shown norms;
    struct bins bins, other;
    struct canvas chart; /* of the last frame, relative to the view's canvas: for the mouse */
};

/* ---- rows ---- */

static bool refresh(struct view *view, struct error *error) {
    struct weights *weights = view->state;
    return rows_list(&weights->list, &weights->capacity, &view->rows, view->workbench->model, error);
}

static void close_weights(struct view *view) {
    struct weights *weights = view->state;
    memory_free(weights->list);
}

static const struct model_row *current(const struct view *view) {
    const struct weights *weights = view->state;
    return view->cursor < view->rows ? &weights->list[view->cursor] : NULL;
}

/* ---- the histogram ---- */

static double from_axis(const struct weights *weights, double x) {
    return weights->log_x ? exp2(x) : x;
}

static double to_axis(const struct weights *weights, double value) {
    return weights->log_x ? log2(fmax(value, 1e-45)) : value;
}

static void set_axis(struct view *view, struct bins *bins, const struct model_row *row) {
    const struct weights *weights = view->state;
    double largest = density_largest(view->workbench, row);
    bins->high = largest > 0 ? to_axis(weights, largest) : 1;
    bins->low = weights->log_x ? bins->high - 20 : 0;
}

static bool same_bins(const struct view *view, const struct bins *bins, const struct model_row *row, int cells) {
    const struct weights *weights = view->state;
    return bins->cells == cells && bins->log_x == weights->log_x && bins->row.block == row->block &&
           bins->row.index == row->index && bins->knowledge == view->workbench->knowledge;
}

/* Counts of a row's weights in `cells` bins over the axis of bins. */
static void count_bins(struct view *view, struct bins *bins, const struct model_row *row, int cells) {
    const struct weights *weights = view->state;
    double all = (double)row_parameters(view->workbench->model, row), before = 0;
    for (int i = 0; i <= cells; i++) {
        double edge = from_axis(weights, bins->low + (bins->high - bins->low) * i / cells);
        double below = i == cells ? 1 : density_smooth(view->workbench, row, edge);
        if (i > 0)
            bins->counts[i - 1] = fmax(below - before, 0) * all;
        before = below;
    }
    bins->cells = cells;
    bins->log_x = weights->log_x;
    bins->row = *row;
    bins->knowledge = view->workbench->knowledge;
}

static void update_bins(struct view *view, const struct model_row *row, int cells) {
    struct weights *weights = view->state;
    if (!same_bins(view, &weights->bins, row, cells)) {
        set_axis(view, &weights->bins, row);
        count_bins(view, &weights->bins, row, cells);
        weights->other.cells = 0;
    }
    if (weights->has_overlay && !same_bins(view, &weights->other, &weights->overlay, cells)) {
        weights->other.low = weights->bins.low;
        weights->other.high = weights->bins.high;
        count_bins(view, &weights->other, &weights->overlay, cells);
    }
}

static void draw_histogram(struct view *view, struct canvas *canvas, const struct model_row *row) {
    struct weights *weights = view->state;
    int first = 0, cells = chart_histogram_cells(canvas->width, &first);
    if (cells < 1 || cells > BINS)
        return;
    update_bins(view, row, cells);
    double sparsity = row_sparsity(view->workbench, row);
    double threshold = sparsity > 0 ? density_threshold(view->workbench, row, sparsity) : 0;
    double cut = sparsity > 0 ? fmax(to_axis(weights, threshold), weights->bins.low) : weights->bins.low - 1;
    chart_histogram(canvas, &(struct histogram){.bins = weights->bins.counts,
                                                .overlay = weights->has_overlay ? weights->other.counts : NULL,
                                                .count = (size_t)cells,
                                                .low = weights->bins.low,
                                                .high = weights->bins.high,
                                                .cut = cut,
                                                .log_y = !weights->linear_y,
                                                .unit = weights->log_x ? "log2|w|" : "|w|",
                                                .tick = "%g",
                                                .cut_format = "τ = %.4g",
                                                .cut_value = threshold});
}

/* ---- statistics ---- */

struct facts {
    double count, zeros, nan, infinite, sum, squares, minimum, maximum, kurtosis, deviation;
    bool known;
    unsigned patterns;
    uint64_t zero_rows, zero_columns;
};

static struct facts gather(struct workbench *workbench, const struct model_row *row) {
    struct facts facts = {.known = row->count > 0, .patterns = ~0u};
    pthread_mutex_lock(&workbench->mutex);
    for (size_t i = row->first; i < row->first + row->count && facts.known; i++) {
        const struct summary *summary = workbench->summaries[i];
        facts.known = summary != NULL;
        if (!summary)
            break;
        double count = (double)summary->count;
        facts.count += count;
        facts.zeros += (double)summary->zeros;
        facts.nan += (double)summary->nan;
        facts.infinite += (double)summary->infinite;
        facts.sum += summary->mean * count;
        facts.squares += summary->sum_squares;
        facts.minimum = fmin(facts.minimum, summary->minimum);
        facts.maximum = fmax(facts.maximum, summary->maximum);
        facts.kurtosis = summary->kurtosis;
        facts.patterns &= summary->patterns;
        facts.zero_rows += summary->zero_rows;
        facts.zero_columns += summary->zero_columns;
    }
    pthread_mutex_unlock(&workbench->mutex);
    double mean = facts.count > 0 ? facts.sum / facts.count : 0;
    facts.deviation = facts.count > 0 ? sqrt(fmax(facts.squares / facts.count - mean * mean, 0)) : 0;
    return facts;
}

static void fact(struct canvas *canvas, int *line, const char *name, const char *format, double value) {
    char text[48];
    snprintf(text, sizeof text, format, value);
    canvas_text(canvas, *line, 0, 16, PAINT_DIM, name);
    canvas_right(canvas, (*line)++, 14, canvas->width - 14, PAINT_TEXT, text);
}

/* The share of Σw² that stays: the weights below the threshold taken bin by bin at their middle. */
static double energy_kept(struct view *view, const struct model_row *row, double squares, double threshold) {
    enum { STEPS = 64 };
    const double all = (double)row_parameters(view->workbench->model, row);
    double lost = 0, before = density_below(view->workbench, row, 0);
    for (int i = 1; i <= STEPS && squares > 0; i++) {
        double edge = threshold * i / STEPS, middle = threshold * (i - 0.5) / STEPS;
        double below = density_below(view->workbench, row, edge);
        lost += (below - before) * all * middle * middle;
        before = below;
    }
    return squares > 0 ? fmax(1 - lost / squares, 0) : 1;
}

static void draw_facts(struct view *view, struct canvas *canvas, const struct model_row *row) {
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {
        {"|w| 10 %", 0.1}, {"|w| 50 %", 0.5}, {"|w| 90 %", 0.9}, {"|w| 99 %", 0.99}, {"|w| 99.9 %", 0.999}};
    struct facts facts = gather(view->workbench, row);
    int line = 0;
    if (!facts.known) {
        canvas_text(canvas, 0, 0, canvas->width, PAINT_DIM, "statistics: not scanned yet");
        return;
    }
    double sparsity = row_sparsity(view->workbench, row);
    double threshold = sparsity > 0 ? density_threshold(view->workbench, row, sparsity) : 0;
    fact(canvas, &line, "sparsity", "%.2f %%", 100 * sparsity);
    fact(canvas, &line, "energy kept Σw²", "%.2f %%",
         100 * (sparsity > 0 ? energy_kept(view, row, facts.squares, threshold) : 1));
    fact(canvas, &line, "weights", "%.0f", facts.count);
    fact(canvas, &line, "zeros in file", "%.0f", facts.zeros);
    fact(canvas, &line, "mean", "%.3g", facts.count > 0 ? facts.sum / facts.count : 0);
    fact(canvas, &line, "deviation σ", "%.4g", facts.deviation);
    if (!row->block)
        fact(canvas, &line, "kurtosis", "%.2f", facts.kurtosis);
    fact(canvas, &line, "lowest", "%.4g", facts.minimum);
    fact(canvas, &line, "highest", "%.4g", facts.maximum);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        fact(canvas, &line, quantiles[i].name, "%.4g", density_threshold(view->workbench, row, quantiles[i].share));
    fact(canvas, &line, "outliers > 6σ", "%.0f",
         round(facts.count * (1 - density_below(view->workbench, row, 6 * facts.deviation))));
    fact(canvas, &line, "rows all zero", "%.0f", (double)facts.zero_rows);
    fact(canvas, &line, "columns all zero", "%.0f", (double)facts.zero_columns);
    if (facts.nan + facts.infinite > 0)
        fact(canvas, &line, "NaN and infinite", "%.0f", facts.nan + facts.infinite);
}

/* ---- the frame ---- */

static void draw_head(struct view *view, struct canvas *canvas, const struct model_row *row) {
    const struct weights *weights = view->state;
    const struct matrix *matrix = &view->workbench->model->matrices[row->first];
    struct text name = {0};
    char count[TEXT_NUMBER_SIZE];
    row_selector(&name, view->workbench->model, row);
    int used = canvas_text(canvas, 0, 1, canvas->width / 2, PAINT_CURSOR, text_string(&name)) + 2;
    if (row->block)
        used += canvas_format(canvas, 0, used, canvas->width - used, PAINT_TEXT, " block of %zu matrices", row->count);
    else
        used +=
            canvas_format(canvas, 0, used, canvas->width - used, PAINT_TEXT, " %lld×%lld %s", (long long)matrix->rows,
                          (long long)matrix->columns, dtype_info(matrix->tensor->dtype)->label);
    used += canvas_format(canvas, 0, used, canvas->width - used, PAINT_TEXT, " · %s weights",
                          text_count(count, (double)row_parameters(view->workbench->model, row)));
    if (weights->has_overlay) {
        text_clear(&name);
        row_selector(&name, view->workbench->model, &weights->overlay);
        used += canvas_format(canvas, 0, used + 1, canvas->width - used - 1, PAINT_OVERLAY, " %s %s",
                              canvas->glyphs->measured, text_string(&name)) +
                1;
    }
    if (weights->norms == NORMS_OFF)
        canvas_format(canvas, 0, used + 1, canvas->width - used - 1, PAINT_DIM, "  y: %s  x: %s",
                      weights->linear_y ? "linear" : "log", weights->log_x ? "log2" : "linear");
    text_free(&name);
}

static void draw(struct view *view, struct canvas *canvas) {
    struct weights *weights = view->state;
    const struct model_row *row = current(view);
    view->cursor_row = view->cursor_cell = 0;
    view->list_height = 1;
    view->list_row = 0;
    view->top = view->cursor;
    if (!row) {
        canvas_text(canvas, 0, 1, canvas->width - 1, PAINT_TEXT, "This model has no matrices.");
        return;
    }
    draw_head(view, canvas, row);
    int side = canvas->width >= SIDE_FROM ? SIDE_WIDTH : 0;
    weights->chart = canvas_part(canvas, 1, 0, canvas->height - 1, canvas->width - side - (side > 0 ? 2 : 0));
    if (side > 0) {
        struct canvas facts = canvas_part(canvas, 1, canvas->width - side, canvas->height - 1, side - 1);
        draw_facts(view, &facts, row);
    }
    if (weights->norms != NORMS_OFF)
        norms_draw(&weights->chart, view->workbench, row, weights->norms);
    else
        draw_histogram(view, &weights->chart, row);
}

static bool selector(struct view *view, size_t row, struct text *text) {
    const struct weights *weights = view->state;
    if (row >= view->rows)
        return false;
    row_selector(text, view->workbench->model, &weights->list[row]);
    return true;
}

static bool row_text(struct view *view, size_t row, struct text *text) {
    return selector(view, row, text);
}

/* ---- verbs ---- */

/* The sparsity at which the threshold stands at this cell of the histogram. */
static double sparsity_at(struct view *view, double cell) {
    const struct weights *weights = view->state;
    double x = weights->bins.low + (weights->bins.high - weights->bins.low) * cell / weights->bins.cells;
    if (cell <= 0)
        return 0;
    return density_below(view->workbench, current(view), from_axis(weights, x));
}

static bool move_cut(struct view *view, const char *argument, struct error *error) {
    struct weights *weights = view->state;
    const struct model_row *row = current(view);
    double steps = 0;
    if (!text_parse_number(&steps, argument, "the number of cells", error))
        return false;
    if (!row || weights->bins.cells == 0)
        return error_set(error, ERROR_USAGE, "there is no histogram to cut in");
    double sparsity = row_sparsity(view->workbench, row);
    double threshold = sparsity > 0 ? density_threshold(view->workbench, row, sparsity) : 0;
    double width = (weights->bins.high - weights->bins.low) / weights->bins.cells;
    double cell = sparsity > 0 ? round((to_axis(weights, threshold) - weights->bins.low) / width) : 0;
    struct text line = {0};
    text_add(&line, "set ");
    row_selector(&line, view->workbench->model, row);
    text_add(&line, " %.2f%%", 100 * sparsity_at(view, fmin(fmax(cell + steps, 0), weights->bins.cells)));
    struct text output = {0};
    bool ok = command_run(view->workbench, text_string(&line), &output, error);
    text_free(&output);
    text_free(&line);
    return ok;
}

static bool set_overlay(struct view *view, const char *argument, struct error *error) {
    struct weights *weights = view->state;
    size_t cursor = view->cursor;
    if (!strcmp(argument, "none")) {
        weights->has_overlay = false;
        return true;
    }
    if (!view_go(view, argument))
        return error_set(error, ERROR_USAGE,
                         "overlay takes a block or a matrix such as 5.* or 5.q, or none; not \"%s\"", argument);
    size_t chosen = view->cursor;
    view->cursor = cursor;
    bool same = weights->has_overlay && weights->overlay.index == weights->list[chosen].index &&
                weights->overlay.block == weights->list[chosen].block;
    weights->has_overlay = !same;
    weights->overlay = weights->list[chosen];
    weights->other.cells = 0;
    return true;
}

static bool flip_axis(struct weights *weights, const char *which, struct error *error) {
    if (!strcmp(which, "x"))
        weights->log_x = !weights->log_x;
    else if (!strcmp(which, "y"))
        weights->linear_y = !weights->linear_y;
    else
        return error_set(error, ERROR_USAGE, "the axes are x and y, not \"%s\"", which);
    return true;
}

static bool show_norms(struct weights *weights, const char *which, struct error *error) {
    enum norms_shown norms = !strcmp(which, "rows")      ? NORMS_ROWS
                             : !strcmp(which, "columns") ? NORMS_COLUMNS
                                                         : NORMS_OFF;
    if (norms == NORMS_OFF && strcmp(which, "off") != 0)
        return error_set(error, ERROR_USAGE, "norms are of rows or columns, or off; not \"%s\"", which);
    weights->norms = weights->norms == norms ? NORMS_OFF : norms;
    return true;
}

static enum view_answer command(struct view *view, const char *verb, const char *argument, struct error *error) {
    struct weights *weights = view->state;
    bool ok = true;
    if (!strcmp(verb, "cut"))
        ok = move_cut(view, argument, error);
    else if (!strcmp(verb, "axis"))
        ok = flip_axis(weights, argument, error);
    else if (!strcmp(verb, "overlay"))
        ok = set_overlay(view, argument, error);
    else if (!strcmp(verb, "norms"))
        ok = show_norms(weights, argument, error);
    else
        return VIEW_UNKNOWN;
    return ok ? VIEW_DONE : VIEW_FAILED;
}

static void mouse(struct view *view, const struct view_mouse *event, struct text *line) {
    const struct weights *weights = view->state;
    int first = 0, cells = chart_histogram_cells(weights->chart.width, &first);
    int cell = event->column - first;
    if (weights->norms == NORMS_OFF && event->row > 0 && cell >= 0 && cell <= cells && weights->bins.cells > 0)
        text_add(line, "set here %.2f%%", 100 * sparsity_at(view, cell));
}

const struct view_ops weights_view = {
    .name = "weights",
    .help = "histogram of one matrix or block, with the threshold",
    .keys = "h/l cut ±1  H/L ±5  = type %  j/k row  x,y axes  o overlay  r,c norms  u undo  q back  / find  ? help",
    .state_size = sizeof(struct weights),
    .close = close_weights,
    .refresh = refresh,
    .draw = draw,
    .row_text = row_text,
    .row_selector = selector,
    .command = command,
    .mouse = mouse};

/* The charts that have axes: histogram and curve. */
#include "views/chart.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

enum { MARGIN = 8 }; /* columns for the numbers of the y axis */

/* A round distance between numbers: 1, 2 or 5 times a power of ten, so that at most `most` of them fit. */
static double round_step(double span, int most) {
    double least = span / (most > 1 ? most : 1), power = pow(10, floor(log10(least)));
    double factor = least / power;
    return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
}

/* The corner, the line and the numbers of the x axis, round ones wherever they fall, in the last two rows; `first` is
 * the plot's first column. The unit stands at the end. */
static void draw_x_axis(struct canvas *canvas, int first, double low, double high, const char *format,
                        const char *unit) {
    enum { CELLS_BETWEEN = 9 };
    int row = canvas->height - 2, cells = canvas->width - first;
    int last = cells - (int)text_columns(unit) - 1;
    double span = high - low, step = round_step(span, cells / CELLS_BETWEEN);
    canvas_repeat(canvas, row, first - 1, 1, PAINT_AXIS, canvas->glyphs->corner);
    canvas_repeat(canvas, row, first, cells, PAINT_AXIS, canvas->glyphs->horizontal);
    canvas_right(canvas, row + 1, first, cells, PAINT_AXIS, unit);
    for (double value = ceil(low / step - 1e-9) * step; value <= high + 1e-9 * span; value += step) {
        char label[32];
        int cell = (int)fmin((value - low) / span * cells, cells - 1);
        snprintf(label, sizeof label, format, fabs(value) < 1e-9 * span ? 0 : value);
        if (cell > 0)
            canvas_repeat(canvas, row, first + cell, 1, PAINT_AXIS, canvas->glyphs->tick_below);
        if (cell + (int)text_columns(label) < last)
            canvas_text(canvas, row + 1, first + cell, cells - cell, PAINT_AXIS, label);
    }
}

static void draw_y_axis(struct canvas *canvas, int first, int height) {
    for (int row = 0; row < height; row++)
        canvas_repeat(canvas, row, first - 1, 1, PAINT_AXIS, canvas->glyphs->tick_left);
}

int chart_histogram_cells(int width, int *first) {
    *first = MARGIN;
    return width > MARGIN ? width - MARGIN : 0;
}

static double bin_of_cell(const double *bins, size_t count, int cell, int cells) {
    size_t begin = (size_t)cell * count / (size_t)cells, end = (size_t)(cell + 1) * count / (size_t)cells;
    double sum = 0;
    for (size_t i = begin; i < end || i == begin; i++)
        sum += bins[i];
    return end > begin ? sum : sum / ((double)cells / (double)count);
}

/* How high a count stands, in 0..1 of the plot. */
static double level(const struct histogram *histogram, double value, double highest) {
    if (value <= 0 || highest <= 0)
        return 0;
    if (!histogram->log_y)
        return value / highest;
    return log10(highest) > 0 ? fmax(log10(value), 0) / log10(highest) : 1;
}

static void draw_count(struct canvas *canvas, int row, double value) {
    char text[TEXT_NUMBER_SIZE];
    text_count(text, value);
    char *fraction = strchr(text, '.'), *unit = strchr(text, ' ');
    if (fraction && unit && strspn(fraction + 1, "0") == (size_t)(unit - fraction - 1))
        memmove(fraction, unit, strlen(unit) + 1); /* decades need no digits behind the point */
    canvas_right(canvas, row, 0, MARGIN - 2, PAINT_AXIS, text);
}

/* The numbers of the y axis: decades where it is logarithmic, otherwise round counts. */
static void draw_counts(struct canvas *canvas, const struct histogram *histogram, int height, double highest) {
    if (!histogram->log_y) {
        enum { ROWS_BETWEEN = 3 };
        double step = fmax(round_step(fmax(highest, 1), height / ROWS_BETWEEN), 1);
        for (double count = 0; count <= highest; count += step)
            draw_count(canvas, count > 0 ? height - (int)ceil(count / highest * height) : height - 1, count);
        return;
    }
    int last = height;
    for (double decade = 0; decade <= log10(fmax(highest, 1)); decade++) {
        double share = highest > 1 ? decade / log10(highest) : 0;
        int row = height - 1 - (int)(share * (height - 1));
        if (row < last - 1 || decade == 0)
            draw_count(canvas, last = row, pow(10, decade));
    }
}

static void draw_column(struct canvas *canvas, int column, int height, double share, bool pruned) {
    int eighths = (int)ceil(share * height * 8);
    const struct glyphs *glyphs = canvas->glyphs;
    for (int row = height - 1; row >= 0 && eighths > 0; row--, eighths -= 8) {
        const char *glyph = pruned ? glyphs->shade : glyphs->heights[eighths < 8 ? eighths : 8];
        canvas_repeat(canvas, row, column, 1, pruned ? PAINT_PRUNED : PAINT_KEPT, glyph);
    }
}

static double highest_cell(const struct histogram *histogram, int cells, double *overlay_highest) {
    double highest = 0;
    *overlay_highest = 0;
    for (int cell = 0; cell < cells; cell++) {
        highest = fmax(highest, bin_of_cell(histogram->bins, histogram->count, cell, cells));
        if (histogram->overlay)
            *overlay_highest = fmax(*overlay_highest, bin_of_cell(histogram->overlay, histogram->count, cell, cells));
    }
    return highest;
}

static void draw_cut(struct canvas *canvas, const struct histogram *histogram, int first, int cells, int height) {
    double share = (histogram->cut - histogram->low) / (histogram->high - histogram->low);
    if (!(share >= 0))
        return;
    int cell = (int)fmin(share * cells, cells - 1);
    for (int row = 0; row < height; row++)
        canvas_repeat(canvas, row, first + cell, 1, PAINT_CUT, canvas->glyphs->cut);
    canvas_repeat(canvas, height, first + cell, 1, PAINT_CUT, canvas->glyphs->pointer);
    char label[64];
    snprintf(label, sizeof label, histogram->cut_format, histogram->cut_value);
    int width = canvas_columns(canvas, label);
    int column = cell + 2 + width < cells ? first + cell + 2 : first + cell - width - 1;
    canvas_text(canvas, 0, column, width, PAINT_CUT, label);
}

void chart_histogram(struct canvas *canvas, const struct histogram *histogram) {
    int first = 0, height = canvas->height - 2, cells = chart_histogram_cells(canvas->width, &first);
    if (height < 1 || cells < 1 || histogram->count == 0)
        return;
    double overlay_highest = 0, highest = highest_cell(histogram, cells, &overlay_highest);
    draw_y_axis(canvas, first, height);
    draw_counts(canvas, histogram, height, highest);
    draw_x_axis(canvas, first, histogram->low, histogram->high, histogram->tick, histogram->unit);
    for (int cell = 0; cell < cells; cell++) {
        double right = histogram->low + (histogram->high - histogram->low) * (cell + 1) / cells;
        double value = bin_of_cell(histogram->bins, histogram->count, cell, cells);
        draw_column(canvas, first + cell, height, level(histogram, value, highest), right <= histogram->cut);
        if (!histogram->overlay)
            continue;
        double other = bin_of_cell(histogram->overlay, histogram->count, cell, cells);
        int row = height - (int)ceil(level(histogram, other, overlay_highest) * height);
        if (other > 0)
            canvas_repeat(canvas, row, first + cell, 1, PAINT_OVERLAY, canvas->glyphs->measured);
    }
    draw_cut(canvas, histogram, first, cells, height);
}

/* ---- curves ---- */

struct plot {
    struct canvas area;
    const struct curve_chart *chart;
    int across, down; /* dots in a cell */
};

static bool plot_place(const struct plot *plot, double x, double y, int *across, int *down) {
    const struct curve_chart *chart = plot->chart;
    double right = (x - chart->x_low) / (chart->x_high - chart->x_low);
    double up = (y - chart->y_low) / (chart->y_high - chart->y_low);
    if (!(right >= 0 && right <= 1 && up >= 0 && up <= 1))
        return false;
    *across = (int)lround(right * (plot->area.width * plot->across - 1));
    *down = (int)lround((1 - up) * (plot->area.height * plot->down - 1));
    return true;
}

/* The dots of a cell are gathered in the cell itself: its character says which are set. */
static void plot_dot(struct plot *plot, int across, int down, enum paint paint, bool faint) {
    static const unsigned char bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    struct canvas *area = &plot->area;
    int row = down / plot->down, column = across / plot->across;
    if (plot->across == 1) {
        canvas_repeat(area, row, column, 1, paint, faint ? area->glyphs->unknown : area->glyphs->dot);
        return;
    }
    const unsigned char *old = (const unsigned char *)canvas_peek(area, row, column);
    unsigned set = old[0] == 0xe2 && old[1] >= 0xa0 ? ((old[1] & 3u) << 6 | (old[2] & 63u)) : 0;
    set |= bits[down % 4][across % 2];
    char glyph[4] = {(char)0xe2, (char)(0xa0 | set >> 6), (char)(0x80 | (set & 63)), '\0'};
    canvas_repeat(area, row, column, 1, paint, glyph);
}

static void plot_segment(struct plot *plot, const int from[2], const int to[2], const struct chart_line *line) {
    enum { DOTTED = 3 };
    int across = to[0] - from[0], down = to[1] - from[1];
    int steps = abs(across) > abs(down) ? abs(across) : abs(down);
    for (int i = 0; i <= steps; i++) {
        double share = steps > 0 ? (double)i / steps : 0;
        int at = from[0] + (int)lround(share * across);
        if (!line->faint || plot->across == 1 || at % DOTTED == 0)
            plot_dot(plot, at, from[1] + (int)lround(share * down), line->paint, line->faint);
    }
}

static void plot_sign(struct plot *plot, double x, double y, enum paint paint, const char *glyph) {
    int across = 0, down = 0;
    if (plot_place(plot, x, y, &across, &down))
        canvas_repeat(&plot->area, down / plot->down, across / plot->across, 1, paint, glyph);
}

static void plot_curve(struct plot *plot, const struct chart_line *curve) {
    int from[2] = {0}, to[2] = {0};
    bool joined = false;
    for (size_t i = 0; i < curve->count; i++) {
        if (curve->points) {
            plot_sign(plot, curve->x[i], curve->y[i], curve->paint,
                      curve->sign ? curve->sign : plot->area.glyphs->measured);
            continue;
        }
        bool inside = plot_place(plot, curve->x[i], curve->y[i], &to[0], &to[1]);
        if (inside)
            plot_segment(plot, joined ? from : to, to, curve);
        joined = inside;
        from[0] = to[0];
        from[1] = to[1];
    }
}

/* Numbers at round values beside the y axis. */
static void draw_levels(struct canvas *canvas, const struct curve_chart *chart, int height) {
    enum { ROWS_BETWEEN = 3 };
    double span = chart->y_high - chart->y_low, step = round_step(span, height / ROWS_BETWEEN);
    if (chart->log_y)
        step = fmax(ceil(step), 1);
    for (double value = ceil(chart->y_low / step - 1e-9) * step; value <= chart->y_high + 1e-9 * span; value += step) {
        char label[32];
        int row = (int)lround((1 - (value - chart->y_low) / span) * (height - 1));
        snprintf(label, sizeof label, chart->y_tick,
                 chart->log_y                ? pow(10, value)
                 : fabs(value) < 1e-9 * span ? 0
                                             : value);
        canvas_right(canvas, row, 0, MARGIN - 2, PAINT_AXIS, label);
    }
}

void chart_curve(struct canvas *canvas, const struct curve_chart *chart) {
    int height = canvas->height - 2, cells = canvas->width - MARGIN;
    if (height < 1 || cells < 1)
        return;
    draw_y_axis(canvas, MARGIN, height);
    draw_levels(canvas, chart, height);
    draw_x_axis(canvas, MARGIN, chart->x_low, chart->x_high, chart->x_tick, chart->x_unit);
    bool braille = canvas->glyphs->braille;
    struct plot plot = {canvas_part(canvas, 0, MARGIN, height, cells), chart, braille ? 2 : 1, braille ? 4 : 1};
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < chart->curve_count; i++)
            if (chart->curves[i].points == (pass == 1))
                plot_curve(&plot, &chart->curves[i]);
    plot_sign(&plot, chart->knee, chart->knee_y, PAINT_MARK, canvas->glyphs->knee);
    plot_sign(&plot, chart->here, chart->here_y, PAINT_POINT, canvas->glyphs->here);
}

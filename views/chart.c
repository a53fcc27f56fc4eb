/* The charts of one row. */
#include "views/chart.h"
#include <math.h>

static int cells_of(double value, int width) {
    return (int)lround(fmin(fmax(value, 0), 1) * width);
}

/* The share of the axis that cell `cell` of `width` covers, as the mean of its bins. */
static double resample(const double *bins, size_t count, int cell, int width) {
    double begin = (double)cell * (double)count / width, end = (double)(cell + 1) * (double)count / width, sum = 0;
    for (size_t i = (size_t)begin; i < count && (double)i < end; i++)
        sum += bins[i] * (fmin((double)(i + 1), end) - fmax((double)i, begin));
    return sum;
}

void chart_sparkline(struct canvas *canvas, int row, int column, int width, const double *bins, size_t count,
                     double cut) {
    double highest = 0;
    for (int cell = 0; cell < width; cell++)
        highest = fmax(highest, resample(bins, count, cell, width));
    for (int cell = 0; cell < width && highest > 0; cell++) {
        double value = resample(bins, count, cell, width);
        int height = value > 0 ? (int)ceil(8 * value / highest) : 0;
        canvas_repeat(canvas, row, column + cell, 1, PAINT_DENSITY, canvas->glyphs->heights[height]);
    }
    if (cut >= 0 && cut <= 1 && highest > 0) {
        int cell = (int)fmin(cut * width, width - 1);
        canvas_repeat(canvas, row, column + cell, 1, PAINT_CUT, canvas->glyphs->cut);
    }
}

void chart_levels(struct canvas *canvas, int row, int column, int width, const double *values, double cut) {
    for (int cell = 0; cell < width; cell++) {
        int height = (int)ceil(8 * fmin(fmax(values[cell], 0), 1));
        canvas_repeat(canvas, row, column + cell, 1, PAINT_DENSITY, canvas->glyphs->heights[height]);
    }
    if (cut >= 0 && cut <= 1)
        canvas_repeat(canvas, row, column + (int)fmin(cut * width, width - 1), 1, PAINT_CUT, canvas->glyphs->cut);
}

void chart_bar(struct canvas *canvas, int row, int column, int width, enum paint paint, double value) {
    int eighths = cells_of(value, width * 8);
    canvas_repeat(canvas, row, column, eighths / 8, paint, canvas->glyphs->lengths[8]);
    canvas_repeat(canvas, row, column + eighths / 8, eighths % 8 > 0, paint, canvas->glyphs->lengths[eighths % 8]);
}

void chart_meter(struct canvas *canvas, int row, int column, int width, double value) {
    canvas_repeat(canvas, row, column, 1, PAINT_AXIS, canvas->glyphs->frame_left);
    chart_bar(canvas, row, column + 1, width - 2, PAINT_SLIDER, value);
    canvas_repeat(canvas, row, column + width - 1, 1, PAINT_AXIS, canvas->glyphs->frame_right);
}

void chart_slider(struct canvas *canvas, int row, int column, int width, double value, double mark) {
    if (width < 1)
        return;
    int knob = cells_of(value, width - 1);
    canvas_repeat(canvas, row, column, knob, PAINT_SLIDER, canvas->glyphs->slider_on);
    canvas_repeat(canvas, row, column + knob, width - knob, PAINT_TRACK, canvas->glyphs->slider_off);
    if (mark >= 0)
        canvas_repeat(canvas, row, column + cells_of(mark, width - 1), 1, PAINT_MARK, canvas->glyphs->mark);
    canvas_repeat(canvas, row, column + knob, 1, PAINT_NUMBER, canvas->glyphs->knob);
}

double chart_slider_value(int cell, int width) {
    return width > 1 ? fmin(fmax((double)cell / (width - 1), 0), 1) : 0;
}

void chart_difference(struct canvas *canvas, int row, int column, int width, double value) {
    int half = (width - 1) / 2, cells = cells_of(fabs(value), half);
    canvas_repeat(canvas, row, column + half, 1, PAINT_AXIS, canvas->glyphs->centre);
    if (value > 0)
        chart_bar(canvas, row, column + half + 1, half, PAINT_MORE, value);
    else
        canvas_repeat(canvas, row, column + half - cells, cells, PAINT_LESS, canvas->glyphs->lengths[8]);
}

void chart_heat(struct canvas *canvas, int row, int column, int width, double value, const char *number) {
    double inside = fmin(fmax(value, 0), 1);
    enum paint paint = PAINT_HEAT_0 + (unsigned)fmin(inside * 6, 5);
    canvas_repeat(canvas, row, column, width, paint, " ");
    canvas_repeat(canvas, row, column, width > 6 ? 2 : 1, paint, canvas->glyphs->heat[(int)fmin(inside * 5, 4)]);
    canvas_right(canvas, row, column, width, paint, number);
}

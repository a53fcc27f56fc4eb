/* Charts in cells: pure functions on a canvas. Every chart has axes with numbers or prints its number beside itself;
 * colour never carries a value alone. */
#ifndef SECATEUR_CHART_H
#define SECATEUR_CHART_H

#include "views/draw.h"

/* A density in one row: `count` bins over an axis common to all rows, resampled to `width` cells and scaled to their
 * own highest. cut: where the threshold lies on the axis (0..1); outside that: no cut. */
void chart_sparkline(struct canvas *canvas, int row, int column, int width, const double *bins, size_t count,
                     double cut);

/* Values of 0..1 as heights, one a cell; cut as above. */
void chart_levels(struct canvas *canvas, int row, int column, int width, const double *values, double cut);

/* A bar of 0..1 in eighths. */
void chart_bar(struct canvas *canvas, int row, int column, int width, enum paint paint, double value);

/* A bar between two frames: the budget, progress. */
void chart_meter(struct canvas *canvas, int row, int column, int width, double value);

/* A slider of 0..1 with its knob, and a mark (0..1; negative: none) for what uniform would be. */
void chart_slider(struct canvas *canvas, int row, int column, int width, double value, double mark);
/* The value at a cell of a slider: what a click there means. */
double chart_slider_value(int cell, int width);

/* A bar to the left or right of a middle line: value in -1..1. */
void chart_difference(struct canvas *canvas, int row, int column, int width, double value);

/* One cell of a heat map: shade and number, filled by colour where there are enough of them; value in 0..1. */
void chart_heat(struct canvas *canvas, int row, int column, int width, double value, const char *number);

/* A histogram with axes. Bins are spread over the width; what lies left of the cut is drawn as pruned. */
struct histogram {
    const double *bins, *overlay; /* count each; overlay NULL: none */
    size_t count;
    double low, high; /* the x axis */
    double cut;       /* on the x axis; below `low`: none */
    bool log_y;
    const char *unit;       /* of x, at its right end */
    const char *tick;       /* printf format of one double for the numbers on the x axis */
    const char *cut_format; /* printf format of the label at the cut; gets `cut_value` */
    double cut_value;
};
void chart_histogram(struct canvas *canvas, const struct histogram *histogram);
/* Cells of the plot area inside a canvas of this width, and the first of them. */
int chart_histogram_cells(int width, int *first);

/* Lines over one pair of axes: braille (2 × 4 dots per cell) or, without it, one sign per cell. */
struct chart_line {
    const double *x, *y; /* count points, joined in order */
    size_t count;
    enum paint paint;
    bool points;      /* separate signs instead of a line: what was measured */
    const char *sign; /* of the points; NULL: that of what was measured */
    bool faint;       /* dotted: what is only there to compare with */
};
struct curve_chart {
    const struct chart_line *curves;
    size_t curve_count;
    double x_low, x_high, y_low, y_high;
    const char *x_tick, *y_tick; /* printf formats of one double */
    bool log_y;                  /* y is log10 of what the axis says */
    const char *x_unit;
    double here, here_y; /* marked point; NAN: none */
    double knee, knee_y;
};
void chart_curve(struct canvas *canvas, const struct curve_chart *chart);

#endif

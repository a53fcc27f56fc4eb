#include "views/channels.h"
#include "base/memory.h"
#include "plan/sensitivity.h"
#include "views/chart.h"
#include <math.h>
#include <stdlib.h>

bool channels_read(struct input_channels *channels, struct workbench *workbench, size_t matrix) {
    pthread_mutex_lock(&workbench->mutex);
    const struct input_sensitivity *input =
        workbench->sensitivity ? sensitivity_input(workbench->sensitivity, matrix) : NULL;
    if (input) {
        channels->outliers = input->outlier_channels;
        for (size_t i = 0; i < CHANNELS_NAMED; i++)
            channels->top[i] = input->top_channels[i];
    }
    pthread_mutex_unlock(&workbench->mutex);
    return input != NULL;
}

struct channel {
    double rms;
    size_t index;
};

static int compare_channels(const void *a, const void *b) {
    const struct channel *left = a, *right = b;
    if (left->rms != right->rms)
        return left->rms < right->rms ? 1 : -1;
    return left->index < right->index ? -1 : 1;
}

/* All channels, largest first, in new memory; NULL while the input is not known. */
static struct channel *sorted_channels(size_t *count, struct workbench *workbench, size_t matrix) {
    struct channel *channels = NULL;
    pthread_mutex_lock(&workbench->mutex);
    const struct input_sensitivity *input =
        workbench->sensitivity ? sensitivity_input(workbench->sensitivity, matrix) : NULL;
    if (input && input->sum_squares && input->columns > 0) {
        *count = (size_t)input->columns;
        channels = memory_alloc(*count, sizeof *channels, NULL);
        for (size_t i = 0; channels && i < *count; i++)
            channels[i] = (struct channel){sqrt(input->sum_squares[i] / fmax((double)input->tokens, 1)), i};
    }
    pthread_mutex_unlock(&workbench->mutex);
    if (channels)
        qsort(channels, *count, sizeof *channels, compare_channels);
    return channels;
}

static void draw_figures(struct canvas *line, const struct channel *channels, size_t count) {
    size_t silent = 0;
    while (silent < count && channels[count - 1 - silent].rms == 0)
        silent++;
    canvas_format(line, 0, 0, line->width, PAINT_TEXT,
                  "rms of %zu channels, sorted: highest %.4g, median %.4g, lowest %.4g, always zero %zu", count,
                  channels[0].rms, channels[count / 2].rms, channels[count - 1].rms, silent);
}

/* The outliers beside the chart's first points, one a line. */
static void draw_names(struct canvas *plot, const struct channel *channels, size_t count,
                       const struct input_channels *named) {
    enum { WIDTH = 36 };
    double median = channels[count / 2].rms;
    int column = plot->width - WIDTH;
    if (column < WIDTH)
        return;
    canvas_text(plot, 0, column, WIDTH, PAINT_DIM,
                named->outliers > 0 ? "outlier channels, times the median" : "no outlier channels");
    for (int i = 0; i < (int)fmin(named->outliers, CHANNELS_NAMED) && i + 1 < plot->height - 3; i++)
        canvas_format(plot, i + 1, column, WIDTH, PAINT_POINT, "channel %-6zu rms %-8.4g %5.1f×", channels[i].index,
                      channels[i].rms, median > 0 ? channels[i].rms / median : 0);
    if (named->outliers > CHANNELS_NAMED)
        canvas_format(plot, CHANNELS_NAMED + 1, column, WIDTH, PAINT_DIM, "and %.0f more",
                      named->outliers - CHANNELS_NAMED);
}

static void draw_chart(struct canvas *plot, const struct channel *channels, size_t count) {
    double *points = memory_alloc(2 * count, sizeof *points, NULL);
    for (size_t i = 0; points && i < count; i++) {
        points[i] = (double)i + 1;
        points[count + i] = channels[i].rms;
    }
    struct chart_line line = {
        .x = points, .y = points ? points + count : NULL, .count = points ? count : 0, .paint = PAINT_CURVE};
    chart_curve(plot, &(struct curve_chart){.curves = &line,
                                            .curve_count = 1,
                                            .x_low = 1,
                                            .x_high = count > 1 ? (double)count : 2,
                                            .y_low = 0,
                                            .y_high = channels[0].rms > 0 ? channels[0].rms : 1,
                                            .x_tick = "%.0f",
                                            .y_tick = "%.2g",
                                            .x_unit = "rank",
                                            .here = NAN,
                                            .knee = NAN});
    memory_free(points);
}

void channels_draw(struct canvas *line, struct canvas *plot, struct workbench *workbench, size_t matrix) {
    struct input_channels named;
    size_t count = 0;
    struct channel *channels = sorted_channels(&count, workbench, matrix);
    if (!channels || !channels_read(&named, workbench, matrix)) {
        canvas_text(line, 0, 0, line->width, PAINT_DIM, "not calibrated yet: see :calibrate");
        memory_free(channels);
        return;
    }
    draw_figures(line, channels, count);
    draw_chart(plot, channels, count);
    draw_names(plot, channels, count, &named);
    memory_free(channels);
}

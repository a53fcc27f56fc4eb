#include "views/weights_norms.h"
#include "base/memory.h"
#include "views/chart.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_norms(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left < right) - (left > right);
}

/* Ranks as x and norms as y, largest first; new memory (2 × count), or NULL. */
static double *sorted_norms(struct workbench *workbench, size_t matrix, enum norms_shown which, size_t *count) {
    double *norms = NULL;
    pthread_mutex_lock(&workbench->mutex);
    const struct summary *summary = workbench->summaries[matrix];
    if (summary) {
        const float *from = which == NORMS_ROWS ? summary->row_norms : summary->column_norms;
        *count = (size_t)(which == NORMS_ROWS ? summary->rows : summary->columns);
        norms = memory_alloc(2 * *count, sizeof *norms, NULL);
        for (size_t i = 0; norms && i < *count; i++)
            norms[*count + i] = (double)from[i];
    }
    pthread_mutex_unlock(&workbench->mutex);
    if (!norms)
        return NULL;
    qsort(norms + *count, *count, sizeof *norms, compare_norms);
    for (size_t i = 0; i < *count; i++)
        norms[i] = (double)i + 1;
    return norms;
}

void norms_draw(struct canvas *canvas, struct workbench *workbench, const struct model_row *row,
                enum norms_shown which) {
    size_t count = 0;
    const char *what = which == NORMS_ROWS ? "rows (outputs)" : "columns (inputs)";
    double *norms = row->block ? NULL : sorted_norms(workbench, row->index, which, &count);
    if (!norms || count == 0) {
        canvas_format(canvas, 0, 1, canvas->width - 1, PAINT_DIM, "%s",
                      row->block ? "Norms are of one matrix: j goes to the first of this block." : "not scanned yet");
        memory_free(norms);
        return;
    }
    const double *sorted = norms + count;
    size_t dead = 0;
    while (dead < count && sorted[count - 1 - dead] == 0)
        dead++;
    canvas_format(canvas, 0, 1, canvas->width - 1, PAINT_TEXT,
                  "norms of %zu %s, sorted: highest %.4g, median %.4g, lowest %.4g, zero %zu", count, what, sorted[0],
                  sorted[count / 2], sorted[count - 1], dead);
    struct canvas plot = canvas_part(canvas, 1, 0, canvas->height - 1, canvas->width);
    struct chart_line curve = {.x = norms, .y = sorted, .count = count, .paint = PAINT_CURVE};
    chart_curve(&plot, &(struct curve_chart){.curves = &curve,
                                             .curve_count = 1,
                                             .x_low = 1,
                                             .x_high = count > 1 ? (double)count : 2,
                                             .y_low = 0,
                                             .y_high = sorted[0] > 0 ? sorted[0] : 1,
                                             .x_tick = "%.0f",
                                             .y_tick = "%.2g",
                                             .x_unit = "rank",
                                             .here = NAN,
                                             .knee = NAN});
    memory_free(norms);
}

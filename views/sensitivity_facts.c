#include "views/sensitivity_facts.h"
#include "plan/sensitivity.h"
#include <math.h>
#include <stdio.h>

static void fact(struct canvas *canvas, int *line, const char *name, const char *format, double value) {
    char text[48];
    snprintf(text, sizeof text, format, value);
    canvas_text(canvas, *line, 0, 20, PAINT_DIM, name);
    canvas_right(canvas, (*line)++, 18, canvas->width - 18, PAINT_TEXT, isnan(value) ? canvas->glyphs->unknown : text);
}

static void draw_matrix(struct canvas *canvas, int *line, const struct matrix_sensitivity *known, double count) {
    fact(canvas, line, "‖WX‖² per token", "%.4g", known->energy);
    fact(canvas, line, "diagonal/full", "%.3f", known->energy > 0 ? known->diagonal_energy / known->energy : NAN);
    for (size_t i = 0; i < SENSITIVITY_OUTLIER_LEVELS; i += 2) {
        char name[32];
        snprintf(name, sizeof name, "outliers M=%.0f", sensitivity_outlier_levels[i]);
        fact(canvas, line, name, "%.3f %%", 100 * known->outliers[i] / count);
    }
    fact(canvas, line, "Hill exponent", "%.3f", known->hill);
}

static void draw_input(struct canvas *canvas, int *line, const struct input_sensitivity *input) {
    fact(canvas, line, "tr(H)", "%.4g", input->trace);
    fact(canvas, line, "λ largest", "%.4g", input->largest);
    fact(canvas, line, "λ largest/least", "%.3g", input->smallest > 0 ? input->largest / input->smallest : NAN);
    fact(canvas, line, "input zeros", "%.2f %%", 100 * activity_zero_share(&input->activity));
}

/* What was measured beside what was estimated of it. */
static void draw_points(struct canvas *canvas, int *line, const struct matrix_sensitivity *known) {
    canvas_text(canvas, (*line)++, 0, canvas->width, PAINT_HEADING, "measured           error estimate");
    for (size_t i = 0; i < known->point_count; i++) {
        const struct measured_point *point = &known->points[i];
        double estimate = curve_for(&known->curves[sensitivity_order(point->method)], point->pattern, point->sparsity);
        char cut[PATTERN_TEXT_SIZE];
        if (point->pattern.kind == PATTERN_N_M)
            (void)pattern_text(cut, point->pattern);
        else
            snprintf(cut, sizeof cut, "%.1f %%", 100 * point->sparsity);
        canvas_format(canvas, (*line)++, 0, canvas->width, PAINT_TEXT, "%-9.9s %6.6s %7.4f %8.4f", point->method, cut,
                      point->error, estimate);
    }
    for (size_t i = 0; i < known->loss_count; i++)
        canvas_format(canvas, (*line)++, 0, canvas->width, PAINT_TEXT, "%-9.9s %4.1f %% loss %+.4f",
                      known->losses[i].method, 100 * known->losses[i].sparsity, known->losses[i].change);
}

void sensitivity_facts_draw(struct canvas *canvas, struct workbench *workbench, const struct model_row *row) {
    int line = 0;
    if (row->block)
        return;
    pthread_mutex_lock(&workbench->mutex);
    const struct sensitivity *sensitivity = workbench->sensitivity;
    const struct input_sensitivity *input = sensitivity ? sensitivity_input(sensitivity, row->index) : NULL;
    if (sensitivity && sensitivity->matrices[row->index].known)
        draw_matrix(canvas, &line, &sensitivity->matrices[row->index],
                    (double)workbench->model->matrices[row->index].tensor->count);
    if (input)
        draw_input(canvas, &line, input);
    line += line > 0;
    if (sensitivity && sensitivity->matrices[row->index].known)
        draw_points(canvas, &line, &sensitivity->matrices[row->index]);
    pthread_mutex_unlock(&workbench->mutex);
}

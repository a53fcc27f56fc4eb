/* One frame: title, budget, the view, the keys that matter, and the line for messages and typing. */
#include "views/chart.h"
#include "views/keymap.h"
#include "views/known.h"
#include "views/prompt.h"
#include "views/screen_state.h"
#include <stdio.h>
#include <string.h>

static const char *model_dtype(const struct model *model) {
    return model->matrix_count > 0 ? dtype_info(model->matrices[0].tensor->dtype)->label : "no matrices";
}

/* The model in the `room` that there is: a number is left out rather than cut, because half of it would be another. */
static void draw_model(struct canvas *canvas, int column, int room, const struct model *model) {
    enum { SIZE = 512 };
    char text[4][SIZE], prunable[TEXT_NUMBER_SIZE], all[TEXT_NUMBER_SIZE];
    const char *guessed = model->family ? "" : " · family guessed";
    text_count(prunable, (double)model->prunable);
    text_count(all, (double)model->parameters);
    snprintf(text[3], SIZE, "%.380s · %s", model->name, model_dtype(model));
    snprintf(text[2], SIZE, "%.400s · %zu blocks, %zu matrices", text[3], model->block_count, model->matrix_count);
    snprintf(text[1], SIZE, "%.430s · %s prunable%s", text[2], prunable, guessed);
    snprintf(text[0], SIZE, "%.410s · %s prunable of %s%s", text[2], prunable, all, guessed);
    canvas_text(canvas, 0, column, room, PAINT_TEXT,
                canvas_choose(canvas, room, (const char *const[]){text[0], text[1], text[2], text[3]}, 4));
}

static void draw_title(struct screen *screen, struct canvas *canvas) {
    const struct view *view = screen_view(screen);
    char right[80] = "";
    int used = canvas_text(canvas, 0, 1, 9, PAINT_TITLE, "secateur");
    if (view->rows > (size_t)view->list_height && view->list_height > 0)
        snprintf(right, sizeof right, "%zu/%zu ", view->cursor + 1, view->rows);
    snprintf(right + strlen(right), sizeof right - strlen(right), "%s%s ", view->ops->name,
             plan_saved(screen->workbench->plan) ? "" : " plan*");
    int room = canvas->width - used - 4 - (int)text_columns(right);
    draw_model(canvas, used + 3, room, screen->workbench->model);
    canvas_right(canvas, 0, canvas->width - (int)text_columns(right), (int)text_columns(right), PAINT_HEADING, right);
}

static void draw_budget(struct screen *screen, struct canvas *canvas) {
    struct plan_totals totals;
    double budget = 0;
    char text[160];
    bool locked = plan_budget(screen->workbench->plan, &budget);
    plan_totals(&totals, screen->workbench->plan);
    int meter = canvas->width >= 100 ? 26 : canvas->width >= 60 ? 14 : 0;
    if (locked)
        snprintf(text, sizeof text, " now %5.2f%%  budget %.2f%%  Δ %+.2f", 100 * totals.sparsity, 100 * budget,
                 100 * (totals.sparsity - budget));
    else
        snprintf(text, sizeof text, " now %5.2f%%  no budget set", 100 * totals.sparsity);
    int used = canvas_text(canvas, 1, 1, 8, PAINT_TEXT, "sparsity");
    if (meter > 0)
        chart_meter(canvas, 1, used + 2, meter, totals.sparsity);
    used += 2 + meter;
    used += canvas_text(canvas, 1, used, canvas->width - used, PAINT_NUMBER, text);
    const char *lock = !locked                                    ? "[b] lock off"
                       : plan_has_prices(screen->workbench->plan) ? "[b] lock ON by error"
                                                                  : "[b] lock ON";
    if (canvas_columns(canvas, lock) <= canvas->width - used - 2)
        canvas_text(canvas, 1, used + 2, canvas->width - used - 2, locked ? PAINT_LOCK : PAINT_DIM, lock);
}

/* What the plan is expected to cost, always called a forecast; returns the columns used. */
static int draw_forecast(struct screen *screen, struct canvas *canvas, int row, int column) {
    struct forecast forecast;
    if (!known_forecast(&forecast, NULL, screen->workbench, screen->workbench->plan) || !forecast.error_known)
        return 0;
    int width = canvas->width - column;
    int used = canvas_format(canvas, row, column, width, PAINT_MESSAGE, "forecast: error Σ %.4g", forecast.total_error);
    if (forecast.change_known)
        used +=
            canvas_format(canvas, row, column + used, width - used, PAINT_MESSAGE, ", perplexity %.4g (%.4g to %.4g)",
                          forecast.perplexity, forecast.perplexity_low, forecast.perplexity_high);
    return used;
}

/* The running job, at the right end; returns the columns used. */
static int draw_job(struct screen *screen, struct canvas *canvas, int row) {
    struct job_status job;
    char text[80];
    if (!jobs_status(screen->workbench->jobs, &job) || job.state != JOB_RUNNING)
        return 0;
    snprintf(text, sizeof text, " %s %.0f%% ", job.name, 100 * (job.fraction > 0 ? job.fraction : 0));
    int width = (int)text_columns(text);
    canvas_right(canvas, row, canvas->width - width, width, PAINT_MESSAGE, text);
    return width;
}

/* What is cut and what it comes to, in what the forecast and the job leave of the line. */
static void draw_sizes(struct screen *screen, struct canvas *canvas) {
    enum { FORMS = 5 };
    char now[TEXT_NUMBER_SIZE], before[TEXT_NUMBER_SIZE], parameters[TEXT_NUMBER_SIZE], zeros[TEXT_NUMBER_SIZE];
    char dense[TEXT_NUMBER_SIZE], small[TEXT_NUMBER_SIZE], text[FORMS][6 * TEXT_NUMBER_SIZE + 64];
    const char *forms[FORMS] = {text[0], text[1], text[2], text[3], text[4]};
    struct plan_totals totals;
    plan_totals(&totals, screen->workbench->plan);
    text_count(parameters, (double)totals.parameters);
    text_count(zeros, (double)totals.pruned);
    text_bytes(dense, (double)totals.dense_bytes);
    text_bytes(small, totals.compressed_bytes);
    snprintf(text[0], sizeof *text, "%s weights, %s cut · %s dense, about %s compressed · %s of %s FLOPs/token",
             parameters, zeros, dense, small, text_count(now, totals.flops), text_count(before, totals.dense_flops));
    snprintf(text[1], sizeof *text, "%s weights, %s cut · %s dense, about %s compressed", parameters, zeros, dense,
             small);
    snprintf(text[2], sizeof *text, "%s cut · %s dense, about %s compressed", zeros, dense, small);
    snprintf(text[3], sizeof *text, "%s dense, %s compressed", dense, small);
    snprintf(text[4], sizeof *text, "%s, packed %s", dense, small);
    int used = draw_forecast(screen, canvas, 2, 1), job = draw_job(screen, canvas, 2);
    int column = 1 + used + (used > 0 ? 2 : 0), room = canvas->width - column - job;
    canvas_text(canvas, 2, column, room, PAINT_DIM, canvas_choose(canvas, room, forms, FORMS));
}

static int draw_key(struct canvas *canvas, int row, int column, const char *pair) {
    int width = canvas_columns(canvas, pair);
    canvas_text(canvas, row, column, width, PAINT_TEXT, pair);
    canvas_paint(canvas, row, column, (int)strcspn(pair, " "), PAINT_KEY);
    return width;
}

/* "key what  key what": two blanks between the pairs. Whatever else has no room, the way to help is shown. */
static void draw_keys(struct screen *screen, struct canvas *canvas, int row) {
    static const char help[] = "? help";
    int column = 1, room = canvas->width - (int)sizeof help - 1;
    for (const char *at = screen_view(screen)->ops->keys; at && *at;) {
        const char *end = strstr(at, "  ");
        size_t length = end ? (size_t)(end - at) : strlen(at);
        char pair[80];
        snprintf(pair, sizeof pair, "%.*s", (int)length, at);
        if (column + canvas_columns(canvas, pair) > room)
            break;
        if (strcmp(pair, help) != 0)
            column += draw_key(canvas, row, column, pair) + 2;
        at = end ? end + 2 : NULL;
    }
    (void)draw_key(canvas, row, column, help);
}

/* A line longer than the screen is shown from where the cursor can be seen. */
static int draw_prompt(struct canvas *canvas, int row) {
    const char *label = prompt_label(), *line = prompt_line();
    int used = canvas_text(canvas, row, 0, canvas->width, PAINT_KEY, label);
    int room = canvas->width - used - 1, cursor = (int)prompt_cursor();
    while (cursor > room && *line) {
        const char *next = line + (text_fit(line, 1) > 0 ? text_fit(line, 1) : 1);
        cursor -= (int)(text_columns(line) - text_columns(next));
        line = next;
    }
    canvas_text(canvas, row, used, canvas->width - used, PAINT_TEXT, line);
    return used + cursor;
}

static int draw_bottom(struct screen *screen, struct canvas *canvas) {
    int row = canvas->height - 1;
    const char *choices = prompt_choices();
    if (*choices)
        canvas_text(canvas, row - 1, 1, canvas->width - 1, PAINT_DIM, choices);
    else
        draw_keys(screen, canvas, row - 1);
    if (prompt_state() == PROMPT_OPEN)
        return draw_prompt(canvas, row);
    canvas_text(canvas, row, 1, canvas->width - 1, screen->message_is_error ? PAINT_ERROR : PAINT_MESSAGE,
                screen->message);
    return -1;
}

static void draw_too_small(struct canvas *canvas) {
    canvas_format(canvas, 0, 0, canvas->width, PAINT_TEXT, "too small");
    canvas_format(canvas, 1, 0, canvas->width, PAINT_TEXT, "%dx%d needed", SCREEN_MINIMUM_WIDTH, SCREEN_MINIMUM_HEIGHT);
    canvas_format(canvas, 2, 0, canvas->width, PAINT_TEXT, "%dx%d here; Q quits", canvas->width, canvas->height);
}

static bool draw_all(struct screen *screen, struct canvas *canvas, struct error *error) {
    struct view *view = screen_view(screen);
    enum { HEAD = 3, FOOT = 2 };
    screen->view_canvas = canvas_part(canvas, HEAD, 0, canvas->height - HEAD - FOOT, canvas->width);
    view->ops->draw(view, &screen->view_canvas);
    draw_title(screen, canvas);
    draw_budget(screen, canvas);
    draw_sizes(screen, canvas);
    int typing = draw_bottom(screen, canvas);
    int row = typing >= 0 ? canvas->height - 1 : HEAD + view->cursor_row;
    return terminal_show(&screen->grid, row, typing >= 0 ? typing : view->cursor_cell, error);
}

bool screen_draw(struct screen *screen, struct error *error) {
    int height = 0, width = 0;
    terminal_measure(&height, &width);
    if ((height != screen->grid.height || width != screen->grid.width) &&
        !grid_resize(&screen->grid, height, width, error))
        return false;
    struct canvas canvas = grid_canvas(&screen->grid, screen->glyphs);
    canvas_clear(&canvas);
    if (height >= SCREEN_MINIMUM_HEIGHT && width >= SCREEN_MINIMUM_WIDTH)
        return draw_all(screen, &canvas, error);
    screen->view_canvas = canvas_part(&canvas, 0, 0, 0, 0);
    draw_too_small(&canvas);
    return terminal_show(&screen->grid, 0, 0, error);
}

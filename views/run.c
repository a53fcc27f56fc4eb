/* The run view: what the worker does, how far it is, what it has done to which matrix, and its log. */
#include "views/chart.h"
#include "views/resources.h"
#include "views/rows.h"
#include "views/table.h"
#include "views/view.h"
#include "workbench/run_row.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ABOVE = 6, LOG_LEAST = 2, LINE_SIZE = 512 };

enum run_column {
    RUN_BLOCK,
    RUN_MATRIX,
    RUN_TARGET,
    RUN_ACTUAL,
    RUN_ERROR,
    RUN_FORECAST,
    RUN_TIME,
    RUN_NOTE,
    RUN_COLUMNS
};
static const struct column columns[] = {
    [RUN_BLOCK] = {"block", "block", 5, 7, 0, true},      [RUN_MATRIX] = {"matrix", "matrix", 6, 24, 0, false},
    [RUN_TARGET] = {"target", "target %", 8, 9, 0, true}, [RUN_ACTUAL] = {"actual", "actual %", 8, 9, 0, true},
    [RUN_ERROR] = {"error", "error", 9, 11, 1, true},     [RUN_FORECAST] = {"forecast", "forecast", 9, 11, 2, true},
    [RUN_TIME] = {"time", "time", 8, 9, 3, true},         [RUN_NOTE] = {"note", "note", 8, 200, 4, false},
};

struct run_state {
    struct table table;
    struct resources resources;
    bool prune; /* rows are matrices; else lines of the log */
};

static const char *const state_names[] = {[JOB_WAITING] = "waiting",
                                          [JOB_RUNNING] = "running",
                                          [JOB_DONE] = "done",
                                          [JOB_FAILED] = "failed",
                                          [JOB_CANCELLED] = "cancelled, what was finished is kept"};

static bool open_run(struct view *view, struct error *error) {
    struct run_state *run = view->state;
    (void)error;
    run->table = (struct table){.columns = columns, .count = RUN_COLUMNS, .sort = -1};
    return true;
}

/* The cursor stays at the end while it is there, so that what is new can be seen. */
static bool refresh(struct view *view, struct error *error) {
    struct run_state *run = view->state;
    struct job_status job;
    size_t total = 0, finished = run_rows_count(view->workbench, &total);
    (void)error;
    run->prune = total > 0 && jobs_status(view->workbench->jobs, &job) && strcmp(job.name, "prune") == 0;
    bool at_end = view->rows == 0 || view->cursor + 1 >= view->rows;
    view->rows = run->prune ? finished : job_log_lines(view->workbench->jobs);
    if (at_end && view->rows > 0)
        view->cursor = view->rows - 1;
    return true;
}

/* ---- how far ---- */

static const char *state_text(const struct job_status *job) {
    bool running = job->state == JOB_RUNNING;
    return running && job->cancelling ? "stopping" : running && job->paused ? "paused" : state_names[job->state];
}

static int meter_width(const struct canvas *canvas) {
    return canvas->width > 64 ? canvas->width - 50 : 12;
}

static void draw_total(struct canvas *canvas, const struct job_status *job) {
    char elapsed[TEXT_NUMBER_SIZE], left[TEXT_NUMBER_SIZE];
    int meter = meter_width(canvas), after = 11 + meter;
    bool running = job->state == JOB_RUNNING && job->seconds_left >= 0;
    canvas_text(canvas, 1, 1, 8, PAINT_TEXT, "total");
    chart_meter(canvas, 1, 10, meter, job->fraction > 0 ? job->fraction : 0);
    if (job->fraction >= 0)
        after += canvas_format(canvas, 1, after, canvas->width - after, PAINT_NUMBER, "%5.1f%%", 100 * job->fraction);
    canvas_format(canvas, 1, after + 2, canvas->width - after - 2, PAINT_TEXT, "elapsed %s  left %s",
                  text_duration(elapsed, job->seconds),
                  running ? text_duration(left, job->seconds_left) : canvas->glyphs->unknown);
}

static void draw_matrices(struct view *view, struct canvas *canvas) {
    size_t total = 0, finished = run_rows_count(view->workbench, &total);
    int meter = meter_width(canvas);
    canvas_text(canvas, 2, 1, 9, PAINT_TEXT, "matrices");
    chart_meter(canvas, 2, 10, meter, total > 0 ? (double)finished / (double)total : 0);
    canvas_format(canvas, 2, 11 + meter, canvas->width - meter - 11, PAINT_NUMBER, "%6zu of %zu", finished, total);
}

static void draw_stage(struct canvas *canvas, const struct job_status *job) {
    bool failed = job->state == JOB_FAILED || job->state == JOB_CANCELLED;
    canvas_text(canvas, 3, 1, 8, PAINT_TEXT, failed ? "ended" : "stage");
    canvas_text(canvas, 3, 10, canvas->width - 10, failed ? PAINT_ERROR : PAINT_TEXT,
                failed          ? job->error.text
                : job->stage[0] ? job->stage
                                : canvas->glyphs->unknown);
}

/* ---- the matrices ---- */

static void draw_number(struct run_state *run, struct canvas *canvas, int row, enum run_column column,
                        const char *format, double value) {
    char text[32];
    (void)snprintf(text, sizeof text, format, value);
    table_text(&run->table, canvas, row, column, isnan(value) ? PAINT_DIM : PAINT_TEXT,
               isnan(value) ? canvas->glyphs->unknown : text);
}

static void draw_matrix(struct view *view, struct canvas *canvas, int place, const struct run_row *row) {
    struct run_state *run = view->state;
    const struct matrix *matrix = &view->workbench->model->matrices[row->matrix];
    char block[24] = "";
    if (matrix->block >= 0)
        (void)snprintf(block, sizeof block, "%lld", (long long)matrix->block);
    table_text(&run->table, canvas, place, RUN_BLOCK, PAINT_TEXT, block);
    table_text(&run->table, canvas, place, RUN_MATRIX, PAINT_NAME, matrix->label);
    draw_number(run, canvas, place, RUN_TARGET, "%.2f", 100 * row->target);
    draw_number(run, canvas, place, RUN_ACTUAL, "%.2f", 100 * row->actual);
    draw_number(run, canvas, place, RUN_ERROR, "%.4f", row->error);
    draw_number(run, canvas, place, RUN_FORECAST, "%.4f", row->forecast);
    draw_number(run, canvas, place, RUN_TIME, "%.2f s", row->resumed ? NAN : row->seconds);
    table_text(&run->table, canvas, place, RUN_NOTE, PAINT_MESSAGE,
               row->note[0]   ? row->note
               : row->resumed ? "written by an earlier run"
                              : "");
}

static void draw_list(struct view *view, struct canvas *canvas) {
    struct run_state *run = view->state;
    for (int i = 0; i < canvas->height && view->top + (size_t)i < view->rows; i++) {
        char line[LINE_SIZE];
        struct run_row row;
        size_t index = view->top + (size_t)i;
        if (run->prune && run_row_at(&row, view->workbench, index))
            draw_matrix(view, canvas, i, &row);
        else if (!run->prune && job_log_line(view->workbench->jobs, index, line, sizeof line))
            canvas_text(canvas, i, 1, canvas->width - 1, PAINT_TEXT, line);
        if (index == view->cursor)
            canvas_select(canvas, i);
    }
}

/* The last lines of the log below the matrices. */
static void draw_log(struct view *view, struct canvas *canvas) {
    size_t lines = job_log_lines(view->workbench->jobs), shown = (size_t)canvas->height;
    size_t first = lines > shown ? lines - shown : 0;
    for (size_t i = first; i < lines; i++) {
        char line[LINE_SIZE];
        if (job_log_line(view->workbench->jobs, i, line, sizeof line))
            canvas_text(canvas, (int)(i - first), 1, canvas->width - 1, PAINT_DIM, line);
    }
}

/* ---- all of it ---- */

static void draw_below(struct view *view, struct canvas *canvas) {
    struct run_state *run = view->state;
    size_t lines = job_log_lines(view->workbench->jobs);
    int room = canvas->height - ABOVE, log = room / 4 > LOG_LEAST ? room / 4 : LOG_LEAST;
    log = !run->prune ? 0 : (size_t)log > lines ? (int)lines : log;
    struct canvas list = canvas_part(canvas, ABOVE, 0, room - log, canvas->width);
    struct canvas end = canvas_part(canvas, canvas->height - log, 0, log, canvas->width);
    view_scroll(view, list.height);
    if (run->prune) {
        table_layout(&run->table, canvas->width - 1);
        table_heading(&run->table, canvas, ABOVE - 1);
        draw_log(view, &end);
    } else {
        canvas_text(canvas, ABOVE - 1, 1, canvas->width - 1, PAINT_HEADING, lines > 0 ? "log" : "");
    }
    draw_list(view, &list);
    view->list_row = ABOVE;
    view->cursor_row = view->rows > 0 ? ABOVE + (int)(view->cursor - view->top) : 0;
}

static void draw(struct view *view, struct canvas *canvas) {
    struct run_state *run = view->state;
    struct job_status job;
    (void)refresh(view, NULL);
    view->cursor_row = view->cursor_cell = view->list_row = 0;
    if (!jobs_status(view->workbench->jobs, &job)) {
        canvas_text(canvas, 0, 1, canvas->width - 1, PAINT_TEXT,
                    "Nothing has run yet. :prune OUT writes a pruned copy, :calibrate TEXT looks at the inputs.");
        return;
    }
    if (job.state == JOB_RUNNING)
        resources_sample(&run->resources);
    int used = canvas_text(canvas, 0, 1, canvas->width - 1, PAINT_TITLE, job.name);
    canvas_format(canvas, 0, used + 2, canvas->width - used - 2, PAINT_TEXT, " %s · %s", job.title, state_text(&job));
    draw_total(canvas, &job);
    if (run->prune)
        draw_matrices(view, canvas);
    draw_stage(canvas, &job);
    resources_draw(&run->resources, canvas, 4);
    draw_below(view, canvas);
}

static bool row_text(struct view *view, size_t index, struct text *text) {
    struct run_state *run = view->state;
    char line[LINE_SIZE];
    struct run_row row;
    if (run->prune) {
        bool there = run_row_at(&row, view->workbench, index);
        if (there)
            text_add(text, "%s %s", view->workbench->model->matrices[row.matrix].name, row.note);
        return there;
    }
    bool there = job_log_line(view->workbench->jobs, index, line, sizeof line);
    if (there)
        text_add(text, "%s", line);
    return there;
}

static bool selector(struct view *view, size_t index, struct text *text) {
    struct run_state *run = view->state;
    struct run_row row;
    if (!run->prune || !run_row_at(&row, view->workbench, index))
        return false;
    struct model_row model_row = row_of_matrix(row.matrix);
    row_selector(text, view->workbench->model, &model_row);
    return true;
}

const struct view_ops run_view = {.name = "run",
                                  .help = "the running job: progress, time left, what was done to each matrix, log",
                                  .keys =
                                      "p pause  c cancel  Enter weights  q back  j/k rows  / find  : command  ? help",
                                  .state_size = sizeof(struct run_state),
                                  .open = open_run,
                                  .refresh = refresh,
                                  .draw = draw,
                                  .row_text = row_text,
                                  .row_selector = selector};

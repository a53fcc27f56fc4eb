/* The run view: what the worker does, how far it is, and its log. */
#include "views/chart.h"
#include "views/view.h"
#include <stdio.h>
#include <sys/resource.h>

static const char *const state_names[] = {[JOB_WAITING] = "waiting",
                                          [JOB_RUNNING] = "running",
                                          [JOB_DONE] = "done",
                                          [JOB_FAILED] = "failed",
                                          [JOB_CANCELLED] = "cancelled, what was finished is kept"};

static bool refresh(struct view *view, struct error *error) {
    (void)error;
    size_t lines = job_log_lines(view->workbench->jobs);
    bool at_end = view->rows == 0 || view->cursor + 1 >= view->rows;
    view->rows = lines;
    if (at_end && lines > 0)
        view->cursor = lines - 1;
    return true;
}

static void draw_progress(struct canvas *canvas, const struct job_status *job) {
    char elapsed[TEXT_NUMBER_SIZE], left[TEXT_NUMBER_SIZE];
    double fraction = job->fraction > 0 ? job->fraction : 0;
    canvas_text(canvas, 1, 1, 6, PAINT_TEXT, "total");
    int meter = canvas->width > 60 ? canvas->width - 52 : 8;
    chart_meter(canvas, 1, 8, meter, fraction);
    canvas_format(canvas, 1, 9 + meter, canvas->width - meter - 9, PAINT_NUMBER, "%5.1f%%", 100 * fraction);
    bool running = job->state == JOB_RUNNING && job->seconds_left >= 0;
    canvas_format(canvas, 1, 18 + meter, canvas->width - meter - 18, PAINT_TEXT, "elapsed %s   ETA %s",
                  text_duration(elapsed, job->seconds),
                  running ? text_duration(left, job->seconds_left) : canvas->glyphs->unknown);
}

static void draw_resources(struct canvas *canvas, int row) {
    struct rusage usage;
    char peak[TEXT_NUMBER_SIZE];
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    double seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    canvas_format(canvas, row, 1, canvas->width - 1, PAINT_DIM, "cpu %.1f s in all · rss peak %s", seconds,
                  text_bytes(peak, 1024.0 * (double)usage.ru_maxrss));
}

static void draw_log(struct view *view, struct canvas *canvas) {
    view_scroll(view, canvas->height);
    for (int i = 0; i < canvas->height && view->top + (size_t)i < view->rows; i++) {
        char line[512];
        size_t row = view->top + (size_t)i;
        if (job_log_line(view->workbench->jobs, row, line, sizeof line))
            canvas_text(canvas, i, 1, canvas->width - 1, PAINT_TEXT, line);
        if (row == view->cursor)
            canvas_select(canvas, i);
    }
}

static void draw(struct view *view, struct canvas *canvas) {
    enum { ABOVE = 5 };
    struct job_status job;
    (void)refresh(view, NULL);
    view->cursor_row = view->cursor_cell = view->list_row = 0;
    if (!jobs_status(view->workbench->jobs, &job)) {
        canvas_text(canvas, 0, 1, canvas->width - 1, PAINT_TEXT, "Nothing has run yet. :prune OUT starts a run.");
        return;
    }
    int used = canvas_text(canvas, 0, 1, canvas->width - 1, PAINT_TITLE, job.name);
    canvas_format(canvas, 0, used + 2, canvas->width - used - 2, PAINT_TEXT, " %s · %s", job.title,
                  state_names[job.state]);
    draw_progress(canvas, &job);
    canvas_format(canvas, 2, 1, canvas->width - 1, PAINT_TEXT, "stage  %s",
                  job.state == JOB_FAILED ? job.error.text : job.stage);
    draw_resources(canvas, 3);
    struct canvas log = canvas_part(canvas, ABOVE, 0, canvas->height - ABOVE, canvas->width);
    draw_log(view, &log);
    view->list_row = ABOVE;
    view->cursor_row = view->rows > 0 ? ABOVE + (int)(view->cursor - view->top) : 0;
}

static bool row_text(struct view *view, size_t row, struct text *text) {
    char line[512];
    if (!job_log_line(view->workbench->jobs, row, line, sizeof line))
        return false;
    text_add(text, "%s", line);
    return true;
}

const struct view_ops run_view = {.name = "run",
                                  .help = "the running job: progress, time left, log",
                                  .keys = "p pause  c cancel  q back  j/k log  / find  : command  ? help",
                                  .refresh = refresh,
                                  .draw = draw,
                                  .row_text = row_text};

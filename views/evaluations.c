/* The evaluations made: what was measured, on what text, and the result. */
#include "base/memory.h"
#include "views/table.h"
#include "views/view.h"
#include "workbench/evaluation_record.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    COLUMN_MODEL,
    COLUMN_SOURCE,
    COLUMN_TOKENS,
    COLUMN_SPARSITY,
    COLUMN_PERPLEXITY,
    COLUMN_DENSE,
    COLUMN_KL,
    COLUMN_AGREEMENT,
    COLUMN_COUNT
};

static const struct column columns[COLUMN_COUNT] = {
    [COLUMN_MODEL] = {"model", "  measured model", 16, 44, 0, false},
    [COLUMN_SOURCE] = {"text", "text", 12, 36, 3, false},
    [COLUMN_TOKENS] = {"tokens", "tokens", 8, 9, 4, true},
    [COLUMN_SPARSITY] = {"sparsity", "cut %", 6, 7, 5, true},
    [COLUMN_PERPLEXITY] = {"perplexity", "perplexity", 16, 18, 0, true},
    [COLUMN_DENSE] = {"dense", "dense ppl", 9, 10, 1, true},
    [COLUMN_KL] = {"kl", "KL nats", 7, 8, 2, true},
    [COLUMN_AGREEMENT] = {"top-1", "top-1 same", 10, 10, 2, true},
};

struct evaluations {
    struct table table;
};

static size_t count_records(struct workbench *workbench) {
    pthread_mutex_lock(&workbench->mutex);
    size_t count = workbench->evaluation_count;
    pthread_mutex_unlock(&workbench->mutex);
    return count;
}

static bool read_record(struct evaluation_record *record, struct workbench *workbench, size_t index) {
    pthread_mutex_lock(&workbench->mutex);
    bool there = index < workbench->evaluation_count;
    if (there)
        *record = workbench->evaluations[index];
    pthread_mutex_unlock(&workbench->mutex);
    return there;
}

static bool refresh(struct view *view, struct error *error) {
    (void)error;
    view->rows = count_records(view->workbench);
    return true;
}

static bool open_evaluations(struct view *view, struct error *error) {
    (void)error;
    ((struct evaluations *)view->state)->table = (struct table){.columns = columns, .count = COLUMN_COUNT, .sort = -1};
    return true;
}

static void number(struct view *view, struct canvas *canvas, int line, size_t column, bool known, const char *format,
                   double value) {
    const struct evaluations *evaluations = view->state;
    char text[32];
    snprintf(text, sizeof text, format, value);
    table_text(&evaluations->table, canvas, line, column, known ? PAINT_TEXT : PAINT_DIM,
               known ? text : canvas->glyphs->unknown);
}

static const char *last_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void draw_row(struct view *view, struct canvas *canvas, int line, const struct evaluation_record *record,
                     bool active) {
    const struct evaluations *evaluations = view->state;
    const struct evaluation *result = &record->result;
    char text[64];
    bool against = *record->against != '\0';
    if (active)
        canvas_text(canvas, line, 0, 1, PAINT_CURSOR, canvas->glyphs->cursor);
    canvas_text(canvas, line, 2, evaluations->table.width[COLUMN_MODEL] - 2, active ? PAINT_CURSOR : PAINT_NAME,
                last_name(record->model));
    table_text(&evaluations->table, canvas, line, COLUMN_SOURCE, PAINT_TEXT, last_name(record->source));
    table_text(&evaluations->table, canvas, line, COLUMN_TOKENS, PAINT_TEXT, text_count(text, (double)result->tokens));
    number(view, canvas, line, COLUMN_SPARSITY, isfinite(record->sparsity), "%.1f", 100 * record->sparsity);
    snprintf(text, sizeof text, "%.4g ± %.2g", result->perplexity, result->perplexity_error);
    table_text(&evaluations->table, canvas, line, COLUMN_PERPLEXITY, PAINT_NUMBER, text);
    number(view, canvas, line, COLUMN_DENSE, against, "%.4g", exp(result->dense_nll));
    number(view, canvas, line, COLUMN_KL, against, "%.4f", result->kl);
    number(view, canvas, line, COLUMN_AGREEMENT, against, "%.2f %%", 100 * result->agreement);
    if (active)
        canvas_select(canvas, line);
}

static void draw(struct view *view, struct canvas *canvas) {
    struct evaluations *evaluations = view->state;
    (void)refresh(view, NULL);
    table_layout(&evaluations->table, canvas->width);
    view_scroll(view, canvas->height - 2);
    table_heading(&evaluations->table, canvas, 0);
    for (int i = 0; i < view->list_height && view->top + (size_t)i < view->rows; i++) {
        struct evaluation_record record;
        size_t row = view->top + (size_t)i;
        if (read_record(&record, view->workbench, row))
            draw_row(view, canvas, i + 1, &record, row == view->cursor);
    }
    canvas_text(canvas, canvas->height - 1, 1, canvas->width - 1, view->rows > 0 ? PAINT_DIM : PAINT_MESSAGE,
                view->rows > 0 ? "perplexity: " EVALUATION_FORMULA
                               : "Nothing was measured yet: :eval TEXT measures the model.");
    view->list_row = 1;
    view->cursor_row = 1 + (int)(view->cursor - view->top);
    view->cursor_cell = 0;
}

static bool row_text(struct view *view, size_t row, struct text *text) {
    struct evaluation_record record;
    if (!read_record(&record, view->workbench, row))
        return false;
    text_add(text, "%s %s", record.model, record.source);
    return true;
}

const struct view_ops evaluations_view = {.name = "evaluations",
                                          .help = "what was measured: perplexity, distance from dense",
                                          .keys = "j/k row  / find  q back  :eval TEXT  : command  ? help",
                                          .state_size = sizeof(struct evaluations),
                                          .open = open_evaluations,
                                          .refresh = refresh,
                                          .draw = draw,
                                          .row_text = row_text};

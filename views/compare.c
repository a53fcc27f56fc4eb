/* The plan under work beside another one: row by row what they cut, the difference as a bar, and what that means for
 * the forecast. Values can be taken over. */
#include "base/file.h"
#include "base/memory.h"
#include "views/chart.h"
#include "views/known.h"
#include "views/other_plan.h"
#include "views/table.h"
#include "views/view.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COLUMN_NAME, COLUMN_A, COLUMN_B, COLUMN_DIFFERENCE, COLUMN_BAR, COLUMN_EFFECT, COLUMN_PATTERN, COLUMN_COUNT };

static const struct column columns[COLUMN_COUNT] = {
    [COLUMN_NAME] = {"block", "    block", 12, 18, 0, false},
    [COLUMN_A] = {"A", "A %", 6, 7, 0, true},
    [COLUMN_B] = {"B", "B %", 6, 7, 0, true},
    [COLUMN_DIFFERENCE] = {"difference", "A-B", 7, 8, 0, true},
    [COLUMN_BAR] = {"bar", "", 13, 61, 2, false},
    [COLUMN_EFFECT] = {"effect", "forecast error A-B", 18, 18, 3, true},
    [COLUMN_PATTERN] = {"patterns", "patterns A, B", 16, 24, 8, false},
};

struct compare {
    struct table table;
    struct model_row *list;
    size_t capacity;
    struct plan *other;
    char name[256];
    bool swapped, matrices; /* matrices: shown below their blocks */
    double largest;         /* difference of a row */
};

/* ---- rows ---- */

static const struct plan *side(const struct view *view, bool a) {
    const struct compare *compare = view->state;
    return a == compare->swapped ? compare->other : view->workbench->plan;
}

static double difference(const struct view *view, const struct model_row *row) {
    return row_sparsity_in(side(view, true), row) - row_sparsity_in(side(view, false), row);
}

static bool shown(struct view *view, const struct model_row *row) {
    const struct compare *compare = view->state;
    struct text text = {0};
    row_selector(&text, view->workbench->model, row);
    bool shown = (row->block || compare->matrices || *view->filter) && view_matches(text_string(&text), view->filter) &&
                 row_prunable(view->workbench->model, row);
    text_free(&text);
    return shown;
}

static bool refresh(struct view *view, struct error *error) {
    struct compare *compare = view->state;
    size_t count = 0;
    view->rows = 0;
    if (!rows_list(&compare->list, &compare->capacity, &count, view->workbench->model, error))
        return false;
    compare->largest = 0;
    for (size_t i = 0; i < count; i++) {
        if (!shown(view, &compare->list[i]))
            continue;
        compare->list[view->rows++] = compare->list[i];
        compare->largest = fmax(compare->largest, fabs(difference(view, &compare->list[i])));
    }
    return true;
}

static bool set_other(struct view *view, const char *name, struct error *error) {
    struct compare *compare = view->state;
    struct plan *other = other_plan_open(view->workbench, name, error);
    if (!other)
        return false;
    plan_free(compare->other);
    compare->other = other;
    snprintf(compare->name, sizeof compare->name, "%s", name);
    return true;
}

/* With the newest snapshot, or with nothing cut. */
static bool open_compare(struct view *view, struct error *error) {
    struct compare *compare = view->state;
    size_t count = plan_snapshot_count(view->workbench->plan);
    compare->table = (struct table){.columns = columns, .count = COLUMN_COUNT, .sort = -1};
    compare->matrices = view->workbench->model->block_count < 2;
    return set_other(view, count > 0 ? plan_snapshot_name(view->workbench->plan, count - 1) : "dense", error);
}

static void close_compare(struct view *view) {
    struct compare *compare = view->state;
    plan_free(compare->other);
    memory_free(compare->list);
}

/* ---- drawing ---- */

static void draw_head(struct view *view, struct canvas *canvas) {
    const struct compare *compare = view->state;
    struct forecast a, b;
    const char *names[] = {"plan", compare->name};
    struct plan_totals total_a, total_b;
    plan_totals(&total_a, side(view, true));
    plan_totals(&total_b, side(view, false));
    int used = canvas_format(canvas, 0, 1, canvas->width - 1, PAINT_MORE, "A %s %.2f %%", names[compare->swapped],
                             100 * total_a.sparsity);
    used += canvas_format(canvas, 0, used + 1, canvas->width - used - 1, PAINT_LESS, "   B %s %.2f %%",
                          names[!compare->swapped], 100 * total_b.sparsity);
    bool known = known_forecast(&a, NULL, view->workbench, side(view, true)) && a.error_known &&
                 known_forecast(&b, NULL, view->workbench, side(view, false)) && b.error_known;
    if (!known)
        return;
    used += canvas_format(canvas, 0, used + 1, canvas->width - used - 1, PAINT_TEXT,
                          "   forecast Σ A %.4g, B %.4g, A-B %+.4g", a.total_error, b.total_error,
                          a.total_error - b.total_error);
    if (a.change_known && b.change_known)
        canvas_format(canvas, 0, used + 1, canvas->width - used - 1, PAINT_TEXT,
                      "   forecast perplexity A %.4g, B %.4g", a.perplexity, b.perplexity);
}

static void draw_patterns(struct view *view, struct canvas *canvas, int line, const struct model_row *row) {
    const struct compare *compare = view->state;
    char a[PATTERN_TEXT_SIZE], b[PATTERN_TEXT_SIZE], both[2 * PATTERN_TEXT_SIZE + 4];
    if (row->block)
        return;
    struct pattern of_a = plan_pattern(side(view, true), row->index),
                   of_b = plan_pattern(side(view, false), row->index);
    if (pattern_equal(of_a, of_b))
        snprintf(both, sizeof both, "%s", pattern_text(a, of_a));
    else
        snprintf(both, sizeof both, "%s, %s", pattern_text(a, of_a), pattern_text(b, of_b));
    table_text(&compare->table, canvas, line, COLUMN_PATTERN, PAINT_DIM, both);
}

static void number(struct view *view, struct canvas *canvas, int line, size_t column, enum paint paint,
                   const char *format, double value) {
    const struct compare *compare = view->state;
    char text[24];
    snprintf(text, sizeof text, format, value);
    table_text(&compare->table, canvas, line, column, isnan(value) ? PAINT_DIM : paint,
               isnan(value) ? canvas->glyphs->unknown : text);
}

static void draw_name(struct view *view, struct canvas *canvas, int line, const struct model_row *row, bool active) {
    struct text label = {0};
    int indent = row->block ? 3 : 5;
    if (active)
        canvas_text(canvas, line, 0, 1, PAINT_CURSOR, canvas->glyphs->cursor);
    if (row_tagged(view->workbench, row))
        canvas_text(canvas, line, 1, 1, PAINT_TAG, canvas->glyphs->tag);
    row_label(&label, view->workbench->model, row);
    if (row_locked(view->workbench, row))
        text_add(&label, " %s", canvas->glyphs->lock);
    canvas_text(canvas, line, indent, 14 - indent, active ? PAINT_CURSOR : PAINT_NAME, text_string(&label));
    text_free(&label);
}

static void draw_row(struct view *view, struct canvas *canvas, int line, const struct model_row *row, bool active) {
    const struct compare *compare = view->state;
    const struct table *table = &compare->table;
    double a = row_sparsity_in(side(view, true), row), b = row_sparsity_in(side(view, false), row);
    double effect = known_error_sum(view->workbench, side(view, true), row) -
                    known_error_sum(view->workbench, side(view, false), row);
    draw_name(view, canvas, line, row, active);
    number(view, canvas, line, COLUMN_A, PAINT_NUMBER, "%.1f", 100 * a);
    number(view, canvas, line, COLUMN_B, PAINT_TEXT, "%.1f", 100 * b);
    number(view, canvas, line, COLUMN_DIFFERENCE, PAINT_TEXT, a == b ? "%.1f" : "%+.1f", 100 * (a - b));
    if (table->width[COLUMN_BAR] > 0)
        chart_difference(canvas, line, table->start[COLUMN_BAR], table->width[COLUMN_BAR],
                         compare->largest > 0 ? (a - b) / compare->largest : 0);
    number(view, canvas, line, COLUMN_EFFECT, PAINT_TEXT, effect == 0 ? "%.4f" : "%+.4f", effect);
    draw_patterns(view, canvas, line, row);
    if (active)
        canvas_select(canvas, line);
}

static void draw_heading(struct view *view, struct canvas *canvas) {
    const struct table *table = &((struct compare *)view->state)->table;
    int start = table->start[COLUMN_BAR], width = table->width[COLUMN_BAR], half = (width - 1) / 2;
    table_heading(table, canvas, 1);
    if (width < 28)
        return;
    canvas_right(canvas, 1, start, half, PAINT_HEADING, "B prunes more");
    canvas_text(canvas, 1, start + half + 2, half, PAINT_HEADING, "A prunes more");
}

static void draw(struct view *view, struct canvas *canvas) {
    struct compare *compare = view->state;
    table_layout(&compare->table, canvas->width);
    view_scroll(view, canvas->height - 2);
    draw_head(view, canvas);
    draw_heading(view, canvas);
    for (int i = 0; i < view->list_height && view->top + (size_t)i < view->rows; i++) {
        size_t row = view->top + (size_t)i;
        draw_row(view, canvas, i + 2, &compare->list[row], row == view->cursor);
    }
    view->list_row = 2;
    view->cursor_row = 2 + (int)(view->cursor - view->top);
    view->cursor_cell = 0;
}

static bool selector(struct view *view, size_t row, struct text *text) {
    const struct compare *compare = view->state;
    if (row >= view->rows)
        return false;
    row_selector(text, view->workbench->model, &compare->list[row]);
    return true;
}

/* ---- verbs ---- */

static bool next_difference(struct view *view, bool next, struct error *error) {
    const struct compare *compare = view->state;
    for (size_t i = 1; i < view->rows; i++) {
        size_t row = (view->cursor + (next ? i : view->rows - i)) % view->rows;
        if (fabs(difference(view, &compare->list[row])) < 5e-5)
            continue;
        view->cursor = row;
        return true;
    }
    return error_set(error, ERROR_USAGE, "no other row differs");
}

/* As commands, so that the log has them: one for each matrix, in one undo group. */
static bool take_matrix(struct view *view, size_t matrix, struct error *error) {
    const struct compare *compare = view->state;
    const struct target *target = plan_target(compare->other, matrix);
    struct model_row row = row_of_matrix(matrix);
    struct text line = {0}, output = {0};
    char pattern[PATTERN_TEXT_SIZE];
    if (target_equal(target, plan_target(view->workbench->plan, matrix)))
        return true;
    text_add(&line, "set ");
    row_selector(&line, view->workbench->model, &row);
    text_add(&line, " %.6f%% pattern=%s method=%s", 100 * target->sparsity,
             target->pattern.kind == PATTERN_DEFAULT ? "default" : pattern_text(pattern, target->pattern),
             target->method[0] ? target->method : "default");
    bool ok = command_run(view->workbench, text_string(&line), &output, error);
    text_free(&line);
    text_free(&output);
    return ok;
}

static bool take(struct view *view, struct error *error) {
    const struct compare *compare = view->state;
    struct plan *plan = view->workbench->plan;
    struct model_row row = compare->list[view->cursor];
    bool ok = plan_begin(plan, "take over", error);
    for (size_t i = row.first; i < row.first + row.count && ok; i++)
        ok = !view->workbench->model->matrices[i].prunable || take_matrix(view, i, error);
    if (ok)
        plan_end(plan);
    else
        plan_rollback(plan);
    return ok;
}

static bool export(struct view *view, const char *path, struct error *error) {
    struct file_output file;
    if (!*path)
        return error_set(error, ERROR_USAGE, "differences takes the name of the CSV file to write");
    if (!file_output_open(&file, path, error))
        return false;
    fprintf(file.stream, "name,sparsity_a,sparsity_b,difference,forecast_error_a,forecast_error_b\n");
    for (size_t i = 0; i < view->workbench->model->matrix_count; i++) {
        struct model_row row = row_of_matrix(i);
        const struct plan *a = side(view, true), *b = side(view, false);
        if (!view->workbench->model->matrices[i].prunable)
            continue;
        fprintf(file.stream, "%s,%.9g,%.9g,%.9g,", view->workbench->model->matrices[i].name, row_sparsity_in(a, &row),
                row_sparsity_in(b, &row), difference(view, &row));
        double error_a = known_error_sum(view->workbench, a, &row), error_b = known_error_sum(view->workbench, b, &row);
        if (isnan(error_a) || isnan(error_b))
            fprintf(file.stream, ",\n");
        else
            fprintf(file.stream, "%.9g,%.9g\n", error_a, error_b);
    }
    return file_output_commit(&file, error);
}

/* The cursor stays on its row, or goes to the block whose matrices are hidden now. */
static bool refresh_in_place(struct view *view, struct error *error) {
    struct text here = {0};
    bool named = selector(view, view->cursor, &here), ok = refresh(view, error);
    if (named && ok && !view_go(view, text_string(&here))) {
        size_t block = strcspn(text_string(&here), ".");
        struct text whole = {0};
        text_add(&whole, "%.*s.*", (int)block, text_string(&here));
        (void)view_go(view, text_string(&whole));
        text_free(&whole);
    }
    text_free(&here);
    return ok;
}

static enum view_answer command(struct view *view, const char *verb, const char *argument, struct error *error) {
    struct compare *compare = view->state;
    bool ok = true;
    if (!strcmp(verb, "against"))
        ok = !*argument || set_other(view, argument, error);
    else if (!strcmp(verb, "swap"))
        compare->swapped = !compare->swapped;
    else if (!strcmp(verb, "fold"))
        compare->matrices = !compare->matrices;
    else if (!strcmp(verb, "difference"))
        ok = next_difference(view, strcmp(argument, "previous") != 0, error);
    else if (!strcmp(verb, "take"))
        ok = view->rows == 0 || take(view, error);
    else if (!strcmp(verb, "differences"))
        return export(view, argument, error) ? VIEW_DONE : VIEW_FAILED;
    else
        return VIEW_UNKNOWN;
    return ok && refresh_in_place(view, error) ? VIEW_DONE : VIEW_FAILED;
}

const struct view_ops compare_view = {
    .name = "compare",
    .help = "the plan beside a snapshot, a plan file or the model's zeros",
    .keys = "n/N difference  < take B's value  Tab swap  Space matrices  h/l ±0.5  = type  e export  u undo  q back  "
            ":compare NAME  ? help",
    .state_size = sizeof(struct compare),
    .open = open_compare,
    .close = close_compare,
    .refresh = refresh,
    .draw = draw,
    .row_text = selector,
    .row_selector = selector,
    .command = command};

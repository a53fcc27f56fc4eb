/* The overview: every block and matrix as a row of a tree, with its density, its target as a slider, and what is known
 * about it. */
#include "base/memory.h"
#include "views/chart.h"
#include "views/density.h"
#include "views/known.h"
#include "views/overview_state.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

/* What is not known sorts before all that is. */
static double or_least(double value) {
    return isnan(value) ? -1 : value;
}

static double sort_key(struct view *view, const struct model_row *row) {
    struct overview *overview = view->state;
    struct density density;
    switch (overview->table.sort) {
    case COLUMN_SIZE:
    case COLUMN_SHAPE:
        return (double)row_parameters(view->workbench->model, row);
    case COLUMN_ZEROS:
        return density_read(&density, view->workbench, row) ? density.zeros / density.count : -1;
    case COLUMN_DENSITY:
        return density_read(&density, view->workbench, row) ? density_position(&density, 0.5) : -1;
    case COLUMN_ACTIVATION:
        return or_least(known_zeros(view->workbench, row));
    case COLUMN_SENSITIVITY:
        return or_least(known_error(view->workbench, row, KNOWN_REFERENCE));
    case COLUMN_SLIDER:
    case COLUMN_SPARSITY:
        return row_sparsity(view->workbench, row);
    default:
        return (double)row->first;
    }
}

static int compare_entries(const void *a, const void *b) {
    const struct entry *left = a, *right = b;
    if (left->key < right->key)
        return -1;
    if (left->key > right->key)
        return 1;
    return left->order < right->order ? -1 : 1;
}

static bool passes_filter(struct view *view, const struct model_row *row) {
    struct text text = {0};
    row_selector(&text, view->workbench->model, row);
    text_add(&text, " %s", row->block ? "" : view->workbench->model->matrices[row->first].name);
    bool passes = view_matches(text_string(&text), view->filter);
    text_free(&text);
    return passes;
}

static bool add_entry(struct view *view, struct model_row row, struct error *error) {
    struct overview *overview = view->state;
    if (!passes_filter(view, &row))
        return true;
    if (!memory_grow(&overview->entries, &overview->capacity, view->rows, sizeof *overview->entries, error))
        return false;
    double key = sort_key(view, &row);
    overview->entries[view->rows] = (struct entry){row, overview->table.descending ? -key : key, view->rows};
    view->rows++;
    return true;
}

static void sort_from(struct view *view, size_t first) {
    struct overview *overview = view->state;
    if (overview->table.sort >= 0)
        qsort(overview->entries + first, view->rows - first, sizeof *overview->entries, compare_entries);
}

static bool add_matrices(struct view *view, size_t begin, size_t end, struct error *error) {
    size_t first = view->rows;
    for (size_t i = begin; i < end; i++)
        if (!add_entry(view, row_of_matrix(i), error))
            return false;
    sort_from(view, first);
    return true;
}

/* Blocks in the order that is asked for, then the matrices of each unfolded one behind it. A filter unfolds all: what
 * it finds is to be seen. */
static bool add_blocks(struct view *view, struct error *error) {
    struct overview *overview = view->state;
    const struct model *model = view->workbench->model;
    const char *filter = view->filter;
    size_t *order = memory_alloc(model->block_count, sizeof *order, error);
    if (!order)
        return false;
    view->filter = "";
    bool ok = true;
    for (size_t i = 0; i < model->block_count && ok; i++)
        ok = add_entry(view, row_of_block(model, i), error);
    if (ok)
        sort_from(view, 0);
    for (size_t i = 0; ok && i < model->block_count; i++)
        order[i] = overview->entries[i].row.index;
    view->filter = filter;
    view->rows = 0;
    for (size_t i = 0; i < model->block_count && ok; i++) {
        const struct block *block = &model->blocks[order[i]];
        ok = add_entry(view, row_of_block(model, order[i]), error);
        if (ok && (overview->unfolded[order[i]] || *filter))
            ok = add_matrices(view, block->first, block->first + block->count, error);
    }
    memory_free(order);
    return ok;
}

static bool refresh(struct view *view, struct error *error) {
    struct overview *overview = view->state;
    const struct model *model = view->workbench->model;
    size_t outside = 0;
    for (size_t i = 0; i < model->block_count; i++)
        if (model->blocks[i].first + model->blocks[i].count > outside)
            outside = model->blocks[i].first + model->blocks[i].count;
    view->rows = 0;
    overview->highest_error = 0;
    for (size_t i = 0; i < model->matrix_count; i++) {
        struct model_row row = row_of_matrix(i);
        if (model->matrices[i].prunable)
            overview->highest_error =
                fmax(overview->highest_error, known_error(view->workbench, &row, KNOWN_REFERENCE));
    }
    density_axis(&overview->axis_first, &overview->axis_end, view->workbench);
    return add_blocks(view, error) && add_matrices(view, outside, model->matrix_count, error);
}

/* A tree that a screen of any common height shows whole is opened unfolded. */
enum { ROWS_OF_A_SMALL_TREE = 18 };

static bool open_overview(struct view *view, struct error *error) {
    struct overview *overview = view->state;
    overview->table = (struct table){.columns = overview_columns, .count = COLUMN_COUNT, .sort = -1};
    const struct model *model = view->workbench->model;
    overview->unfolded = memory_alloc(model->block_count, sizeof *overview->unfolded, error);
    for (size_t i = 0; overview->unfolded && i < model->block_count; i++)
        overview->unfolded[i] = model->block_count + model->matrix_count <= ROWS_OF_A_SMALL_TREE;
    return overview->unfolded != NULL;
}

static void close_overview(struct view *view) {
    struct overview *overview = view->state;
    memory_free(overview->entries);
    memory_free(overview->unfolded);
}

/* ---- what screen.c asks ---- */

const struct model_row *overview_row(const struct view *view, size_t row) {
    const struct overview *overview = view->state;
    return &overview->entries[row].row;
}

static bool row_text(struct view *view, size_t row, struct text *text) {
    if (row >= view->rows)
        return false;
    const struct model_row *found = overview_row(view, row);
    row_selector(text, view->workbench->model, found);
    if (!found->block)
        text_add(text, " %s", view->workbench->model->matrices[found->index].name);
    return true;
}

static bool selector(struct view *view, size_t row, struct text *text) {
    if (row >= view->rows)
        return false;
    row_selector(text, view->workbench->model, overview_row(view, row));
    return true;
}

/* ---- verbs ---- */

static size_t block_of(const struct view *view, const struct model_row *row) {
    const struct model *model = view->workbench->model;
    if (row->block)
        return row->index;
    for (size_t i = 0; i < model->block_count; i++)
        if (row->index >= model->blocks[i].first && row->index < model->blocks[i].first + model->blocks[i].count)
            return i;
    return SIZE_MAX;
}

static bool fold_all(struct view *view) {
    struct overview *overview = view->state;
    size_t count = view->workbench->model->block_count;
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any = any || overview->unfolded[i];
    for (size_t i = 0; i < count; i++)
        overview->unfolded[i] = !any;
    return true;
}

static bool fold(struct view *view, const char *how) {
    struct overview *overview = view->state;
    if (!strcmp(how, "all"))
        return fold_all(view);
    size_t block = view->cursor < view->rows ? block_of(view, overview_row(view, view->cursor)) : SIZE_MAX;
    if (block == SIZE_MAX)
        return true;
    bool unfold = !strcmp(how, "open") || (strcmp(how, "close") != 0 && !overview->unfolded[block]);
    overview->unfolded[block] = unfold;
    struct model_row row = row_of_block(view->workbench->model, block);
    for (size_t i = 0; i < view->rows && !unfold; i++)
        if (overview_row(view, i)->block && overview_row(view, i)->index == row.index)
            view->cursor = i;
    return true;
}

static bool sort(struct view *view, const char *how, struct error *error) {
    struct table *table = &((struct overview *)view->state)->table;
    int step = !strcmp(how, "next") ? 1 : !strcmp(how, "previous") ? -1 : 0;
    if (!strcmp(how, "invert")) {
        table->descending = !table->descending;
    } else if (!strcmp(how, "none")) {
        table->sort = -1;
    } else if (step) {
        do {
            table->sort = (table->sort + 1 + step + COLUMN_COUNT + 1) % (COLUMN_COUNT + 1) - 1;
        } while (table->sort >= 0 && table->width[table->sort] == 0);
    } else {
        int found = table_find(table, how);
        if (found < 0)
            return error_set(error, ERROR_USAGE, "there is no column \"%s\"", how);
        table->descending = table->sort == found ? !table->descending : false;
        table->sort = found;
    }
    return true;
}

static bool choose_columns(struct view *view, const char *names, struct error *error) {
    struct table *table = &((struct overview *)view->state)->table;
    char name[32];
    int used = 0;
    for (; sscanf(names, "%31s%n", name, &used) == 1; names += used) {
        int found = table_find(table, name);
        if (!strcmp(name, "all"))
            table->hidden = 0;
        else if (found < 0)
            return error_set(error, ERROR_USAGE,
                             "there is no column \"%s\"; there are block params shape weights zeros act=0 sensitivity "
                             "pattern slider sparsity",
                             name);
        else
            table->hidden ^= UINT32_C(1) << found;
    }
    return true;
}

static enum view_answer command(struct view *view, const char *verb, const char *argument, struct error *error) {
    bool ok = true;
    if (!strcmp(verb, "fold"))
        ok = fold(view, argument);
    else if (!strcmp(verb, "sort"))
        ok = sort(view, argument, error);
    else if (!strcmp(verb, "columns"))
        ok = choose_columns(view, argument, error);
    else
        return VIEW_UNKNOWN;
    return ok && refresh(view, error) ? VIEW_DONE : VIEW_FAILED;
}

/* A click on the heading sorts, on the fold sign folds, on the slider sets; dragging the slider goes on setting. */
static void mouse(struct view *view, const struct view_mouse *event, struct text *line) {
    const struct table *table = &((struct overview *)view->state)->table;
    int column = table_column_at(table, event->column);
    bool on_cursor = event->row - view->list_row + (int)view->top == (int)view->cursor;
    if (event->row < view->list_row && column >= 0 && !event->dragged)
        text_add(line, "sort %s", overview_columns[column].name);
    else if (event->row < view->list_row || !on_cursor || view->rows == 0)
        return;
    else if (column == COLUMN_SLIDER)
        text_add(line, "set here %.1f%%",
                 100 * chart_slider_value(event->column - table->start[COLUMN_SLIDER], table->width[COLUMN_SLIDER]));
    else if (column == COLUMN_NAME && event->column < 4 && !event->dragged)
        text_add(line, "fold toggle");
    else if (event->twice)
        text_add(line, "view weights");
}

const struct view_ops overview_view = {
    .name = "overview",
    .help = "every block and matrix: sizes, weights, sparsity",
    .keys = "h/l ±0.5  H/L ±5  = type  t tag  A tagged  b budget  z lock  u undo  Space fold  Enter weights  < > sort  "
            "/ find  : command  ? help",
    .state_size = sizeof(struct overview),
    .open = open_overview,
    .close = close_overview,
    .refresh = refresh,
    .draw = overview_draw,
    .row_text = row_text,
    .row_selector = selector,
    .command = command,
    .mouse = mouse};

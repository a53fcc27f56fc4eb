/* How active the model's inputs are: a row for each block, for each distinct input of its matrices, and for what comes
 * out of its non-linearity. Enter shows the channels of one input. */
#include "base/memory.h"
#include "views/chart.h"
#include "views/channels.h"
#include "views/known.h"
#include "views/table.h"
#include "views/view.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    COLUMN_NAME,
    COLUMN_ZEROS,
    COLUMN_SMALL,
    COLUMN_RMS,
    COLUMN_MAXIMUM,
    COLUMN_OUTLIERS,
    COLUMN_TOP,
    COLUMN_INFLUENCE,
    COLUMN_DENSITY,
    COLUMN_COUNT
};

static const struct column columns[COLUMN_COUNT] = {
    [COLUMN_NAME] = {"input", "    input of", 16, 24, 0, false},
    [COLUMN_ZEROS] = {"zeros", "x=0", 6, 7, 1, true},
    [COLUMN_SMALL] = {"small", "<0.1rms", 7, 8, 4, true},
    [COLUMN_RMS] = {"rms", "rms", 8, 9, 2, true},
    [COLUMN_MAXIMUM] = {"max", "max|x|", 8, 9, 5, true},
    [COLUMN_OUTLIERS] = {"outliers", "out.ch", 6, 7, 6, true},
    [COLUMN_TOP] = {"channels", "largest ch", 12, 40, 8, false},
    [COLUMN_INFLUENCE] = {"influence", "influence", 9, 9, 7, true},
    [COLUMN_DENSITY] = {"values", "log2|x|", 16, 48, 3, false},
};

/* A block, one of its inputs, or (after = true) the values behind its non-linearity. */
struct line {
    size_t block;
    struct model_row inputs; /* the matrices that see them */
    bool whole, after;
};

struct activations {
    struct table table;
    struct line *lines;
    size_t capacity;
    int axis_first, axis_last; /* bins */
    bool channels;
};

/* ---- rows ---- */

static bool line_name(struct text *text, const struct model *model, const struct line *line) {
    const struct block *block = &model->blocks[line->block];
    if (line->whole)
        text_add(text, "%lld", (long long)block->index);
    else if (line->after)
        text_add(text, "nonlin. out");
    const char *between = "";
    for (size_t i = block->first; !line->whole && !line->after && i < block->first + block->count; i++) {
        if (model->matrices[i].input != model->matrices[line->inputs.first].input)
            continue;
        text_add(text, "%s%s", between, model->matrices[i].label);
        between = " ";
    }
    return true;
}

static bool selector(struct view *view, size_t row, struct text *text) {
    struct activations *activations = view->state;
    const struct model *model = view->workbench->model;
    if (row >= view->rows || activations->lines[row].after)
        return false;
    const struct line *line = &activations->lines[row];
    const struct block *block = &model->blocks[line->block];
    const char *between = "";
    if (line->whole)
        row_selector(text, model, &line->inputs);
    for (size_t i = block->first; !line->whole && i < block->first + block->count; i++) {
        if (model->matrices[i].input != model->matrices[line->inputs.first].input)
            continue;
        text_add(text, "%s", between);
        row_selector(text, model, &(struct model_row){false, i, i, 1});
        between = ",";
    }
    return true;
}

static bool row_text(struct view *view, size_t row, struct text *text) {
    struct activations *activations = view->state;
    if (row >= view->rows)
        return false;
    text_add(text, "%zu ", activations->lines[row].block);
    return line_name(text, view->workbench->model, &activations->lines[row]);
}

static bool add_line(struct view *view, struct line line, struct error *error) {
    struct activations *activations = view->state;
    struct text text = {0};
    if (!memory_grow(&activations->lines, &activations->capacity, view->rows, sizeof line, error))
        return false;
    activations->lines[view->rows++] = line;
    (void)row_text(view, view->rows - 1, &text);
    if (!view_matches(text_string(&text), view->filter))
        view->rows--;
    text_free(&text);
    return true;
}

static bool seen_before(const struct model *model, const struct block *block, size_t matrix) {
    for (size_t i = block->first; i < matrix; i++)
        if (model->matrices[i].input == model->matrices[matrix].input)
            return true;
    return false;
}

static bool add_block(struct view *view, size_t index, struct error *error) {
    const struct model *model = view->workbench->model;
    const struct block *block = &model->blocks[index];
    bool ok = add_line(view, (struct line){index, row_of_block(model, index), true, false}, error);
    for (size_t i = block->first; i < block->first + block->count && ok; i++)
        if (!seen_before(model, block, i))
            ok = add_line(view, (struct line){index, row_of_matrix(i), false, false}, error);
    return ok && add_line(view, (struct line){index, row_of_block(model, index), false, true}, error);
}

static bool read_line(struct activity *activity, struct view *view, const struct line *line) {
    struct workbench *workbench = view->workbench;
    if (!line->after)
        return known_activity(activity, workbench, &line->inputs);
    pthread_mutex_lock(&workbench->mutex);
    bool known = workbench->sensitivity && workbench->sensitivity->blocks[line->block].known;
    if (known)
        *activity = workbench->sensitivity->blocks[line->block].hidden;
    pthread_mutex_unlock(&workbench->mutex);
    return known && activity->values > 0;
}

/* One axis for all rows: the octaves that hold at least a thousandth of all values. */
static void set_axis(struct view *view) {
    enum { USUAL_FIRST = -12, USUAL_LAST = 3 };
    struct activations *activations = view->state;
    double bins[ACTIVITY_BINS] = {0}, all = 0;
    for (size_t row = 0; row < view->rows; row++) {
        struct activity activity;
        if (!read_line(&activity, view, &activations->lines[row]))
            continue;
        for (int i = 0; i < ACTIVITY_BINS; i++) {
            bins[i] += (double)activity.bins[i];
            all += (double)activity.bins[i];
        }
    }
    int first = all > 0 ? 0 : (USUAL_FIRST - ACTIVITY_FIRST) * ACTIVITY_PARTS;
    int last = all > 0 ? ACTIVITY_BINS - 1 : (USUAL_LAST - ACTIVITY_FIRST) * ACTIVITY_PARTS;
    while (all > 0 && first < last && bins[first] * 1000 <= all)
        first++;
    while (all > 0 && last > first && bins[last] * 100000 <= all)
        last--;
    activations->axis_first = first / ACTIVITY_PARTS;
    activations->axis_last = last / ACTIVITY_PARTS;
}

static bool refresh(struct view *view, struct error *error) {
    const struct model *model = view->workbench->model;
    view->rows = 0;
    for (size_t i = 0; i < model->block_count; i++)
        if (!add_block(view, i, error))
            return false;
    set_axis(view);
    return true;
}

static bool open_activations(struct view *view, struct error *error) {
    struct activations *activations = view->state;
    (void)error;
    activations->table = (struct table){.columns = columns, .count = COLUMN_COUNT, .sort = -1};
    return true;
}

static void close_activations(struct view *view) {
    struct activations *activations = view->state;
    memory_free(activations->lines);
}

/* ---- drawing ---- */

static void draw_name(struct view *view, struct canvas *canvas, int row, const struct line *line, bool active) {
    const struct activations *activations = view->state;
    struct text name = {0};
    int indent = line->whole ? 4 : 6, width = activations->table.width[COLUMN_NAME];
    if (active)
        canvas_text(canvas, row, 0, 1, PAINT_CURSOR, canvas->glyphs->cursor);
    if (!line->after && row_tagged(view->workbench, &line->inputs))
        canvas_text(canvas, row, 1, 1, PAINT_TAG, canvas->glyphs->tag);
    (void)line_name(&name, view->workbench->model, line);
    canvas_text(canvas, row, indent, width - indent,
                active        ? PAINT_CURSOR
                : line->after ? PAINT_DIM
                              : PAINT_NAME,
                text_string(&name));
    text_free(&name);
}

static void put(struct view *view, struct canvas *canvas, int row, size_t column, const char *format, double value) {
    const struct activations *activations = view->state;
    char text[32];
    snprintf(text, sizeof text, format, value);
    table_text(&activations->table, canvas, row, column, isnan(value) ? PAINT_DIM : PAINT_TEXT,
               isnan(value) ? canvas->glyphs->unknown : text);
}

static void draw_activity(struct view *view, struct canvas *canvas, int row, const struct activity *activity) {
    const struct activations *activations = view->state;
    const struct table *table = &activations->table;
    double bins[ACTIVITY_BINS];
    int first = activations->axis_first * ACTIVITY_PARTS;
    int count = (activations->axis_last - activations->axis_first + 1) * ACTIVITY_PARTS;
    put(view, canvas, row, COLUMN_ZEROS, "%.1f%%", 100 * activity_zero_share(activity));
    put(view, canvas, row, COLUMN_SMALL, "%.1f%%", 100 * activity_small_share(activity, KNOWN_SMALL));
    put(view, canvas, row, COLUMN_RMS, "%.3g", activity_rms(activity));
    put(view, canvas, row, COLUMN_MAXIMUM, "%.3g", (double)activity->maximum);
    for (int i = 0; i < count; i++)
        bins[i] = (double)activity->bins[first + i];
    chart_sparkline(canvas, row, table->start[COLUMN_DENSITY], table->width[COLUMN_DENSITY], bins, (size_t)count, -1);
}

/* What is said of an expert in front of its channels: the share of routings it gets, and REAP's score. */
static void add_expert(struct text *text, struct workbench *workbench, const struct matrix *matrix) {
    if (matrix->expert < 0 || matrix->role == ROLE_DOWN || matrix->role == ROLE_FC2)
        return;
    pthread_mutex_lock(&workbench->mutex);
    const struct block_sensitivity *known =
        workbench->sensitivity ? &workbench->sensitivity->blocks[matrix->block] : NULL;
    double choices = 0;
    bool counted = known && known->expert_tokens;
    for (int64_t e = 0; counted && e < workbench->model->architecture.experts.count; e++)
        choices += (double)known->expert_tokens[e];
    if (counted && choices > 0)
        text_add(text, "routed %.1f%% REAP %.3g  ", 100 * (double)known->expert_tokens[matrix->expert] / choices,
                 known->expert_norm[matrix->expert]);
    pthread_mutex_unlock(&workbench->mutex);
}

/* Channels that stand out, by number: "312 88 1007". */
static void draw_channels(struct view *view, struct canvas *canvas, int row, const struct line *line) {
    const struct activations *activations = view->state;
    struct input_channels channels;
    struct text top = {0};
    if (!channels_read(&channels, view->workbench, line->inputs.first))
        return;
    put(view, canvas, row, COLUMN_OUTLIERS, "%.0f", channels.outliers);
    add_expert(&top, view->workbench, &view->workbench->model->matrices[line->inputs.first]);
    for (size_t i = 0; i < CHANNELS_NAMED && i < (size_t)channels.outliers; i++)
        text_add(&top, "%s%zu", i > 0 ? " " : "", channels.top[i]);
    table_text(&activations->table, canvas, row, COLUMN_TOP, PAINT_TEXT, text_string(&top));
    text_free(&top);
}

static double block_influence(struct view *view, size_t block) {
    struct workbench *workbench = view->workbench;
    pthread_mutex_lock(&workbench->mutex);
    bool known = workbench->sensitivity && workbench->sensitivity->blocks[block].known;
    double influence = known ? workbench->sensitivity->blocks[block].influence : NAN;
    pthread_mutex_unlock(&workbench->mutex);
    return influence;
}

static void draw_line(struct view *view, struct canvas *canvas, int row, size_t index) {
    struct activations *activations = view->state;
    const struct line *line = &activations->lines[index];
    struct activity activity;
    bool active = index == view->cursor;
    draw_name(view, canvas, row, line, active);
    if (read_line(&activity, view, line))
        draw_activity(view, canvas, row, &activity);
    else
        for (size_t column = COLUMN_ZEROS; column < COLUMN_COUNT; column++)
            if (column != COLUMN_TOP && column != COLUMN_INFLUENCE && (column != COLUMN_OUTLIERS || line->whole))
                put(view, canvas, row, column, "%.0f", NAN);
    if (line->whole)
        put(view, canvas, row, COLUMN_INFLUENCE, "%.3f", block_influence(view, line->block));
    else if (!line->after)
        draw_channels(view, canvas, row, line);
    if (active)
        canvas_select(canvas, row);
}

static void draw_heading(struct view *view, struct canvas *canvas) {
    const struct activations *activations = view->state;
    const struct table *table = &activations->table;
    char low[48], high[16];
    int start = table->start[COLUMN_DENSITY], width = table->width[COLUMN_DENSITY];
    table_heading(table, canvas, 0);
    if (width == 0)
        return;
    snprintf(low, sizeof low, "%d log2|x|", activations->axis_first + ACTIVITY_FIRST);
    snprintf(high, sizeof high, "%d", activations->axis_last + 1 + ACTIVITY_FIRST);
    canvas_repeat(canvas, 0, start, width, PAINT_HEADING, " ");
    canvas_text(canvas, 0, start, width - 4, PAINT_HEADING, low);
    canvas_right(canvas, 0, start + width - 4, 4, PAINT_HEADING, high);
}

static void draw_source(struct view *view, struct canvas *canvas, int row) {
    struct workbench *workbench = view->workbench;
    char tokens[TEXT_NUMBER_SIZE];
    pthread_mutex_lock(&workbench->mutex);
    if (!workbench->sensitivity)
        canvas_text(canvas, row, 1, canvas->width - 1, PAINT_MESSAGE,
                    "Not calibrated yet: :calibrate TEXT runs text through the model.");
    else
        canvas_format(canvas, row, 1, canvas->width - 1, PAINT_DIM,
                      "calibrated on %s tokens: %s · out.ch: channels of 6 times the median rms",
                      text_count(tokens, (double)workbench->sensitivity->tokens), workbench->sensitivity->source);
    pthread_mutex_unlock(&workbench->mutex);
}

static void draw_table(struct view *view, struct canvas *canvas) {
    struct activations *activations = view->state;
    table_layout(&activations->table, canvas->width);
    view_scroll(view, canvas->height - 2);
    draw_heading(view, canvas);
    for (int i = 0; i < view->list_height && view->top + (size_t)i < view->rows; i++)
        draw_line(view, canvas, i + 1, view->top + (size_t)i);
    draw_source(view, canvas, canvas->height - 1);
    view->list_row = 1;
    view->cursor_row = 1 + (int)(view->cursor - view->top);
    view->cursor_cell = 0;
}

static void draw(struct view *view, struct canvas *canvas) {
    struct activations *activations = view->state;
    if (!activations->channels || view->cursor >= view->rows) {
        draw_table(view, canvas);
        return;
    }
    struct text name = {0};
    const struct line *line = &activations->lines[view->cursor];
    text_add(&name, "%lld ", (long long)view->workbench->model->blocks[line->block].index);
    (void)line_name(&name, view->workbench->model, line);
    int used = canvas_text(canvas, 0, 1, canvas->width - 1, PAINT_CURSOR, text_string(&name));
    text_free(&name);
    struct canvas rest = canvas_part(canvas, 0, used + 2, 1, canvas->width - used - 2);
    struct canvas plot = canvas_part(canvas, 1, 0, canvas->height - 1, canvas->width);
    if (line->whole || line->after)
        canvas_text(&rest, 0, 0, rest.width, PAINT_DIM, "Channels are of one input: j goes to the next.");
    else
        channels_draw(&rest, &plot, view->workbench, line->inputs.first);
    view->list_row = view->cursor_row = view->cursor_cell = 0;
    view->list_height = 1;
    view->top = view->cursor;
}

static enum view_answer command(struct view *view, const char *verb, const char *argument, struct error *error) {
    struct activations *activations = view->state;
    (void)argument;
    (void)error;
    if (strcmp(verb, "channels") != 0)
        return VIEW_UNKNOWN;
    activations->channels = !activations->channels;
    return VIEW_DONE;
}

const struct view_ops activations_view = {
    .name = "activations",
    .help = "how active the inputs are: zeros, size, outlier channels",
    .keys = "j/k row  Enter channels  h/l ±0.5  = type  t tag  q back  / find  \\ filter  : command  ? help",
    .state_size = sizeof(struct activations),
    .open = open_activations,
    .close = close_activations,
    .refresh = refresh,
    .draw = draw,
    .row_text = row_text,
    .row_selector = selector,
    .command = command};

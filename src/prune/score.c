#include "prune/score.h"

#include "base/memory.h"
#include "base/parallel.h"
#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* Scores that a thread holds at a time: 256 KB, a part of its second-level cache. */
#define PANEL_SCORES 65536

struct select_work {
    uint8_t *mask;
    const struct layer *layer;
    score_function *function;
    const void *context;
    float *scores; /* a panel for each thread, or all of them */
    size_t panel;  /* rows of a panel */
    _Atomic bool failed;
};

static bool stays_in_row(const struct layer *layer) {
    return layer->pattern.kind == PATTERN_ROW || layer->pattern.kind == PATTERN_N_M;
}

bool score_pattern_select(uint8_t *mask, const float *scores, const struct layer *layer, struct error *error) {
    if (layer->options.reference)
        return pattern_select_reference(mask, scores, layer->pattern, layer->rows, layer->columns, layer->sparsity,
                                        error);
    return pattern_select(mask, scores, layer->pattern, layer->rows, layer->columns, layer->sparsity, error);
}

static void select_panels(void *context, size_t begin, size_t end, int thread) {
    struct select_work *work = context;
    size_t columns = (size_t)work->layer->columns;
    float *scores = work->scores + (size_t)thread * work->panel * columns;
    for (size_t row = begin; row < end && !progress_cancelled(work->layer->progress); row += work->panel) {
        size_t rows = end - row < work->panel ? end - row : work->panel;
        struct layer part = *work->layer;
        part.rows = (int64_t)rows;
        work->function(scores, work->layer, work->context, (int64_t)row, (int64_t)(row + rows));
        if (!score_pattern_select(work->mask + row * columns, scores, &part, NULL))
            atomic_store(&work->failed, true);
    }
}

static void score_rows(void *context, size_t begin, size_t end, int thread) {
    const struct select_work *work = context;
    (void)thread;
    work->function(work->scores + begin * (size_t)work->layer->columns, work->layer, work->context, (int64_t)begin,
                   (int64_t)end);
}

static bool select_by_row(struct select_work *work, struct error *error) {
    size_t columns = (size_t)work->layer->columns;
    work->panel = columns < PANEL_SCORES ? PANEL_SCORES / columns : 1;
    work->scores = memory_alloc_aligned((size_t)parallel_threads() * work->panel * columns, sizeof(float), error);
    if (work->scores == NULL)
        return false;
    parallel_for((size_t)work->layer->rows, work->panel, select_panels, work);
    memory_free(work->scores);
    if (atomic_load(&work->failed))
        return error_set(error, ERROR_MEMORY, "out of memory while weights were selected");
    return true;
}

static bool select_by_matrix(struct select_work *work, struct error *error) {
    size_t count;
    if (!memory_multiply(&count, (size_t)work->layer->rows, (size_t)work->layer->columns))
        return error_set(error, ERROR_MEMORY, "the matrix is too large for this machine");
    work->scores = memory_alloc_aligned(count, sizeof(float), error);
    if (work->scores == NULL)
        return false;
    parallel_for((size_t)work->layer->rows, 16, score_rows, work);
    bool ok = score_pattern_select(work->mask, work->scores, work->layer, error);
    memory_free(work->scores);
    return ok;
}

bool score_select(uint8_t *mask, const struct layer *layer, score_function *function, const void *context,
                  struct error *error) {
    struct select_work work = {.mask = mask, .layer = layer, .function = function, .context = context};
    bool ok = stays_in_row(layer) ? select_by_row(&work, error) : select_by_matrix(&work, error);
    return ok && progress_continue(layer->progress, error);
}

struct apply_work {
    float *weights;
    const uint8_t *mask;
    size_t columns;
};

/* Adding +0 makes a dense -0 that stays a +0 as well. */
static void apply_rows(void *context, size_t begin, size_t end, int thread) {
    const struct apply_work *work = context;
    (void)thread;
    for (size_t i = begin * work->columns; i < end * work->columns; i++)
        work->weights[i] = work->mask[i] ? 0.0F : work->weights[i] + 0.0F;
}

void score_apply(float *weights, const uint8_t *mask, int64_t rows, int64_t columns) {
    struct apply_work work = {weights, mask, (size_t)columns};
    parallel_for((size_t)rows, 64, apply_rows, &work);
}

bool score_prune(struct layer *layer, score_function *function, const void *context, struct error *error) {
    uint8_t *mask = memory_alloc((size_t)layer->rows * (size_t)layer->columns, 1, error);
    bool ok = mask != NULL && score_select(mask, layer, function, context, error);
    if (ok)
        score_apply(layer->weights, mask, layer->rows, layer->columns);
    memory_free(mask);
    return ok;
}

float *score_input_norms(struct layer *layer, struct error *error) {
    const struct input_statistics *input = layer->input;
    float *norms = memory_alloc((size_t)layer->columns, sizeof *norms, error);
    if (norms == NULL)
        return NULL;
    layer->report.dead = 0;
    for (int64_t j = 0; j < layer->columns; j++) {
        double mean = input->sum_squares[j] / (double)(input->tokens > 0 ? input->tokens : 1);
        if (!isfinite(mean)) {
            memory_free(norms);
            (void)error_set(error, ERROR_FAILURE, "the calibration inputs hold NaN or Inf (input %lld)", (long long)j);
            return NULL;
        }
        layer->report.dead += mean == 0;
        norms[j] = (float)sqrt(mean);
    }
    return norms;
}

#include "prune/sparsegpt.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "engine/vector.h"
#include "prune/factor.h"
#include "prune/sparsegpt_panel.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

#define BLOCK_DEFAULT 128
/* Columns whose trailing product is made at once: long enough inside that it runs at the rate of a large product. */
#define SUPERBLOCK 1024
/* Columns this many floats apart, or a multiple, would fall on the same few lines of a cache. */
#define ALIASING 256

/* Scores that stand for a choice made otherwise, with the threshold between them. */
#define GOES (-1.0F)
#define STAYS 1.0F
#define BETWEEN 0.0F

void strtri_(const char *triangle, const char *unit, const int *n, float *a, const int *leading, int *info);

struct sweep {
    struct layer *layer;
    const float *r; /* [n × n] upper */
    int64_t n, rows, stride;
    int64_t width;      /* of a panel, but for the last */
    int64_t superblock; /* a multiple of width */
    float *z;           /* [n × stride]: W₀ - Q, transposed */
    float *g;           /* [superblock × stride]: Z R of the superblock's columns, from the columns before it */
    struct panel panel;
    float *weights;      /* the panel's, [width × stride] */
    float *scores;       /* [width × stride]; where another rule chooses, GOES or STAYS */
    float *u;            /* [width × width] */
    float *diagonal;     /* [width] */
    float *errors;       /* width × PANEL_LANES for each thread */
    float *scale, *zero; /* [stride] each, when kept weights are rounded */
    uint8_t *mask;       /* [rows × n], for patterns chosen before the sweep */
    int64_t first, end;  /* the panel: columns [first, end) */
    int64_t super;       /* where its superblock begins */
};

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static bool chosen_before(const struct layer *layer) {
    switch (layer->pattern.kind) {
    case PATTERN_TILE:
    case PATTERN_WHOLE_ROWS:
    case PATTERN_WHOLE_COLUMNS:
        return true;
    default:
        return layer->fixed_mask != NULL;
    }
}

static int64_t panel_width(const struct layer *layer) {
    int64_t block = layer->options.block > 0 ? layer->options.block : BLOCK_DEFAULT;
    if (layer->pattern.kind == PATTERN_COLUMN_BLOCK)
        block = layer->pattern.n;
    if (layer->pattern.kind == PATTERN_N_M)
        block = block < layer->pattern.m ? layer->pattern.m : block / layer->pattern.m * layer->pattern.m;
    return smaller(block, layer->columns);
}

static void sweep_free(struct sweep *sweep) {
    memory_free(sweep->z);
    memory_free(sweep->g);
    memory_free(sweep->weights);
    memory_free(sweep->scores);
    memory_free(sweep->u);
    memory_free(sweep->diagonal);
    memory_free(sweep->errors);
    memory_free(sweep->scale);
    memory_free(sweep->zero);
    memory_free(sweep->mask);
}

static bool sweep_allocate(struct sweep *sweep, struct error *error) {
    size_t stride = (size_t)sweep->stride;
    size_t width = (size_t)sweep->width;
    size_t panel;
    size_t all;
    size_t block;
    if (!memory_multiply(&panel, width, stride) || !memory_multiply(&all, (size_t)sweep->n, stride) ||
        !memory_multiply(&block, (size_t)sweep->superblock, stride))
        return error_set(error, ERROR_MEMORY, "the matrix is too large for this machine");
    sweep->z = memory_alloc_aligned(all, sizeof(float), error);
    sweep->g = memory_alloc_aligned(block, sizeof(float), error);
    sweep->weights = memory_alloc_aligned(panel, sizeof(float), error);
    sweep->scores = memory_alloc_aligned(panel, sizeof(float), error);
    sweep->u = memory_alloc_aligned(width * width, sizeof(float), error);
    sweep->diagonal = memory_alloc_aligned(width, sizeof(float), error);
    sweep->errors = memory_alloc_aligned((size_t)parallel_threads() * width * PANEL_LANES, sizeof(float), error);
    return sweep->z != NULL && sweep->g != NULL && sweep->weights != NULL && sweep->scores != NULL &&
           sweep->u != NULL && sweep->diagonal != NULL && sweep->errors != NULL;
}

/* Per row asymmetric grid of the dense weights, zero always on it (GPTQ's convention). */
static bool make_grid(struct sweep *sweep, struct error *error) {
    const struct layer *layer = sweep->layer;
    if (layer->options.bits <= 0)
        return true;
    sweep->scale = memory_alloc_aligned((size_t)sweep->stride, sizeof(float), error);
    sweep->zero = memory_alloc_aligned((size_t)sweep->stride, sizeof(float), error);
    if (sweep->scale == NULL || sweep->zero == NULL)
        return false;
    float levels = (float)((1 << layer->options.bits) - 1);
    for (int64_t i = 0; i < sweep->stride; i++) {
        float low = 0;
        float high = 0;
        for (int64_t j = 0; i < sweep->rows && j < sweep->n; j++) {
            float weight = layer->weights[i * sweep->n + j];
            low = fminf(low, weight);
            high = fmaxf(high, weight);
        }
        if (low == high) {
            low = -1;
            high = 1;
        }
        sweep->scale[i] = (high - low) / levels;
        sweep->zero[i] = rintf(-low / sweep->scale[i]);
    }
    sweep->panel.levels = levels;
    return true;
}

/* Masks of tiles, whole rows and whole columns: by the scores of the dense weights. */
static bool choose_before(struct sweep *sweep, struct error *error) {
    const struct layer *layer = sweep->layer;
    if (!chosen_before(layer) || layer->fixed_mask != NULL)
        return true;
    size_t count;
    if (!memory_multiply(&count, (size_t)sweep->rows, (size_t)sweep->n))
        return error_set(error, ERROR_MEMORY, "the matrix is too large for this machine");
    float *scores = memory_alloc_aligned(count, sizeof(float), error);
    sweep->mask = memory_alloc(count, 1, error);
    bool ok = scores != NULL && sweep->mask != NULL;
    if (ok) {
        for (int64_t i = 0; i < sweep->rows; i++)
            for (int64_t j = 0; j < sweep->n; j++) {
                float root = layer->weights[i * sweep->n + j] * sweep->r[j * sweep->n + j];
                scores[i * sweep->n + j] = root * root;
            }
        ok = pattern_select(sweep->mask, scores, layer->pattern, sweep->rows, sweep->n, layer->sparsity, error);
    }
    memory_free(scores);
    return ok;
}

/* (R_PP)⁻¹, zeros below its diagonal, and the diagonal of R_PP. */
static bool invert_panel(struct sweep *sweep, struct error *error) {
    int64_t width = sweep->end - sweep->first;
    for (int64_t i = 0; i < width; i++) {
        const float *row = sweep->r + (sweep->first + i) * sweep->n + sweep->first;
        memset(sweep->u + i * width, 0, (size_t)width * sizeof(float));
        memcpy(sweep->u + i * width + i, row + i, (size_t)(width - i) * sizeof(float));
        sweep->diagonal[i] = row[i];
    }
    /* An upper triangle by rows is LAPACK's lower triangle by columns. */
    int order = (int)width;
    int info = 0;
    strtri_("L", "N", &order, sweep->u, &order, &info);
    if (info != 0)
        return error_set(error, ERROR_FAILURE, "the factor of the Hessian is singular at input %lld",
                         (long long)(sweep->first + info - 1));
    return true;
}

/* to[columns × rows] = from[rows × columns]ᵀ; whole blocks of 16 × 16 in registers. */
VECTOR_CLONES
static void transpose(float *to, int64_t to_stride, const float *from, int64_t from_stride, int64_t rows,
                      int64_t columns) {
    for (int64_t i = 0; i < rows; i += VECTOR_16)
        for (int64_t j = 0; j < columns; j += VECTOR_16) {
            if (i + VECTOR_16 <= rows && j + VECTOR_16 <= columns) {
                vector_transpose_block(to + j * to_stride + i, to_stride, from + i * from_stride + j, from_stride);
                continue;
            }
            for (int64_t c = j; c < smaller(j + VECTOR_16, columns); c++)
                for (int64_t r = i; r < smaller(i + VECTOR_16, rows); r++)
                    to[c * to_stride + r] = from[r * from_stride + c];
        }
}

/* Copies W₀ of the panel for rows [begin, end) from the matrix, transposed, into z. Padding rows become 0. */
static void take_panel(const struct sweep *sweep, int64_t begin, int64_t end) {
    const float *matrix = sweep->layer->weights;
    int64_t padding = larger(begin, sweep->rows);
    for (int64_t j = sweep->first; padding < end && j < sweep->end; j++)
        memset(sweep->z + j * sweep->stride + padding, 0, (size_t)(end - padding) * sizeof(float));
    transpose(sweep->z + sweep->first * sweep->stride + begin, sweep->stride, matrix + begin * sweep->n + sweep->first,
              sweep->n, smaller(end, sweep->rows) - begin, sweep->end - sweep->first);
    if (!sweep->layer->options.reference || sweep->layer->factor->dead_count == 0)
        return;
    for (int64_t j = sweep->first; j < sweep->end; j++)
        if (sweep->layer->factor->dead[j])
            memset(sweep->z + j * sweep->stride + begin, 0, (size_t)(end - begin) * sizeof(float));
}

/* Adds to the panel's G what columns [from, to) of Z bring: G_P = Z R_<P,P. */
static void add_product(const struct sweep *sweep, int64_t column, int64_t columns, int64_t from, int64_t to,
                        int64_t begin, int64_t end, float beta) {
    float *g = sweep->g + (column - sweep->super) * sweep->stride + begin;
    if (from < to)
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)columns, (int)(end - begin), (int)(to - from), 1,
                    sweep->r + from * sweep->n + column, (int)sweep->n, sweep->z + from * sweep->stride + begin,
                    (int)sweep->stride, beta, g, (int)sweep->stride);
}

/* (w R_jj)² of rows [begin, end); padding rows score infinity, so that they are never counted. */
VECTOR_CLONES
static void score_rows(const struct sweep *sweep, int64_t begin, int64_t end) {
    for (int64_t j = 0; j < sweep->end - sweep->first; j++) {
        const float *weights = sweep->weights + j * sweep->stride;
        float *scores = sweep->scores + j * sweep->stride;
        float diagonal = sweep->diagonal[j];
        VECTOR_SIMD
        for (int64_t i = begin; i < end; i++)
            scores[i] = weights[i] * diagonal * (weights[i] * diagonal);
        for (int64_t i = larger(begin, sweep->rows); i < end; i++)
            scores[i] = INFINITY;
    }
}

/* Weights at the start of the panel, and their scores, for rows [begin, end). */
static void start_rows(void *context, size_t begin_lane, size_t end_lane, int thread) {
    const struct sweep *sweep = context;
    int64_t begin = (int64_t)begin_lane * PANEL_LANES;
    int64_t end = (int64_t)end_lane * PANEL_LANES;
    int64_t width = sweep->end - sweep->first;
    size_t bytes = (size_t)(end - begin) * sizeof(float);
    (void)thread;
    if (sweep->first == sweep->super && sweep->super > 0)
        add_product(sweep, sweep->super, smaller(sweep->superblock, sweep->n - sweep->super), 0, sweep->super, begin,
                    end, 0);
    else if (sweep->super == 0 && sweep->first == 0)
        for (int64_t j = 0; j < smaller(sweep->superblock, sweep->n); j++)
            memset(sweep->g + j * sweep->stride + begin, 0, bytes);
    add_product(sweep, sweep->first, width, sweep->super, sweep->first, begin, end, 1);
    take_panel(sweep, begin, end);
    for (int64_t j = 0; j < width; j++)
        memcpy(sweep->weights + j * sweep->stride + begin, sweep->z + (sweep->first + j) * sweep->stride + begin,
               bytes);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)width, (int)(end - begin), (int)width, 1, sweep->u,
                (int)width, sweep->g + (sweep->first - sweep->super) * sweep->stride + begin, (int)sweep->stride, 1,
                sweep->weights + begin, (int)sweep->stride);
    if (sweep->panel.scores != NULL && !chosen_before(sweep->layer))
        score_rows(sweep, begin, end);
}

/* The number that is gone by column `column` when a share of `count` entries per column goes. */
static uint64_t gone_by(double sparsity, int64_t count, int64_t column) {
    return (uint64_t)llround(sparsity * (double)count * (double)column);
}

/* The cut by one threshold over all rows of the panel; of the entries at the threshold the first `ties` go. */
static void cut_panel(struct sweep *sweep, uint64_t count) {
    size_t cells = (size_t)(sweep->end - sweep->first) * (size_t)sweep->stride;
    uint64_t ties = 0;
    sweep->panel.threshold = GOES;
    if (count > 0)
        select_threshold(&sweep->panel.threshold, &ties, sweep->scores, cells, count);
    for (size_t i = 0; ties > 0 && i < cells; i++)
        if (sweep->scores[i] == sweep->panel.threshold) {
            sweep->scores[i] = GOES;
            ties--;
        }
}

/* As the references do it: everything up to and including the score at index int(numel × s) of the sorted panel. */
static void cut_panel_reference(struct sweep *sweep) {
    uint64_t real = (uint64_t)(sweep->end - sweep->first) * (uint64_t)sweep->rows;
    size_t cells = (size_t)(sweep->end - sweep->first) * (size_t)sweep->stride;
    uint64_t index = (uint64_t)((double)real * sweep->layer->sparsity);
    float highest;
    uint64_t ties;
    select_threshold(&highest, &ties, sweep->scores, cells, index + 1 < real ? index + 1 : real);
    sweep->panel.threshold = nextafterf(highest, INFINITY);
}

/* The `count` lowest of one row of the panel go; ties by column. Simple selection: a panel has few columns. */
static void cut_row(const struct sweep *sweep, int64_t row, uint64_t count, float *choices) {
    int64_t width = sweep->end - sweep->first;
    for (int64_t j = 0; j < width; j++) {
        float score = sweep->scores[j * sweep->stride + row];
        uint64_t rank = 0;
        for (int64_t k = 0; k < width; k++) {
            float other = sweep->scores[k * sweep->stride + row];
            rank += other < score || (other == score && k < j);
        }
        choices[j] = rank < count ? GOES : STAYS;
    }
    for (int64_t j = 0; j < width; j++)
        sweep->scores[j * sweep->stride + row] = choices[j];
}

static void cut_rows(void *context, size_t begin, size_t end, int thread) {
    const struct sweep *sweep = context;
    double sparsity = sweep->layer->sparsity;
    uint64_t count = gone_by(sparsity, 1, sweep->end) - gone_by(sparsity, 1, sweep->first);
    float *choices = sweep->errors + (size_t)thread * (size_t)sweep->width * PANEL_LANES;
    for (size_t row = begin; row < end; row++)
        cut_row(sweep, (int64_t)row, count, choices);
}

static void cut_as_given(void *context, size_t begin, size_t end, int thread) {
    const struct sweep *sweep = context;
    const uint8_t *mask = sweep->layer->fixed_mask != NULL ? sweep->layer->fixed_mask : sweep->mask;
    (void)thread;
    for (size_t row = begin; row < end; row++)
        for (int64_t j = sweep->first; j < sweep->end; j++)
            sweep->scores[(j - sweep->first) * sweep->stride + (int64_t)row] =
                mask[(int64_t)row * sweep->n + j] ? GOES : STAYS;
}

static void choose_panel(struct sweep *sweep) {
    const struct layer *layer = sweep->layer;
    if (sweep->panel.scores == NULL)
        return;
    sweep->panel.threshold = BETWEEN;
    if (chosen_before(layer))
        parallel_for((size_t)sweep->rows, 64, cut_as_given, sweep);
    else if (layer->pattern.kind == PATTERN_ROW)
        parallel_for((size_t)sweep->rows, 16, cut_rows, sweep);
    else if (layer->options.reference)
        cut_panel_reference(sweep);
    else if (layer->pattern.kind == PATTERN_COLUMN_BLOCK)
        cut_panel(sweep, gone_by(layer->sparsity, sweep->rows, sweep->end - sweep->first));
    else
        cut_panel(sweep, gone_by(layer->sparsity, sweep->rows, sweep->end) -
                             gone_by(layer->sparsity, sweep->rows, sweep->first));
}

/* Turns z from W₀ into W₀ - Q and rids Q of -0, for PANEL_LANES rows. */
VECTOR_CLONES
static void settle_panel(const struct sweep *sweep, int64_t row) {
    for (int64_t j = 0; j < sweep->end - sweep->first; j++) {
        float *z = sweep->z + (sweep->first + j) * sweep->stride + row;
        float *final = sweep->weights + j * sweep->stride + row;
        VECTOR_SIMD
        for (int64_t i = 0; i < PANEL_LANES; i++) {
            z[i] -= final[i];
            final[i] += 0.0F;
        }
    }
}

/* Writes final weights back to the matrix, for PANEL_LANES rows. */
static void put_panel(const struct sweep *sweep, int64_t row) {
    settle_panel(sweep, row);
    transpose(sweep->layer->weights + row * sweep->n + sweep->first, sweep->n, sweep->weights + row, sweep->stride,
              sweep->end - sweep->first, smaller(PANEL_LANES, sweep->rows - row));
}

static void sweep_rows(void *context, size_t begin, size_t end, int thread) {
    const struct sweep *sweep = context;
    float *errors = sweep->errors + (size_t)thread * (size_t)sweep->width * PANEL_LANES;
    for (size_t lane = begin; lane < end; lane++) {
        int64_t row = (int64_t)lane * PANEL_LANES;
        panel_sweep(&sweep->panel, row, errors);
        put_panel(sweep, row);
    }
}

/* One panel of columns: the step between two looks at the cancel flag. */
static bool sweep_step(struct sweep *sweep, struct error *error) {
    size_t lanes = (size_t)(sweep->stride / PANEL_LANES);
    size_t threads = (size_t)parallel_threads();
    sweep->end = smaller(sweep->first + sweep->width, sweep->n);
    sweep->super = sweep->first / sweep->superblock * sweep->superblock;
    sweep->panel.width = sweep->end - sweep->first;
    if (!invert_panel(sweep, error))
        return false;
    parallel_for(lanes, (lanes + threads - 1) / threads, start_rows, sweep);
    choose_panel(sweep);
    parallel_for(lanes, 4, sweep_rows, sweep);
    return true;
}

static bool sweep_begin(struct sweep *sweep, struct layer *layer, struct error *error) {
    sweep->layer = layer;
    sweep->r = layer->factor->r;
    sweep->n = layer->columns;
    sweep->rows = layer->rows;
    sweep->stride = (layer->rows + PANEL_LANES - 1) / PANEL_LANES * PANEL_LANES;
    if (sweep->stride % ALIASING == 0)
        sweep->stride += PANEL_LANES;
    sweep->width = panel_width(layer);
    sweep->superblock = (SUPERBLOCK + sweep->width - 1) / sweep->width * sweep->width;
    if (!sweep_allocate(sweep, error) || !make_grid(sweep, error) || !choose_before(sweep, error))
        return false;
    bool by_group = layer->pattern.kind == PATTERN_N_M && layer->fixed_mask == NULL && layer->sparsity > 0;
    sweep->panel = (struct panel){
        .stride = sweep->stride,
        .weights = sweep->weights,
        .scores = by_group ? NULL : sweep->scores,
        .u = sweep->u,
        .diagonal = sweep->diagonal,
        .n = layer->pattern.n,
        .m = layer->pattern.m,
        .reference = layer->options.reference,
        .scale = sweep->scale,
        .zero = sweep->zero,
        .levels = sweep->panel.levels,
    };
    return true;
}

bool sparsegpt_prune(struct layer *layer, struct error *error) {
    struct sweep sweep = {0};
    if (!layer_factor(layer, error))
        return false;
    bool ok = sweep_begin(&sweep, layer, error);
    parallel_blas_single_begin();
    for (sweep.first = 0; ok && sweep.first < sweep.n; sweep.first = sweep.end)
        ok = progress_continue(layer->progress, error) && sweep_step(&sweep, error);
    parallel_blas_single_end();
    sweep_free(&sweep);
    return ok;
}

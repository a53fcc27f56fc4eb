#include "calibrate/hessian.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "engine/gemm_bf16.h"
#include "engine/vector.h"
#include <cblas.h>
#include <string.h>

/* Large enough that a tile's product runs at the rate of a large one, small enough that two threads share the work
 * evenly at n = 4096 and that a tile (8 MB in f64) passes through the last-level cache. */
#define TILE 1024

/* Tokens whose products are summed in f32 before they go to f64, from bf16: two strips of them stay in a core's cache.
 */
#define GRAM_TOKENS 2048
/* Strips of inputs that are multiplied with each strip that passes through the cache. */
#define GRAM_GROUP 4

/* Rows of D that hessian_quadratic takes at once. */
#define QUADRATIC_ROWS 512

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t tile_count(int64_t n) {
    return (n + TILE - 1) / TILE;
}

static int64_t edge(const struct hessian *hessian, int64_t index) {
    return smaller(hessian->tile, hessian->n - index * hessian->tile);
}

uint64_t hessian_bytes(int64_t n) {
    uint64_t tiles = (uint64_t)tile_count(n);
    uint64_t side = (uint64_t)smaller(n, TILE);
    return tiles * (tiles + 1) / 2 * side * side * sizeof(double);
}

bool hessian_create(struct hessian *hessian, int64_t n, struct error *error) {
    memset(hessian, 0, sizeof *hessian);
    if (n <= 0)
        return error_set(error, ERROR_FAILURE, "a Hessian needs at least one input, not %lld", (long long)n);
    hessian->n = n;
    hessian->tile = smaller(n, TILE);
    hessian->tiles = tile_count(n);
    hessian->sum = memory_alloc((size_t)(hessian_bytes(n) / sizeof(double)), sizeof(double), error);
    return hessian->sum != NULL;
}

void hessian_free(struct hessian *hessian) {
    memory_free(hessian->sum);
    memset(hessian, 0, sizeof *hessian);
}

/* Where tile (row, column), row <= column, lies: tiles stand row by row. */
static double *tile_at(const struct hessian *hessian, int64_t row, int64_t column) {
    size_t before = (size_t)row * (size_t)(2 * hessian->tiles - row + 1) / 2;
    size_t area = (size_t)hessian->tile * (size_t)hessian->tile;
    return hessian->sum + (before + (size_t)(column - row)) * area;
}

/* The index-th tile in an order that puts whole tiles before the cheaper ones on the diagonal, so that threads end
 * together. */
static void tile_of_index(int64_t *row, int64_t *column, const struct hessian *hessian, size_t index) {
    int64_t off_diagonal = hessian->tiles * (hessian->tiles - 1) / 2;
    if ((int64_t)index >= off_diagonal) {
        *row = *column = (int64_t)index - off_diagonal;
        return;
    }
    int64_t left = (int64_t)index;
    *row = 0;
    while (left >= hessian->tiles - 1 - *row)
        left -= hessian->tiles - 1 - (*row)++;
    *column = *row + 1 + left;
}

static size_t tile_total(const struct hessian *hessian) {
    return (size_t)(hessian->tiles * (hessian->tiles + 1) / 2);
}

struct add_work {
    struct hessian *hessian;
    const float *x;
    int64_t tokens;
    float *scratch; /* a tile for each thread */
};

/* product, with leading dimension `width` of the tile in hand, = the tile's part of xᵀx. */
static void make_product(float *product, const struct add_work *work, int64_t row, int64_t column) {
    const struct hessian *hessian = work->hessian;
    int n = (int)hessian->n;
    int height = (int)edge(hessian, row);
    int width = (int)edge(hessian, column);
    const float *left = work->x + row * hessian->tile;
    const float *right = work->x + column * hessian->tile;
    if (row == column)
        cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, height, (int)work->tokens, 1, left, n, 0, product, width);
    else
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, height, width, (int)work->tokens, 1, left, n, right, n, 0,
                    product, width);
}

VECTOR_CLONES
static void add_row(double *sum, const float *product, int64_t count) {
    VECTOR_SIMD
    for (int64_t j = 0; j < count; j++)
        sum[j] += (double)product[j];
}

static void add_tiles(void *context, size_t begin, size_t end, int thread) {
    struct add_work *work = context;
    struct hessian *hessian = work->hessian;
    int64_t tile = hessian->tile;
    float *product = work->scratch + (size_t)thread * (size_t)tile * (size_t)tile;
    for (size_t index = begin; index < end; index++) {
        int64_t row;
        int64_t column;
        tile_of_index(&row, &column, hessian, index);
        make_product(product, work, row, column);
        double *sum = tile_at(hessian, row, column);
        int64_t width = edge(hessian, column);
        for (int64_t i = 0; i < edge(hessian, row); i++) {
            int64_t first = row == column ? i : 0;
            add_row(sum + i * tile + first, product + i * width + first, width - first);
        }
    }
}

static bool add_f32(struct hessian *hessian, const float *x, int64_t tokens, struct error *error) {
    struct add_work work = {.hessian = hessian, .x = x, .tokens = tokens};
    size_t area = (size_t)hessian->tile * (size_t)hessian->tile;
    work.scratch = memory_alloc_aligned((size_t)parallel_threads() * area, sizeof(float), error);
    if (work.scratch == NULL)
        return false;
    parallel_blas_single_begin();
    parallel_for(tile_total(hessian), 1, add_tiles, &work);
    parallel_blas_single_end();
    memory_free(work.scratch);
    return true;
}

/* Inputs are cut into strips of BF16_LANES, each packed once and multiplied with itself and those behind it. */
struct gram_work {
    struct hessian *hessian;
    const float *x;
    int64_t tokens;
    int64_t strips;
    uint16_t *packed;
};

static uint16_t *strip_at(const struct gram_work *work, int64_t strip) {
    return work->packed + (size_t)strip * bf16_lanes_size(BF16_LANES, work->tokens);
}

static int64_t strip_edge(const struct gram_work *work, int64_t strip) {
    return smaller(BF16_LANES, work->hessian->n - strip * BF16_LANES);
}

static void pack_groups(void *context, size_t begin, size_t end, int thread) {
    const struct gram_work *work = context;
    int64_t n = work->hessian->n;
    (void)thread;
    for (int64_t group = (int64_t)begin; group < (int64_t)end; group++) {
        int64_t first = group * GRAM_GROUP * BF16_LANES;
        bf16_pack_across(strip_at(work, group * GRAM_GROUP), work->x + first, n,
                         smaller(GRAM_GROUP * BF16_LANES, n - first), work->tokens);
    }
}

static void add_strips(const struct gram_work *work, int64_t row, int64_t column) {
    const struct hessian *hessian = work->hessian;
    int64_t tile = hessian->tile;
    int64_t i = row * BF16_LANES;
    int64_t j = column * BF16_LANES;
    /* A tile is a multiple of a strip, or the only one. */
    double *sum = tile_at(hessian, i / tile, j / tile) + i % tile * tile + j % tile;
    bf16_gram(sum, tile, strip_at(work, row), strip_at(work, column), work->tokens, strip_edge(work, row),
              strip_edge(work, column), row == column);
}

static void add_groups(void *context, size_t begin, size_t end, int thread) {
    const struct gram_work *work = context;
    (void)thread;
    for (int64_t group = (int64_t)begin; group < (int64_t)end; group++) {
        int64_t first = group * GRAM_GROUP;
        for (int64_t column = first; column < work->strips; column++)
            for (int64_t row = first; row <= smaller(column, first + GRAM_GROUP - 1); row++)
                add_strips(work, row, column);
    }
}

static bool add_bf16(struct hessian *hessian, const float *x, int64_t tokens, struct error *error) {
    struct gram_work work = {.hessian = hessian, .strips = (hessian->n + BF16_LANES - 1) / BF16_LANES};
    size_t groups = (size_t)((work.strips + GRAM_GROUP - 1) / GRAM_GROUP);
    size_t values = bf16_lanes_size(hessian->n, smaller(tokens, GRAM_TOKENS));
    work.packed = memory_alloc_aligned(values, sizeof *work.packed, error);
    for (int64_t token = 0; work.packed != NULL && token < tokens; token += GRAM_TOKENS) {
        work.x = x + token * hessian->n;
        work.tokens = smaller(GRAM_TOKENS, tokens - token);
        parallel_for(groups, 1, pack_groups, &work);
        parallel_for(groups, 1, add_groups, &work);
    }
    bool ok = work.packed != NULL;
    memory_free(work.packed);
    return ok;
}

bool hessian_add(struct hessian *hessian, const float *x, int64_t tokens, uint64_t sequences, bool bf16,
                 struct error *error) {
    bool ok = (bf16 && bf16_supported() ? add_bf16 : add_f32)(hessian, x, tokens, error);
    hessian->tokens += ok ? (uint64_t)tokens : 0;
    hessian->sequences += ok ? sequences : 0;
    return ok;
}

struct copy_work {
    const struct hessian *hessian;
    float *out;
    double scale;
};

static void copy_tiles(void *context, size_t begin, size_t end, int thread) {
    const struct copy_work *work = context;
    const struct hessian *hessian = work->hessian;
    int64_t n = hessian->n;
    int64_t tile = hessian->tile;
    (void)thread;
    for (size_t index = begin; index < end; index++) {
        int64_t row;
        int64_t column;
        tile_of_index(&row, &column, hessian, index);
        const double *sum = tile_at(hessian, row, column);
        float *upper = work->out + row * tile * n + column * tile;
        float *lower = work->out + column * tile * n + row * tile;
        for (int64_t i = 0; i < edge(hessian, row); i++)
            for (int64_t j = row == column ? i : 0; j < edge(hessian, column); j++) {
                float value = (float)(work->scale * sum[i * tile + j]);
                upper[i * n + j] = value;
                lower[j * n + i] = value;
            }
    }
}

void hessian_copy(float *out, const struct hessian *hessian, double scale) {
    struct copy_work work = {hessian, out, scale};
    parallel_for(tile_total(hessian), 1, copy_tiles, &work);
}

static void copy_reversed_tiles(void *context, size_t begin, size_t end, int thread) {
    const struct copy_work *work = context;
    const struct hessian *hessian = work->hessian;
    int64_t n = hessian->n;
    int64_t tile = hessian->tile;
    (void)thread;
    for (size_t index = begin; index < end; index++) {
        int64_t row;
        int64_t column;
        tile_of_index(&row, &column, hessian, index);
        const double *sum = tile_at(hessian, row, column);
        for (int64_t i = 0; i < edge(hessian, row); i++) {
            float *out = work->out + (n - 1 - (row * tile + i)) * n + (n - 1 - column * tile);
            for (int64_t j = row == column ? i : 0; j < edge(hessian, column); j++)
                out[-j] = (float)(work->scale * sum[i * tile + j]);
        }
    }
}

void hessian_copy_reversed(float *out, const struct hessian *hessian, double scale) {
    struct copy_work work = {hessian, out, scale};
    parallel_for(tile_total(hessian), 1, copy_reversed_tiles, &work);
}

void hessian_diagonal(double *out, const struct hessian *hessian) {
    for (int64_t j = 0; j < hessian->n; j++) {
        int64_t inside = j % hessian->tile;
        out[j] = tile_at(hessian, j / hessian->tile, j / hessian->tile)[inside * hessian->tile + inside];
    }
}

double hessian_trace(const struct hessian *hessian) {
    double trace = 0;
    for (int64_t j = 0; j < hessian->n; j++) {
        int64_t inside = j % hessian->tile;
        trace += tile_at(hessian, j / hessian->tile, j / hessian->tile)[inside * hessian->tile + inside];
    }
    return trace;
}

double hessian_scale(const struct hessian *hessian, bool by_sequences) {
    uint64_t count = by_sequences ? hessian->sequences : hessian->tokens;
    return count > 0 ? 2.0 / (double)count : 0;
}

void hessian_merge(struct hessian *hessian, const struct hessian *other) {
    size_t count = (size_t)(hessian_bytes(hessian->n) / sizeof(double));
    for (size_t i = 0; i < count; i++)
        hessian->sum[i] += other->sum[i];
    hessian->tokens += other->tokens;
    hessian->sequences += other->sequences;
}

void hessian_multiply(double *y, const struct hessian *hessian, const double *x) {
    int tile = (int)hessian->tile;
    memset(y, 0, (size_t)hessian->n * sizeof *y);
    for (int64_t row = 0; row < hessian->tiles; row++)
        for (int64_t column = row; column < hessian->tiles; column++) {
            const double *sum = tile_at(hessian, row, column);
            int height = (int)edge(hessian, row);
            int width = (int)edge(hessian, column);
            int64_t top = row * hessian->tile;
            int64_t left = column * hessian->tile;
            if (row == column) {
                cblas_dsymv(CblasRowMajor, CblasUpper, height, 1, sum, tile, x + top, 1, 1, y + top, 1);
                continue;
            }
            cblas_dgemv(CblasRowMajor, CblasNoTrans, height, width, 1, sum, tile, x + left, 1, 1, y + top, 1);
            cblas_dgemv(CblasRowMajor, CblasTrans, height, width, 1, sum, tile, x + top, 1, 1, y + left, 1);
        }
}

struct quadratic_work {
    const struct hessian *hessian;
    const float *d;
    int64_t rows;
    float *tiles;     /* a tile in f32 for each thread, the diagonal ones symmetric */
    float *products;  /* QUADRATIC_ROWS × tile for each thread */
    double *partials; /* one for each tile: added in order, so that threads do not change the sum */
    struct progress *progress;
};

static void widen_tile(float *out, const struct hessian *hessian, int64_t row, int64_t column) {
    const double *sum = tile_at(hessian, row, column);
    int64_t tile = hessian->tile;
    for (int64_t i = 0; i < edge(hessian, row); i++)
        for (int64_t j = row == column ? i : 0; j < edge(hessian, column); j++) {
            out[i * tile + j] = (float)sum[i * tile + j];
            if (row == column)
                out[j * tile + i] = out[i * tile + j];
        }
}

/* Σ over rows of d_row A_tile d_columnᵀ, counted twice off the diagonal. */
static double quadratic_tile(const struct quadratic_work *work, const float *a, float *product, int64_t row,
                             int64_t column) {
    int64_t n = work->hessian->n;
    int64_t tile = work->hessian->tile;
    int height = (int)edge(work->hessian, row);
    int width = (int)edge(work->hessian, column);
    double total = 0;
    for (int64_t first = 0; first < work->rows && !progress_cancelled(work->progress); first += QUADRATIC_ROWS) {
        int64_t rows = smaller(QUADRATIC_ROWS, work->rows - first);
        const float *left = work->d + first * n + row * tile;
        const float *right = work->d + first * n + column * tile;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, width, height, 1, left, (int)n, a, (int)tile,
                    0, product, (int)tile);
        for (int64_t i = 0; i < rows; i++)
            total += cblas_dsdot(width, product + i * tile, 1, right + i * n, 1);
    }
    return row == column ? total : 2 * total;
}

static void quadratic_tiles(void *context, size_t begin, size_t end, int thread) {
    struct quadratic_work *work = context;
    size_t tile = (size_t)work->hessian->tile;
    float *a = work->tiles + (size_t)thread * tile * tile;
    float *product = work->products + (size_t)thread * QUADRATIC_ROWS * tile;
    for (size_t index = begin; index < end; index++) {
        int64_t row;
        int64_t column;
        tile_of_index(&row, &column, work->hessian, index);
        widen_tile(a, work->hessian, row, column);
        work->partials[index] = quadratic_tile(work, a, product, row, column);
    }
}

bool hessian_quadratic(double *value, const struct hessian *hessian, const float *d, int64_t rows,
                       struct progress *progress, struct error *error) {
    size_t threads = (size_t)parallel_threads();
    size_t tile = (size_t)hessian->tile;
    struct quadratic_work work = {.hessian = hessian, .d = d, .rows = rows, .progress = progress};
    work.tiles = memory_alloc_aligned(threads * tile * tile, sizeof(float), error);
    work.products = memory_alloc_aligned(threads * QUADRATIC_ROWS * tile, sizeof(float), error);
    work.partials = memory_alloc(tile_total(hessian), sizeof(double), error);
    bool ok = work.tiles != NULL && work.products != NULL && work.partials != NULL;
    if (ok) {
        parallel_blas_single_begin();
        parallel_for(tile_total(hessian), 1, quadratic_tiles, &work);
        parallel_blas_single_end();
        ok = progress_continue(progress, error);
        *value = 0;
        for (size_t index = 0; index < tile_total(hessian); index++)
            *value += work.partials[index];
    }
    memory_free(work.tiles);
    memory_free(work.products);
    memory_free(work.partials);
    return ok;
}

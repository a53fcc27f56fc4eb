#include "engine/gemm.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "engine/gemm_bf16.h"
#include <cblas.h>
#include <string.h>

/* Outputs that one thread multiplies at once: enough for the rate of a large product, few enough to be cancelled in
 * time; and the f32 values of a widened chunk. */
#define CHUNK_ROWS 1024
#define CHUNK_FLOATS ((int64_t)4 << 20)
/* The same for bf16, where a chunk lives in the second-level cache. */
#define BF16_CHUNK_ROWS 128
#define BF16_PACK_TOKENS (BF16_TOKENS * 4)

bool gemm_has_bf16(void) {
    return bf16_supported();
}

static int64_t round_up(int64_t value, int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t chunk_limit(int64_t columns) {
    int64_t rows = CHUNK_FLOATS / columns / 16 * 16;
    return rows < 16 ? 16 : smaller(rows, CHUNK_ROWS);
}

static size_t scratch_floats(enum compute compute, int64_t columns) {
    size_t widened = (size_t)chunk_limit(columns) * (size_t)columns;
    size_t fewest = (size_t)16 * (size_t)columns;
    if (compute != COMPUTE_BF16)
        return (size_t)CHUNK_FLOATS > fewest ? (size_t)smaller(CHUNK_FLOATS, (int64_t)CHUNK_ROWS * columns) : widened;
    /* a chunk packed, and rows of it widened and rounded on the way */
    return bf16_lanes_size(BF16_CHUNK_ROWS, columns) / 2 + (size_t)BF16_CHUNK_ROWS * (size_t)columns * 3 / 2 + 64;
}

static size_t packed_values(enum compute compute, int64_t columns, int64_t tokens) {
    return compute == COMPUTE_BF16 ? bf16_tokens_size(tokens, columns) : 0;
}

uint64_t gemm_bytes(enum compute compute, int64_t columns, int64_t tokens) {
    return (uint64_t)parallel_threads() * scratch_floats(compute, columns) * sizeof(float) +
           packed_values(compute, columns, tokens) * sizeof(uint16_t);
}

bool gemm_create(struct gemm *gemm, enum compute compute, int64_t columns, int64_t tokens, struct error *error) {
    memset(gemm, 0, sizeof *gemm);
    gemm->compute = compute == COMPUTE_BF16 && gemm_has_bf16() ? COMPUTE_BF16 : COMPUTE_F32;
    gemm->largest_columns = columns;
    gemm->scratch_floats = (size_t)round_up((int64_t)scratch_floats(gemm->compute, columns), 16);
    gemm->packed_values = packed_values(gemm->compute, columns, tokens);
    gemm->scratch = memory_alloc_aligned((size_t)parallel_threads() * gemm->scratch_floats, sizeof(float), error);
    gemm->packed = memory_alloc_aligned(gemm->packed_values, sizeof(uint16_t), error);
    return gemm->scratch != NULL && gemm->packed != NULL;
}

void gemm_free(struct gemm *gemm) {
    memory_free(gemm->scratch);
    memory_free(gemm->packed);
    memset(gemm, 0, sizeof *gemm);
}

uint64_t gemm_work(const struct matrix *matrix, int64_t tokens) {
    return 2 * (uint64_t)matrix->rows * (uint64_t)matrix->columns * (uint64_t)tokens;
}

/* One product, cut into a grid of pieces of outputs and of tokens. */
struct product {
    const struct gemm *gemm;
    float *y;
    int64_t y_stride;
    const float *x;
    const struct gemm_weights *weights;
    const float *bias;
    int64_t tokens, first, rows, columns; /* rows [first, first + rows) of the matrix */
    int64_t piece_rows, row_pieces, piece_tokens, token_pieces;
    struct progress *progress;
};

static void cut(struct product *product, int64_t limit, int64_t multiple) {
    int64_t threads = parallel_threads();
    product->row_pieces = (product->rows + limit - 1) / limit;
    product->token_pieces = 1;
    if (product->row_pieces < threads && product->tokens >= 64 * threads)
        product->token_pieces = threads;
    else
        product->row_pieces = round_up(product->row_pieces, threads);
    product->piece_rows = round_up((product->rows + product->row_pieces - 1) / product->row_pieces, multiple);
    product->row_pieces = (product->rows + product->piece_rows - 1) / product->piece_rows;
    product->piece_tokens =
        round_up((product->tokens + product->token_pieces - 1) / product->token_pieces, BF16_TOKENS);
    product->token_pieces = (product->tokens + product->piece_tokens - 1) / product->piece_tokens;
}

struct piece {
    int64_t row, rows, token, tokens;
};

static struct piece piece_at(const struct product *product, size_t index) {
    int64_t row = (int64_t)index % product->row_pieces * product->piece_rows;
    int64_t token = (int64_t)index / product->row_pieces * product->piece_tokens;
    return (struct piece){row, smaller(product->piece_rows, product->rows - row), token,
                          smaller(product->piece_tokens, product->tokens - token)};
}

static float *piece_result(const struct product *product, const struct piece *piece) {
    return product->y + piece->token * product->y_stride + piece->row;
}

static void set_bias(const struct product *product, const struct piece *piece) {
    float *y = piece_result(product, piece);
    for (int64_t t = 0; product->bias != NULL && t < piece->tokens; t++)
        memcpy(y + t * product->y_stride, product->bias + piece->row, (size_t)piece->rows * sizeof *y);
}

static bool usable_as_floats(const struct tensor *tensor) {
    return tensor->dtype == DTYPE_F32 && (uintptr_t)tensor->data % _Alignof(float) == 0;
}

/* Weights [row, row + rows) as f32: where they are, or widened into scratch. *across: stored inputs × outputs. */
static const float *float_weights(bool *across, int64_t *stride, const struct product *product,
                                  const struct piece *piece, float *scratch) {
    const struct matrix *matrix = product->weights->matrix;
    *across = false;
    *stride = product->columns;
    int64_t row = product->first + piece->row;
    if (product->weights->values != NULL)
        return product->weights->values + row * product->columns;
    if (usable_as_floats(matrix->tensor)) {
        const float *values = (const float *)(const void *)matrix->tensor->data;
        *across = matrix->transposed;
        *stride = *across ? matrix->rows : product->columns;
        return values + (*across ? row : row * product->columns);
    }
    matrix_read(scratch, matrix, row, row + piece->rows);
    return scratch;
}

static void multiply_floats(const struct product *product, const struct piece *piece, float *scratch) {
    bool across;
    int64_t stride;
    const float *weights = float_weights(&across, &stride, product, piece, scratch);
    float beta = product->bias != NULL ? 1 : 0;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, across ? CblasNoTrans : CblasTrans, (int)piece->tokens, (int)piece->rows,
                (int)product->columns, 1, product->x + piece->token * product->columns, (int)product->columns, weights,
                (int)stride, beta, piece_result(product, piece), (int)product->y_stride);
}

/* Weights [row, row + rows) packed as bf16 into scratch. */
static const uint16_t *packed_weights(const struct product *product, const struct piece *piece, float *scratch) {
    const struct matrix *matrix = product->weights->matrix;
    const float *values = product->weights->values;
    int64_t columns = product->columns, row = product->first + piece->row;
    uint16_t *packed = (uint16_t *)(void *)scratch;
    if (values == NULL && matrix->tensor->dtype == DTYPE_BF16 && !matrix->transposed) {
        bf16_pack_lanes(packed, matrix->tensor->data + 2 * row * columns, columns, piece->rows, columns);
        return packed;
    }
    float *widened = scratch + round_up((int64_t)bf16_lanes_size(BF16_CHUNK_ROWS, columns) / 2, 16);
    uint16_t *rounded = (uint16_t *)(void *)(widened + BF16_CHUNK_ROWS * columns);
    if (values == NULL)
        matrix_read(widened, matrix, row, row + piece->rows);
    const float *from = values != NULL ? values + row * columns : widened;
    dtype_narrow(rounded, from, DTYPE_BF16, (size_t)(piece->rows * columns));
    bf16_pack_lanes(packed, (const uint8_t *)rounded, columns, piece->rows, columns);
    return packed;
}

static void multiply_bf16(const struct product *product, const struct piece *piece, float *scratch) {
    const uint16_t *weights = packed_weights(product, piece, scratch);
    const uint16_t *x = product->gemm->packed + piece->token * round_up(product->columns, 2);
    bf16_multiply(piece_result(product, piece), product->y_stride, x, weights, piece->tokens, piece->rows,
                  product->columns, product->bias != NULL);
}

static void multiply_pieces(void *context, size_t begin, size_t end, int thread) {
    const struct product *product = context;
    float *scratch = product->gemm->scratch + (size_t)thread * product->gemm->scratch_floats;
    for (size_t index = begin; index < end && !progress_cancelled(product->progress); index++) {
        struct piece piece = piece_at(product, index);
        set_bias(product, &piece);
        if (product->gemm->compute == COMPUTE_BF16)
            multiply_bf16(product, &piece, scratch);
        else
            multiply_floats(product, &piece, scratch);
        progress_add(product->progress, 2 * (uint64_t)piece.rows * (uint64_t)piece.tokens * (uint64_t)product->columns);
    }
}

static void pack_activations(void *context, size_t begin, size_t end, int thread) {
    const struct product *product = context;
    int64_t columns = product->columns;
    (void)thread;
    for (int64_t group = (int64_t)begin; group < (int64_t)end; group++) {
        int64_t token = group * BF16_PACK_TOKENS;
        bf16_pack_tokens(product->gemm->packed + token * round_up(columns, 2), product->x + token * columns, columns,
                         smaller(BF16_PACK_TOKENS, product->tokens - token), columns);
    }
}

bool gemm_multiply(struct gemm *gemm, float *y, int64_t y_stride, const float *x, const struct gemm_weights *weights,
                   const float *bias, int64_t tokens, struct progress *progress, struct error *error) {
    struct product product = {.gemm = gemm,
                              .y = y,
                              .y_stride = y_stride,
                              .x = x,
                              .weights = weights,
                              .bias = bias,
                              .tokens = tokens,
                              .first = weights->begin,
                              .rows = (weights->end > 0 ? weights->end : weights->matrix->rows) - weights->begin,
                              .columns = weights->matrix->columns,
                              .progress = progress};
    if (tokens == 0)
        return true;
    if (gemm->compute == COMPUTE_BF16) {
        cut(&product, BF16_CHUNK_ROWS, BF16_LANES);
        parallel_for((size_t)((tokens + BF16_PACK_TOKENS - 1) / BF16_PACK_TOKENS), 1, pack_activations, &product);
    } else {
        cut(&product, chunk_limit(product.columns), 16);
    }
    parallel_blas_single_begin();
    parallel_for((size_t)(product.row_pieces * product.token_pieces), 1, multiply_pieces, &product);
    parallel_blas_single_end();
    return progress_continue(progress, error);
}

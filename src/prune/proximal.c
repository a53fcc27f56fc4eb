/* Proximal gradient methods for the layer problem: lasso, group lasso and iterative hard thresholding. */
#include "base/memory.h"
#include "base/parallel.h"
#include "prune/solver_methods.h"
#include "prune/support.h"
#include <math.h>
#include <string.h>

#define POWER_ITERATIONS 30
#define FISTA_ITERATIONS 25
#define BISECTIONS 12
#define IHT_ITERATIONS 60

struct proximal;
/* b <- prox(candidate) with the penalty λ / L. */
typedef void shrink_function(struct proximal *state, double amount);

struct proximal {
    struct layer *layer;
    struct least_squares problem;
    float *b, *before, *momentum, *product; /* [rows × n] each */
    uint8_t *mask;
    double lipschitz; /* largest eigenvalue of Ã */
    double mean_size; /* of a dense entry */
    shrink_function *shrink;
};

static size_t cells(const struct proximal *state) {
    return (size_t)state->problem.rows * (size_t)state->problem.n;
}

static void proximal_free(struct proximal *state) {
    least_squares_free(&state->problem);
    memory_free(state->b);
    memory_free(state->before);
    memory_free(state->momentum);
    memory_free(state->product);
    memory_free(state->mask);
}

/* Largest eigenvalue of Ã by power iteration, a little above so that 1/L is a safe step. */
static bool find_lipschitz(struct proximal *state, struct error *error) {
    int64_t n = state->problem.n;
    double *x = memory_alloc((size_t)n, sizeof *x, error);
    double *y = memory_alloc((size_t)n, sizeof *y, error);
    bool ok = x != NULL && y != NULL;
    double norm = 1;
    for (int64_t i = 0; ok && i < n; i++)
        x[i] = 1 / sqrt((double)n);
    for (int round = 0; ok && round < POWER_ITERATIONS; round++) {
        double squared = 0;
        for (int64_t i = 0; i < n; i++) {
            y[i] = 0;
            for (int64_t j = 0; j < n; j++)
                y[i] += (double)state->problem.a[i * n + j] * x[j];
            squared += y[i] * y[i];
        }
        norm = sqrt(squared);
        for (int64_t i = 0; i < n && norm > 0; i++)
            x[i] = y[i] / norm;
    }
    state->lipschitz = norm > 0 ? 1.05 * norm : 1;
    memory_free(x);
    memory_free(y);
    return ok;
}

static bool proximal_create(struct proximal *state, struct layer *layer, shrink_function *shrink, struct error *error) {
    memset(state, 0, sizeof *state);
    state->layer = layer;
    state->shrink = shrink;
    if (!least_squares_create(&state->problem, layer, error))
        return false;
    size_t count = cells(state);
    state->b = memory_alloc_aligned(count, sizeof(float), error);
    state->before = memory_alloc_aligned(count, sizeof(float), error);
    state->momentum = memory_alloc_aligned(count, sizeof(float), error);
    state->product = memory_alloc_aligned(count, sizeof(float), error);
    state->mask = memory_alloc(count, 1, error);
    bool ok = state->b != NULL && state->before != NULL && state->momentum != NULL && state->product != NULL &&
              state->mask != NULL && find_lipschitz(state, error);
    for (size_t i = 0; ok && i < count; i++) {
        state->b[i] = state->problem.dense[i];
        state->mean_size += fabs((double)state->b[i]) / (double)count;
    }
    if (!ok)
        proximal_free(state);
    return ok;
}

/* b <- momentum - (momentum Ã - g) / L. */
static bool gradient_step(struct proximal *state, struct error *error) {
    float step = (float)(1 / state->lipschitz);
    if (!least_squares_product(state->product, &state->problem, state->momentum, error))
        return false;
    for (size_t i = 0; i < cells(state); i++)
        state->b[i] = state->momentum[i] - step * (state->product[i] - state->problem.g[i]);
    return true;
}

/* The adaptive lasso (Zou 2006): an entry's penalty is inverse to its dense size, which is the least-squares solution
 * here. An equal penalty for all gave supports worse than those by magnitude. */
static void shrink_entries(struct proximal *state, double amount) {
    float threshold = (float)(amount * state->mean_size);
    for (size_t i = 0; i < cells(state); i++) {
        float size = fabsf(state->b[i]) * fabsf(state->problem.dense[i]) - threshold;
        state->b[i] = size > 0 ? copysignf(size / fabsf(state->problem.dense[i]), state->b[i]) : 0;
    }
}

/* The groups of the layer's pattern: tiles of rows × columns; a whole row or column is a tile, too. */
static void group_size(int64_t *rows, int64_t *columns, const struct layer *layer) {
    *rows = layer->pattern.kind == PATTERN_TILE ? layer->pattern.n : 1;
    *columns = layer->pattern.kind == PATTERN_TILE ? layer->pattern.m : 1;
    if (layer->pattern.kind == PATTERN_WHOLE_ROWS)
        *columns = layer->columns;
    if (layer->pattern.kind == PATTERN_WHOLE_COLUMNS)
        *rows = layer->rows;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void shrink_group(struct proximal *state, int64_t row, int64_t column, int64_t rows, int64_t columns,
                         double amount) {
    int64_t n = state->problem.n;
    int64_t row_end = smaller(row + rows, state->problem.rows);
    int64_t column_end = smaller(column + columns, n);
    double squared = 0;
    for (int64_t i = row; i < row_end; i++)
        for (int64_t j = column; j < column_end; j++)
            squared += (double)state->b[i * n + j] * (double)state->b[i * n + j];
    double weight = sqrt((double)(row_end - row) * (double)(column_end - column));
    double norm = sqrt(squared);
    float factor = norm > amount * weight ? (float)(1 - amount * weight / norm) : 0;
    for (int64_t i = row; i < row_end; i++)
        for (int64_t j = column; j < column_end; j++)
            state->b[i * n + j] *= factor;
}

static void shrink_groups(struct proximal *state, double amount) {
    int64_t rows;
    int64_t columns;
    group_size(&rows, &columns, state->layer);
    for (int64_t i = 0; i < state->problem.rows; i += rows)
        for (int64_t j = 0; j < state->problem.n; j += columns)
            shrink_group(state, i, j, rows, columns, amount);
}

/* FISTA from the present b, at penalty λ = amount × L. */
static bool fista(struct proximal *state, double amount, struct error *error) {
    double t = 1;
    memcpy(state->momentum, state->b, cells(state) * sizeof(float));
    memcpy(state->before, state->b, cells(state) * sizeof(float));
    for (int i = 0; i < FISTA_ITERATIONS; i++) {
        if (!gradient_step(state, error))
            return false;
        state->shrink(state, amount);
        double next = (1 + sqrt(1 + 4 * t * t)) / 2;
        float ahead = (float)((t - 1) / next);
        for (size_t c = 0; c < cells(state); c++) {
            state->momentum[c] = state->b[c] + ahead * (state->b[c] - state->before[c]);
            state->before[c] = state->b[c];
        }
        t = next;
        state->layer->report.iterations++;
    }
    return true;
}

static double zeros_share(const struct proximal *state) {
    uint64_t zeros = 0;
    for (size_t i = 0; i < cells(state); i++)
        zeros += state->b[i] == 0;
    return (double)zeros / (double)cells(state);
}

/* Bisects the penalty, each solution the start of the next, until the share of zeros is the target's; what is still
 * missing or too much then is settled by the size of the entries. */
static bool find_penalty(struct proximal *state, struct error *error) {
    double low = 0;
    double high = 0;
    for (size_t i = 0; i < cells(state); i++)
        high = fmax(high, fabs((double)state->problem.dense[i]));
    for (int round = 0; round < BISECTIONS; round++) {
        double amount = round == 0 ? high / 64 : (low + high) / 2;
        if (!fista(state, amount, error))
            return false;
        double share = zeros_share(state);
        if (fabs(share - state->layer->sparsity) < 1e-3)
            break;
        if (share < state->layer->sparsity)
            low = amount;
        else
            high = amount;
    }
    return true;
}

static bool lasso_with(struct layer *layer, shrink_function *shrink, struct error *error) {
    struct proximal state;
    if (!proximal_create(&state, layer, shrink, error))
        return false;
    bool ok = find_penalty(&state, error) &&
              support_choose(state.mask, state.product, layer, &state.problem, state.b, layer->sparsity, error) &&
              support_finish(layer, &state.problem, state.b, state.mask, error);
    proximal_free(&state);
    return ok;
}

bool lasso_prune(struct layer *layer, struct error *error) {
    return lasso_with(layer, shrink_entries, error);
}

bool group_lasso_prune(struct layer *layer, struct error *error) {
    return lasso_with(layer, shrink_groups, error);
}

bool iht_prune(struct layer *layer, struct error *error) {
    struct proximal state;
    if (!proximal_create(&state, layer, NULL, error))
        return false;
    int limit = layer->options.iterations > 0 ? layer->options.iterations : IHT_ITERATIONS;
    bool ok = true;
    for (int i = 0; ok && i < limit; i++) {
        memcpy(state.momentum, state.b, cells(&state) * sizeof(float));
        ok = gradient_step(&state, error) &&
             support_choose(state.mask, state.product, layer, &state.problem, state.b, layer->sparsity, error);
        for (size_t c = 0; ok && c < cells(&state); c++)
            state.b[c] = state.mask[c] ? 0 : state.b[c];
        layer->report.iterations = i + 1;
    }
    ok = ok && support_finish(layer, &state.problem, state.b, state.mask, error);
    proximal_free(&state);
    return ok;
}

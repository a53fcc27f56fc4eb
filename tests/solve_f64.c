#include "tests/solve_f64.h"

#include "base/memory.h"
#include <cblas.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAMPING 0.01
#define WIDEST 128 /* columns of a block */

void dpotrf_(const char *triangle, const int *n, double *a, const int *leading, int *info);
void dpotri_(const char *triangle, const int *n, double *a, const int *leading, int *info);

static int compare_doubles(const void *a, const void *b) {
    double first = *(const double *)a;
    double second = *(const double *)b;
    return (first > second) - (first < second);
}

static int smaller(int a, int b) {
    return a < b ? a : b;
}

static int block_of(const struct solve_f64 *solve) {
    return solve->pattern.kind == PATTERN_N_M ? WIDEST : (int)solve->pattern.n;
}

/* The upper triangle of H, damped. */
static void fill_hessian(struct solve_f64 *solve, const struct hessian *hessian) {
    size_t n = (size_t)solve->n;
    size_t tile = (size_t)hessian->tile;
    double scale = hessian_scale(hessian, solve->reference);
    double mean = 0;
    const double *next = hessian->sum;
    for (size_t row = 0; row < n; row += tile)
        for (size_t column = row; column < n; column += tile, next += tile * tile)
            for (size_t i = 0; i < tile && row + i < n; i++)
                for (size_t j = row == column ? i : 0; j < tile && column + j < n; j++)
                    solve->u[(row + i) * n + column + j] = scale * next[i * tile + j];
    for (size_t j = 0; j < n; j++) {
        if (solve->u[j * n + j] == 0)
            solve->u[j * n + j] = 1;
        mean += solve->u[j * n + j] / (double)n;
    }
    for (size_t j = 0; j < n; j++)
        solve->u[j * n + j] += DAMPING * mean;
}

static void factorise(struct solve_f64 *solve) {
    int info = 0;
    dpotrf_("L", &solve->n, solve->u, &solve->n, &info);
    assert_int_equal(info, 0);
    dpotri_("L", &solve->n, solve->u, &solve->n, &info);
    assert_int_equal(info, 0);
    /* The upper half by rows is the lower by columns: its factor L, L Lᵀ = H⁻¹, is Uᵀ, so U by rows. */
    dpotrf_("L", &solve->n, solve->u, &solve->n, &info);
    assert_int_equal(info, 0);
}

void solve_f64_create(struct solve_f64 *solve, const struct input_statistics *input, int64_t rows) {
    size_t n = (size_t)input->columns;
    solve->rows = rows;
    solve->n = (int)n;
    solve->u = memory_alloc_aligned(n * n, sizeof(double), NULL);
    solve->w = memory_alloc_aligned((size_t)rows * n, sizeof(double), NULL);
    solve->errors = memory_alloc_aligned((size_t)rows * WIDEST, sizeof(double), NULL);
    solve->scores = memory_alloc_aligned((size_t)rows * WIDEST, sizeof(double), NULL);
    assert_true(block_of(solve) <= WIDEST);
    assert_true(solve->u != NULL && solve->w != NULL && solve->errors != NULL && solve->scores != NULL);
    fill_hessian(solve, input->hessian);
    factorise(solve);
}

void solve_f64_free(struct solve_f64 *solve) {
    memory_free(solve->u);
    memory_free(solve->w);
    memory_free(solve->errors);
    memory_free(solve->scores);
}

static double score(const struct solve_f64 *solve, const double *row, int column) {
    double root = row[column] / solve->u[(size_t)column * (size_t)solve->n + (size_t)column];
    return root * root;
}

/* What lies between the `count` lowest of `all` sorted scores and the rest. */
static double between(const double *sorted, size_t all, size_t count) {
    if (count == 0)
        return -1;
    return count >= all ? INFINITY : (sorted[count - 1] + sorted[count]) / 2;
}

/* Between what goes and what stays of columns [first, first + width), all rows. */
static double block_threshold(struct solve_f64 *solve, int first, int width) {
    size_t count = 0;
    for (int64_t i = 0; i < solve->rows; i++)
        for (int j = first; j < first + width; j++)
            solve->scores[count++] = score(solve, solve->w + i * solve->n, j);
    qsort(solve->scores, count, sizeof(double), compare_doubles);
    double share = solve->sparsity * (double)count;
    return between(solve->scores, count, solve->reference ? (size_t)share + 1 : (size_t)llround(share));
}

/* The same of the m columns from `column` on, of one row. */
static double group_threshold(const struct solve_f64 *solve, const double *row, int column, int width) {
    double sorted[WIDEST];
    for (int j = 0; j < width; j++)
        sorted[j] = score(solve, row, column + j);
    qsort(sorted, (size_t)width, sizeof(double), compare_doubles);
    return between(sorted, (size_t)width, (size_t)(solve->pattern.m - solve->pattern.n));
}

static bool goes(struct solve_f64 *solve, int64_t row, int column, double threshold) {
    double value = score(solve, solve->w + row * solve->n, column);
    bool near = solve->solved != NULL && fabs(value - threshold) <= solve->near_gap * threshold;
    solve->near += near;
    return near ? solve->solved[row * solve->n + column] == 0 : value <= threshold;
}

static void choose_columns(struct solve_f64 *solve, bool *gone, int64_t row, int first, int width, double threshold) {
    for (int j = 0; j < width; j++)
        gone[j] = goes(solve, row, first + j, threshold);
}

static void sweep_row(struct solve_f64 *solve, int64_t row, int first, int width, double threshold) {
    double *w = solve->w + row * solve->n;
    int group = solve->pattern.kind == PATTERN_N_M ? (int)solve->pattern.m : width;
    bool gone[WIDEST];
    for (int j = 0; j < width; j++) {
        int column = first + j;
        const double *u = solve->u + (size_t)column * (size_t)solve->n;
        if (j % group == 0) {
            int members = smaller(group, width - j);
            double limit = group < width ? group_threshold(solve, w, column, members) : threshold;
            choose_columns(solve, gone + j, row, column, members, limit);
        }
        double error = gone[j] ? w[column] / u[column] : 0;
        solve->errors[row * width + j] = error;
        for (int k = column + 1; k < first + width; k++)
            w[k] -= error * u[k];
        w[column] = gone[j] ? 0 : w[column];
    }
}

static void take_dense(struct solve_f64 *solve, const float *dense) {
    size_t n = (size_t)solve->n;
    for (size_t i = 0; i < (size_t)solve->rows * n; i++)
        solve->w[i] = (double)dense[i];
    solve->near = 0;
}

void solve_f64_run(struct solve_f64 *solve, const float *dense) {
    int n = solve->n;
    int block = block_of(solve);
    take_dense(solve, dense);
    for (int first = 0; first < n; first += block) {
        int width = smaller(block, n - first);
        int rest = n - first - width;
        double threshold = solve->pattern.kind == PATTERN_N_M ? 0 : block_threshold(solve, first, width);
        for (int64_t row = 0; row < solve->rows; row++)
            sweep_row(solve, row, first, width, threshold);
        if (rest > 0)
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)solve->rows, rest, width, -1, solve->errors,
                        width, solve->u + (size_t)first * (size_t)n + first + width, n, 1, solve->w + first + width, n);
    }
}

size_t solve_f64_differing(const struct solve_f64 *solve, const float *weights, size_t *rows, size_t *first) {
    size_t n = (size_t)solve->n;
    size_t differing = 0, in_rows = 0, lowest = n, last = 0;
    for (size_t i = 0; i < (size_t)solve->rows * n; i++) {
        if ((weights[i] == 0) == (solve->w[i] == 0))
            continue;
        in_rows += differing == 0 || last != i / n;
        last = i / n;
        lowest = i % n < lowest ? i % n : lowest;
        differing++;
    }
    if (rows != NULL)
        *rows = in_rows;
    if (first != NULL)
        *first = lowest;
    return differing;
}

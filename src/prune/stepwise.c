#include "prune/stepwise.h"

#include <cblas.h>

/* Floating-point operations of a step: a fifth of a second where a core does 100 of them in a nanosecond, two seconds
 * where it does ten. */
#define STEP 4e10
#define ROWS_LEAST 64
#define ROWS_UNIT 32

void spotrf_(const char *triangle, const int *n, float *a, const int *leading, int *info);
void spotrs_(const char *triangle, const int *n, const int *columns, const float *a, const int *leading, float *b,
             const int *leading_b, int *info);

/* How many rows, at `cost` each, make a step. */
static int64_t step_rows(int64_t rows, double cost) {
    double step = STEP / cost;
    if (step >= (double)rows)
        return rows;
    int64_t whole = (int64_t)step / ROWS_UNIT * ROWS_UNIT;
    return whole > ROWS_LEAST ? whole : ROWS_LEAST;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

bool stepwise_product(float *out, const float *b, const float *a, int64_t rows, int64_t n, struct progress *progress,
                      struct error *error) {
    int64_t step = step_rows(rows, 2 * (double)n * (double)n);
    for (int64_t row = 0; row < rows; row += step) {
        if (!progress_continue(progress, error))
            return false;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)smaller(step, rows - row), (int)n, (int)n, 1,
                    b + row * n, (int)n, a, (int)n, 0, out + row * n, (int)n);
    }
    return true;
}

/* Columns [first, first + width) of L from what the columns before them have left, and their product off the rest. */
static bool cholesky_step(float *a, int64_t n, int64_t first, int64_t width) {
    float *corner = a + first * n + first;
    float *below = corner + width * n;
    int order = (int)width;
    int leading = (int)n;
    int rest = (int)(n - first - width);
    int info = 0;
    spotrf_("U", &order, corner, &leading, &info); /* a lower triangle by rows is an upper one by columns */
    if (info != 0 || rest == 0)
        return info == 0;
    cblas_strsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, rest, order, 1, corner, leading, below,
                leading);
    cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, rest, order, -1, below, leading, 1, below + width, leading);
    return true;
}

bool stepwise_cholesky(bool *positive, float *a, int64_t n, struct progress *progress, struct error *error) {
    double all = (double)n * (double)n * (double)n / 3;
    int64_t step = all <= STEP ? n : step_rows(n, (double)n * (double)n);
    *positive = true;
    for (int64_t first = 0; *positive && first < n; first += step) {
        if (!progress_continue(progress, error))
            return false;
        *positive = cholesky_step(a, n, first, smaller(step, n - first));
    }
    return true;
}

bool stepwise_solve(float *b, const float *l, int64_t rows, int64_t n, struct progress *progress, struct error *error) {
    int64_t step = step_rows(rows, 2 * (double)n * (double)n);
    int order = (int)n;
    for (int64_t row = 0; row < rows; row += step) {
        int count = (int)smaller(step, rows - row);
        int info = 0;
        if (!progress_continue(progress, error))
            return false;
        spotrs_("U", &order, &count, l, &order, b + row * n, &order, &info);
    }
    return true;
}

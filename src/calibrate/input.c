#include "calibrate/input.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "engine/vector.h"
#include <string.h>

/* Columns that one thread sums at a time: two f64 sums of that many stay in its first-level cache. */
#define SUM_COLUMNS 512

bool input_statistics_create(struct input_statistics *input, int64_t columns, bool full, struct error *error) {
    memset(input, 0, sizeof *input);
    input->columns = columns;
    input->sum = memory_alloc((size_t)columns, sizeof(double), error);
    input->sum_squares = memory_alloc((size_t)columns, sizeof(double), error);
    bool ok = input->sum != NULL && input->sum_squares != NULL;
    if (ok && full) {
        input->hessian = memory_alloc(1, sizeof *input->hessian, error);
        ok = input->hessian != NULL && hessian_create(input->hessian, columns, error);
    }
    if (!ok)
        input_statistics_free(input);
    return ok;
}

void input_statistics_free(struct input_statistics *input) {
    if (input->hessian != NULL)
        hessian_free(input->hessian);
    memory_free(input->hessian);
    memory_free(input->sum);
    memory_free(input->sum_squares);
    memset(input, 0, sizeof *input);
}

struct sum_work {
    struct input_statistics *input;
    const float *x;
    int64_t tokens;
};

static void sum_token(const struct sum_work *work, const float *row, size_t begin, size_t end) {
    for (size_t j = begin; j < end; j++) {
        double value = (double)row[j];
        work->input->sum[j] += value;
        work->input->sum_squares[j] += value * value;
    }
}

/* Four tokens for each load and store of the sums. */
VECTOR_CLONES
static void sum_four(double *restrict sum, double *restrict squares, const float *row, size_t columns, size_t count) {
    VECTOR_SIMD
    for (size_t j = 0; j < count; j++) {
        double a = (double)row[j];
        double b = (double)row[j + columns];
        double c = (double)row[j + 2 * columns];
        double d = (double)row[j + 3 * columns];
        sum[j] += (a + b) + (c + d);
        squares[j] += (a * a + b * b) + (c * c + d * d);
    }
}

static void sum_columns(void *context, size_t begin, size_t end, int thread) {
    const struct sum_work *work = context;
    size_t columns = (size_t)work->input->columns;
    int64_t fours = work->tokens / 4 * 4;
    (void)thread;
    for (int64_t t = 0; t < fours; t += 4)
        sum_four(work->input->sum + begin, work->input->sum_squares + begin, work->x + (size_t)t * columns + begin,
                 columns, end - begin);
    for (int64_t t = fours; t < work->tokens; t++)
        sum_token(work, work->x + (size_t)t * columns, begin, end);
}

bool input_statistics_add(struct input_statistics *input, const float *x, int64_t tokens, uint64_t sequences, bool bf16,
                          struct error *error) {
    struct sum_work work = {input, x, tokens};
    parallel_for((size_t)input->columns, SUM_COLUMNS, sum_columns, &work);
    input->tokens += (uint64_t)tokens;
    input->sequences += sequences;
    return input->hessian == NULL || hessian_add(input->hessian, x, tokens, sequences, bf16, error);
}

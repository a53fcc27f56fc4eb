#include "calibrate/input.h"

#include "base/memory.h"
#include "base/parallel.h"
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

static void sum_columns(void *context, size_t begin, size_t end, int thread) {
    const struct sum_work *work = context;
    size_t columns = (size_t)work->input->columns;
    double *sum = work->input->sum;
    double *squares = work->input->sum_squares;
    (void)thread;
    for (int64_t t = 0; t < work->tokens; t++) {
        const float *row = work->x + (size_t)t * columns;
        for (size_t j = begin; j < end; j++) {
            double value = (double)row[j];
            sum[j] += value;
            squares[j] += value * value;
        }
    }
}

bool input_statistics_add(struct input_statistics *input, const float *x, int64_t tokens, uint64_t sequences, bool bf16,
                          struct error *error) {
    struct sum_work work = {input, x, tokens};
    parallel_for((size_t)input->columns, SUM_COLUMNS, sum_columns, &work);
    input->tokens += (uint64_t)tokens;
    input->sequences += sequences;
    return input->hessian == NULL || hessian_add(input->hessian, x, tokens, sequences, bf16, error);
}

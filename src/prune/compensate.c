#include "prune/compensate.h"

#include "base/parallel.h"

struct compensation {
    double *change;
    const float *dense, *pruned;
    const struct input_statistics *input;
};

static void compensate_rows(void *context, size_t begin, size_t end, int thread) {
    const struct compensation *work = context;
    size_t columns = (size_t)work->input->columns;
    (void)thread;
    for (size_t row = begin; row < end; row++) {
        const float *dense = work->dense + row * columns;
        const float *pruned = work->pruned + row * columns;
        double sum = 0;
        for (size_t j = 0; j < columns; j++)
            sum += ((double)dense[j] - (double)pruned[j]) * work->input->sum[j];
        work->change[row] = sum / (double)work->input->tokens;
    }
}

bool compensate_bias(double *change, const float *dense, const float *pruned, const struct input_statistics *input,
                     int64_t rows, struct error *error) {
    if (input->sum == NULL || input->tokens == 0)
        return error_set(error, ERROR_USAGE,
                         "bias compensation needs the mean of the inputs, which this data does not hold; calibrate "
                         "with a text");
    struct compensation work = {change, dense, pruned, input};
    parallel_for((size_t)rows, 16, compensate_rows, &work);
    return true;
}

double compensate_gain(const double *change, const struct input_statistics *input, int64_t rows) {
    double sum = 0;
    for (int64_t i = 0; i < rows; i++)
        sum += change[i] * change[i];
    return sum * (double)input->tokens;
}

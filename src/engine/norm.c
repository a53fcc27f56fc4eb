#include "engine/norm.h"

#include "base/parallel.h"
#include "engine/vector.h"

/* Terms that are added in f32 before f64 takes over. */
#define CHUNK 256

VECTOR_CLONES static float chunk_sum(const float *x, int64_t count) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    return sum;
}

VECTOR_CLONES static float chunk_squares(const float *x, float mean, int64_t count) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum;
}

static double row_mean(const float *x, int64_t columns) {
    double sum = 0;
    for (int64_t i = 0; i < columns; i += CHUNK)
        sum += (double)chunk_sum(x + i, columns - i < CHUNK ? columns - i : CHUNK);
    return sum / (double)columns;
}

static double row_variance(const float *x, float mean, int64_t columns) {
    double sum = 0;
    for (int64_t i = 0; i < columns; i += CHUNK)
        sum += (double)chunk_squares(x + i, mean, columns - i < CHUNK ? columns - i : CHUNK);
    return sum / (double)columns;
}

VECTOR_CLONES static void scale_plain(float *y, const float *x, float mean, float scale, int64_t columns) {
    VECTOR_SIMD
    for (int64_t i = 0; i < columns; i++)
        y[i] = (x[i] - mean) * scale;
}

VECTOR_CLONES static void scale_weighted(float *y, const float *x, float mean, float scale, const float *weight,
                                         float offset, int64_t columns) {
    VECTOR_SIMD
    for (int64_t i = 0; i < columns; i++)
        y[i] = (x[i] - mean) * scale * (weight[i] + offset);
}

VECTOR_CLONES static void add_bias(float *y, const float *bias, int64_t columns) {
    VECTOR_SIMD
    for (int64_t i = 0; i < columns; i++)
        y[i] += bias[i];
}

void norm_row(float *y, const float *x, const struct norm *norm, int64_t columns) {
    float mean = norm->kind == NORM_LAYER ? (float)row_mean(x, columns) : 0.0f;
    float scale = (float)(1.0 / sqrt(row_variance(x, mean, columns) + norm->epsilon));
    if (norm->weight != NULL)
        scale_weighted(y, x, mean, scale, norm->weight, (float)norm->offset, columns);
    else
        scale_plain(y, x, mean, scale, columns);
    if (norm->bias != NULL)
        add_bias(y, norm->bias, columns);
}

struct norm_work {
    float *y;
    const float *x;
    const struct norm *norm;
    size_t columns;
};

static void norm_some(void *context, size_t begin, size_t end, int thread) {
    const struct norm_work *work = context;
    (void)thread;
    for (size_t row = begin; row < end; row++)
        norm_row(work->y + row * work->columns, work->x + row * work->columns, work->norm, (int64_t)work->columns);
}

void norm_rows(float *y, const float *x, const struct norm *norm, int64_t rows, int64_t columns) {
    struct norm_work work = {y, x, norm, (size_t)columns};
    parallel_for((size_t)rows, 32, norm_some, &work);
}

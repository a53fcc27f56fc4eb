/* The selection of weights against memcpy and qsort of the same values, all measured in this run. */
#include "base/memory.h"
#include "base/parallel.h"
#include "prune/score.h"
#include "prune/score_methods.h"
#include "tests/bench/bench.h"
#include <stdlib.h>
#include <string.h>

#define ROWS 4096
#define COLUMNS 4096
#define COUNT ((size_t)ROWS * COLUMNS)

struct work {
    float *weights, *copy;
    uint8_t *mask;
    float *norms;
    struct pattern pattern;
};

static void fill(float *values, size_t count) {
    uint64_t state = 1;
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (int j = 0; j < 4; j++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            sum += (double)(state >> 40) / (1 << 24) - 0.5;
        }
        values[i] = (float)sum / 30;
    }
}

static void copy_rows(void *context, size_t begin, size_t end, int thread) {
    struct work *work = context;
    (void)thread;
    memcpy(work->copy + begin * COLUMNS, work->weights + begin * COLUMNS, (end - begin) * COLUMNS * sizeof(float));
}

static void copy(void *context) {
    parallel_for(ROWS, 64, copy_rows, context);
}

static int compare_magnitudes(const void *a, const void *b) {
    float left = fabsf(*(const float *)a), right = fabsf(*(const float *)b);
    return (left > right) - (left < right);
}

static void select_wanda(void *context) {
    struct work *work = context;
    struct layer layer = {.weights = work->weights, .rows = ROWS, .columns = COLUMNS, .pattern = work->pattern};
    layer.sparsity = 0.5;
    (void)score_select(work->mask, &layer, wanda_scores, work->norms, NULL);
}

static void select_magnitude(void *context) {
    struct work *work = context;
    (void)pattern_select(work->mask, work->weights, work->pattern, ROWS, COLUMNS, 0.5, NULL);
}

static double sort_seconds(struct work *work) {
    memcpy(work->copy, work->weights, COUNT * sizeof(float));
    double start = progress_clock();
    qsort(work->copy, COUNT, sizeof(float), compare_magnitudes);
    return progress_clock() - start;
}

int main(void) {
    parallel_set_threads(0);
    struct work work = {.weights = memory_alloc_aligned(COUNT, sizeof(float), NULL),
                        .copy = memory_alloc_aligned(COUNT, sizeof(float), NULL),
                        .mask = memory_alloc(COUNT, 1, NULL),
                        .norms = memory_alloc(COLUMNS, sizeof(float), NULL)};
    if (work.weights == NULL || work.copy == NULL || work.mask == NULL || work.norms == NULL)
        return 1;
    fill(work.weights, COUNT);
    fill(work.norms, COLUMNS);
    memset(work.mask, 0, COUNT);
    double memcpy_seconds = bench_seconds(copy, &work);
    printf("memcpy of 4096x4096 f32 on all threads: %.1f GB/s\n", 4e-9 * (double)COUNT / memcpy_seconds);
    work.pattern = (struct pattern){PATTERN_N_M, 2, 4};
    bench_at_least("wanda 2:4, scores and selection / memcpy", memcpy_seconds / bench_seconds(select_wanda, &work),
                   0.6);
    work.pattern = (struct pattern){PATTERN_ROW, 0, 0};
    bench_at_least("wanda 50 % per row / memcpy", memcpy_seconds / bench_seconds(select_wanda, &work), 0.18);
    work.pattern = (struct pattern){PATTERN_UNSTRUCTURED, 0, 0};
    double magnitude = bench_seconds(select_magnitude, &work);
    bench_at_least("magnitude 50 %, 4096x4096 / qsort", sort_seconds(&work) / magnitude, 30);
    memory_free(work.weights);
    memory_free(work.copy);
    memory_free(work.mask);
    memory_free(work.norms);
    return 0;
}

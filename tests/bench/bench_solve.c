/* The layer solve against its floor, both measured in this run: one Cholesky factorisation and the products that no
 * ordering of the work can avoid (rows · columns² floating-point operations at the rate of sgemm). */
#include "base/memory.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "calibrate/input.h"
#include "prune/factor.h"
#include "prune/sparsegpt.h"
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEATS 5

void spotrf_(const char *triangle, const int *n, float *a, const int *leading, int *info);

static uint64_t random_state = 1;

static float random_normal(void) {
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        random_state = random_state * 6364136223846793005U + 1442695040888963407U;
        sum += (double)(random_state >> 40) / (1 << 24) - 0.5;
    }
    return (float)(sum * 1.73);
}

static float *random_matrix(size_t rows, size_t columns) {
    float *values = memory_alloc_aligned(rows * columns, sizeof *values, NULL);
    for (size_t i = 0; i < rows * columns; i++)
        values[i] = random_normal();
    return values;
}

static double sgemm_seconds_per_operation(void) {
    const int n = 2048;
    float *a = random_matrix((size_t)n, (size_t)n);
    float *c = random_matrix((size_t)n, (size_t)n);
    double best = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        double start = progress_clock();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, a, n, 0, c, n);
        best = fmin(best, progress_clock() - start);
    }
    memory_free(a);
    memory_free(c);
    return best / (2.0 * n * n * n);
}

static double factor_seconds(const struct input_statistics *input) {
    int n = (int)input->columns;
    float *h = memory_alloc_aligned((size_t)n * (size_t)n, sizeof *h, NULL);
    double best = INFINITY;
    for (int i = 0; i < 3; i++) {
        int info;
        hessian_copy(h, input->hessian, hessian_scale(input->hessian, false));
        for (int j = 0; j < n; j++)
            h[(size_t)j * (size_t)n + (size_t)j] += 0.1F;
        double start = progress_clock();
        spotrf_("U", &n, h, &n, &info);
        best = fmin(best, progress_clock() - start);
    }
    memory_free(h);
    return best;
}

static double solve_seconds(const struct input_statistics *input, const float *dense, int64_t rows,
                            struct pattern pattern) {
    size_t count = (size_t)rows * (size_t)input->columns;
    float *weights = memory_alloc_aligned(count, sizeof *weights, NULL);
    double best = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        memcpy(weights, dense, count * sizeof *weights);
        struct layer layer = {.name = "bench",
                              .weights = weights,
                              .rows = rows,
                              .columns = input->columns,
                              .input = input,
                              .pattern = pattern,
                              .sparsity = 0.5};
        struct error error = {0};
        double start = progress_clock();
        if (!sparsegpt_prune(&layer, NULL, &error)) {
            (void)fprintf(stderr, "%s\n", error.text);
            exit(1);
        }
        best = fmin(best, progress_clock() - start);
        factor_free(layer.factor);
    }
    memory_free(weights);
    return best;
}

static void bench_shape(int64_t rows, int64_t columns, double limit, double per_operation) {
    struct error error = {0};
    struct input_statistics input;
    int64_t tokens = 2048;
    if (!input_statistics_create(&input, columns, true, &error))
        exit(1);
    float *x = random_matrix((size_t)tokens, (size_t)columns);
    for (int64_t t = 0; t < 3; t++)
        (void)input_statistics_add(&input, x, tokens, 1, false, &error);
    float *dense = random_matrix((size_t)rows, (size_t)columns);
    double floor = factor_seconds(&input) + (double)rows * (double)columns * (double)columns * per_operation;
    static const struct {
        const char *name;
        struct pattern pattern;
    } patterns[] = {{"50 %", {PATTERN_UNSTRUCTURED, 0, 0}}, {"2:4", {PATTERN_N_M, 2, 4}}};
    for (size_t p = 0; p < 2; p++) {
        double seconds = solve_seconds(&input, dense, rows, patterns[p].pattern);
        printf("sparsegpt %lldx%lld %-5s %.2f of the floor, at most %.2f  %s\n", (long long)rows, (long long)columns,
               patterns[p].name, seconds / floor, limit, seconds / floor <= limit ? "PASS" : "BELOW");
        (void)fflush(stdout);
    }
    memory_free(x);
    memory_free(dense);
    input_statistics_free(&input);
}

int main(int count, char **words) {
    bool all = count < 2 || strcmp(words[1], "--quick") != 0;
    parallel_set_threads(0);
    double per_operation = sgemm_seconds_per_operation();
    bench_shape(4096, 4096, 1.35, per_operation);
    if (all) {
        bench_shape(11008, 4096, 1.4, per_operation);
        bench_shape(4096, 11008, 1.2, per_operation);
    }
    return 0;
}

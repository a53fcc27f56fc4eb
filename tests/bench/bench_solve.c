/* The layer solve against its floor, both measured in this run: one Cholesky factorisation and the products that no
 * ordering of the work can avoid (rows · columns² floating-point operations at the rate of sgemm). Beside it what share
 * of it goes into choosing weights and sweeping columns, and what the published implementation took on a machine of the
 * kind that this was made on, as a multiple of the same floor: kept figures, not measured here. */
#include "base/memory.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "calibrate/input.h"
#include "prune/factor.h"
#include "prune/pattern.h"
#include "prune/sparsegpt.h"
#include "prune/sparsegpt_panel.h"
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
        if (!sparsegpt_prune(&layer, &error)) {
            (void)fprintf(stderr, "%s\n", error.text);
            exit(1);
        }
        best = fmin(best, progress_clock() - start);
        factor_free(layer.factor);
    }
    memory_free(weights);
    return best;
}

#define WIDTH 128

static void sweep_lanes(void *context, size_t begin, size_t end, int thread) {
    static float errors[2][WIDTH * PANEL_LANES] __attribute__((aligned(64)));
    for (size_t lane = begin; lane < end; lane++)
        panel_sweep(context, (int64_t)lane * PANEL_LANES, errors[thread % 2]);
}

/* What choosing by one threshold and sweeping take for one panel of WIDTH columns. */
static double panel_seconds(int64_t rows, bool by_group) {
    size_t cells = (size_t)rows * WIDTH;
    float *weights = random_matrix(WIDTH, (size_t)rows);
    float *scores = random_matrix(WIDTH, (size_t)rows);
    float *u = random_matrix(WIDTH, WIDTH);
    struct panel panel = {.width = WIDTH, .stride = rows, .weights = weights, .u = u, .diagonal = u, .n = 2, .m = 4};
    double best = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        uint64_t ties;
        double start = progress_clock();
        if (!by_group)
            select_threshold(&panel.threshold, &ties, scores, cells, cells / 2);
        panel.scores = by_group ? NULL : scores;
        parallel_for((size_t)rows / PANEL_LANES, 4, sweep_lanes, &panel);
        best = fmin(best, progress_clock() - start);
    }
    memory_free(weights);
    memory_free(scores);
    memory_free(u);
    return best;
}

static void report(int64_t rows, int64_t columns, const char *name, double ratio, double limit, double published) {
    printf("sparsegpt %lldx%lld %-5s %.2f of the floor, at most %.2f  %s   (published implementation: %.1f)\n",
           (long long)rows, (long long)columns, name, ratio, limit, ratio <= limit ? "PASS" : "BELOW", published);
}

static void report_share(const char *name, double share) {
    printf("  choosing and sweeping, %-5s %.0f %% of it, at most 15 %%  %s\n", name, 100 * share,
           share <= 0.15 ? "PASS" : "BELOW");
    (void)fflush(stdout);
}

static void bench_shape(int64_t rows, int64_t columns, double limit, const double published[2], double per_operation) {
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
        report(rows, columns, patterns[p].name, seconds / floor, limit, published[p]);
        report_share(patterns[p].name, panel_seconds(rows, p == 1) * (double)(columns / WIDTH) / seconds);
    }
    memory_free(x);
    memory_free(dense);
    input_statistics_free(&input);
}

int main(int count, char **words) {
    bool all = count < 2 || strcmp(words[1], "--quick") != 0;
    parallel_set_threads(0);
    double per_operation = sgemm_seconds_per_operation();
    bench_shape(4096, 4096, 1.35, (const double[]){9.5, 7.8}, per_operation);
    if (all) {
        bench_shape(11008, 4096, 1.4, (const double[]){18.9, 15.7}, per_operation);
        bench_shape(4096, 11008, 1.2, (const double[]){6.0, 4.7}, per_operation);
    }
    return 0;
}

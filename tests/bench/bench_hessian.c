/* Adding a batch of inputs to a Hessian against one ssyrk of the same size, in the same run: in f32, its sum in f64
 * included, and from bf16 where the processor multiplies it. */
#include "base/memory.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "calibrate/hessian.h"
#include "engine/gemm.h"
#include "model/corpus.h"
#include <cblas.h>
#include <math.h>
#include <stdio.h>

#define REPEATS 5
#define TOKENS 2048

static double ssyrk_seconds(const float *x, int n) {
    float *product = memory_alloc_aligned((size_t)n * (size_t)n, sizeof *product, NULL);
    double best = INFINITY;
    for (int i = 0; product != NULL && i < REPEATS; i++) {
        double start = progress_clock();
        cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, n, TOKENS, 1, x, n, 0, product, n);
        best = fmin(best, progress_clock() - start);
    }
    memory_free(product);
    return best;
}

static double add_seconds(struct hessian *hessian, const float *x, bool bf16) {
    double best = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        double start = progress_clock();
        if (!hessian_add(hessian, x, TOKENS, 1, bf16, NULL))
            return INFINITY;
        best = fmin(best, progress_clock() - start);
    }
    return best;
}

static void report(int n, const char *type, double rate, double least) {
    printf("hessian %5d %-4s %.2f times the rate of ssyrk, at least %.2f  %s\n", n, type, rate, least,
           rate >= least ? "PASS" : "BELOW");
    (void)fflush(stdout);
}

static bool bench_size(int n) {
    size_t count = (size_t)TOKENS * (size_t)n;
    float *x = memory_alloc_aligned(count, sizeof *x, NULL);
    struct hessian hessian = {0};
    bool ok = x != NULL && hessian_create(&hessian, n, NULL);
    uint64_t state = 1;
    for (size_t i = 0; ok && i < count; i++)
        x[i] = (float)((double)(corpus_random(&state) >> 40) / (1 << 24) - 0.5);
    if (ok) {
        double floor = ssyrk_seconds(x, n);
        report(n, "f32", floor / add_seconds(&hessian, x, false), 0.92);
        if (gemm_has_bf16())
            report(n, "bf16", floor / add_seconds(&hessian, x, true), 1.6);
    }
    hessian_free(&hessian);
    memory_free(x);
    return ok;
}

int main(void) {
    parallel_set_threads(0);
    return bench_size(4096) && bench_size(11008) ? 0 : 1;
}

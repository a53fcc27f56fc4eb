/* What the benchmarks share: the best of several runs, and one line for each ratio. */
#ifndef SECATEUR_TESTS_BENCH_H
#define SECATEUR_TESTS_BENCH_H

#include "base/progress.h"
#include <math.h>
#include <stdio.h>

#define BENCH_REPEATS 5

/* The shortest of BENCH_REPEATS runs, in seconds. */
static inline double bench_seconds(void (*run)(void *context), void *context) {
    double best = INFINITY;
    for (int i = 0; i < BENCH_REPEATS; i++) {
        double start = progress_clock();
        run(context);
        best = fmin(best, progress_clock() - start);
    }
    return best;
}

/* "what ratio required PASS": at least `required`. */
static inline void bench_at_least(const char *what, double ratio, double required) {
    printf("%-52s %8.2f  at least %6.2f  %s\n", what, ratio, required, ratio >= required ? "PASS" : "BELOW");
    (void)fflush(stdout);
}

/* "what value at most allowed PASS". */
static inline void bench_at_most(const char *what, double value, double allowed) {
    printf("%-52s %8.2f  at most  %6.2f  %s\n", what, value, allowed, value <= allowed ? "PASS" : "ABOVE");
    (void)fflush(stdout);
}

#endif

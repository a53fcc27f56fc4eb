/* Statistics of a mapped bf16 file, the basic ones and all with the exact histogram, against a plain sum over the same
 * mapping in the same run. */
#include "base/file.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "tensor/basics.h"
#include "tensor/summary.h"
#include "tests/bench/bench.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS ((size_t)131072)
#define COLUMNS ((size_t)4096)
#define BYTES (ROWS * COLUMNS * 2) /* 1 GiB */
#define PIECE ((size_t)1 << 20)

struct work {
    struct tensor tensor;
    _Atomic uint64_t sum;
};

/* A gigabyte of bell-shaped values, one megabyte repeated. */
static bool make_file(char *path) {
    float *values = memory_alloc(PIECE / 2, sizeof *values, NULL);
    uint8_t *stored = memory_alloc(PIECE, 1, NULL);
    uint64_t state = 1;
    int file = mkstemp(path);
    bool ok = file >= 0 && values != NULL && stored != NULL;
    for (size_t i = 0; ok && i < PIECE / 2; i++) {
        double sum = 0;
        for (int j = 0; j < 4; j++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            sum += (double)(state >> 40) / (1 << 24) - 0.5;
        }
        values[i] = (float)sum / 30;
    }
    if (ok)
        dtype_narrow(stored, values, DTYPE_BF16, PIECE / 2);
    for (size_t i = 0; ok && i < BYTES / PIECE; i++)
        ok = write(file, stored, PIECE) == (ssize_t)PIECE;
    if (file >= 0)
        (void)close(file);
    memory_free(values);
    memory_free(stored);
    return ok;
}

static void sum_piece(void *context, size_t begin, size_t end, int thread) {
    struct work *work = context;
    uint64_t sums[8] = {0};
    (void)thread;
    for (size_t i = begin * PIECE; i < end * PIECE; i += sizeof sums) {
        uint64_t eight[8];
        memcpy(eight, work->tensor.data + i, sizeof eight);
        for (size_t j = 0; j < 8; j++)
            sums[j] += eight[j];
    }
    for (size_t j = 0; j < 8; j++)
        atomic_fetch_add(&work->sum, sums[j]);
}

static void sum(void *context) {
    parallel_for(BYTES / PIECE, 1, sum_piece, context);
}

static void summarise(void *context) {
    struct work *work = context;
    summary_free(summary_create(&work->tensor, false, NULL, NULL));
}

static void basics(void *context) {
    struct work *work = context;
    struct basics found;
    (void)basics_compute(&found, &work->tensor, NULL, NULL);
}

int main(void) {
    char path[] = "/tmp/secateur-bench-XXXXXX";
    struct file_map map;
    struct error error = {0};
    parallel_set_threads(0);
    bool ok = make_file(path) && file_map_open(&map, path, &error);
    (void)unlink(path);
    if (!ok)
        return 1;
    struct work work = {.tensor = {.name = "w", .dtype = DTYPE_BF16, .rank = 2, .shape = {ROWS, COLUMNS}}};
    work.tensor.count = ROWS * COLUMNS;
    work.tensor.bytes = BYTES;
    work.tensor.data = map.data;
    double plain = bench_seconds(sum, &work);
    printf("plain sum over 1 GiB of bf16, mapped: %.1f GB/s\n", 1e-9 * (double)BYTES / plain);
    bench_at_least("zeros, NaN, min, max, mean, deviation / plain sum", plain / bench_seconds(basics, &work), 0.85);
    bench_at_least("all statistics, exact histogram / plain sum", plain / bench_seconds(summarise, &work), 0.35);
    file_map_close(&map);
    return 0;
}

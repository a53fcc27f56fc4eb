#include "tensor/basics.h"
#include "base/parallel.h"
#include "tensor/half_scan.h"
#include <math.h>

#define PIECES 64 /* fixed, so that sums do not depend on the number of threads */
#define RUN 4096  /* entries at a time */
#define FAINTEST 0x1p-80

struct piece {
    uint64_t zeros, nan, infinite;
    double sum, squares, minimum, maximum;
};

struct pass {
    const struct tensor *tensor;
    struct progress *progress;
    struct piece pieces[PIECES];
};

static void add_value(struct piece *piece, float value) {
    double w = value;
    if (!isfinite(value)) {
        piece->nan += isnan(value) != 0;
        piece->infinite += isinf(value) != 0;
        return;
    }
    piece->zeros += w == 0;
    piece->sum += w;
    piece->squares += w * w;
    piece->minimum = fmin(piece->minimum, w);
    piece->maximum = fmax(piece->maximum, w);
}

static void add_plain(struct piece *piece, const uint8_t *stored, size_t count, enum dtype dtype) {
    float values[RUN];
    dtype_widen(values, stored, dtype, count);
    for (size_t i = 0; i < count; i++)
        add_value(piece, values[i]);
}

/* False when the values need the plain loop. */
static bool add_fast(struct piece *piece, const uint8_t *stored, size_t count) {
    struct half_sums sums;
    half_sums_bf16(&sums, stored, count);
    if (!isfinite(sums.squares) || (sums.squares < FAINTEST && sums.zeros < count))
        return false;
    piece->zeros += sums.zeros;
    piece->sum += sums.sum;
    piece->squares += sums.squares;
    piece->minimum = fmin(piece->minimum, sums.minimum);
    piece->maximum = fmax(piece->maximum, sums.maximum);
    return true;
}

static void scan_piece(struct pass *pass, size_t index) {
    const struct tensor *tensor = pass->tensor;
    size_t bytes = dtype_info(tensor->dtype)->bytes, runs = ((size_t)tensor->count + RUN - 1) / RUN;
    bool fast = tensor->dtype == DTYPE_BF16 && half_scan_supported(DTYPE_BF16);
    struct piece *piece = &pass->pieces[index];
    size_t last = runs * (index + 1) / PIECES;
    *piece = (struct piece){.minimum = INFINITY, .maximum = -INFINITY};
    for (size_t run = runs * index / PIECES; run < last && !progress_cancelled(pass->progress); run++) {
        size_t left = (size_t)tensor->count - run * RUN, count = left < RUN ? left : RUN;
        const uint8_t *stored = tensor->data + run * RUN * bytes;
        if (!fast || count < RUN || !add_fast(piece, stored, count))
            add_plain(piece, stored, count, tensor->dtype);
        progress_add(pass->progress, count * bytes);
    }
}

static void scan_pieces(void *context, size_t begin, size_t end, int thread) {
    (void)thread;
    for (size_t i = begin; i < end; i++)
        scan_piece(context, i);
}

static struct piece merged(const struct pass *pass) {
    struct piece sum = pass->pieces[0];
    for (const struct piece *piece = pass->pieces + 1; piece < pass->pieces + PIECES; piece++) {
        sum.zeros += piece->zeros;
        sum.nan += piece->nan;
        sum.infinite += piece->infinite;
        sum.sum += piece->sum;
        sum.squares += piece->squares;
        sum.minimum = fmin(sum.minimum, piece->minimum);
        sum.maximum = fmax(sum.maximum, piece->maximum);
    }
    return sum;
}

bool basics_compute(struct basics *basics, const struct tensor *tensor, struct progress *progress,
                    struct error *error) {
    struct pass pass = {.tensor = tensor, .progress = progress};
    parallel_for(PIECES, 1, scan_pieces, &pass);
    if (!progress_continue(progress, error))
        return false;
    struct piece sum = merged(&pass);
    *basics = (struct basics){.count = tensor->count, .zeros = sum.zeros, .nan = sum.nan, .infinite = sum.infinite};
    double n = (double)(basics->count - basics->nan - basics->infinite);
    if (n > 0) {
        basics->minimum = sum.minimum;
        basics->maximum = sum.maximum;
        basics->mean = sum.sum / n;
        basics->deviation = sqrt(fmax(sum.squares / n - basics->mean * basics->mean, 0));
    }
    return true;
}

#include "calibrate/activity.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "engine/vector.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GRAIN 16384
#define EXPONENT_BIAS 127
#define FRACTION_BITS 23
#define PART_BITS 2 /* ACTIVITY_PARTS = 1 << 2 */

/* Counting by the upper bits of the float itself: sign off, then exponent and two bits of the fraction. */
#define RAW_BINS ((size_t)1 << (31 - FRACTION_BITS + PART_BITS))

struct raw {
    uint64_t bins[RAW_BINS];
    double sum_squares;
    float maximum;
};

struct add_work {
    const float *x;
    struct raw *raw; /* for each thread */
};

/* Neighbours fall into few bins: with a table for each of four, an addition need not wait for the one before it. */
static void count_bins(struct raw *raw, const float *x, size_t count) {
    enum { TABLES = 4 };
    uint32_t tables[TABLES][RAW_BINS] = {0};
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        tables[i % TABLES][(bits & UINT32_MAX >> 1) >> (FRACTION_BITS - PART_BITS)]++;
    }
    for (size_t b = 0; b < RAW_BINS; b++)
        raw->bins[b] += (uint64_t)tables[0][b] + tables[1][b] + tables[2][b] + tables[3][b];
}

VECTOR_CLONES
static void add_sizes(struct raw *raw, const float *x, size_t count) {
    double sum = 0;
    float maximum = raw->maximum;
#pragma omp simd reduction(+ : sum) reduction(max : maximum)
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(x[i]);
        sum += (double)size * (double)size;
        maximum = size > maximum ? size : maximum;
    }
    raw->sum_squares += sum;
    raw->maximum = maximum;
}

static void add_values(void *context, size_t begin, size_t end, int thread) {
    const struct add_work *work = context;
    for (size_t i = begin; i < end; i += GRAIN) {
        size_t count = end - i < GRAIN ? end - i : GRAIN;
        count_bins(&work->raw[thread], work->x + i, count);
        add_sizes(&work->raw[thread], work->x + i, count);
    }
}

/* The first raw bin holds zeros and the smallest subnormals alike; only these are told apart by looking again. */
static uint64_t exact_zeros(const float *x, size_t count) {
    uint64_t zeros = 0;
    for (size_t i = 0; i < count; i++)
        zeros += x[i] == 0;
    return zeros;
}

static size_t bin_of_raw(size_t raw) {
    long octave = (long)(raw >> PART_BITS) - EXPONENT_BIAS - ACTIVITY_FIRST;
    if (octave < 0)
        return 0;
    if (octave >= ACTIVITY_OCTAVES)
        return ACTIVITY_BINS - 1;
    return (size_t)octave * ACTIVITY_PARTS + (raw & (ACTIVITY_PARTS - 1));
}

static void fold(struct activity *activity, const struct raw *raw) {
    size_t infinite = (size_t)0xff << PART_BITS;
    for (size_t b = 0; b < RAW_BINS; b++) {
        if (b >= infinite)
            activity->odd += raw->bins[b];
        else
            activity->bins[bin_of_raw(b)] += raw->bins[b];
    }
    activity->sum_squares += raw->sum_squares;
    activity->maximum = raw->maximum > activity->maximum ? raw->maximum : activity->maximum;
}

bool activity_add(struct activity *activity, const float *x, size_t count, struct error *error) {
    size_t threads = (size_t)parallel_threads();
    struct add_work work = {.x = x, .raw = memory_alloc(threads, sizeof(struct raw), error)};
    if (work.raw == NULL)
        return false;
    parallel_for(count, GRAIN, add_values, &work);
    uint64_t small = 0;
    for (size_t t = 0; t < threads; t++) {
        small += work.raw[t].bins[0];
        fold(activity, &work.raw[t]);
    }
    uint64_t zeros = small > 0 ? exact_zeros(x, count) : 0;
    activity->bins[0] -= zeros;
    activity->zeros += zeros;
    activity->values += count;
    memory_free(work.raw);
    return true;
}

void activity_merge(struct activity *activity, const struct activity *other) {
    activity->values += other->values;
    activity->zeros += other->zeros;
    activity->odd += other->odd;
    activity->sum_squares += other->sum_squares;
    activity->maximum = fmaxf(activity->maximum, other->maximum);
    for (size_t b = 0; b < ACTIVITY_BINS; b++)
        activity->bins[b] += other->bins[b];
}

double activity_zero_share(const struct activity *activity) {
    return activity->values > 0 ? (double)activity->zeros / (double)activity->values : NAN;
}

double activity_rms(const struct activity *activity) {
    return activity->values > 0 ? sqrt(activity->sum_squares / (double)activity->values) : NAN;
}

double activity_small_share(const struct activity *activity, double relative) {
    double limit = relative * activity_rms(activity);
    if (!(limit > 0))
        return activity_zero_share(activity);
    double place = (log2(limit) - ACTIVITY_FIRST) * ACTIVITY_PARTS;
    double below = (double)activity->zeros;
    for (size_t b = 0; b < ACTIVITY_BINS && (double)b < place; b++) {
        double share = place - (double)b;
        below += (double)activity->bins[b] * (share < 1 ? share : 1);
    }
    return below / (double)activity->values;
}

static int compare_doubles(const void *a, const void *b) {
    double first = *(const double *)a;
    double second = *(const double *)b;
    return (first > second) - (first < second);
}

static void insert_outlier(size_t *indices, size_t count, size_t room, const double *sum_squares, size_t channel) {
    size_t place = count < room ? count : room;
    while (place > 0 && sum_squares[indices[place - 1]] < sum_squares[channel]) {
        if (place < room)
            indices[place] = indices[place - 1];
        place--;
    }
    if (place < room)
        indices[place] = channel;
}

size_t activity_outliers(size_t *indices, size_t room, const double *sum_squares, int64_t columns, double factor,
                         struct error *error) {
    size_t count = (size_t)columns;
    double *sorted = memory_alloc(count, sizeof *sorted, error);
    if (sorted == NULL)
        return 0;
    memcpy(sorted, sum_squares, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    double limit = sorted[count / 2] * factor * factor;
    memory_free(sorted);
    size_t found = 0;
    for (size_t j = 0; j < count; j++)
        if (sum_squares[j] >= limit && sum_squares[j] > 0)
            insert_outlier(indices, found++, room, sum_squares, j);
    return found;
}

#include "plan/curve.h"

#include "base/memory.h"
#include "base/parallel.h"
#include <math.h>
#include <string.h>

/* Scores are counted by the upper bits of their float: 8 of the exponent and 8 (by row: 4) of the fraction, so that a
 * bin is narrower than 0.4 % (6 %) of its score; within a bin cost is taken as even. */
#define MATRIX_SHIFT 15
#define ROW_SHIFT 19
#define BINS(shift) ((size_t)1 << (31 - (shift)))
#define ROWS_AT_ONCE 8

struct bin {
    double cost;
    uint64_t count;
};

struct curve_work {
    enum curve_order order;
    const float *weights;
    const double *squares;
    size_t columns;
    struct bin *bins; /* for each thread: of the matrix, or of the row in hand */
    size_t bin_count;
    double *sums; /* for each thread: CURVE_POINTS of the rows' curves, then n of 4, then n of 8 */
};

#define SUMS (CURVE_POINTS + 4 + 8)

static size_t bin_of(float score, int shift) {
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    return bits >> shift;
}

static void count_row(struct bin *bins, const struct curve_work *work, const float *row, int shift) {
    for (size_t j = 0; j < work->columns; j++) {
        double cost = (double)row[j] * (double)row[j] * work->squares[j];
        float score = work->order == CURVE_MAGNITUDE ? fabsf(row[j]) : (float)cost;
        struct bin *bin = &bins[bin_of(score, shift)];
        bin->cost += cost;
        bin->count++;
    }
}

/* Adds to sums[i] the cost of the i/256 of `count` entries in the lowest bins. */
static void add_curve(double *sums, const struct bin *bins, size_t bin_count, uint64_t count) {
    double cost = 0;
    double passed = 0;
    size_t point = 0;
    for (size_t b = 0; b < bin_count && point < CURVE_POINTS; b++) {
        if (bins[b].count == 0)
            continue;
        double size = (double)bins[b].count;
        for (; point < CURVE_POINTS; point++) {
            double wanted = (double)count * (double)point / (CURVE_POINTS - 1);
            if (wanted > passed + size)
                break;
            sums[point] += cost + bins[b].cost * (wanted - passed) / size;
        }
        passed += size;
        cost += bins[b].cost;
    }
    for (; point < CURVE_POINTS; point++)
        sums[point] += cost;
}

struct entry {
    double score, cost;
};

static void sort_entries(struct entry *entries, size_t count) {
    for (size_t i = 1; i < count; i++) {
        struct entry entry = entries[i];
        size_t j = i;
        for (; j > 0 && entries[j - 1].score > entry.score; j--)
            entries[j] = entries[j - 1];
        entries[j] = entry;
    }
}

/* Adds the cost of keeping n of every m: for each n the m - n of lowest score of the group. */
static void add_groups(double *sums, const struct entry *entries, size_t count, size_t m) {
    for (size_t first = 0; first < count; first += m) {
        size_t size = count - first < m ? count - first : m;
        struct entry group[CURVE_GROUP];
        memcpy(group, entries + first, size * sizeof *group);
        sort_entries(group, size);
        for (size_t n = 1; n < m; n++) {
            size_t kept = (n * size + m - 1) / m;
            for (size_t i = 0; i < size - kept; i++)
                sums[n] += group[i].cost;
        }
    }
}

static void row_groups(double *sums, const struct curve_work *work, const float *row) {
    struct entry entries[CURVE_GROUP];
    for (size_t first = 0; first < work->columns; first += CURVE_GROUP) {
        size_t size = work->columns - first < CURVE_GROUP ? work->columns - first : CURVE_GROUP;
        for (size_t j = 0; j < size; j++) {
            double weight = (double)row[first + j];
            entries[j].cost = weight * weight * work->squares[first + j];
            entries[j].score = work->order == CURVE_MAGNITUDE ? fabs(weight) : entries[j].cost;
        }
        add_groups(sums + CURVE_POINTS, entries, size, 4);
        add_groups(sums + CURVE_POINTS + 4, entries, size, 8);
    }
}

static void count_rows(void *context, size_t begin, size_t end, int thread) {
    const struct curve_work *work = context;
    struct bin *bins = work->bins + (size_t)thread * work->bin_count;
    double *sums = work->sums + (size_t)thread * SUMS;
    for (size_t i = begin; i < end; i++) {
        const float *row = work->weights + i * work->columns;
        row_groups(sums, work, row);
        if (work->order != CURVE_ROW_COST) {
            count_row(bins, work, row, MATRIX_SHIFT);
            continue;
        }
        memset(bins, 0, work->bin_count * sizeof *bins);
        count_row(bins, work, row, ROW_SHIFT);
        add_curve(sums, bins, work->bin_count, work->columns);
    }
}

/* Threads' bins and sums into the first one's. */
static void gather(struct curve_work *work) {
    for (int thread = 1; thread < parallel_threads(); thread++) {
        for (size_t b = 0; b < work->bin_count; b++) {
            work->bins[b].cost += work->bins[(size_t)thread * work->bin_count + b].cost;
            work->bins[b].count += work->bins[(size_t)thread * work->bin_count + b].count;
        }
        for (size_t i = 0; i < SUMS; i++)
            work->sums[i] += work->sums[(size_t)thread * SUMS + i];
    }
}

static void fill(struct curve *curve, double *energy, const double *sums) {
    *energy = sums[CURVE_POINTS - 1];
    double scale = *energy > 0 ? 1 / *energy : 0;
    for (size_t i = 0; i < CURVE_POINTS; i++)
        curve->error[i] = (float)(sums[i] * scale);
    for (size_t n = 0; n < 4; n++)
        curve->n_of_4[n] = (float)(sums[CURVE_POINTS + n] * scale);
    for (size_t n = 0; n < 8; n++)
        curve->n_of_8[n] = (float)(sums[CURVE_POINTS + 4 + n] * scale);
}

bool curve_estimate(struct curve *curve, double *energy, enum curve_order order, const float *weights,
                    const double *squares, int64_t rows, int64_t columns, struct error *error) {
    size_t threads = (size_t)parallel_threads();
    struct curve_work work = {.order = order, .weights = weights, .squares = squares, .columns = (size_t)columns};
    work.bin_count = BINS(order == CURVE_ROW_COST ? ROW_SHIFT : MATRIX_SHIFT);
    work.bins = memory_alloc(threads * work.bin_count, sizeof *work.bins, error);
    work.sums = memory_alloc(threads * SUMS, sizeof *work.sums, error);
    bool ok = work.bins != NULL && work.sums != NULL;
    if (ok) {
        parallel_for((size_t)rows, ROWS_AT_ONCE, count_rows, &work);
        gather(&work);
        if (order != CURVE_ROW_COST)
            add_curve(work.sums, work.bins, work.bin_count, (uint64_t)rows * (uint64_t)columns);
        fill(curve, energy, work.sums);
    }
    memory_free(work.bins);
    memory_free(work.sums);
    return ok;
}

double curve_at(const struct curve *curve, double sparsity) {
    double place = fmin(fmax(sparsity, 0), 1) * (CURVE_POINTS - 1);
    size_t left = place >= CURVE_POINTS - 1 ? CURVE_POINTS - 2 : (size_t)place;
    double share = place - (double)left;
    return (double)curve->error[left] * (1 - share) + (double)curve->error[left + 1] * share;
}

double curve_for(const struct curve *curve, struct pattern pattern, double sparsity) {
    if (pattern.kind == PATTERN_N_M && sparsity > 0 && pattern.m == 4)
        return (double)curve->n_of_4[pattern.n];
    if (pattern.kind == PATTERN_N_M && sparsity > 0 && pattern.m == 8)
        return (double)curve->n_of_8[pattern.n];
    return curve_at(curve, sparsity);
}

double curve_slope(const struct curve *curve, double sparsity) {
    double place = fmin(fmax(sparsity, 0), 1) * (CURVE_POINTS - 1);
    size_t left = place >= CURVE_POINTS - 1 ? CURVE_POINTS - 2 : (size_t)place;
    return ((double)curve->error[left + 1] - (double)curve->error[left]) * (CURVE_POINTS - 1);
}

double curve_knee(const struct curve *curve) {
    size_t best = 0;
    double farthest = 0;
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        double chord = (double)curve->error[CURVE_POINTS - 1] * (double)i / (CURVE_POINTS - 1);
        double distance = chord - (double)curve->error[i];
        if (distance > farthest) {
            farthest = distance;
            best = i;
        }
    }
    return (double)best / (CURVE_POINTS - 1);
}

#include "tensor/magnitudes.h"
#include "base/memory.h"
#include <string.h>

#define STEPS 1024     /* points are at most 1/STEPS of the entries apart, unless a single bin holds more */
#define TAIL 16        /* and at most 1/TAIL of what lies above them, so that the largest are told apart, too */
#define TAIL_STEPS 512 /* more than TAIL ln(2^40) */

struct point {
    float magnitude;
    float unused; /* keeps `below` aligned without hidden padding */
    uint64_t below;
};

struct magnitudes {
    size_t count;
    uint64_t total;
    bool exact;
    struct point points[2 * (STEPS + TAIL_STEPS) + 4];
};

static float bin_edge(size_t bin) {
    uint32_t bits = (uint32_t)bin << 16;
    float edge;
    memcpy(&edge, &bits, sizeof edge);
    return edge;
}

static void add_point(struct magnitudes *magnitudes, size_t bin, uint64_t below) {
    struct point *last = magnitudes->points + magnitudes->count;
    if (magnitudes->count > 0 && last[-1].magnitude >= bin_edge(bin))
        return;
    *last = (struct point){.magnitude = bin_edge(bin), .below = below};
    magnitudes->count++;
}

static uint64_t next_step(uint64_t below, uint64_t total) {
    uint64_t step = total / STEPS, tail = (total - below) / TAIL;
    return below + (step < tail ? step : tail) + 1;
}

/* A point before and one after every bin that crosses a step, so that a large bin is never smeared over its
 * neighbours. */
static void fill(struct magnitudes *magnitudes, const uint64_t *bins) {
    uint64_t below = 0, next = next_step(0, magnitudes->total);
    size_t last = 0;
    add_point(magnitudes, 0, 0);
    for (size_t bin = 0; bin < MAGNITUDE_BINS; bin++) {
        if (bins[bin] == 0)
            continue;
        if (below == 0 || below + bins[bin] >= next)
            add_point(magnitudes, bin, below);
        below += bins[bin];
        last = bin;
        if (below >= next) {
            add_point(magnitudes, bin + 1, below);
            next = next_step(below, magnitudes->total);
        }
    }
    add_point(magnitudes, last + 1, below);
}

struct magnitudes *magnitudes_create(const uint64_t *bins, bool exact, struct error *error) {
    struct magnitudes *magnitudes = memory_alloc(1, sizeof *magnitudes, error);
    if (magnitudes == NULL)
        return NULL;
    magnitudes->exact = exact;
    for (size_t bin = 0; bin < MAGNITUDE_BINS; bin++)
        magnitudes->total += bins[bin];
    fill(magnitudes, bins);
    return magnitudes;
}

void magnitudes_free(struct magnitudes *magnitudes) {
    memory_free(magnitudes);
}

static double below_at(const struct magnitudes *magnitudes, double threshold, bool between) {
    const struct point *points = magnitudes->points;
    size_t i = 0;
    if (magnitudes->total == 0 || threshold <= 0)
        return 0;
    while (i < magnitudes->count && points[i].magnitude < threshold)
        i++;
    if (i == magnitudes->count)
        return 1;
    double below = (double)points[i].below;
    if (between) {
        double low = points[i - 1].magnitude, width = points[i].magnitude - low;
        double before = (double)points[i - 1].below;
        below = before + (below - before) * (threshold - low) / width;
    }
    return below / (double)magnitudes->total;
}

double magnitudes_below(const struct magnitudes *magnitudes, double threshold) {
    return below_at(magnitudes, threshold, !magnitudes->exact);
}

double magnitudes_smooth(const struct magnitudes *magnitudes, double threshold) {
    return below_at(magnitudes, threshold, true);
}

double magnitudes_quantile(const struct magnitudes *magnitudes, double fraction) {
    const struct point *points = magnitudes->points;
    double wanted = fraction * (double)magnitudes->total;
    size_t i = 1;
    if (magnitudes->total == 0 || fraction <= 0)
        return 0;
    while (i + 1 < magnitudes->count && (double)points[i].below < wanted)
        i++;
    if (magnitudes->exact)
        return points[i].magnitude;
    double before = (double)points[i - 1].below, within = (double)points[i].below - before;
    double part = within > 0 ? (wanted - before) / within : 0;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return points[i - 1].magnitude + part * ((double)points[i].magnitude - (double)points[i - 1].magnitude);
}

#include "base/memory.h"
#include "plan/allocate.h"
#include <math.h>

#define POINTS 1024

/* LAMP's score of the weight at quantile i / POINTS: w² over the sum of squares of all that are at least as large. It
 * rises with |w|, so a threshold on it is a quantile of the matrix. */
struct lamp {
    double score[POINTS + 1];
};

static void fill_scores(struct lamp *lamp, const struct summary *summary) {
    double above = 0;
    for (size_t i = POINTS + 1; i-- > 0;) {
        double weight = summary_quantile(summary, (double)i / POINTS);
        double share = i == POINTS ? 0.5 : 1; /* trapezoids */
        above += share * weight * weight * (double)summary->count / POINTS;
        double least = fmax(above, weight * weight); /* the largest weight is its own sum */
        lamp->score[i] = least > 0 ? weight * weight / least : 0;
    }
}

/* The fraction of a matrix with a score below the threshold, linearly between the points. */
static double fraction_below(const struct lamp *lamp, double threshold) {
    size_t low = 0;
    size_t high = POINTS;
    if (threshold <= lamp->score[0])
        return 0;
    if (threshold > lamp->score[POINTS])
        return 1;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (lamp->score[middle] < threshold)
            low = middle;
        else
            high = middle;
    }
    double step = lamp->score[high] - lamp->score[low];
    return ((double)low + (step > 0 ? (threshold - lamp->score[low]) / step : 0)) / POINTS;
}

static double gone_below(const struct allocation *allocation, const struct lamp *lamps, double threshold) {
    double total = 0;
    for (size_t i = 0; i < allocation->count; i++) {
        double share = fraction_below(&lamps[i], threshold);
        allocation->sparsity[i] = fmin(fmax(share, allocation->lows[i]), allocation->highs[i]);
        total += allocation->sizes[i] * allocation->sparsity[i];
    }
    return total;
}

bool strategy_lamp(struct allocation *allocation, struct error *error) {
    struct lamp *lamps = memory_alloc(allocation->count, sizeof *lamps, error);
    if (lamps == NULL)
        return false;
    for (size_t i = 0; i < allocation->count; i++)
        fill_scores(&lamps[i], allocation->summaries[allocation->matrices[i]]);
    double low = 1e-40;
    double high = 1;
    for (int i = 0; i < 150; i++) {
        double middle = sqrt(low * high);
        if (gone_below(allocation, lamps, middle) < allocation->wanted)
            low = middle;
        else
            high = middle;
    }
    (void)gone_below(allocation, lamps, high);
    memory_free(lamps);
    return true;
}

#include "plan/allocate.h"
#include <math.h>

static double gone_below(const struct allocation *allocation, double threshold) {
    double total = 0;
    for (size_t i = 0; i < allocation->count; i++) {
        const struct summary *summary = allocation->summaries[allocation->matrices[i]];
        double share = summary_fraction_below(summary, threshold);
        allocation->sparsity[i] = fmin(fmax(share, allocation->lows[i]), allocation->highs[i]);
        total += allocation->sizes[i] * allocation->sparsity[i];
    }
    return total;
}

bool strategy_global(struct allocation *allocation, struct error *error) {
    double low = 1e-30;
    double high = 1e30;
    (void)error;
    for (int i = 0; i < 120; i++) {
        double middle = sqrt(low * high);
        if (gone_below(allocation, middle) < allocation->wanted)
            low = middle;
        else
            high = middle;
    }
    (void)gone_below(allocation, high);
    return true;
}

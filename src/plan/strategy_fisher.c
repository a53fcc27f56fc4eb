#include "base/memory.h"
#include "plan/allocate.h"
#include <math.h>

/* Matrices with a larger trace of the Fisher information per weight keep more. Its diagonal is taken as the square of
 * the mean gradient; it spans orders of magnitude, so keep ratios go by its logarithm: from the least to the largest
 * they span 2 · spread. */
bool strategy_fisher(struct allocation *allocation, struct error *error) {
    double spread = allocation_parameter(allocation, strategy_find("fisher")->fallback);
    double least = INFINITY;
    double most = -INFINITY;
    (void)error;
    for (size_t i = 0; i < allocation->count; i++) {
        double trace = allocation->fisher[allocation->matrices[i]] / allocation->sizes[i];
        allocation->sparsity[i] = trace > 0 ? log(trace) : NAN;
        least = fmin(least, allocation->sparsity[i]); /* fmin and fmax pass over NaN */
        most = fmax(most, allocation->sparsity[i]);
    }
    for (size_t i = 0; i < allocation->count; i++) {
        double place = most > least ? (allocation->sparsity[i] - least) / (most - least) : 0.5;
        allocation->sparsity[i] = 1 - 2 * spread * (isnan(place) ? 0 : place); /* without any gradient: as the least */
    }
    return true;
}

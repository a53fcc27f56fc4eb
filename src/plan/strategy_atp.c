#include "plan/allocate.h"
#include <math.h>

#define STEPS 12 /* values of β that are measured, after 0 */

/* s_b = S + β (b − (L − 1) / 2) for block b of L. */
static void progression(struct allocation *allocation, double beta) {
    const struct model *model = plan_model(allocation->plan);
    double middle = ((double)model->block_count - 1) / 2;
    for (size_t i = 0; i < allocation->count; i++) {
        int64_t block = model->matrices[allocation->matrices[i]].block;
        allocation->sparsity[i] = allocation->budget + (block >= 0 ? beta * ((double)block - middle) : 0);
    }
    allocation_fit(allocation, FIT_SHIFT);
}

bool strategy_atp(struct allocation *allocation, struct error *error) {
    double last = fmax(1, (double)plan_model(allocation->plan)->block_count - 1);
    double most = fmin(2 * allocation->budget, 2 * (1 - allocation->budget)) / last;
    double best = allocation->parameter;
    double least = INFINITY;
    if (isnan(best) && allocation->measure == NULL)
        return error_set(
            error, ERROR_USAGE,
            "it needs a text to measure on (search-plan TEXT from=atp generations=0), or parameter=BETA (0 to %.3g "
            "for this model and budget)",
            most);
    for (int step = 0; isnan(allocation->parameter) && step <= STEPS; step++) {
        double nll;
        double beta = most * step / STEPS;
        progression(allocation, beta);
        if (!allocation->measure(allocation->context, &nll, allocation, error))
            return false;
        best = nll < least ? beta : best;
        least = fmin(nll, least);
    }
    progression(allocation, best);
    return true;
}

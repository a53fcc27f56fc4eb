#include "base/memory.h"
#include "plan/allocate.h"
#include <math.h>

/* AlphaPruning: mean Hill exponent α of each block's matrices; relative sparsity from 1 − ε (least α: heaviest tail) to
 * 1 + ε. */
static bool block_exponents(double *means, const struct sensitivity *sensitivity, struct error *error) {
    const struct model *model = sensitivity->model;
    for (size_t b = 0; b < model->block_count; b++) {
        double sum = 0;
        size_t count = 0;
        for (size_t i = model->blocks[b].first; i < model->blocks[b].first + model->blocks[b].count; i++) {
            if (!model->matrices[i].prunable)
                continue;
            if (isnan(sensitivity->matrices[i].hill))
                return error_set(error, ERROR_USAGE, "the singular values of %s are not known yet; run :spectrum first",
                                 model->matrices[i].name);
            sum += sensitivity->matrices[i].hill;
            count++;
        }
        means[b] = count > 0 ? sum / (double)count : NAN;
    }
    return true;
}

static void relative_sparsities(struct allocation *allocation, const double *exponents, double epsilon) {
    const struct model *model = plan_model(allocation->plan);
    double least = INFINITY;
    double most = -INFINITY;
    for (size_t b = 0; b < model->block_count; b++) {
        least = fmin(least, isnan(exponents[b]) ? least : exponents[b]);
        most = fmax(most, isnan(exponents[b]) ? most : exponents[b]);
    }
    for (size_t i = 0; i < allocation->count; i++) {
        int64_t block = model->matrices[allocation->matrices[i]].block;
        bool known = block >= 0 && !isnan(exponents[block]) && most > least;
        double place = known ? (exponents[block] - least) / (most - least) : 0.5;
        allocation->sparsity[i] = 1 - epsilon + 2 * epsilon * place;
    }
}

bool strategy_alpha(struct allocation *allocation, struct error *error) {
    if (allocation->sensitivity == NULL)
        return error_set(error, ERROR_USAGE, "the singular values are not known yet; run :spectrum first");
    double *means = memory_alloc(allocation->sensitivity->model->block_count, sizeof *means, error);
    bool ok = means != NULL && block_exponents(means, allocation->sensitivity, error);
    if (ok)
        relative_sparsities(allocation, means, allocation_parameter(allocation, strategy_find("alpha")->fallback));
    memory_free(means);
    return ok;
}

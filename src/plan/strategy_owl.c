#include "base/memory.h"
#include "plan/allocate.h"
#include <math.h>

#define OUTLIER_LEVEL 1 /* M = 5 in sensitivity_outlier_levels */

/* LOD of a block: the share of its weights whose score |w| ‖X_j‖ exceeds five times the block's mean. */
static void outlier_shares(double *shares, const struct sensitivity *sensitivity) {
    const struct model *model = sensitivity->model;
    for (size_t b = 0; b < model->block_count; b++) {
        double outliers = 0;
        double weights = 0;
        for (size_t i = model->blocks[b].first; i < model->blocks[b].first + model->blocks[b].count; i++) {
            const struct matrix *matrix = &model->matrices[i];
            if (!matrix->prunable || !sensitivity->matrices[i].known)
                continue;
            outliers += sensitivity->matrices[i].outliers[OUTLIER_LEVEL];
            weights += (double)matrix->rows * (double)matrix->columns;
        }
        shares[b] = weights > 0 ? 100 * outliers / weights : NAN;
    }
}

bool strategy_owl(struct allocation *allocation, struct error *error) {
    double *shares = memory_alloc(plan_model(allocation->plan)->block_count, sizeof *shares, error);
    if (shares == NULL)
        return false;
    outlier_shares(shares, allocation->sensitivity);
    allocation_spread_blocks(allocation, shares, allocation_parameter(allocation, strategy_find("owl")->fallback));
    memory_free(shares);
    return true;
}

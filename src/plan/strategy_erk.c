#include "plan/allocate.h"

/* Density in proportion to (n_in + n_out) / (n_in · n_out); the fit scales all densities alike and gives what matrices
 * that would exceed density 1 cannot take to the rest. */
bool strategy_erk(struct allocation *allocation, struct error *error) {
    const struct model *model = plan_model(allocation->plan);
    (void)error;
    for (size_t i = 0; i < allocation->count; i++) {
        const struct matrix *matrix = &model->matrices[allocation->matrices[i]];
        double rows = (double)matrix->rows;
        double columns = (double)matrix->columns;
        allocation->sparsity[i] = 1 - (rows + columns) / (rows * columns);
    }
    return true;
}

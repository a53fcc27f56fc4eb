#include "plan/cost.h"

#include <math.h>

double plan_bytes(const struct plan *plan, const enum dtype *dtype) {
    const struct model *model = plan_model(plan);
    double total = 0;
    for (size_t i = 0; i < model->weight_count; i++) {
        const struct weight *weight = &model->weights[i];
        double count = (double)weight->tensor->count;
        bool other = dtype != NULL && dtype_info(weight->tensor->dtype)->real;
        double dense = other ? count * (double)dtype_info(*dtype)->bytes : (double)weight->tensor->bytes;
        double gone = weight->matrix != SIZE_MAX ? (double)plan_count(plan, weight->matrix) : 0;
        total += gone > 0 ? fmin(dense, dense * (1 - gone / count) + count / 8) : dense;
    }
    return total;
}

/* How often a token meets a matrix: of experts, only those that it is sent to. */
static double meetings(const struct model *model, const struct matrix *matrix) {
    const struct experts *experts = &model->architecture.experts;
    switch (matrix->role) {
    case ROLE_EMBEDDING:
        return model->tied ? 1 : 0;
    case ROLE_POSITION:
    case ROLE_TOKEN_TYPE:
        return 0;
    default:
        break;
    }
    bool routed = matrix->expert >= 0 && model->architecture_known && experts->count > 0;
    return routed ? (double)experts->per_token / (double)experts->count : 1;
}

static double flops(const struct plan *plan, bool pruned) {
    const struct model *model = plan_model(plan);
    double total = 0;
    for (size_t i = 0; i < model->matrix_count; i++) {
        double gone = pruned ? (double)plan_count(plan, i) : 0;
        total += 2 * ((double)model->matrices[i].tensor->count - gone) * meetings(model, &model->matrices[i]);
    }
    return total;
}

double plan_flops(const struct plan *plan) {
    return flops(plan, true);
}

double plan_dense_flops(const struct plan *plan) {
    return flops(plan, false);
}

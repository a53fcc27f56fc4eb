#include "plan/allocate.h"

bool strategy_uniform(struct allocation *allocation, struct error *error) {
    (void)error;
    for (size_t i = 0; i < allocation->count; i++)
        allocation->sparsity[i] = allocation->budget;
    return true;
}

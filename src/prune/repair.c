#include "base/memory.h"
#include "prune/solver_methods.h"
#include "prune/support.h"
#include <string.h>

bool repair_prune(struct layer *layer, struct error *error) {
    struct least_squares problem;
    if (!least_squares_create(&problem, layer, error))
        return false;
    size_t count = (size_t)layer->rows * (size_t)layer->columns;
    float *b = memory_alloc_aligned(count, sizeof *b, error);
    bool ok = b != NULL;
    if (ok) {
        memcpy(b, problem.dense, count * sizeof *b);
        ok = support_finish(layer, &problem, b, layer->fixed_mask, error);
    }
    memory_free(b);
    least_squares_free(&problem);
    return ok;
}

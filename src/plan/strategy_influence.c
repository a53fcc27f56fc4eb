#include "base/memory.h"
#include "plan/allocate.h"
#include <math.h>

bool strategy_influence(struct allocation *allocation, struct error *error) {
    const struct sensitivity *sensitivity = allocation->sensitivity;
    size_t blocks = sensitivity->model->block_count;
    double *scores = memory_alloc(blocks, sizeof *scores, error);
    if (scores == NULL)
        return false;
    for (size_t b = 0; b < blocks; b++)
        scores[b] = sensitivity->blocks[b].known ? sensitivity->blocks[b].influence : NAN;
    allocation_spread_blocks(allocation, scores,
                             allocation_parameter(allocation, strategy_find("influence")->fallback));
    memory_free(scores);
    return true;
}

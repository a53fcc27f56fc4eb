#include "base/memory.h"
#include "plan/allocate.h"
#include <math.h>

/* The mean of |w| ‖X_j‖ over all weights of each block, as the released code has it (the paper speaks of the median).
 */
static void mean_scores(double *means, const struct sensitivity *sensitivity) {
    const struct model *model = sensitivity->model;
    for (size_t b = 0; b < model->block_count; b++) {
        double sum = 0;
        double weights = 0;
        for (size_t i = model->blocks[b].first; i < model->blocks[b].first + model->blocks[b].count; i++) {
            const struct matrix *matrix = &model->matrices[i];
            if (!matrix->prunable || !sensitivity->matrices[i].known)
                continue;
            sum += sensitivity->matrices[i].metric_sum;
            weights += (double)matrix->rows * (double)matrix->columns;
        }
        means[b] = weights > 0 ? sum / weights : NAN;
    }
}

/* r = 1 − score / Σ score: a block of large mean score keeps less. */
bool strategy_dlp(struct allocation *allocation, struct error *error) {
    size_t blocks = plan_model(allocation->plan)->block_count;
    double *scores = memory_alloc(blocks, sizeof *scores, error);
    if (scores == NULL)
        return false;
    double sum = 0;
    mean_scores(scores, allocation->sensitivity);
    for (size_t b = 0; b < blocks; b++)
        sum += isnan(scores[b]) ? 0 : scores[b];
    for (size_t b = 0; b < blocks; b++)
        scores[b] = 1 - scores[b] / sum;
    allocation_spread_blocks(allocation, scores, allocation_parameter(allocation, strategy_find("dlp")->fallback));
    memory_free(scores);
    return true;
}

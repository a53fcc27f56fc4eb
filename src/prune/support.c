#include "prune/support.h"

#include "prune/score.h"

/* What is reached in practice: the residual falls by about a factor of two with each iteration on damped Hessians. */
#define FINISH_ITERATIONS 40
#define FINISH_TOLERANCE 1e-5

/* So small that it decides only between entries that a solver has set to the same value, usually 0. */
#define TIE_BREAK 1e-10F

bool support_choose(uint8_t *mask, float *scores, const struct layer *layer, const struct least_squares *problem,
                    const float *b, double sparsity, struct error *error) {
    size_t count = (size_t)problem->rows * (size_t)problem->n;
    struct layer aim = *layer;
    aim.sparsity = sparsity;
    bool whole_rows = layer->pattern.kind == PATTERN_WHOLE_ROWS;
    for (size_t i = 0; whole_rows && i < count; i++)
        scores[i] = problem->dense[i] * problem->g[i];
    for (size_t i = 0; !whole_rows && i < count; i++)
        scores[i] = b[i] * b[i] + TIE_BREAK * problem->dense[i] * problem->dense[i];
    return score_pattern_select(mask, scores, &aim, error);
}

bool support_finish(struct layer *layer, const struct least_squares *problem, float *b, const uint8_t *mask,
                    struct error *error) {
    int made = 0;
    if (!least_squares_solve(b, &made, problem, mask, FINISH_ITERATIONS, FINISH_TOLERANCE, error))
        return false;
    layer->report.iterations += made;
    least_squares_store(layer, problem, b, mask);
    return true;
}

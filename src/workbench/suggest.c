#include "workbench/suggest.h"

#include "base/memory.h"
#include "plan/forecast.h"
#include <math.h>

#define STEP 0.05 /* of the smaller matrix's weights */

/* What moving some weights in or out of a matrix would change. */
struct option {
    size_t matrix;
    double size, price; /* forecast error per weight, near the present sparsity */
    bool used;
};

static bool movable(const struct model *model, const struct target *target, size_t matrix) {
    return model->matrices[matrix].prunable && !target->locked && target->pattern.kind != PATTERN_N_M;
}

static double cost(struct forecaster *forecaster, size_t matrix, struct target target, double sparsity) {
    bool estimated;
    target.sparsity = fmin(fmax(sparsity, target.low), target.high);
    return forecast_weight(forecaster, matrix) * forecast_matrix(forecaster, matrix, &target, &estimated);
}

static size_t collect(struct option *options, const struct plan *plan, struct forecaster *forecaster) {
    const struct model *model = plan_model(plan);
    size_t count = 0;
    for (size_t i = 0; i < model->matrix_count; i++) {
        const struct target *target = plan_target(plan, i);
        if (!movable(model, target, i) || !isfinite(cost(forecaster, i, *target, target->sparsity)))
            continue;
        double low = fmax(target->sparsity - STEP / 2, target->low);
        double high = fmin(target->sparsity + STEP / 2, target->high);
        double size = (double)model->matrices[i].tensor->count;
        if (high > low)
            options[count++] =
                (struct option){.matrix = i,
                                .size = size,
                                .price = (cost(forecaster, i, *target, high) - cost(forecaster, i, *target, low)) /
                                         ((high - low) * size)};
    }
    return count;
}

static bool has_room(const struct plan *plan, const struct option *option, double direction) {
    const struct target *target = plan_target(plan, option->matrix);
    double moved = target->sparsity + direction * STEP;
    return moved >= target->low - 1e-9 && moved <= target->high + 1e-9;
}

/* The cheapest unused matrix to cut more (direction +1), or the dearest to cut less (-1). */
static struct option *pick(struct option *options, size_t count, const struct plan *plan, double direction) {
    struct option *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (!options[i].used && has_room(plan, &options[i], direction) &&
            (best == NULL || direction * options[i].price < direction * best->price))
            best = &options[i];
    return best;
}

/* False when no move is left that gains anything. */
static bool add_move(struct text *output, struct option *options, size_t count, const struct plan *plan,
                     struct forecaster *forecaster) {
    const struct model *model = plan_model(plan);
    struct option *more = pick(options, count, plan, 1);
    struct option *less = pick(options, count, plan, -1);
    if (more == NULL || less == NULL || more == less)
        return false;
    double weights = STEP * fmin(more->size, less->size);
    const struct target *up = plan_target(plan, more->matrix);
    const struct target *down = plan_target(plan, less->matrix);
    double risen = up->sparsity + weights / more->size;
    double fallen = down->sparsity - weights / less->size;
    double gain = cost(forecaster, less->matrix, *down, down->sparsity) -
                  cost(forecaster, less->matrix, *down, fallen) + cost(forecaster, more->matrix, *up, up->sparsity) -
                  cost(forecaster, more->matrix, *up, risen);
    if (!(gain > 0))
        return false;
    more->used = less->used = true;
    text_add(output, "set %lld.%s %.2f%%; set %lld.%s %.2f%%   (from %.2f %% and %.2f %%: forecast error %.3g less)\n",
             (long long)model->matrices[less->matrix].block, model->matrices[less->matrix].label, 100 * fallen,
             (long long)model->matrices[more->matrix].block, model->matrices[more->matrix].label, 100 * risen,
             100 * down->sparsity, 100 * up->sparsity, gain);
    return true;
}

bool suggest_moves(struct text *output, struct workbench *workbench, size_t count, struct error *error) {
    const struct plan *plan = workbench->plan;
    struct option *options = memory_alloc(workbench->model->matrix_count, sizeof *options, error);
    if (options == NULL)
        return false;
    (void)pthread_mutex_lock(&workbench->mutex);
    bool known = workbench->forecaster != NULL;
    size_t found = known ? collect(options, plan, workbench->forecaster) : 0;
    size_t said = 0;
    while (known && said < count && add_move(output, options, found, plan, workbench->forecaster))
        said++;
    (void)pthread_mutex_unlock(&workbench->mutex);
    memory_free(options);
    if (!known)
        return error_set(error, ERROR_USAGE, "advice rests on activations; calibrate first (:calibrate TEXT)");
    if (said == 0)
        text_add(output, "no move between two matrices lowers the forecast error\n");
    return true;
}

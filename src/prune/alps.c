#include "base/memory.h"
#include "prune/admm.h"
#include "prune/solver_methods.h"
#include <string.h>

#define ITERATIONS 300
#define ITERATIONS_LEAST 30
#define CHECK_EVERY 3
#define RHO_START 0.1
#define RHO_MAXIMUM 1e6

/* The penalty's schedule: it grows the faster, the more of the support still changes. */
static const struct {
    double changed; /* share of the kept entries, at least */
    double factor;
} growth[] = {{0.1, 1.3}, {0.005, 1.2}, {0, 1.1}};

struct schedule {
    double rho;
    bool grown; /* the penalty has grown once: the start was low enough */
    uint64_t kept;
    uint8_t *previous; /* the support at the last check */
};

static uint64_t changes(struct schedule *schedule, const uint8_t *mask, size_t count) {
    uint64_t changed = 0;
    for (size_t i = 0; i < count; i++)
        changed += mask[i] != schedule->previous[i];
    memcpy(schedule->previous, mask, count);
    return changed;
}

/* Looks at how much of the support has changed and sets the next penalty; true when the support has settled. */
static bool settled(struct schedule *schedule, struct admm *admm, uint64_t changed, int iteration) {
    double share = schedule->kept > 0 ? (double)changed / (double)schedule->kept : 0;
    if (iteration >= ITERATIONS_LEAST && share < 3e-4)
        return true;
    size_t row = 0;
    while (row < 2 && share <= growth[row].changed)
        row++;
    if (row < 2 || (changed > 0 && schedule->grown)) {
        schedule->grown = true;
        schedule->rho =
            schedule->rho * growth[row].factor < RHO_MAXIMUM ? schedule->rho * growth[row].factor : RHO_MAXIMUM;
        return false;
    }
    if (schedule->grown)
        return true;
    schedule->rho /= 5; /* it settled before it moved: the penalty was too high from the start */
    admm_restart(admm);
    return false;
}

static bool find_support(struct admm *admm, struct layer *layer, struct error *error) {
    size_t count = (size_t)layer->rows * (size_t)layer->columns;
    struct schedule schedule = {.rho = RHO_START};
    schedule.kept = count - pattern_count(layer->pattern, layer->rows, layer->columns, layer->sparsity);
    schedule.previous = memory_alloc(count, 1, error);
    bool ok = schedule.previous != NULL;
    int limit = layer->options.iterations > 0 ? layer->options.iterations : ITERATIONS;
    for (int i = 0; ok && i < limit; i++) {
        ok = progress_continue(layer->progress, error) &&
             admm_iterate(admm, layer, schedule.rho, layer->sparsity, false, error);
        layer->report.iterations = i + 1;
        if (ok && (i + 1) % CHECK_EVERY == 0 && settled(&schedule, admm, changes(&schedule, admm->mask, count), i))
            break;
    }
    memory_free(schedule.previous);
    return ok;
}

bool alps_prune(struct layer *layer, struct error *error) {
    struct admm admm;
    if (!admm_create(&admm, layer, error))
        return false;
    bool ok = find_support(&admm, layer, error) &&
              support_choose(admm.mask, admm.scores, layer, &admm.problem, admm.b, layer->sparsity, error) &&
              support_finish(layer, &admm.problem, admm.b, admm.mask, error);
    admm_free(&admm);
    return ok;
}

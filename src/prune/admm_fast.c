#include "prune/admm.h"
#include "prune/schedule.h"
#include "prune/solver_methods.h"

#define ITERATIONS 20
#define RISING 15 /* of which the sparsity rises */
#define RHO 1.0

bool admm_fast_prune(struct layer *layer, struct error *error) {
    struct admm admm;
    if (!admm_create(&admm, layer, error))
        return false;
    bool ok = true;
    for (int i = 0; ok && i < ITERATIONS; i++) {
        bool fixed = i >= RISING;
        double sparsity = fixed ? layer->sparsity : schedule_cubic(0, layer->sparsity, i + 1, RISING);
        ok = progress_continue(layer->progress, error) && admm_iterate(&admm, layer, RHO, sparsity, fixed, error);
        layer->report.iterations = i + 1;
    }
    ok = ok && support_finish(layer, &admm.problem, admm.b, admm.mask, error);
    admm_free(&admm);
    return ok;
}

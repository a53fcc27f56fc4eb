/* What a plan would make of the model, without writing it: matrices are pruned in memory when the engine asks for them,
 * and kept for the next plan that asks for the same.
 *
 * Methods go by the calibration's sums over every input (magnitude, wanda, ria, obd and the like); those that need full
 * Hessians go by kept ones (kept_hessians.h) and are refused without. */
#ifndef SECATEUR_PRUNED_WEIGHTS_H
#define SECATEUR_PRUNED_WEIGHTS_H

#include "engine/engine.h"
#include "plan/plan.h"
#include "plan/sensitivity.h"
#include "workbench/kept_hessians.h"

struct pruned_weights;

/* method: for targets that name none. sensitivity may be NULL (methods that need no data). `memory`: bytes kept. All
 * must outlive it. */
struct pruned_weights *pruned_weights_create(const struct model *model, const struct sensitivity *sensitivity,
                                             const char *method, uint64_t memory, struct error *error);
void pruned_weights_free(struct pruned_weights *weights);

/* From now on methods that need Hessians find them there; `kept` must outlive the weights. */
void pruned_weights_use(struct pruned_weights *weights, struct kept_hessians *kept);

/* From now on as this plan says (copied). ERROR_USAGE when a method of it cannot work here. */
bool pruned_weights_set(struct pruned_weights *weights, const struct plan *plan, struct error *error);

/* Stays valid while `weights` does. What fails while the engine runs is kept for pruned_weights_check: ask it after
 * every run. */
const struct weight_source *pruned_weights_source(const struct pruned_weights *weights);
bool pruned_weights_check(const struct pruned_weights *weights, struct error *error);

#endif

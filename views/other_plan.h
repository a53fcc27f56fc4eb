/* A plan to compare with: a snapshot, a plan file, or what the model itself holds. */
#ifndef SECATEUR_OTHER_PLAN_H
#define SECATEUR_OTHER_PLAN_H

#include "workbench/workbench.h"

/* By name: a snapshot; "dense": nothing cut; "model": the zeros counted in its files; else a plan as CSV. New plan,
 * the caller's; NULL with a sentence. */
struct plan *other_plan_open(struct workbench *workbench, const char *name, struct error *error);

/* A plan of the same model with a snapshot's targets. */
struct plan *other_plan_of_snapshot(const struct plan *plan, size_t snapshot, struct error *error);

#endif

/* What plans cut and are expected to cost: the one under work and its snapshots. */
#ifndef SECATEUR_PLAN_FIGURES_H
#define SECATEUR_PLAN_FIGURES_H

#include "plan/forecast.h"
#include "workbench/workbench.h"

struct plan_figures {
    const char *name; /* NULL: the plan under work */
    struct plan_totals totals;
    bool has_budget;
    double budget;
    size_t locked; /* matrices */
    struct forecast forecast;
    double measured, measured_error; /* perplexity of exactly these targets; NaN while it was not measured */
};

/* The plan under work first, then the snapshots in their order; new memory, the caller's, names included. NULL with a
 * sentence. */
struct plan_figures *plan_figures_list(size_t *count, struct workbench *workbench, struct error *error);

/* All plans that were measured for the forecast, whatever made them; returns how many were filled in. */
size_t plan_figures_measured(double *sparsities, double *perplexities, size_t room, struct workbench *workbench);

#endif

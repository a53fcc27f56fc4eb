/* Where a search begins: the plan as it is, or the best of what the strategies propose, by measured loss. */
#ifndef SECATEUR_SEARCH_START_H
#define SECATEUR_SEARCH_START_H

#include "workbench/search.h"

/* Measures the plan that now stands in `plan`. */
struct search_judge {
    bool (*measure)(void *context, double *divergence, const struct plan *plan, struct error *error);
    void *context;
};

/* search->best becomes the start that settings.from asks for, at settings.budget; search->started names it. Strategies
 * that lack what they need are passed over, and named in the log, unless one was asked for by name. */
bool search_find_start(struct search *search, const struct search_judge *judge, struct error *error);

#endif

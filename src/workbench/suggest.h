/* Advice: which small changes of the plan the forecast likes best. */
#ifndef SECATEUR_SUGGEST_H
#define SECATEUR_SUGGEST_H

#include "workbench/workbench.h"

/* Up to `count` moves, best first: a matrix that is cut more, another that is cut less, as many weights each, and the
 * forecast error that this saves. Every matrix is named once at most. */
bool suggest_moves(struct text *output, struct workbench *workbench, size_t count, struct error *error);

#endif

/* What a plan's model takes: bytes to store it, operations to run it. Estimates from counts alone; no weight is read.
 */
#ifndef SECATEUR_COST_H
#define SECATEUR_COST_H

#include "plan/plan.h"

/* Bytes of all tensors when real ones are stored as `dtype` (NULL: each as its file has it) and every pruned matrix as
 * a bit for each weight and the kept weights behind them, where that is smaller than the dense matrix. */
double plan_bytes(const struct plan *plan, const enum dtype *dtype);

/* Floating-point operations of the matrix products for one token: 2 for each kept weight that a token meets. Of a
 * mixture's experts a token meets per_token of count. A tied embedding counts once, as the output matrix; tables that
 * are only looked up do not. Attention over earlier tokens is left out: it grows with the text and no plan changes it.
 */
double plan_flops(const struct plan *plan);
double plan_dense_flops(const struct plan *plan); /* with nothing pruned */

#endif

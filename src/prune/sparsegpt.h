/* SparseGPT (Frantar & Alistarh 2023, arXiv 2301.00774): columns from left to right, each panel of columns choosing its
 * mask by w² / [H⁻¹]_jj of the weights as they are by then, the error of every pruned weight spread over the columns
 * still to come.
 *
 * Solved without an inverse. With H = R Rᵀ (factor.h), U = R⁻¹, Z = W₀ − Q the total change so far and E = Z R the
 * errors in the units of U, the weights at the start of a panel P are W₀_P + (Z_<P R_<P,P) U_PP with U_PP = (R_PP)⁻¹.
 * Weights are kept transposed, so that a column is contiguous; a thread takes its own rows through a whole panel. */
#ifndef SECATEUR_SPARSEGPT_H
#define SECATEUR_SPARSEGPT_H

#include "prune/layer.h"

/* A row of the method table; see method.h. Patterns: unstructured and columns:N choose per panel of 128 (N) columns
 * over all rows, row per panel and row, N:M per group as it is reached; tiles, rows, columns and layer->fixed_mask are
 * chosen before the sweep. options.block, damping, bits and reference are used. */
bool sparsegpt_prune(struct layer *layer, struct error *error);

#endif

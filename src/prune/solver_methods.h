/* Methods that solve the layer problem iteratively; rows of the method table (method.h). All need the full Hessian but
 * dsnot. */
#ifndef SECATEUR_SOLVER_METHODS_H
#define SECATEUR_SOLVER_METHODS_H

#include "prune/layer.h"

/* ALPS (Meng et al. 2024, arXiv 2406.07831): ADMM finds the support, conjugate gradients the weights on it. */
bool alps_prune(struct layer *layer, struct error *error);

/* The cheap variant (Boža 2024, arXiv 2401.02938): 20 ADMM iterations with one factorisation, sparsity rising over 15
 * of them by the cubic schedule; then conjugate gradients as above. */
bool admm_fast_prune(struct layer *layer, struct error *error);

/* Least squares on layer->fixed_mask by conjugate gradients: the best weights for any selection. */
bool repair_prune(struct layer *layer, struct error *error);

/* DSnoT (Zhang et al. 2023, arXiv 2310.08915): swaps weights in and out of layer->fixed_mask, row by row, so that the
 * expected change of each output falls. Needs Σx as well as Σx². No weight changes its value. */
bool dsnot_prune(struct layer *layer, struct error *error);

/* Row-wise allocation: Wanda's order within rows, the matrix's count shared out among them by the rows' exact output
 * errors at six levels. No weight changes its value. */
bool rowwise_prune(struct layer *layer, struct error *error);

/* L1-regularised layer problem by FISTA (Beck & Teboulle 2009), λ found by bisection for the target, then debiased. */
bool lasso_prune(struct layer *layer, struct error *error);

/* Group lasso with the pattern's tiles, rows or columns as groups, solved and debiased in the same way. */
bool group_lasso_prune(struct layer *layer, struct error *error);

/* Iterative hard thresholding (Blumensath & Davies 2009): keep the best k after every gradient step, then debias. */
bool iht_prune(struct layer *layer, struct error *error);

#endif

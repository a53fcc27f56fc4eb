/* Methods that choose by a score of the dense weights and leave the others as they are; rows of the method table
 * (method.h). */
#ifndef SECATEUR_SCORE_METHODS_H
#define SECATEUR_SCORE_METHODS_H

#include "prune/layer.h"

/* |w|. */
bool magnitude_prune(struct layer *layer, struct error *error);

/* ½ H_jj w² (LeCun, Denker & Solla 1989, with the layer problem's diagonal Hessian). */
bool obd_prune(struct layer *layer, struct error *error);

/* |w| ‖X_j‖₂ (Sun et al. 2023, arXiv 2306.11695). */
bool wanda_prune(struct layer *layer, struct error *error);
/* Its scores for rows [begin, end), a score_function (score.h); norms[columns] as score_input_norms makes them. */
void wanda_scores(float *scores, const struct layer *layer, const void *norms, int64_t begin, int64_t end);

/* (|w| / Σ_i|w_ij| + |w| / Σ_j|w_ij|) ‖X_j‖^a, a = ½ unless options.power is set (Zhang et al. 2024, "Plug-and-Play").
 */
bool ria_prune(struct layer *layer, struct error *error);

#endif

/* The alternating direction method of multipliers for min tr((B−b)Ã(B−b)ᵀ) with b on a support of given size: what alps
 * and admm-fast share. b is the smooth copy, d the sparse one, v the multipliers, all [rows × n]. */
#ifndef SECATEUR_ADMM_H
#define SECATEUR_ADMM_H

#include "prune/support.h"

struct admm {
    struct least_squares problem;
    float *b, *d, *v, *scores;
    float *cholesky; /* of Ã + ρI, [n × n] */
    uint8_t *mask;   /* of d */
    double rho;      /* that cholesky was made for; 0 = none yet */
};

bool admm_create(struct admm *admm, struct layer *layer, struct error *error);
void admm_free(struct admm *admm);

/* One iteration with penalty rho at the given sparsity; fixed: the support is left as it is. */
bool admm_iterate(struct admm *admm, const struct layer *layer, double rho, double sparsity, bool fixed,
                  struct error *error);

/* Sets d and v back to the start. */
void admm_restart(struct admm *admm);

#endif

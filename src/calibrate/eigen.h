/* The outermost eigenvalues of a second moment: how lopsided a matrix's inputs are. */
#ifndef SECATEUR_EIGEN_H
#define SECATEUR_EIGEN_H

#include "calibrate/hessian.h"

/* Up to this many inputs all eigenvalues are found; above it, 64 Lanczos steps give the largest to rounding and an
 * upper bound of the smallest. */
#define EIGEN_EXACT 512

/* Of the sum Σ x xᵀ; the caller scales them. Never below 0. False on lack of memory, or when the sum is not finite. */
bool eigen_extremes(double *largest, double *smallest, const struct hessian *hessian, struct error *error);

#endif

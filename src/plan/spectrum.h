/* How heavy the tail of a matrix's spectrum is: AlphaPruning's measure of how well it was trained (Lu et al. 2024,
 * arXiv 2410.10912). */
#ifndef SECATEUR_SPECTRUM_H
#define SECATEUR_SPECTRUM_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

/* The exponent of a power law fitted to the largest eigenvalues of W Wᵀ, its start chosen near the peak of their
 * histogram by the least Kolmogorov-Smirnov distance; the bounds on that start are 0.95 and 1.5 times the peak (the
 * published code compares a logarithm for the lower one). Where no eigenvalue lies within them, as can be in a small
 * matrix, the tail begins at the one nearest to the peak. NaN for a matrix of zeros. */
bool spectrum_hill(double *alpha, const float *weights, int64_t rows, int64_t columns, struct error *error);

/* The same from eigenvalues[count] in rising order. */
double spectrum_fit(const double *eigenvalues, size_t count);

#endif

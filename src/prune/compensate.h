/* Bias compensation (FLAP: An et al. 2023, arXiv 2312.11983): what the pruned weights gave on average goes into the
 * bias, where the architecture has one. */
#ifndef SECATEUR_COMPENSATE_H
#define SECATEUR_COMPENSATE_H

#include "calibrate/input.h"

/* change[i] = Σ_j (dense_ij - pruned_ij) mean_j, [rows]: what to add to the bias so that the mean output stays. Holds
 * for repaired weights as well. dense, pruned: [rows × columns]. Refused without a mean (an imatrix that has no sums,
 * or no token). */
bool compensate_bias(double *change, const float *dense, const float *pruned, const struct input_statistics *input,
                     int64_t rows, struct error *error);

/* Σ_i change_i² × T: by how much ‖WX − ŴX‖²_F falls when the bias takes the change up. */
double compensate_gain(const double *change, const struct input_statistics *input, int64_t rows);

#endif

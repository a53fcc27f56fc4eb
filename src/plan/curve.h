/* Error against sparsity: what a cut of one matrix is estimated to cost, for every sparsity at once.
 *
 * The estimate takes H as diagonal: cutting weight w_ij costs w_ij² Σ_t x_j². Sorted by score and summed this is the
 * whole curve (definition sheet 5.7); it is convex where the score is the cost itself. Values are relative output
 * errors, ‖WX − ŴX‖²/‖WX‖². */
#ifndef SECATEUR_CURVE_H
#define SECATEUR_CURVE_H

#include "prune/pattern.h"

#define CURVE_POINTS 257 /* at sparsities i / 256 */
#define CURVE_GROUP 8    /* N:M estimates: keep n of 4 and n of 8 */

/* In which order weights go. */
enum curve_order {
    CURVE_MAGNITUDE, /* |w| over the matrix */
    CURVE_COST,      /* w² Σx² over the matrix (obd) */
    CURVE_ROW_COST,  /* the same within every row (wanda) */
    CURVE_ORDERS
};

struct curve {
    float error[CURVE_POINTS]; /* not decreasing; error[256] = 1 */
    float n_of_4[4];           /* [n]: keep n of 4, n = 1..3 */
    float n_of_8[8];           /* [n]: keep n of 8, n = 1..7 */
};

/* Fills the curve of one order from dense weights[rows × columns] and Σ_t x_j² of each input; *energy = Σ w² Σx², the
 * diagonal estimate of ‖WX‖²_F that errors are relative to. A matrix of no energy gives a curve of zeros. */
bool curve_estimate(struct curve *curve, double *energy, enum curve_order order, const float *weights,
                    const double *squares, int64_t rows, int64_t columns, struct error *error);

/* Between the points linearly. */
double curve_at(const struct curve *curve, double sparsity);

/* The estimate for a target: N:M by its own table where that holds it, anything else by its sparsity. */
double curve_for(const struct curve *curve, struct pattern pattern, double sparsity);

/* d error / d sparsity to the right of `sparsity`. */
double curve_slope(const struct curve *curve, double sparsity);

/* Where the curve bends most: the point farthest below the chord from (0, 0) to (1, error(1)). */
double curve_knee(const struct curve *curve);

#endif

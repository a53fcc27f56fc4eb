/* What is known of one distinct matrix input (q, k and v share one; gate and up another) after calibration. */
#ifndef SECATEUR_INPUT_H
#define SECATEUR_INPUT_H

#include "calibrate/hessian.h"

struct input_statistics {
    int64_t columns;
    uint64_t tokens, sequences;
    double *sum;         /* Σ x_j, [columns]; NULL when unknown (an imatrix without in_sum) */
    double *sum_squares; /* Σ x_j², [columns]: the diagonal of XXᵀ */
    struct hessian
        *hessian; /* the full XXᵀ, or NULL: it lives only while its block is worked on, unless memory allows */
};

bool input_statistics_create(struct input_statistics *input, int64_t columns, bool full, struct error *error);
void input_statistics_free(struct input_statistics *input);

/* Adds rows of x[tokens × columns] to all that is held. */
bool input_statistics_add(struct input_statistics *input, const float *x, int64_t tokens, uint64_t sequences, bool bf16,
                          struct error *error);

#endif

/* SparseGPT's sweep in f64 by the reference's route (potrf, potri, potrf), to hold a result against: what the
 * arithmetic of f32 decides by chance is told apart from what is wrong. */
#ifndef SECATEUR_TESTS_SOLVE_F64_H
#define SECATEUR_TESTS_SOLVE_F64_H

#include "calibrate/input.h"
#include "prune/pattern.h"

struct solve_f64 {
    int64_t rows;
    int n;
    struct pattern pattern; /* n:m, or columns:C with one threshold for each block of C */
    double sparsity;
    bool reference;      /* its conventions: k + 1 entries, sequences counted, dead inputs cut */
    const float *solved; /* [rows × n] or NULL: cells near a tie are decided as there */
    double near_gap;     /* relative to the score between what goes and what stays: closer is a tie */
    size_t near;         /* out: cells decided so */
    double *w;           /* out: [rows × n] */
    double *u;           /* upper, H⁻¹ = Uᵀ U */
    double *errors, *scores;
};

/* Allocates and factorises; fails the running test on failure. pattern, sparsity and reference must be set. */
void solve_f64_create(struct solve_f64 *solve, const struct input_statistics *input, int64_t rows);
void solve_f64_free(struct solve_f64 *solve);

/* From the dense weights to w. */
void solve_f64_run(struct solve_f64 *solve, const float *dense);

/* Cells that are zero in one and not in the other; *rows of them (may be NULL), *first their lowest column (may be
 * NULL). */
size_t solve_f64_differing(const struct solve_f64 *solve, const float *weights, size_t *rows, size_t *first);

#endif

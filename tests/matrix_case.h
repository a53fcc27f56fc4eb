/* The single matrices of golden/unit: weights, inputs, and what the reference implementations make of them. */
#ifndef SECATEUR_TESTS_MATRIX_CASE_H
#define SECATEUR_TESTS_MATRIX_CASE_H

#include "calibrate/input.h"
#include "prune/layer.h"
#include "tests/golden.h"

struct matrix_case {
    struct checkpoint *file;
    float *w, *x;
    int64_t rows, columns, tokens;
    struct input_statistics input;
};

/* A pattern as the reference files name it. */
struct matrix_run {
    const char *suffix;
    double sparsity;
    struct pattern pattern;
    struct layer_options options;
};

#define MATRIX_CASES 6
extern const char *const matrix_case_names[MATRIX_CASES];

/* Fails the running test when the file cannot be read. */
void matrix_case_open(struct matrix_case *one, const char *name);
void matrix_case_close(struct matrix_case *one);

/* The problem of a run, on a copy of the weights that the caller frees. */
struct layer matrix_case_layer(const struct matrix_case *one, const struct matrix_run *run);

#endif

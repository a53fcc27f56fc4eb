/* The layer problem, for one matrix: min over masks M and weights Ŵ of ‖WX − (M ⊙ Ŵ)X‖², with M of a given pattern and
 * sparsity. */
#ifndef SECATEUR_LAYER_H
#define SECATEUR_LAYER_H

#include "base/progress.h"
#include "calibrate/input.h"
#include "prune/pattern.h"

struct factor; /* factor.h: shared by the matrices of one input */

struct layer_options {
    double damping; /* of mean(diag H), added to the diagonal; 0.01 unless set */
    int64_t block;  /* columns that sparsegpt chooses a mask for at once; 128 unless set */
    int bits;       /* round kept weights to that many bits in the same sweep (sparsegpt); 0 = no */
    int iterations; /* of an iterative method; 0 = its own default */
    double power;   /* ria: exponent of the activation norm; 0 = 0.5 */
    bool reference; /* selection by the reference implementations' conventions (k+1, ties, truncation) */
};

/* What happened, for the run view and prune.csv. */
struct layer_report {
    double damping; /* that worked; 0 where none is used */
    int retries;    /* damping raised because the factorisation failed */
    uint64_t dead;  /* inputs that were zero on every token */
    int iterations; /* made by an iterative method */
    char note[200]; /* a sentence for the user when anything was out of the ordinary; "" otherwise */
};

struct layer {
    const char *name; /* for errors */
    float *weights;   /* [rows × columns], outputs × inputs: dense on entry, pruned on return */
    int64_t rows, columns;
    const struct input_statistics *input; /* NULL for methods that need no data */
    struct factor *factor; /* in: NULL or that of the same input, damping and order; made when first needed */
    struct pattern pattern;
    double sparsity;
    const uint8_t *fixed_mask; /* for methods that refine or repair a given mask: 1 = goes; else NULL */
    struct layer_options options;
    struct progress *progress;  /* NULL, or what can stop the method within a second */
    struct layer_report report; /* out */
};

/* Adds a sentence to report.note, behind "; " when there is one already. */
void layer_note(struct layer *layer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What every method that needs data asks of layer->input. NaN or Inf on any token is refused; noted are: inputs that
 * were all zero (weights then go by size alone, or by index), fewer tokens than inputs (for methods that need the full
 * Hessian, `full`), and an input a thousand times as large as the median one (the damping, a share of the mean
 * diagonal, then outweighs the ordinary inputs). */
bool layer_check_input(struct layer *layer, bool full, struct error *error);

#endif

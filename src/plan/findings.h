/* From what was gathered of a block to what is kept of it: curves, exact errors, outliers, eigenvalues.
 *
 * Worked out beside the sensitivity, which others may be reading, and moved into it in one short step. */
#ifndef SECATEUR_FINDINGS_H
#define SECATEUR_FINDINGS_H

#include "base/progress.h"
#include "calibrate/calibrate.h"
#include "plan/sensitivity.h"
#include "prune/method.h"

/* What is measured with the full Hessian: every method at every sparsity, and at "keep 2 of 4". */
#define FINDINGS_METHODS 8
struct findings_options {
    struct method_chain methods[FINDINGS_METHODS];
    char names[FINDINGS_METHODS][24];
    size_t method_count; /* 0: nothing is measured */
    bool spectrum;       /* eigenvalues of the Hessians */
};

#define FINDINGS_LEVELS 4
extern const double findings_levels[FINDINGS_LEVELS]; /* 0.2, 0.4, 0.6, 0.8 */

struct findings {
    const struct model *model;
    int64_t block;
    struct matrix_sensitivity *matrices; /* of the block, in order */
    struct input_sensitivity *inputs;    /* of the block, in the gathering's order */
    size_t input_count;
    struct block_sensitivity whole;
};

/* Reads each matrix of the block once. progress: floating-point operations. Free with findings_free, on failure too. */
bool findings_make(struct findings *findings, const struct gathering *gathering, const struct findings_options *options,
                   struct progress *progress, struct error *error);
void findings_free(struct findings *findings);

/* Operations that findings_make adds to progress, and the bytes that it takes. */
uint64_t findings_work(const struct model *model, int64_t block, bool full, const struct findings_options *options);
uint64_t findings_bytes(const struct model *model, int64_t block);

/* Moves them into the sensitivity, in place of what it knew of the block; loss points and Hill exponents stay. What
 * remains in findings is empty. The caller holds whatever lock guards the sensitivity. */
void findings_publish(struct sensitivity *sensitivity, struct findings *findings);

#endif

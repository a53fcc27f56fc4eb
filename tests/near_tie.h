/* Whether a model pruned by SparseGPT as the published scripts do it is, matrix after matrix, what f64 computes from
 * the same inputs, but for choices between scores that f32 cannot tell apart. The inputs of a block are made from the
 * result's own blocks before it: so one tie that fell otherwise explains what differs behind it. */
#ifndef SECATEUR_TESTS_NEAR_TIE_H
#define SECATEUR_TESTS_NEAR_TIE_H

#include "checkpoint/checkpoint.h"
#include "prune/pattern.h"

/* Relative distance of a score from what lies between going and staying, that f32 cannot tell from nothing. On gpt2,
 * the worst of all, inputs made in f32 by another compiler or by torch have moved scores by 2e-4 to 5e-4; on the
 * machine where it was first tried, no choice of ours differed from f64's beyond 1e-5 in any of 44 results. */
#define NEAR_TIE_GAP 1e-3

struct near_ties {
    size_t ties;      /* scores as near as that; decided as in the result */
    size_t differing; /* cells whose mask is not that of f64 all the same */
};

/* pruned: tensors named and laid out as in the dense model. Fails the running test when a file cannot be read. */
struct near_ties near_ties_find(const char *dense, const struct checkpoint *pruned, const char *calibration,
                                struct pattern pattern, double sparsity);

#endif

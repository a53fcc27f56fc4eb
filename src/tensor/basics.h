/* The least that one wants to know of a tensor, at the rate at which memory is read. */
#ifndef SECATEUR_BASICS_H
#define SECATEUR_BASICS_H

#include "base/progress.h"
#include "tensor/tensor.h"

struct basics {
    uint64_t count, zeros, nan, infinite;
    double minimum, maximum, mean, deviation; /* of what is finite; 0 when nothing is */
};

/* Reads the tensor once, over all cores; the same for any number of threads. Sums in f64 (of bf16: of at most 32 f32
 * terms at a time). False only when cancelled; adds bytes to progress. */
bool basics_compute(struct basics *basics, const struct tensor *tensor, struct progress *progress, struct error *error);

#endif

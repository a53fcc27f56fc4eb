/* Model folders with random weights, for tests and benchmarks that need a real file of any family and shape. */
#ifndef SECATEUR_MADE_FOLDER_H
#define SECATEUR_MADE_FOLDER_H

#include "tensor/dtype.h"

struct made_tensor {
    const char *name;      /* "%d" stands for the block: one tensor in each */
    int64_t rows, columns; /* columns 0: a vector */
};

/* Writes config.json and model.safetensors into a new folder and returns its path: matrices of variance 1 / columns,
 * vectors around 1 (norms) or 0 (names ending in ".bias"). NULL when that fails. */
char *made_folder_create(const char *config, const struct made_tensor *tensors, size_t count, int blocks,
                         enum dtype dtype, uint64_t seed);
void made_folder_remove(char *folder);

#endif

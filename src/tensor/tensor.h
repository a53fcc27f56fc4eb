/* A tensor as a checkpoint holds it: name, type, shape, and where its bytes lie in the mapping. */
#ifndef SECATEUR_TENSOR_H
#define SECATEUR_TENSOR_H

#include "tensor/dtype.h"

#define TENSOR_RANK_MAXIMUM 8

struct tensor {
    const char *name; /* owned by the checkpoint */
    enum dtype dtype;
    int rank;
    int64_t shape[TENSOR_RANK_MAXIMUM]; /* row-major, outermost first */
    uint64_t count;                     /* product of the shape; fits size_t */
    size_t bytes;                       /* count × bytes of the dtype */
    const uint8_t *data;                /* in the read-only mapping; alignment is not promised */
    size_t file;                        /* index in the checkpoint's files */
    size_t offset;                      /* of data in that file */
};

#endif

/* The pass over a tensor that a summary is made from: the stored rows in pieces, each scanned by one thread, added up
 * in order. */
#ifndef SECATEUR_PASS_H
#define SECATEUR_PASS_H

#include "base/progress.h"
#include "tensor/tensor.h"

#define PASS_PIECES 16 /* fixed, so that sums do not depend on the number of threads */
#define PASS_GROUPS 2  /* N:M patterns looked for */

/* Their bit of enum summary_pattern, and what they keep of how many. */
struct pass_group {
    unsigned bit;
    size_t kept, length;
};
extern const struct pass_group pass_groups[PASS_GROUPS];

/* What one piece of the stored rows adds. */
struct pass_piece {
    uint64_t nan, infinite, zeros;
    double sums[4]; /* of w, w^2, w^3, w^4 */
    double minimum, maximum;
    bool broken[PASS_GROUPS];
    uint64_t tiny[23]; /* subnormals by their highest bit */
    uint64_t *bins;    /* [MAGNITUDE_BINS]; of halves only the first piece's */
    double *squares;   /* [columns], as stored */
    float *batch;      /* [columns]: squares of the latest rows; of halves only */
    uint64_t *gone;    /* [columns]: zeros in a column */
    uint8_t *kept;     /* [PASS_GROUPS × columns]: not zero in the current group, when groups run down the columns */
};

struct pass {
    const struct tensor *tensor;
    struct progress *progress;
    size_t rows, columns; /* as stored */
    bool transposed;
    bool again;        /* the bytes have been added to progress before */
    bool halves;       /* types of 16 bits, by the histogram of their bit patterns */
    uint32_t **counts; /* [threads][HALF_PATTERNS]; of halves only */
    struct pass_piece pieces[PASS_PIECES];
    double *row_squares; /* [rows] */
    uint64_t *row_gone;  /* [rows] */
};

/* halves: by the histogram of bit patterns (half_scan_supported, and no more than UINT32_MAX entries). NULL on lack of
 * memory. */
struct pass *pass_create(const struct tensor *tensor, bool transposed, bool halves, struct progress *progress,
                         struct error *error);
void pass_free(struct pass *pass);

/* Scans and adds all pieces to the first. *right is false when the values are such that halves will not do: make
 * another pass without. False when it was cancelled. */
bool pass_run(struct pass *pass, bool *right, struct error *error);

#endif

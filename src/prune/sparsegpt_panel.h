/* The inner part of SparseGPT: one panel of columns, swept from left to right for 32 rows at a time. */
#ifndef SECATEUR_SPARSEGPT_PANEL_H
#define SECATEUR_SPARSEGPT_PANEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows that are swept together, one vector register (or two, four) wide. Leading dimensions are multiples of it. */
#define PANEL_LANES 32

struct panel {
    int64_t width;       /* columns */
    int64_t stride;      /* rows, rounded up to PANEL_LANES */
    float *weights;      /* [width × stride]: compensated weights on entry, the final ones on return */
    const float *scores; /* [width × stride]: those below the threshold go; NULL: chosen by n of m */
    float threshold;
    const float *u;        /* [width × width] upper: (R_PP)⁻¹ */
    const float *diagonal; /* [width]: R_jj */
    int n, m;              /* keep n of every m, when scores is NULL */
    bool reference;        /* a last group shorter than m loses m - n as well */
    const float *scale;    /* [stride]: step of each row's grid when kept weights are rounded; NULL = they are not */
    const float *zero;     /* [stride]: its zero point */
    float levels;          /* largest code: 2^bits - 1 */
};

/* Sweeps rows [row, row + PANEL_LANES). errors: workspace of width × PANEL_LANES floats, 64-byte aligned. */
void panel_sweep(const struct panel *panel, int64_t row, float *errors);

#endif

#include "prune/sparsegpt_panel.h"

#include "engine/vector.h"
#include <string.h>

/* Columns whose pending errors are subtracted together: enough sums in flight to hide the multiplier's latency. */
#define COLUMNS 4
#define GROUP_MAXIMUM 32

#define HALF 16
typedef float lanes __attribute__((vector_size(HALF * sizeof(float))));
typedef int32_t flags __attribute__((vector_size(HALF * sizeof(int32_t))));

struct wide {
    lanes part[PANEL_LANES / HALF];
};
#define PARTS (PANEL_LANES / HALF)

#define INLINE static inline __attribute__((always_inline))

INLINE void load(struct wide *value, const float *from) {
    memcpy(value, from, sizeof *value);
}

INLINE void store(float *to, const struct wide *value) {
    memcpy(to, value, sizeof *value);
}

/* current[c] = weights of column start + c less the errors of the `settled` columns of this panel that are final
 * already. */
INLINE void bring_forward(struct wide *current, const struct panel *panel, int64_t row, const float *errors,
                          int64_t settled, int64_t start, int columns) {
    for (int c = 0; c < columns; c++)
        load(&current[c], panel->weights + (start + c) * panel->stride + row);
    for (int64_t k = 0; k < settled; k++) {
        struct wide error;
        load(&error, errors + k * PANEL_LANES);
        const float *u = panel->u + k * panel->width + start;
        for (int c = 0; c < columns; c++)
            for (int p = 0; p < PARTS; p++)
                current[c].part[p] -= error.part[p] * u[c];
    }
}

INLINE void bring_group_forward(struct wide *current, const struct panel *panel, int64_t row, const float *errors,
                                int64_t first, int columns) {
    int c = 0;
    for (; c + COLUMNS <= columns; c += COLUMNS)
        bring_forward(current + c, panel, row, errors, first, first + c, COLUMNS);
    for (; c < columns; c++)
        bring_forward(current + c, panel, row, errors, first, first + c, 1);
}

/* keep[c] for the group: all but the `lose` lowest scores (w R_jj)², ties by index. */
INLINE void choose(flags keep[][PARTS], const struct wide *current, const float *diagonal, int columns, int lose) {
    struct wide score[GROUP_MAXIMUM];
    for (int c = 0; c < columns; c++)
        for (int p = 0; p < PARTS; p++) {
            lanes root = current[c].part[p] * diagonal[c];
            score[c].part[p] = root * root;
        }
    for (int c = 0; c < columns; c++)
        for (int p = 0; p < PARTS; p++) {
            flags rank = {0};
            for (int d = 0; d < columns; d++) {
                flags lower = d < c ? score[d].part[p] <= score[c].part[p] : score[d].part[p] < score[c].part[p];
                rank -= lower;
            }
            keep[c][p] = rank >= lose;
        }
}

/* Onto the row's grid: (clamp(round(w / scale) + zero) - zero) × scale, halves rounded to even; |w / scale| < 2²². */
INLINE void quantise(lanes *value, const struct panel *panel, int64_t row) {
    const float shift = 12582912.0F; /* 1.5 × 2²³: adding it leaves no fraction */
    lanes scale;
    lanes zero;
    memcpy(&scale, panel->scale + row, sizeof scale);
    memcpy(&zero, panel->zero + row, sizeof zero);
    lanes code = *value / scale + shift;
    __asm__("" : "+m"(code)); /* keeps the two additions from being folded into none */
    code = code - shift + zero;
    const lanes low = {0};
    const lanes high = low + panel->levels;
    code = (lanes)((flags)code & (code > low));
    code = (lanes)(((flags)code & (code < high)) | ((flags)high & (code >= high)));
    *value = (code - zero) * scale;
}

/* Fixes the columns of one group, one after the other; each one's error reaches the rest of the group at once. */
INLINE void settle(struct wide *current, flags keep[][PARTS], const struct panel *panel, int64_t row, float *errors,
                   int64_t first, int columns) {
    for (int c = 0; c < columns; c++) {
        int64_t column = first + c;
        const float *u = panel->u + column * panel->width + first;
        struct wide final;
        struct wide error;
        for (int p = 0; p < PARTS; p++) {
            lanes value = current[c].part[p];
            lanes rounded = value;
            if (panel->scale != NULL)
                quantise(&rounded, panel, row + (int64_t)p * HALF);
            final.part[p] = (lanes)((flags)rounded & keep[c][p]);
            error.part[p] = (value - final.part[p]) * panel->diagonal[column];
        }
        for (int d = c + 1; d < columns; d++)
            for (int p = 0; p < PARTS; p++)
                current[d].part[p] -= error.part[p] * u[d];
        store(errors + column * PANEL_LANES, &error);
        store(panel->weights + column * panel->stride + row, &final);
    }
}

INLINE void mask_by_threshold(flags keep[][PARTS], const struct panel *panel, int64_t row, int64_t first, int columns) {
    for (int c = 0; c < columns; c++) {
        struct wide score;
        load(&score, panel->scores + (first + c) * panel->stride + row);
        for (int p = 0; p < PARTS; p++)
            keep[c][p] = ~(score.part[p] < panel->threshold); /* NaN stays */
    }
}

/* How many of a group of `columns` go: a short last group keeps ceil(n · columns / m), or loses m - n in the
 * references' way. */
INLINE int losses(const struct panel *panel, int columns) {
    int lose = panel->reference ? panel->m - panel->n : columns - (panel->n * columns + panel->m - 1) / panel->m;
    return lose < columns ? lose : columns;
}

VECTOR_CLONES
void panel_sweep(const struct panel *panel, int64_t row, float *errors) {
    struct wide current[GROUP_MAXIMUM];
    flags keep[GROUP_MAXIMUM][PARTS];
    int group = panel->scores == NULL ? panel->m : COLUMNS;
    for (int64_t first = 0; first < panel->width; first += group) {
        int columns = panel->width - first < group ? (int)(panel->width - first) : group;
        bring_group_forward(current, panel, row, errors, first, columns);
        if (panel->scores != NULL)
            mask_by_threshold(keep, panel, row, first, columns);
        else
            choose(keep, current, panel->diagonal + first, columns, losses(panel, columns));
        settle(current, keep, panel, row, errors, first, columns);
    }
}

/* What is gathered of one block while a model runs: statistics of every distinct input, and of the block as a whole.
 *
 * An observer of engine/engine.h. Full Hessians live as long as the gathering of their block. Padding is left out. */
#ifndef SECATEUR_CALIBRATE_H
#define SECATEUR_CALIBRATE_H

#include "calibrate/activity.h"
#include "calibrate/input.h"
#include "engine/engine.h"

/* One distinct input of a block's matrices. */
struct gathered_input {
    size_t matrix; /* index in model->matrices of the first that has it */
    size_t input;  /* matrix.input */
    bool hidden;   /* units after the non-linearity: the input of down or fc2 */
    struct input_statistics statistics;
    struct activity activity;
};

struct gathering {
    const struct model *model;
    int64_t block;
    bool full; /* gather XXᵀ, not its diagonal alone */
    bool bf16; /* from inputs rounded to bf16 */
    struct gathered_input *inputs;
    size_t input_count;
    double cosine; /* Σ cos(block input, block output) over tokens */
    uint64_t cosine_tokens;
    uint64_t *expert_tokens; /* [experts] routed to each; NULL without experts */
    double *expert_norm; /* [experts] Σ over its tokens of gate × ‖expert output‖ (REAP); NULL without experts */
    float
        *last; /* [windows × hidden]: each window's last state after the block; owned by the caller; NULL: not wanted */
    float *packed; /* rows without padding */
    size_t packed_size;
};

/* Makes room for all inputs of a block's matrices. full: with Hessians. */
bool gathering_create(struct gathering *gathering, const struct model *model, int64_t block, bool full, bool bf16,
                      struct error *error);
void gathering_free(struct gathering *gathering);

/* The observer to pass to a stream; `gathering` must outlive it. */
struct block_observer gathering_observer(struct gathering *gathering);

/* The input of a matrix of this block; NULL when no token has reached it (an expert without tokens has zeros, not
 * NULL). */
const struct gathered_input *gathering_input(const struct gathering *gathering, size_t matrix);

/* Bytes that gathering_create takes for a block. */
uint64_t gathering_bytes(const struct model *model, int64_t block, bool full);

/* Mean of arccos(cos)/π between rows of a and b: the angular distance of PruneMe. */
double angular_distance(const float *a, const float *b, size_t rows, size_t columns);

#endif

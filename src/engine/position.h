/* How tokens know where they are: rotary tables, ALiBi slopes, learned positions. */
#ifndef SECATEUR_POSITION_H
#define SECATEUR_POSITION_H

#include "base/error.h"
#include "model/architecture.h"

/* cos and sin of every position and turning pair, [length × pairs] each. */
struct rotary {
    int64_t pairs;
    float *cosine, *sine;
};

struct positions {
    struct rotary rotary, local; /* local: blocks with a window where these turn differently; pairs 0 otherwise */
    float *slopes;               /* ALiBi, one per head; NULL otherwise */
};

/* For windows of `length` tokens (dynamic and longrope depend on it), as transformers 4.48 does. */
bool positions_create(struct positions *positions, const struct architecture *architecture, int64_t length,
                      struct error *error);
void positions_free(struct positions *positions);
uint64_t positions_bytes(const struct architecture *architecture, int64_t length);

/* The table for a block, NULL when it has none. */
const struct rotary *positions_rotary(const struct positions *positions, const struct architecture *architecture,
                                      int64_t block);

/* Turns one head's vector at `position`: inverse turns it back (the backward pass). */
void rotary_turn(float *head, const struct rotary *rotary, int64_t position, bool interleaved, bool inverse);

#endif

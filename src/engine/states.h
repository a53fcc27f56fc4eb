/* Hidden states of all windows: in memory up to a limit, in an unnamed temporary file beyond it; in f32, or rounded to
 * bf16 in half the room. */
#ifndef SECATEUR_STATES_H
#define SECATEUR_STATES_H

#include "base/error.h"
#include "tensor/dtype.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct states {
    uint8_t *memory;
    uint8_t *staging;     /* a window as it is stored, on its way to or from the file; f32 needs none */
    enum dtype dtype;     /* as stored: DTYPE_F32 or DTYPE_BF16 */
    int file;             /* -1: none */
    size_t window_floats; /* of one window */
    size_t in_memory;     /* windows that are there; the others are in the file */
};

/* memory: bytes, 0 = no limit. folder NULL: $TMPDIR or /tmp. */
bool states_create(struct states *states, enum dtype dtype, size_t windows, size_t window_floats, uint64_t memory,
                   const char *folder, struct error *error);
void states_free(struct states *states);

/* Windows [first, first + count) as f32, window_floats each. */
bool states_read(float *out, const struct states *states, size_t first, size_t count, struct error *error);
bool states_write(const struct states *states, const float *in, size_t first, size_t count, struct error *error);

#endif

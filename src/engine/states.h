/* Hidden states of all windows: in memory up to a limit, in an unnamed temporary file beyond it. */
#ifndef SECATEUR_STATES_H
#define SECATEUR_STATES_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct states {
    float *memory;
    int file;             /* -1: none */
    size_t window_floats; /* of one window */
    size_t in_memory;     /* windows that are there; the others are in the file */
};

/* memory: bytes, 0 = no limit. folder NULL: $TMPDIR or /tmp. */
bool states_create(struct states *states, size_t windows, size_t window_floats, uint64_t memory, const char *folder,
                   struct error *error);
void states_free(struct states *states);

bool states_read(float *out, const struct states *states, size_t first, size_t count, struct error *error);
bool states_write(const struct states *states, const float *in, size_t first, size_t count, struct error *error);

#endif

#include "engine/states.h"

#include "base/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file without a name: it is gone when the program is, however it ends. */
static int open_unnamed(const char *folder, struct error *error) {
    char path[4096];
    if (folder == NULL)
        folder = getenv("TMPDIR");
    if (folder == NULL || folder[0] == '\0')
        folder = "/tmp";
    if (strlen(folder) + sizeof "/secateur-XXXXXX" > sizeof path) {
        (void)error_set(error, ERROR_FAILURE, "%.200s...: the name of the folder is too long", folder);
        return -1;
    }
    strcpy(path, folder);
    strcat(path, "/secateur-XXXXXX");
    int file = mkstemp(path);
    if (file < 0)
        (void)error_set_errno(error, ERROR_FAILURE, "%s: cannot make a temporary file for hidden states", folder);
    else
        (void)unlink(path);
    return file;
}

static size_t window_bytes(const struct states *states) {
    return states->window_floats * dtype_info(states->dtype)->bytes;
}

bool states_create(struct states *states, enum dtype dtype, size_t windows, size_t window_floats, uint64_t memory,
                   const char *folder, struct error *error) {
    *states = (struct states){.file = -1, .dtype = dtype, .window_floats = window_floats, .in_memory = windows};
    size_t bytes = window_bytes(states);
    if (memory > 0 && memory / bytes < windows)
        states->in_memory = (size_t)(memory / bytes);
    states->memory = memory_alloc_aligned(states->in_memory, bytes, error);
    bool spills = states->in_memory < windows;
    bool ok = states->memory != NULL;
    if (ok && spills && dtype != DTYPE_F32)
        ok = (states->staging = memory_alloc(1, bytes, error)) != NULL;
    if (ok && spills)
        ok = (states->file = open_unnamed(folder, error)) >= 0;
    if (!ok)
        states_free(states);
    return ok;
}

void states_free(struct states *states) {
    memory_free(states->memory);
    memory_free(states->staging);
    if (states->file >= 0)
        (void)close(states->file);
    *states = (struct states){.file = -1};
}

static bool read_all(int file, char *out, size_t bytes, off_t offset, struct error *error) {
    while (bytes > 0) {
        ssize_t got = pread(file, out, bytes, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set_errno(error, ERROR_FAILURE, "cannot read hidden states back from the temporary file");
        out += got;
        offset += got;
        bytes -= (size_t)got;
    }
    return true;
}

static bool write_all(int file, const char *in, size_t bytes, off_t offset, struct error *error) {
    while (bytes > 0) {
        ssize_t put = pwrite(file, in, bytes, offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return error_set_errno(error, ERROR_FAILURE, "cannot write hidden states to the temporary file");
        in += put;
        offset += put;
        bytes -= (size_t)put;
    }
    return true;
}

static off_t file_offset(const struct states *states, size_t window) {
    return (off_t)((window - states->in_memory) * window_bytes(states));
}

static bool read_window(float *out, const struct states *states, size_t window, struct error *error) {
    size_t bytes = window_bytes(states);
    const uint8_t *stored = states->memory + window * bytes;
    if (window >= states->in_memory) {
        uint8_t *to = states->staging != NULL ? states->staging : (uint8_t *)out;
        if (!read_all(states->file, (char *)to, bytes, file_offset(states, window), error))
            return false;
        stored = to;
    }
    if (stored != (const uint8_t *)out)
        dtype_widen(out, stored, states->dtype, states->window_floats);
    return true;
}

bool states_read(float *out, const struct states *states, size_t first, size_t count, struct error *error) {
    for (size_t i = 0; i < count; i++)
        if (!read_window(out + i * states->window_floats, states, first + i, error))
            return false;
    return true;
}

static bool write_window(const struct states *states, const float *in, size_t window, struct error *error) {
    size_t bytes = window_bytes(states);
    const uint8_t *stored = (const uint8_t *)in;
    uint8_t *to = window < states->in_memory ? states->memory + window * bytes : states->staging;
    if (states->dtype != DTYPE_F32) {
        dtype_narrow(to, in, states->dtype, states->window_floats);
        stored = to;
    } else if (to != NULL) {
        memcpy(to, in, bytes);
    }
    return window < states->in_memory ||
           write_all(states->file, (const char *)stored, bytes, file_offset(states, window), error);
}

bool states_write(const struct states *states, const float *in, size_t first, size_t count, struct error *error) {
    for (size_t i = 0; i < count; i++)
        if (!write_window(states, in + i * states->window_floats, first + i, error))
            return false;
    return true;
}

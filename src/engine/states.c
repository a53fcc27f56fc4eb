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
        folder = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
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

bool states_create(struct states *states, size_t windows, size_t window_floats, uint64_t memory, const char *folder,
                   struct error *error) {
    *states = (struct states){.file = -1, .window_floats = window_floats, .in_memory = windows};
    if (memory > 0 && memory / sizeof(float) / window_floats < windows)
        states->in_memory = (size_t)(memory / sizeof(float) / window_floats);
    size_t count = 0;
    if (!memory_multiply(&count, states->in_memory, window_floats))
        return error_set(error, ERROR_MEMORY, "the hidden states of %zu windows do not fit into memory", windows);
    states->memory = memory_alloc_aligned(count, sizeof(float), error);
    if (states->memory == NULL)
        return false;
    if (states->in_memory < windows)
        states->file = open_unnamed(folder, error);
    if (states->in_memory == windows || states->file >= 0)
        return true;
    states_free(states);
    return false;
}

void states_free(struct states *states) {
    memory_free(states->memory);
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

/* How many of the windows [first, first + count) lie in memory; they come first. */
static size_t memory_part(const struct states *states, size_t first, size_t count) {
    if (first >= states->in_memory)
        return 0;
    return states->in_memory - first < count ? states->in_memory - first : count;
}

static off_t file_offset(const struct states *states, size_t window) {
    return (off_t)((window - states->in_memory) * states->window_floats * sizeof(float));
}

bool states_read(float *out, const struct states *states, size_t first, size_t count, struct error *error) {
    size_t near = memory_part(states, first, count), floats = states->window_floats;
    memcpy(out, states->memory + first * floats * (near > 0), near * floats * sizeof *out);
    return near == count || read_all(states->file, (char *)(out + near * floats), (count - near) * floats * sizeof *out,
                                     file_offset(states, first + near), error);
}

bool states_write(const struct states *states, const float *in, size_t first, size_t count, struct error *error) {
    size_t near = memory_part(states, first, count), floats = states->window_floats;
    memcpy(states->memory + first * floats * (near > 0), in, near * floats * sizeof *in);
    return near == count || write_all(states->file, (const char *)(in + near * floats),
                                      (count - near) * floats * sizeof *in, file_offset(states, first + near), error);
}

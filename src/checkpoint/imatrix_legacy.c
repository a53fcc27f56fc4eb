/* The older layout, little-endian: int32 entries; for each int32 length, name, int32 calls, int32 values, f32 values
 * (the mean square × calls); then perhaps int32 last chunk, int32 length, data set. */
#include "base/memory.h"
#include "checkpoint/imatrix_state.h"
#include <math.h>
#include <string.h>

#define ENTRY_MINIMUM 17 /* bytes: three integers, one byte of name, one value */

static bool take_integer(int32_t *value, struct imatrix_bytes *bytes, int32_t low, const char *what,
                         struct error *error) {
    if (!imatrix_take(value, bytes, sizeof *value, what, error))
        return false;
    return *value >= low || error_set(error, ERROR_INPUT, "%s: %s is %d at byte %zu; %d or more would be right",
                                      bytes->map->path, what, *value, bytes->at - sizeof *value, low);
}

static bool take_values(struct imatrix *imatrix, struct imatrix_bytes *bytes, const char *name, struct error *error) {
    int32_t calls;
    int32_t values;
    if (!take_integer(&calls, bytes, 1, "the number of calls", error) ||
        !take_integer(&values, bytes, 1, "the number of values", error))
        return false;
    const uint8_t *data = bytes->map->data + bytes->at;
    if (!imatrix_skip(bytes, (size_t)values * sizeof(float), name, error))
        return false;
    struct imatrix_entry *entry = imatrix_add(imatrix, name, values, 1, false, error);
    if (entry == NULL)
        return false;
    entry->counts[0] = (double)calls * IMATRIX_CHUNK;
    for (size_t i = 0; i < (size_t)values; i++) {
        float value;
        memcpy(&value, data + i * sizeof value, sizeof value);
        entry->sum_squares[i] = (double)value * IMATRIX_CHUNK;
    }
    return true;
}

static bool take_entry(struct imatrix *imatrix, struct imatrix_bytes *bytes, struct error *error) {
    int32_t length;
    if (!take_integer(&length, bytes, 1, "the length of a name", error))
        return false;
    char *name = imatrix_take_name(bytes, (uint64_t)length, "a name", error);
    bool ok = name != NULL && take_values(imatrix, bytes, name, error);
    memory_free(name);
    return ok;
}

static bool take_trailer(struct imatrix *imatrix, struct imatrix_bytes *bytes, struct error *error) {
    int32_t chunks;
    int32_t length;
    if (bytes->at == bytes->map->size)
        return true;
    if (!take_integer(&chunks, bytes, 0, "the number of chunks", error) ||
        !take_integer(&length, bytes, 0, "the length of the data set's name", error))
        return false;
    imatrix->chunks = chunks;
    if (length > 0) {
        imatrix->dataset = imatrix_take_name(bytes, (uint64_t)length, "the data set's name", error);
        if (imatrix->dataset == NULL)
            return false;
    }
    return bytes->at == bytes->map->size ||
           error_set(error, ERROR_INPUT, "%s: %zu bytes follow where the file should end", bytes->map->path,
                     bytes->map->size - bytes->at);
}

bool imatrix_read_legacy(struct imatrix *imatrix, const struct file_map *map, struct error *error) {
    struct imatrix_bytes bytes = {.map = map};
    int32_t count;
    imatrix->legacy = true;
    imatrix->chunk = IMATRIX_CHUNK;
    if (!take_integer(&count, &bytes, 1, "the number of entries", error))
        return false;
    if ((size_t)count > map->size / ENTRY_MINIMUM)
        return error_set(error, ERROR_INPUT, "%s: %d entries do not fit into %zu bytes: not an importance matrix",
                         map->path, count, map->size);
    for (int32_t i = 0; i < count; i++)
        if (!take_entry(imatrix, &bytes, error))
            return false;
    return take_trailer(imatrix, &bytes, error);
}

/* ---- writing ---- */

static void put_integer(FILE *stream, int64_t value) {
    int32_t narrow = value > INT32_MAX ? INT32_MAX : (int32_t)value;
    (void)fwrite(&narrow, sizeof narrow, 1, stream);
}

static int64_t calls_of(const struct imatrix *imatrix, const struct imatrix_entry *entry) {
    double most = 0;
    double chunk = imatrix->chunk > 0 ? (double)imatrix->chunk : IMATRIX_CHUNK;
    for (int64_t i = 0; i < entry->parts; i++)
        most = fmax(most, entry->counts[i]);
    return most > 0 ? (int64_t)ceil(most / chunk) : 1;
}

/* As llama.cpp does, a matrix without tokens gets 1 everywhere: no column is more important than another. */
static void put_entry(const struct imatrix *imatrix, const struct imatrix_entry *entry, FILE *stream) {
    size_t values = (size_t)entry->columns * (size_t)entry->parts;
    int64_t calls = calls_of(imatrix, entry);
    put_integer(stream, (int64_t)strlen(entry->name));
    (void)fwrite(entry->name, 1, strlen(entry->name), stream);
    put_integer(stream, calls);
    put_integer(stream, (int64_t)values);
    for (size_t i = 0; i < values; i++) {
        bool seen = entry->counts[i / (size_t)entry->columns] > 0;
        float value = (float)((seen ? imatrix_mean(entry, i) : 1) * (double)calls);
        (void)fwrite(&value, sizeof value, 1, stream);
    }
}

void imatrix_write_legacy(const struct imatrix *imatrix, FILE *stream) {
    const char *dataset = imatrix->dataset != NULL ? imatrix->dataset : "";
    put_integer(stream, (int64_t)imatrix->count);
    for (size_t i = 0; i < imatrix->count; i++)
        put_entry(imatrix, &imatrix->entries[i], stream);
    put_integer(stream, imatrix->chunks);
    put_integer(stream, (int64_t)strlen(dataset));
    (void)fwrite(dataset, 1, strlen(dataset), stream);
}

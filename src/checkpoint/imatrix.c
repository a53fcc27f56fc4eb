#include "checkpoint/imatrix_state.h"

#include "base/memory.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "GGUF"
#define NAME_MAXIMUM 4096
#define COUNT_MAXIMUM 9007199254740992.0 /* 2^53: beyond it doubles do not count */

/* ---- bytes ---- */

bool imatrix_skip(struct imatrix_bytes *bytes, size_t size, const char *what, struct error *error) {
    size_t left = bytes->map->size - bytes->at;
    if (size > left)
        return error_set(error, ERROR_INPUT, "%s: %s takes %zu bytes at byte %zu, but only %zu are left",
                         bytes->map->path, what, size, bytes->at, left);
    bytes->at += size;
    return true;
}

bool imatrix_take(void *out, struct imatrix_bytes *bytes, size_t size, const char *what, struct error *error) {
    size_t at = bytes->at;
    if (!imatrix_skip(bytes, size, what, error))
        return false;
    if (size > 0)
        memcpy(out, bytes->map->data + at, size);
    return true;
}

static bool is_printable(const uint8_t *name, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (name[i] < 0x20 || name[i] == 0x7f)
            return false;
    return true;
}

char *imatrix_take_name(struct imatrix_bytes *bytes, uint64_t length, const char *what, struct error *error) {
    const uint8_t *name = bytes->map->data + bytes->at;
    if (length == 0 || length > NAME_MAXIMUM) {
        (void)error_set(error, ERROR_INPUT, "%s: %s has %llu bytes at byte %zu; 1 to %d would be right",
                        bytes->map->path, what, (unsigned long long)length, bytes->at, NAME_MAXIMUM);
        return NULL;
    }
    if (!imatrix_skip(bytes, (size_t)length, what, error))
        return NULL;
    if (!is_printable(name, (size_t)length)) {
        (void)error_set(error, ERROR_INPUT, "%s: %s at byte %zu holds control characters", bytes->map->path, what,
                        bytes->at - (size_t)length);
        return NULL;
    }
    return memory_copy_bytes(name, (size_t)length, error);
}

/* ---- entries ---- */

static void free_entry(struct imatrix_entry *entry) {
    memory_free(entry->name);
    memory_free(entry->sum_squares);
    memory_free(entry->sum);
    memory_free(entry->counts);
}

void imatrix_free(struct imatrix *imatrix) {
    for (size_t i = 0; i < imatrix->count; i++)
        free_entry(&imatrix->entries[i]);
    memory_free(imatrix->entries);
    memory_free(imatrix->dataset);
    memset(imatrix, 0, sizeof *imatrix);
}

struct imatrix_entry *imatrix_add(struct imatrix *imatrix, const char *name, int64_t columns, int64_t parts,
                                  bool with_sum, struct error *error) {
    size_t values;
    if (!memory_multiply(&values, (size_t)columns, (size_t)parts)) {
        (void)error_set(error, ERROR_INPUT, "%s: %lld inputs of %lld matrices are too many", name, (long long)columns,
                        (long long)parts);
        return NULL;
    }
    if (!memory_grow(&imatrix->entries, &imatrix->capacity, imatrix->count, sizeof *imatrix->entries, error))
        return NULL;
    struct imatrix_entry *entry = &imatrix->entries[imatrix->count++];
    *entry = (struct imatrix_entry){.columns = columns, .parts = parts};
    entry->name = memory_copy_string(name, error);
    if (entry->name != NULL)
        entry->sum_squares = memory_alloc(values, sizeof(double), error);
    if (entry->sum_squares != NULL)
        entry->counts = memory_alloc((size_t)parts, sizeof(double), error);
    if (entry->counts != NULL && with_sum)
        entry->sum = memory_alloc(values, sizeof(double), error);
    return entry->counts != NULL && (!with_sum || entry->sum != NULL) ? entry : NULL;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct imatrix_entry *)a)->name, ((const struct imatrix_entry *)b)->name);
}

bool imatrix_sort(struct imatrix *imatrix, const char *path, struct error *error) {
    if (imatrix->count > 0)
        qsort(imatrix->entries, imatrix->count, sizeof *imatrix->entries, compare_names);
    for (size_t i = 1; i < imatrix->count; i++)
        if (compare_names(&imatrix->entries[i - 1], &imatrix->entries[i]) == 0)
            return error_set(error, ERROR_INPUT, "%s: %s is there twice", path, imatrix->entries[i].name);
    return true;
}

const struct imatrix_entry *imatrix_find(const struct imatrix *imatrix, const char *name) {
    struct imatrix_entry key = {.name = (char *)(uintptr_t)name};
    if (imatrix->count == 0)
        return NULL;
    return bsearch(&key, imatrix->entries, imatrix->count, sizeof key, compare_names);
}

double imatrix_mean(const struct imatrix_entry *entry, size_t value) {
    double count = entry->counts[value / (size_t)entry->columns];
    return count > 0 ? entry->sum_squares[value] / count : 0;
}

/* ---- reading ---- */

static bool check_entry(const struct imatrix_entry *entry, const char *path, struct error *error) {
    size_t values = (size_t)entry->columns * (size_t)entry->parts;
    for (size_t i = 0; i < (size_t)entry->parts; i++)
        if (!(entry->counts[i] >= 0 && entry->counts[i] <= COUNT_MAXIMUM))
            return error_set(error, ERROR_INPUT, "%s: %s was seen by %g tokens; 0 or more would be right", path,
                             entry->name, entry->counts[i]);
    for (size_t i = 0; i < values; i++)
        if (!(entry->sum_squares[i] >= 0 && isfinite(entry->sum_squares[i])))
            return error_set(error, ERROR_INPUT,
                             "%s: %s has %g as the sum of squares of input %zu; a finite number, 0 or more, would be "
                             "right",
                             path, entry->name, entry->sum_squares[i], i % (size_t)entry->columns);
    for (size_t i = 0; entry->sum != NULL && i < values; i++)
        if (!isfinite(entry->sum[i]))
            return error_set(error, ERROR_INPUT, "%s: %s has %g as the sum of input %zu", path, entry->name,
                             entry->sum[i], i % (size_t)entry->columns);
    return true;
}

static bool is_gguf(const struct file_map *map) {
    return map->size >= sizeof MAGIC - 1 && memcmp(map->data, MAGIC, sizeof MAGIC - 1) == 0;
}

bool imatrix_read(struct imatrix *imatrix, const char *path, struct error *error) {
    struct file_map map;
    memset(imatrix, 0, sizeof *imatrix);
    if (!file_map_open(&map, path, error))
        return false;
    bool ok = is_gguf(&map) ? imatrix_read_gguf(imatrix, &map, error) : imatrix_read_legacy(imatrix, &map, error);
    file_map_close(&map);
    for (size_t i = 0; ok && i < imatrix->count; i++)
        ok = check_entry(&imatrix->entries[i], path, error);
    if (ok && imatrix->count == 0)
        return error_set(error, ERROR_INPUT, "%s: holds no importance matrix at all", path);
    return ok && imatrix_sort(imatrix, path, error);
}

bool imatrix_recognise(const char *path) {
    if (!file_is_regular(path))
        return false;
    if (text_ends(path, ".dat") || text_ends(path, ".imatrix") || text_ends(path, ".gguf"))
        return true;
    char magic[sizeof MAGIC] = "";
    FILE *file = fopen(path, "rb");
    size_t got = file != NULL ? fread(magic, 1, sizeof MAGIC - 1, file) : 0;
    if (file != NULL)
        (void)fclose(file);
    return got == sizeof MAGIC - 1 && memcmp(magic, MAGIC, got) == 0;
}

/* ---- writing ---- */

bool imatrix_write(const struct imatrix *imatrix, const char *path, struct error *error) {
    struct file_output output;
    if (!file_output_open(&output, path, error))
        return false;
    if (text_ends(path, ".dat"))
        imatrix_write_legacy(imatrix, output.stream);
    else
        imatrix_write_gguf(imatrix, output.stream);
    return file_output_commit(&output, error);
}

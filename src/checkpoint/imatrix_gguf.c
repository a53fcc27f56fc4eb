/* GGUF of type "imatrix": f32 tensors NAME.in_sum2 [matrices × inputs], NAME.counts [matrices × 1] and, in newer files,
 * NAME.in_sum. */
#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/imatrix_state.h"
#include <stdlib.h>
#include <string.h>

#define TENSOR_MINIMUM 33 /* bytes of a tensor's description: lengths, one byte of name, one dimension */
#define DIMENSIONS 4
#define ALIGNMENT 32
#define ALIGNMENT_MAXIMUM 65536
#define TYPE_F32 0
#define DEPTH 4 /* of arrays in arrays */

enum value_type { VALUE_U32 = 4, VALUE_STRING = 8, VALUE_ARRAY = 9, VALUE_U64 = 10 };
static const size_t value_sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}; /* 0: of varying length */
#define VALUE_TYPES (sizeof value_sizes / sizeof *value_sizes)

struct gguf_tensor {
    char *name;
    uint64_t sizes[2]; /* inputs, matrices */
    uint64_t offset;
};

struct gguf {
    struct imatrix *imatrix;
    struct imatrix_bytes bytes;
    uint64_t tensor_count, value_count;
    uint32_t alignment;
    bool typed; /* general.type is "imatrix" */
    struct gguf_tensor *tensors;
    size_t count;
    size_t data;     /* where tensors begin */
    size_t declared; /* bytes that all tensors take together */
};

/* ---- what is said about the file ---- */

static bool take_string(char **string, struct gguf *gguf, const char *what, struct error *error) {
    uint64_t length;
    *string = NULL;
    if (!imatrix_take(&length, &gguf->bytes, sizeof length, what, error))
        return false;
    *string = imatrix_take_name(&gguf->bytes, length, what, error);
    return *string != NULL;
}

static bool skip_string(struct gguf *gguf, const char *what, struct error *error) {
    uint64_t length;
    return imatrix_take(&length, &gguf->bytes, sizeof length, what, error) &&
           imatrix_skip(&gguf->bytes, (size_t)length, what, error);
}

static bool skip_value(struct gguf *gguf, uint32_t type, const char *key, int depth, struct error *error);

static bool skip_array(struct gguf *gguf, const char *key, int depth, struct error *error) {
    uint32_t type;
    uint64_t count;
    if (!imatrix_take(&type, &gguf->bytes, sizeof type, key, error) ||
        !imatrix_take(&count, &gguf->bytes, sizeof count, key, error))
        return false;
    if (count > gguf->bytes.map->size)
        return error_set(error, ERROR_INPUT, "%s: %s has %llu values, more than the file has bytes",
                         gguf->bytes.map->path, key, (unsigned long long)count);
    bool ok = true;
    for (uint64_t i = 0; ok && i < count; i++)
        ok = skip_value(gguf, type, key, depth + 1, error);
    return ok;
}

static bool skip_value(struct gguf *gguf, uint32_t type, const char *key, int depth, struct error *error) {
    if (type >= VALUE_TYPES || depth > DEPTH)
        return error_set(error, ERROR_INPUT, "%s: %s has type %u%s; 0 to %zu are known", gguf->bytes.map->path, key,
                         type, depth > DEPTH ? " in too many arrays" : "", VALUE_TYPES - 1);
    if (type == VALUE_STRING)
        return skip_string(gguf, key, error);
    if (type == VALUE_ARRAY)
        return skip_array(gguf, key, depth, error);
    return imatrix_skip(&gguf->bytes, value_sizes[type], key, error);
}

static bool take_type(struct gguf *gguf, struct error *error) {
    char *type;
    if (!take_string(&type, gguf, "general.type", error))
        return false;
    gguf->typed = strcmp(type, "imatrix") == 0;
    if (!gguf->typed)
        (void)error_set(error, ERROR_INPUT, "%s: is a GGUF of type \"%s\"; an importance matrix has \"imatrix\"",
                        gguf->bytes.map->path, type);
    memory_free(type);
    return gguf->typed;
}

static bool take_alignment(struct gguf *gguf, struct error *error) {
    uint32_t alignment;
    if (!imatrix_take(&alignment, &gguf->bytes, sizeof alignment, "general.alignment", error))
        return false;
    gguf->alignment = alignment;
    bool power = alignment > 0 && (alignment & (alignment - 1)) == 0;
    return (power && alignment <= ALIGNMENT_MAXIMUM) ||
           error_set(error, ERROR_INPUT, "%s: general.alignment is %u; a power of two up to %d would be right",
                     gguf->bytes.map->path, alignment, ALIGNMENT_MAXIMUM);
}

static bool take_number(int64_t *number, struct gguf *gguf, const char *key, struct error *error) {
    uint32_t value = 0;
    bool ok = imatrix_take(&value, &gguf->bytes, sizeof value, key, error);
    *number = value;
    return ok;
}

static bool take_chunks(struct gguf *gguf, struct error *error) {
    return take_number(&gguf->imatrix->chunks, gguf, "imatrix.chunk_count", error);
}

static bool take_chunk(struct gguf *gguf, struct error *error) {
    return take_number(&gguf->imatrix->chunk, gguf, "imatrix.chunk_size", error);
}

/* The first of them names the file. */
static bool take_datasets(struct gguf *gguf, struct error *error) {
    struct imatrix_bytes begin = gguf->bytes;
    uint32_t type;
    uint64_t count;
    if (!skip_array(gguf, "imatrix.datasets", 0, error))
        return false;
    struct gguf again = {.bytes = begin};
    if (!imatrix_take(&type, &again.bytes, sizeof type, "imatrix.datasets", error) ||
        !imatrix_take(&count, &again.bytes, sizeof count, "imatrix.datasets", error))
        return false;
    if (type != VALUE_STRING || count == 0)
        return true;
    uint64_t length;
    memcpy(&length, again.bytes.map->data + again.bytes.at, sizeof length);
    if (length == 0)
        return true;
    memory_free(gguf->imatrix->dataset);
    return take_string(&gguf->imatrix->dataset, &again, "imatrix.datasets", error);
}

static const struct known_key {
    const char *name;
    uint32_t type;
    bool (*take)(struct gguf *gguf, struct error *error);
} known_keys[] = {
    {"general.type", VALUE_STRING, take_type},        {"general.alignment", VALUE_U32, take_alignment},
    {"imatrix.chunk_count", VALUE_U32, take_chunks},  {"imatrix.chunk_size", VALUE_U32, take_chunk},
    {"imatrix.datasets", VALUE_ARRAY, take_datasets},
};

static bool take_value_of(struct gguf *gguf, const char *key, struct error *error) {
    uint32_t type;
    if (!imatrix_take(&type, &gguf->bytes, sizeof type, key, error))
        return false;
    for (size_t i = 0; i < sizeof known_keys / sizeof *known_keys; i++) {
        if (strcmp(known_keys[i].name, key) != 0)
            continue;
        if (type != known_keys[i].type)
            return error_set(error, ERROR_INPUT, "%s: %s has type %u; %u would be right", gguf->bytes.map->path, key,
                             type, known_keys[i].type);
        return known_keys[i].take(gguf, error);
    }
    return skip_value(gguf, type, key, 0, error);
}

static bool take_values(struct gguf *gguf, struct error *error) {
    for (uint64_t i = 0; i < gguf->value_count; i++) {
        char *key;
        bool ok = take_string(&key, gguf, "a key", error) && take_value_of(gguf, key, error);
        memory_free(key);
        if (!ok)
            return false;
    }
    return gguf->typed ||
           error_set(error, ERROR_INPUT, "%s: is a GGUF without general.type \"imatrix\"", gguf->bytes.map->path);
}

static bool take_head(struct gguf *gguf, struct error *error) {
    uint32_t head[2];
    const char *path = gguf->bytes.map->path;
    if (!imatrix_take(head, &gguf->bytes, sizeof head, "the head", error))
        return false;
    if (head[1] < 2 || head[1] > 3)
        return error_set(error, ERROR_INPUT, "%s: is GGUF version %u; 2 and 3 (little-endian) can be read", path,
                         head[1]);
    if (!imatrix_take(&gguf->tensor_count, &gguf->bytes, 8, "the number of tensors", error) ||
        !imatrix_take(&gguf->value_count, &gguf->bytes, 8, "the number of keys", error))
        return false;
    return gguf->tensor_count <= gguf->bytes.map->size / TENSOR_MINIMUM ||
           error_set(error, ERROR_INPUT, "%s: %llu tensors do not fit into %zu bytes", path,
                     (unsigned long long)gguf->tensor_count, gguf->bytes.map->size);
}

/* ---- tensors ---- */

static bool take_sizes(struct gguf_tensor *tensor, struct gguf *gguf, struct error *error) {
    uint32_t dimensions;
    if (!imatrix_take(&dimensions, &gguf->bytes, sizeof dimensions, tensor->name, error))
        return false;
    if (dimensions == 0 || dimensions > DIMENSIONS)
        return error_set(error, ERROR_INPUT, "%s: %s has %u dimensions; 1 to %d would be right", gguf->bytes.map->path,
                         tensor->name, dimensions, DIMENSIONS);
    tensor->sizes[0] = tensor->sizes[1] = 1;
    for (uint32_t i = 0; i < dimensions; i++) {
        uint64_t size;
        if (!imatrix_take(&size, &gguf->bytes, sizeof size, tensor->name, error))
            return false;
        if (size == 0 || size > INT32_MAX || (i > 1 && size != 1))
            return error_set(error, ERROR_INPUT, "%s: %s has size %llu in dimension %u", gguf->bytes.map->path,
                             tensor->name, (unsigned long long)size, i);
        if (i < 2)
            tensor->sizes[i] = size;
    }
    return true;
}

static bool take_place(struct gguf_tensor *tensor, struct gguf *gguf, struct error *error) {
    uint32_t type;
    if (!imatrix_take(&type, &gguf->bytes, sizeof type, tensor->name, error) ||
        !imatrix_take(&tensor->offset, &gguf->bytes, sizeof tensor->offset, tensor->name, error))
        return false;
    if (type != TYPE_F32)
        return error_set(error, ERROR_INPUT, "%s: %s has type %u; f32 (0) would be right", gguf->bytes.map->path,
                         tensor->name, type);
    return tensor->offset % gguf->alignment == 0 ||
           error_set(error, ERROR_INPUT, "%s: %s begins at %llu, not at a multiple of %u", gguf->bytes.map->path,
                     tensor->name, (unsigned long long)tensor->offset, gguf->alignment);
}

static bool take_tensor(struct gguf *gguf, struct error *error) {
    struct gguf_tensor *tensor = &gguf->tensors[gguf->count++];
    return take_string(&tensor->name, gguf, "a tensor's name", error) && take_sizes(tensor, gguf, error) &&
           take_place(tensor, gguf, error);
}

/* Also bounds what all of them take together, so that many tensors at one place cannot fill memory. */
static bool check_place(struct gguf *gguf, const struct gguf_tensor *tensor, struct error *error) {
    size_t size = gguf->bytes.map->size;
    size_t room = size - gguf->data;
    size_t bytes;
    if (!memory_multiply(&bytes, (size_t)tensor->sizes[0], (size_t)tensor->sizes[1] * sizeof(float)) ||
        tensor->offset > room || bytes > room - tensor->offset)
        return error_set(error, ERROR_INPUT, "%s: %s, %llu × %llu numbers at %llu, does not lie inside the file",
                         gguf->bytes.map->path, tensor->name, (unsigned long long)tensor->sizes[1],
                         (unsigned long long)tensor->sizes[0], (unsigned long long)tensor->offset);
    gguf->declared += bytes;
    return gguf->declared <= room ||
           error_set(error, ERROR_INPUT, "%s: %s overlaps another tensor", gguf->bytes.map->path, tensor->name);
}

static int compare_tensors(const void *a, const void *b) {
    return strcmp(((const struct gguf_tensor *)a)->name, ((const struct gguf_tensor *)b)->name);
}

static bool take_tensors(struct gguf *gguf, struct error *error) {
    gguf->tensors = memory_alloc((size_t)gguf->tensor_count, sizeof *gguf->tensors, error);
    bool ok = gguf->tensors != NULL;
    for (uint64_t i = 0; ok && i < gguf->tensor_count; i++)
        ok = take_tensor(gguf, error);
    gguf->data = (gguf->bytes.at + gguf->alignment - 1) / gguf->alignment * gguf->alignment;
    if (ok && gguf->data > gguf->bytes.map->size)
        return error_set(error, ERROR_INPUT, "%s: ends before its tensors begin", gguf->bytes.map->path);
    for (size_t i = 0; ok && i < gguf->count; i++)
        ok = check_place(gguf, &gguf->tensors[i], error);
    if (ok)
        qsort(gguf->tensors, gguf->count, sizeof *gguf->tensors, compare_tensors);
    return ok;
}

/* ---- from tensors to entries ---- */

/* Of the tensor `base`, whose name ends with `from`, the one that ends with `to`. *found stays NULL without one. */
static bool find_sibling(const struct gguf_tensor **found, const struct gguf *gguf, const struct gguf_tensor *base,
                         const char *from, const char *to, struct error *error) {
    struct text name = {0};
    text_add_bytes(&name, base->name, strlen(base->name) - strlen(from));
    text_add(&name, "%s", to);
    struct gguf_tensor key = {.name = (char *)(uintptr_t)text_string(&name)};
    bool ok = !name.failed || error_set(error, ERROR_MEMORY, "no memory for a tensor's name");
    *found = ok ? bsearch(&key, gguf->tensors, gguf->count, sizeof key, compare_tensors) : NULL;
    text_free(&name);
    return ok;
}

static void widen(double *out, const struct gguf *gguf, const struct gguf_tensor *tensor) {
    const uint8_t *data = gguf->bytes.map->data + gguf->data + tensor->offset;
    for (size_t i = 0; i < (size_t)(tensor->sizes[0] * tensor->sizes[1]); i++) {
        float value;
        memcpy(&value, data + i * sizeof value, sizeof value);
        out[i] = (double)value;
    }
}

static bool check_siblings(const struct gguf *gguf, const struct gguf_tensor *squares, const struct gguf_tensor *counts,
                           const struct gguf_tensor *sum, struct error *error) {
    const char *path = gguf->bytes.map->path;
    if (counts == NULL)
        return error_set(error, ERROR_INPUT, "%s: %s has no counts beside it", path, squares->name);
    if (counts->sizes[0] * counts->sizes[1] != squares->sizes[1])
        return error_set(error, ERROR_INPUT, "%s: %s has %llu numbers; %llu, one for each matrix, would be right", path,
                         counts->name, (unsigned long long)(counts->sizes[0] * counts->sizes[1]),
                         (unsigned long long)squares->sizes[1]);
    bool same = sum == NULL || memcmp(sum->sizes, squares->sizes, sizeof sum->sizes) == 0;
    return same || error_set(error, ERROR_INPUT, "%s: %s and %s differ in shape", path, sum->name, squares->name);
}

static bool make_entry(struct gguf *gguf, const struct gguf_tensor *squares, struct error *error) {
    const struct gguf_tensor *counts;
    const struct gguf_tensor *sum;
    if (!find_sibling(&counts, gguf, squares, ".in_sum2", ".counts", error) ||
        !find_sibling(&sum, gguf, squares, ".in_sum2", ".in_sum", error) ||
        !check_siblings(gguf, squares, counts, sum, error))
        return false;
    char *name = memory_copy_bytes(squares->name, strlen(squares->name) - strlen(".in_sum2"), error);
    struct imatrix_entry *entry = name == NULL ? NULL
                                               : imatrix_add(gguf->imatrix, name, (int64_t)squares->sizes[0],
                                                             (int64_t)squares->sizes[1], sum != NULL, error);
    memory_free(name);
    if (entry == NULL)
        return false;
    widen(entry->sum_squares, gguf, squares);
    widen(entry->counts, gguf, counts);
    if (sum != NULL)
        widen(entry->sum, gguf, sum);
    return true;
}

static bool take_suffix(struct gguf *gguf, const struct gguf_tensor *tensor, struct error *error) {
    if (text_ends(tensor->name, ".in_sum2"))
        return make_entry(gguf, tensor, error);
    if (!text_ends(tensor->name, ".counts"))
        return true;
    const struct gguf_tensor *squares;
    if (!find_sibling(&squares, gguf, tensor, ".counts", ".in_sum2", error))
        return false;
    return squares != NULL ||
           error_set(error, ERROR_INPUT, "%s: %s has no in_sum2 beside it", gguf->bytes.map->path, tensor->name);
}

static bool make_entries(struct gguf *gguf, struct error *error) {
    bool ok = true;
    for (size_t i = 1; i < gguf->count; i++)
        if (compare_tensors(&gguf->tensors[i - 1], &gguf->tensors[i]) == 0)
            return error_set(error, ERROR_INPUT, "%s: %s is there twice", gguf->bytes.map->path, gguf->tensors[i].name);
    for (size_t i = 0; ok && i < gguf->count; i++)
        ok = take_suffix(gguf, &gguf->tensors[i], error);
    return ok;
}

bool imatrix_read_gguf(struct imatrix *imatrix, const struct file_map *map, struct error *error) {
    struct gguf gguf = {.imatrix = imatrix, .bytes = {.map = map}, .alignment = ALIGNMENT};
    bool ok = take_head(&gguf, error) && take_values(&gguf, error) && take_tensors(&gguf, error) &&
              make_entries(&gguf, error);
    for (size_t i = 0; i < gguf.count; i++)
        memory_free(gguf.tensors[i].name);
    memory_free(gguf.tensors);
    return ok;
}

/* ---- writing ---- */

static void put(FILE *stream, const void *bytes, size_t size) {
    (void)fwrite(bytes, 1, size, stream); /* committing the file finds a short write */
}

static void put_u32(FILE *stream, uint32_t value) {
    put(stream, &value, sizeof value);
}

static void put_u64(FILE *stream, uint64_t value) {
    put(stream, &value, sizeof value);
}

static void put_string(FILE *stream, const char *string, const char *suffix) {
    put_u64(stream, strlen(string) + strlen(suffix));
    put(stream, string, strlen(string));
    put(stream, suffix, strlen(suffix));
}

static void put_key(FILE *stream, const char *key, uint32_t type) {
    put_string(stream, key, "");
    put_u32(stream, type);
}

static void put_values(FILE *stream, const struct imatrix *imatrix) {
    put_key(stream, "general.type", VALUE_STRING);
    put_string(stream, "imatrix", "");
    put_key(stream, "imatrix.datasets", VALUE_ARRAY);
    put_u32(stream, VALUE_STRING);
    put_u64(stream, 1);
    put_string(stream, imatrix->dataset != NULL ? imatrix->dataset : "unknown", "");
    put_key(stream, "imatrix.chunk_count", VALUE_U32);
    put_u32(stream, (uint32_t)imatrix->chunks);
    put_key(stream, "imatrix.chunk_size", VALUE_U32);
    put_u32(stream, (uint32_t)imatrix->chunk);
}

/* The tensors of an entry, in the order in which they are written. */
struct part {
    const char *suffix;
    const double *values; /* NULL: not there */
    uint64_t sizes[2];
};

static void find_parts(struct part parts[3], const struct imatrix_entry *entry) {
    uint64_t columns = (uint64_t)entry->columns;
    uint64_t matrices = (uint64_t)entry->parts;
    parts[0] = (struct part){".in_sum2", entry->sum_squares, {columns, matrices}};
    parts[1] = (struct part){".counts", entry->counts, {1, matrices}};
    parts[2] = (struct part){".in_sum", entry->sum, {columns, matrices}};
}

static uint64_t padded(uint64_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Returns the offset behind the entry's tensors. */
static uint64_t put_descriptions(FILE *stream, const struct imatrix_entry *entry, uint64_t offset) {
    struct part parts[3];
    find_parts(parts, entry);
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].values == NULL)
            continue;
        put_string(stream, entry->name, parts[i].suffix);
        put_u32(stream, 2);
        put(stream, parts[i].sizes, sizeof parts[i].sizes);
        put_u32(stream, TYPE_F32);
        put_u64(stream, offset);
        offset += padded(parts[i].sizes[0] * parts[i].sizes[1] * sizeof(float));
    }
    return offset;
}

static void put_padding(FILE *stream, uint64_t bytes) {
    static const uint8_t zeros[ALIGNMENT];
    put(stream, zeros, (size_t)(padded(bytes) - bytes));
}

static void put_tensors(FILE *stream, const struct imatrix_entry *entry) {
    struct part parts[3];
    find_parts(parts, entry);
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].values == NULL)
            continue;
        uint64_t count = parts[i].sizes[0] * parts[i].sizes[1];
        for (uint64_t j = 0; j < count; j++) {
            float value = (float)parts[i].values[j];
            put(stream, &value, sizeof value);
        }
        put_padding(stream, count * sizeof(float));
    }
}

void imatrix_write_gguf(const struct imatrix *imatrix, FILE *stream) {
    uint64_t tensors = 0;
    uint64_t offset = 0;
    for (size_t i = 0; i < imatrix->count; i++)
        tensors += imatrix->entries[i].sum != NULL ? 3 : 2;
    put(stream, "GGUF", 4);
    put_u32(stream, 3);
    put_u64(stream, tensors);
    put_u64(stream, 4); /* keys */
    put_values(stream, imatrix);
    for (size_t i = 0; i < imatrix->count; i++)
        offset = put_descriptions(stream, &imatrix->entries[i], offset);
    long at = ftell(stream);
    put_padding(stream, at > 0 ? (uint64_t)at : 0);
    for (size_t i = 0; i < imatrix->count; i++)
        put_tensors(stream, &imatrix->entries[i]);
}

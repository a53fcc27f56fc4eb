#include "checkpoint/safetensors.h"

#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/json_file.h"
#include <stdlib.h>
#include <string.h>

/* Longer than any real name, and short enough to be shown in an error whole. */
#define NAME_LIMIT 256

bool safetensors_name_is_fit(const char *name) {
    if (name[0] == '\0' || name[0] == '/' || strlen(name) > NAME_LIMIT || text_starts(name, "..") ||
        strstr(name, "/..") != NULL)
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

static bool read_length(size_t *length, const struct file_map *map, struct error *error) {
    if (map->size < SAFETENSORS_LENGTH_BYTES)
        return error_set(error, ERROR_INPUT,
                         "%s is %zu bytes long and so no safetensors file, which starts with 8 bytes of header length",
                         map->path, map->size);
    uint64_t value = 0;
    for (size_t i = SAFETENSORS_LENGTH_BYTES; i-- > 0;)
        value = value << 8 | map->data[i];
    if (value > JSON_FILE_LIMIT)
        return error_set(error, ERROR_INPUT, "%s: the header length is %llu; at most %zu is accepted", map->path,
                         (unsigned long long)value, JSON_FILE_LIMIT);
    if (value > map->size - SAFETENSORS_LENGTH_BYTES)
        return error_set(error, ERROR_INPUT, "%s is truncated: its header is %llu bytes long but %zu follow", map->path,
                         (unsigned long long)value, map->size - SAFETENSORS_LENGTH_BYTES);
    *length = (size_t)value;
    return true;
}

static json_t *read_header(size_t *length, const struct file_map *map, struct error *error) {
    if (!read_length(length, map, error))
        return NULL;
    char *what = memory_alloc(strlen(map->path) + sizeof "the header of ", 1, error);
    if (what == NULL)
        return NULL;
    (void)strcat(strcpy(what, "the header of "), map->path);
    const char *text = (const char *)map->data + SAFETENSORS_LENGTH_BYTES;
    json_t *header = json_file_parse(text, *length, what, error);
    memory_free(what);
    return header;
}

static bool check_metadata(json_t *metadata, const struct file_map *map, struct error *error) {
    if (metadata != NULL && !json_is_object(metadata))
        return error_set(error, ERROR_INPUT, "%s: __metadata__ must be an object of strings", map->path);
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value))
            return error_set(error, ERROR_INPUT, "%s: __metadata__ \"%.100s\" must be a string", map->path, key);
    }
    return true;
}

static bool read_size(uint64_t *value, const json_t *json) {
    if (!json_is_integer(json) || json_integer_value(json) < 0)
        return false;
    *value = (uint64_t)json_integer_value(json);
    return true;
}

static bool read_dtype(struct tensor *tensor, const json_t *json, const char *path, struct error *error) {
    const char *name = json_string_value(json);
    if (name == NULL)
        return error_set(error, ERROR_INPUT, "%s: tensor \"%s\" has no dtype", path, tensor->name);
    if (!dtype_from_name(&tensor->dtype, name) || strcmp(dtype_info(tensor->dtype)->name, name) != 0)
        return error_set(error, ERROR_INPUT,
                         "%s: tensor \"%s\" has the unknown dtype \"%.60s\"; known are F64, F32, F16, BF16, F8_E4M3, "
                         "F8_E5M2, BOOL, I8 to I64 and U8 to U64",
                         path, tensor->name, name);
    return true;
}

static bool read_shape(struct tensor *tensor, const json_t *json, const char *path, struct error *error) {
    if (!json_is_array(json))
        return error_set(error, ERROR_INPUT, "%s: tensor \"%s\" has no shape", path, tensor->name);
    size_t rank = json_array_size(json), count = 1;
    if (rank > TENSOR_RANK_MAXIMUM)
        return error_set(error, ERROR_INPUT, "%s: tensor \"%s\" has %zu dimensions; at most %d are accepted", path,
                         tensor->name, rank, TENSOR_RANK_MAXIMUM);
    for (size_t i = 0; i < rank; i++) {
        uint64_t size;
        if (!read_size(&size, json_array_get(json, i)))
            return error_set(error, ERROR_INPUT,
                             "%s: tensor \"%s\": dimension %zu of the shape is not a whole number of 0 or more", path,
                             tensor->name, i);
        if (!memory_multiply(&count, count, (size_t)size))
            return error_set(error, ERROR_INPUT, "%s: tensor \"%s\": the product of the shape overflows", path,
                             tensor->name);
        tensor->shape[i] = (int64_t)size;
    }
    tensor->rank = (int)rank;
    tensor->count = count;
    if (!memory_multiply(&tensor->bytes, count, dtype_info(tensor->dtype)->bytes))
        return error_set(error, ERROR_INPUT, "%s: tensor \"%s\": %zu elements of %s overflow", path, tensor->name,
                         count, dtype_info(tensor->dtype)->name);
    return true;
}

static bool read_offsets(struct tensor *tensor, const json_t *json, const struct file_map *map, size_t data_begin,
                         struct error *error) {
    uint64_t begin, end;
    if (!json_is_array(json) || json_array_size(json) != 2 || !read_size(&begin, json_array_get(json, 0)) ||
        !read_size(&end, json_array_get(json, 1)))
        return error_set(error, ERROR_INPUT, "%s: tensor \"%s\": data_offsets must be two whole numbers of 0 or more",
                         map->path, tensor->name);
    if (begin > end)
        return error_set(error, ERROR_INPUT, "%s: tensor \"%s\": its offsets %llu to %llu run backwards", map->path,
                         tensor->name, (unsigned long long)begin, (unsigned long long)end);
    if (end > map->size - data_begin)
        return error_set(error, ERROR_INPUT,
                         "%s is truncated or wrong: tensor \"%s\" ends at byte %llu of the data, which has %zu",
                         map->path, tensor->name, (unsigned long long)end, map->size - data_begin);
    if (end - begin != tensor->bytes)
        return error_set(error, ERROR_INPUT,
                         "%s: tensor \"%s\" has %llu bytes by its offsets but %zu by its shape and dtype", map->path,
                         tensor->name, (unsigned long long)(end - begin), tensor->bytes);
    tensor->offset = data_begin + (size_t)begin;
    tensor->data = map->data + tensor->offset;
    return true;
}

static bool read_tensor(struct tensor *tensor, const char *name, const json_t *entry, const struct file_map *map,
                        size_t data_begin, struct error *error) {
    if (!safetensors_name_is_fit(name))
        return error_set(error, ERROR_INPUT,
                         "%s: \"%.80s\" is no name for a tensor (empty, absolute, with \"..\", control characters or "
                         "longer than %d bytes)",
                         map->path, name, NAME_LIMIT);
    tensor->name = memory_copy_string(name, error);
    if (tensor->name == NULL)
        return false;
    if (!json_is_object(entry))
        return error_set(error, ERROR_INPUT, "%s: tensor \"%s\" is not described by an object", map->path, name);
    return read_dtype(tensor, json_object_get(entry, "dtype"), map->path, error) &&
           read_shape(tensor, json_object_get(entry, "shape"), map->path, error) &&
           read_offsets(tensor, json_object_get(entry, "data_offsets"), map, data_begin, error);
}

/* By offset; empty tensors before the one that starts where they lie; then by name, so that the order is total. */
static int compare_places(const void *left, const void *right) {
    const struct tensor *a = left, *b = right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

static bool check_places(const struct safetensors *file, const struct file_map *map, struct error *error) {
    size_t at = file->data_begin;
    for (size_t i = 0; i < file->tensor_count; i++) {
        const struct tensor *tensor = &file->tensors[i];
        if (tensor->offset < at)
            return error_set(error, ERROR_INPUT, "%s: tensors \"%s\" and \"%s\" overlap by %zu bytes", map->path,
                             file->tensors[i - 1].name, tensor->name, at - tensor->offset);
        if (tensor->offset > at)
            return error_set(error, ERROR_INPUT, "%s: a hole of %zu bytes lies before tensor \"%s\"", map->path,
                             tensor->offset - at, tensor->name);
        at += tensor->bytes;
    }
    if (at != map->size)
        return error_set(error, ERROR_INPUT, "%s: %zu bytes behind the last tensor belong to none", map->path,
                         map->size - at);
    return true;
}

static bool read_tensors(struct safetensors *out, json_t *header, const struct file_map *map, struct error *error) {
    out->tensors = memory_alloc(json_object_size(header), sizeof *out->tensors, error);
    if (out->tensors == NULL)
        return false;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        struct tensor *tensor = &out->tensors[out->tensor_count++];
        if (!read_tensor(tensor, name, entry, map, out->data_begin, error))
            return false;
    }
    qsort(out->tensors, out->tensor_count, sizeof *out->tensors, compare_places);
    return check_places(out, map, error);
}

bool safetensors_read(struct safetensors *out, const struct file_map *map, struct error *error) {
    memset(out, 0, sizeof *out);
    size_t length = 0;
    json_t *header = read_header(&length, map, error);
    if (header == NULL)
        return false;
    out->data_begin = SAFETENSORS_LENGTH_BYTES + length;
    out->metadata = json_incref(json_object_get(header, "__metadata__"));
    bool ok = check_metadata(out->metadata, map, error) && read_tensors(out, header, map, error);
    json_decref(header);
    if (!ok)
        safetensors_free(out);
    return ok;
}

void safetensors_free(struct safetensors *safetensors) {
    for (size_t i = 0; i < safetensors->tensor_count; i++)
        memory_free((void *)(uintptr_t)safetensors->tensors[i].name);
    memory_free(safetensors->tensors);
    json_decref(safetensors->metadata);
    memset(safetensors, 0, sizeof *safetensors);
}

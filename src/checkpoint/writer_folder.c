#include "checkpoint/writer_state.h"

#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/safetensors.h"
#include <stdlib.h>
#include <string.h>

static void add_length(struct text *header, size_t length) {
    uint8_t bytes[SAFETENSORS_LENGTH_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)((uint64_t)length >> (8 * i));
    text_add_bytes(header, bytes, sizeof bytes);
}

/* The description of one tensor; its bytes begin at `begin` of the data. */
static json_t *describe(const struct tensor *tensor, const struct writer_tensor *out, size_t begin) {
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        (void)json_array_append_new(shape, json_integer(tensor->shape[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_info(out->dtype)->name, "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)begin + (json_int_t)out->bytes);
}

static char *dump_header(const struct writer *writer, size_t file) {
    json_t *root = json_object();
    size_t at = 0;
    if (writer->source->files[file].metadata != NULL)
        (void)json_object_set(root, "__metadata__", writer->source->files[file].metadata);
    for (size_t i = 0; i < writer->source->tensor_count; i++) {
        const struct tensor *tensor = &writer->source->tensors[i];
        if (tensor->file != file)
            continue;
        (void)json_object_set_new(root, tensor->name, describe(tensor, &writer->tensors[i], at));
        at += writer->tensors[i].bytes;
    }
    char *dumped = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return dumped;
}

/* Without another dtype the source's own header fits byte for byte. */
char *writer_make_header(struct writer *writer, size_t file, size_t *bytes, struct error *error) {
    const struct checkpoint_file *from = &writer->source->files[file];
    struct text header = {0};
    if (writer->dtype == DTYPE_COUNT)
        text_add_bytes(&header, from->map.data, from->data_begin);
    else {
        char *dumped = dump_header(writer, file);
        size_t length = dumped != NULL ? strlen(dumped) : 0;
        add_length(&header, (length + 7) / 8 * 8);
        text_add(&header, "%s%*s", dumped != NULL ? dumped : "", (int)((8 - length % 8) % 8), "");
        header.failed = header.failed || dumped == NULL;
        free(dumped);
    }
    if (header.failed) {
        (void)error_set(error, ERROR_MEMORY, "out of memory for the header of %s", from->name);
        text_free(&header);
    }
    *bytes = header.length;
    return header.data;
}

static const char *torch_name(enum dtype dtype) {
    static const char *const names[DTYPE_COUNT] = {
        [DTYPE_F64] = "float64",   [DTYPE_F32] = "float32",           [DTYPE_F16] = "float16",
        [DTYPE_BF16] = "bfloat16", [DTYPE_F8_E4M3] = "float8_e4m3fn", [DTYPE_F8_E5M2] = "float8_e5m2"};
    return names[dtype];
}

/* Where the string behind "key": begins (its first character), or NULL. */
static const char *value_of(const char *text, const char *key) {
    const char *at = strstr(text, key);
    if (at == NULL)
        return NULL;
    at += strlen(key);
    at += strspn(at, " \t\r\n");
    if (*at != ':')
        return NULL;
    at += 1 + strspn(at + 1, " \t\r\n");
    return *at == '"' ? at + 1 : NULL;
}

/* Only the name of the dtype changes; every other byte stays. */
static bool write_config(const char *target, const char *source, enum dtype dtype, struct error *error) {
    char *text = file_read(source, (size_t)1 << 24, NULL, error);
    if (text == NULL)
        return false;
    struct file_output output;
    bool ok = file_output_open(&output, target, error);
    if (ok) {
        const char *value = value_of(text, "\"torch_dtype\"");
        value = value != NULL ? value : value_of(text, "\"dtype\"");
        if (value != NULL)
            (void)fprintf(output.stream, "%.*s%s%s", (int)(value - text), text, torch_name(dtype),
                          value + strcspn(value, "\""));
        else
            (void)fputs(text, output.stream);
        ok = file_output_commit(&output, error);
    }
    memory_free(text);
    return ok;
}

static bool write_index(const struct writer *writer, const char *target, const char *source, struct error *error) {
    uint64_t total = 0;
    for (size_t i = 0; i < writer->source->tensor_count; i++)
        total += writer->tensors[i].bytes;
    json_t *metadata = json_object_get(writer->source->index, "metadata");
    json_t *given = json_object_get(metadata, "total_size");
    if (json_is_integer(given) && (uint64_t)json_integer_value(given) == total)
        return file_copy(target, source, error);
    json_t *index = json_deep_copy(writer->source->index);
    if (!json_is_object(metadata))
        (void)json_object_set_new(index, "metadata", json_object());
    (void)json_object_set_new(json_object_get(index, "metadata"), "total_size", json_integer((json_int_t)total));
    struct file_output output;
    bool ok = file_output_open(&output, target, error);
    if (ok && json_dumpf(index, output.stream, JSON_INDENT(2)) != 0) {
        file_output_abort(&output);
        ok = error_set(error, ERROR_FAILURE, "cannot write %s", target);
    }
    json_decref(index);
    return ok && file_output_commit(&output, error);
}

static bool copy_one(const struct writer *writer, const char *name, struct error *error) {
    char *source = file_join(writer->source->folder, name, error);
    char *target = source != NULL ? file_join(writer->partial, name, error) : NULL;
    bool ok = target != NULL;
    if (ok && writer->source->index != NULL && strcmp(name, WRITER_INDEX) == 0)
        ok = write_index(writer, target, source, error);
    else if (ok && file_is_regular(source) && !checkpoint_is_weight_file(name) && name[0] != '.')
        ok = writer->dtype != DTYPE_COUNT && strcmp(name, "config.json") == 0
                 ? write_config(target, source, writer->dtype, error)
                 : file_copy(target, source, error);
    memory_free(source);
    memory_free(target);
    return ok;
}

bool writer_copy_small_files(struct writer *writer, struct error *error) {
    char **names;
    size_t count;
    if (!file_list(&names, &count, writer->source->folder, error))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = copy_one(writer, names[i], error);
    file_list_free(names, count);
    return ok;
}

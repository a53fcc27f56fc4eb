#include "checkpoint/safetensors_write.h"

#include "base/memory.h"
#include "checkpoint/safetensors.h"
#include <stdlib.h>
#include <string.h>

#define METADATA "__metadata__"

static bool no_memory(struct error *error) {
    return error_set(error, ERROR_MEMORY, "no memory for a file's header");
}

bool safetensors_writer_open(struct safetensors_writer *writer, const char *path, size_t header_bytes,
                             struct error *error) {
    memset(writer, 0, sizeof *writer);
    writer->reserved = (header_bytes + 7) / 8 * 8;
    writer->header = json_pack("{s:{s:s}}", METADATA, "format", "pt");
    if (writer->header == NULL)
        return no_memory(error);
    if (!file_output_open(&writer->output, path, error)) {
        json_decref(writer->header);
        return false;
    }
    if (fseeko(writer->output.stream, (off_t)(SAFETENSORS_LENGTH_BYTES + writer->reserved), SEEK_SET) == 0)
        return true;
    (void)error_set_errno(error, ERROR_FAILURE, "%s", path);
    safetensors_writer_abort(writer);
    return false;
}

bool safetensors_writer_add(struct safetensors_writer *writer, const char *name, const float *values,
                            const int64_t *shape, size_t rank, struct error *error) {
    size_t count = 1;
    json_t *sizes = json_array();
    for (size_t i = 0; i < rank; i++) {
        count *= (size_t)shape[i];
        (void)json_array_append_new(sizes, json_integer(shape[i]));
    }
    uint64_t end = writer->offset + count * sizeof *values;
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", sizes, "data_offsets",
                              (json_int_t)writer->offset, (json_int_t)end);
    if (entry == NULL || json_object_set_new(writer->header, name, entry) != 0)
        return no_memory(error);
    writer->offset = end;
    if (fwrite(values, sizeof *values, count, writer->output.stream) != count)
        return error_set_errno(error, ERROR_FAILURE, "%s", writer->output.path);
    return true;
}

bool safetensors_writer_note(struct safetensors_writer *writer, const char *key, const char *value,
                             struct error *error) {
    json_t *string = json_string(value);
    if (string == NULL || json_object_set_new(json_object_get(writer->header, METADATA), key, string) != 0)
        return no_memory(error);
    return true;
}

/* The length of the header and the header itself, in front of what is written already. */
static bool write_header(struct safetensors_writer *writer, const char *header, struct error *error) {
    uint8_t length[SAFETENSORS_LENGTH_BYTES];
    FILE *stream = writer->output.stream;
    if (strlen(header) > writer->reserved)
        return error_set(error, ERROR_FAILURE, "%s: the header needs %zu bytes, room was left for %zu",
                         writer->output.path, strlen(header), writer->reserved);
    for (size_t i = 0; i < sizeof length; i++)
        length[i] = (uint8_t)((uint64_t)writer->reserved >> (8 * i));
    bool ok = fseeko(stream, 0, SEEK_SET) == 0 && fwrite(length, sizeof length, 1, stream) == 1 &&
              fprintf(stream, "%-*s", (int)writer->reserved, header) == (int)writer->reserved;
    return ok || error_set_errno(error, ERROR_FAILURE, "%s", writer->output.path);
}

bool safetensors_writer_commit(struct safetensors_writer *writer, struct error *error) {
    char *header = json_dumps(writer->header, JSON_COMPACT);
    bool ok = header != NULL ? write_header(writer, header, error) : no_memory(error);
    free(header);
    json_decref(writer->header);
    if (ok)
        return file_output_commit(&writer->output, error);
    file_output_abort(&writer->output);
    return false;
}

void safetensors_writer_abort(struct safetensors_writer *writer) {
    json_decref(writer->header);
    file_output_abort(&writer->output);
}

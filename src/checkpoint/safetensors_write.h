/* Writes one .safetensors file of f32 tensors whose shapes are known only as they come: Hessians, statistics, inputs.
 * (A changed copy of a model is writer.h's.) */
#ifndef SECATEUR_SAFETENSORS_WRITE_H
#define SECATEUR_SAFETENSORS_WRITE_H

#include "base/file.h"
#include <jansson.h>

struct safetensors_writer {
    struct file_output output;
    json_t *header;
    size_t reserved; /* bytes of header that the file begins with, padded with blanks */
    uint64_t offset; /* of the next tensor */
};

/* header_bytes: room for the header; 512 for every tensor and its metadata is plenty. Exactly one of commit and abort
 * must follow a successful open. */
bool safetensors_writer_open(struct safetensors_writer *writer, const char *path, size_t header_bytes,
                             struct error *error);
bool safetensors_writer_add(struct safetensors_writer *writer, const char *name, const float *values,
                            const int64_t *shape, size_t rank, struct error *error);
bool safetensors_writer_note(struct safetensors_writer *writer, const char *key, const char *value,
                             struct error *error);
bool safetensors_writer_commit(struct safetensors_writer *writer, struct error *error);
void safetensors_writer_abort(struct safetensors_writer *writer);

#endif

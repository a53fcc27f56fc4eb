/* One .safetensors file: 8 bytes of header length, a JSON header, then the tensors' bytes without holes.
 * (huggingface/safetensors, README "Format".) */
#ifndef SECATEUR_SAFETENSORS_H
#define SECATEUR_SAFETENSORS_H

#include "base/file.h"
#include "tensor/tensor.h"
#include <jansson.h>

#define SAFETENSORS_LENGTH_BYTES 8

struct safetensors {
    size_t data_begin;      /* offset of the first tensor's byte */
    json_t *metadata;       /* __metadata__, or NULL */
    struct tensor *tensors; /* by offset; names are owned, file is 0 */
    size_t tensor_count;
};

/* Reads and checks a whole header. On failure nothing is left to free. */
bool safetensors_read(struct safetensors *out, const struct file_map *map, struct error *error);
void safetensors_free(struct safetensors *safetensors);

/* Whether a tensor may have this name: not empty, no control characters, no "..", not absolute. */
bool safetensors_name_is_fit(const char *name);

#endif

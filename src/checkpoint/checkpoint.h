/* A model's tensors as files hold them, whatever the format; everything is checked before it can be seen here.
 *
 * Hostile until checked: header length against the file, JSON depth, size and duplicate names, offsets that overlap,
 * leave holes or leave the file, shape × type ≠ bytes, overflowing products, names with "/..", missing shards, an index
 * that names tensors that are not there. Each fault is one sentence that names the file, the tensor and the numbers
 * (ERROR_INPUT). */
#ifndef SECATEUR_CHECKPOINT_H
#define SECATEUR_CHECKPOINT_H

#include "base/file.h"
#include "tensor/tensor.h"
#include <jansson.h>

enum checkpoint_format { CHECKPOINT_SAFETENSORS_FOLDER, CHECKPOINT_SAFETENSORS_FILE };

struct checkpoint_file {
    char *name; /* within the folder: "model-00001-of-00002.safetensors" */
    struct file_map map;
    size_t data_begin; /* offset of the first tensor's byte */
    json_t *metadata;  /* the header's __metadata__ object, or NULL */
};

struct checkpoint {
    enum checkpoint_format format;
    char *path;   /* as given by the user */
    char *folder; /* that holds the files and config.json */
    struct checkpoint_file *files;
    size_t file_count;
    struct tensor *tensors; /* by file, then by offset: the order of the bytes on disk */
    size_t tensor_count;
    json_t *index;   /* model.safetensors.index.json, or NULL */
    char **left_out; /* weight files in the folder that are not part of the model, by name */
    size_t left_out_count;
    uint64_t weight_bytes; /* of all tensors */
    void *by_name;         /* private: hash of names */
};

/* Opens a Hugging Face folder (model.safetensors, or the shards that model.safetensors.index.json names) or one
 * .safetensors file. Reads headers only, never weights. NULL with an error. */
struct checkpoint *checkpoint_open(const char *path, struct error *error);
void checkpoint_close(struct checkpoint *checkpoint);

/* NULL when there is no tensor of that name. */
const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name);
size_t checkpoint_index(const struct checkpoint *checkpoint, const struct tensor *tensor);

/* Whether a file of this name holds weights in any format known to exist: .safetensors, .bin, .pt, .gguf, .onnx, ... */
bool checkpoint_is_weight_file(const char *name);

#endif

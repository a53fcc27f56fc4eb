#include "checkpoint/checkpoint.h"

#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/json_file.h"
#include "checkpoint/safetensors.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MODEL_NAME "model.safetensors"
#define INDEX_NAME "model.safetensors.index.json"
#define SUFFIX ".safetensors"

/* Open addressing; a slot holds a tensor's number plus one, 0 when free. */
struct name_table {
    size_t mask;
    size_t slots[];
};

static size_t *find_slot(struct name_table *table, const struct tensor *tensors, const char *name) {
    size_t at = (size_t)XXH3_64bits(name, strlen(name)) & table->mask;
    while (table->slots[at] != 0 && strcmp(tensors[table->slots[at] - 1].name, name) != 0)
        at = (at + 1) & table->mask;
    return &table->slots[at];
}

static bool build_name_table(struct checkpoint *checkpoint, struct error *error) {
    size_t slots = 16;
    while (slots < checkpoint->tensor_count * 2)
        slots *= 2;
    struct name_table *table = memory_alloc(1, sizeof *table + slots * sizeof *table->slots, error);
    checkpoint->by_name = table;
    if (table == NULL)
        return false;
    table->mask = slots - 1;
    for (size_t i = 0; i < checkpoint->tensor_count; i++) {
        const struct tensor *tensor = &checkpoint->tensors[i];
        size_t *slot = find_slot(table, checkpoint->tensors, tensor->name);
        if (*slot != 0)
            return error_set(error, ERROR_INPUT, "%s: tensor \"%s\" is a duplicate: it is in %s and in %s",
                             checkpoint->path, tensor->name,
                             checkpoint->files[checkpoint->tensors[*slot - 1].file].name,
                             checkpoint->files[tensor->file].name);
        *slot = i + 1;
    }
    return true;
}

/* Moves a file's tensors to the end of the checkpoint's. */
static bool append_tensors(struct checkpoint *checkpoint, size_t file, struct safetensors *from, struct error *error) {
    size_t total = checkpoint->tensor_count + from->tensor_count;
    struct tensor *all = memory_resize(checkpoint->tensors, total, sizeof *all, error);
    if (all == NULL)
        return false;
    checkpoint->tensors = all;
    for (size_t i = 0; i < from->tensor_count; i++) {
        all[checkpoint->tensor_count] = from->tensors[i];
        all[checkpoint->tensor_count++].file = file;
        checkpoint->weight_bytes += from->tensors[i].bytes;
    }
    from->tensor_count = 0; /* the names are the checkpoint's now */
    return true;
}

static bool open_file(struct checkpoint *checkpoint, const char *name, struct error *error) {
    size_t number = checkpoint->file_count;
    struct checkpoint_file *file = &checkpoint->files[number];
    struct safetensors contents;
    char *path = file_join(checkpoint->folder, name, error);
    if (path == NULL)
        return false;
    checkpoint->file_count++;
    file->name = memory_copy_string(name, error);
    bool ok =
        file->name != NULL && file_map_open(&file->map, path, error) && safetensors_read(&contents, &file->map, error);
    memory_free(path);
    if (!ok)
        return false;
    file->data_begin = contents.data_begin;
    file->metadata = json_incref(contents.metadata);
    ok = append_tensors(checkpoint, number, &contents, error);
    safetensors_free(&contents);
    return ok;
}

static bool open_files(struct checkpoint *checkpoint, const char *const *names, size_t count, struct error *error) {
    checkpoint->files = memory_alloc(count, sizeof *checkpoint->files, error);
    if (checkpoint->files == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!open_file(checkpoint, names[i], error))
            return false;
    if (checkpoint->tensor_count == 0)
        return error_set(error, ERROR_INPUT, "%s holds no tensors", checkpoint->path);
    return build_name_table(checkpoint, error);
}

static bool shard_name_is_fit(const char *name) {
    return safetensors_name_is_fit(name) && strchr(name, '/') == NULL && name[0] != '.' && text_ends(name, SUFFIX);
}

static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Reads the index and returns its weight_map (borrowed). */
static json_t *read_index(struct checkpoint *checkpoint, const char *path, struct error *error) {
    size_t size;
    char *text = file_read(path, JSON_FILE_LIMIT, &size, error);
    if (text == NULL)
        return NULL;
    checkpoint->index = json_file_parse(text, size, path, error);
    memory_free(text);
    if (checkpoint->index == NULL)
        return NULL;
    json_t *map = json_object_get(checkpoint->index, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0) {
        (void)error_set(error, ERROR_INPUT, "%s has no weight_map, the object that names each tensor's shard", path);
        return NULL;
    }
    return map;
}

/* The distinct shards of a weight_map, sorted. The strings stay the map's; caller frees the array. */
static const char **list_shards(size_t *count, json_t *map, const char *path, struct error *error) {
    const char **names = memory_alloc(json_object_size(map), sizeof *names, error);
    if (names == NULL)
        return NULL;
    size_t all = 0;
    const char *tensor;
    json_t *value;
    json_object_foreach(map, tensor, value) {
        const char *shard = json_string_value(value);
        if (shard == NULL || !shard_name_is_fit(shard)) {
            (void)error_set(error, ERROR_INPUT,
                            "%s: tensor \"%.80s\" is said to be in \"%.80s\", which is no name for a shard (a "
                            ".safetensors file in the same folder)",
                            path, tensor, shard != NULL ? shard : "(not a string)");
            memory_free(names);
            return NULL;
        }
        names[all++] = shard;
    }
    qsort(names, all, sizeof *names, compare_names);
    *count = 0;
    for (size_t i = 0; i < all; i++)
        if (*count == 0 || strcmp(names[*count - 1], names[i]) != 0)
            names[(*count)++] = names[i];
    return names;
}

static bool check_shards_exist(const struct checkpoint *checkpoint, const char *const *names, size_t count,
                               struct error *error) {
    for (size_t i = 0; i < count; i++) {
        char *path = file_join(checkpoint->folder, names[i], error);
        if (path == NULL)
            return false;
        bool there = file_is_regular(path);
        memory_free(path);
        if (!there)
            return error_set(error, ERROR_INPUT, "%s: shard %s is missing, though %s names it", checkpoint->path,
                             names[i], INDEX_NAME);
    }
    return true;
}

/* Both ways: what the index names is where it says, and what the shards hold is named. */
static bool check_index(const struct checkpoint *checkpoint, json_t *map, const char *path, struct error *error) {
    const char *name;
    json_t *value;
    json_object_foreach(map, name, value) {
        const char *shard = json_string_value(value);
        const struct tensor *tensor = checkpoint_find(checkpoint, name);
        if (tensor == NULL)
            return error_set(error, ERROR_INPUT, "%s: tensor \"%.200s\" is not there: %s does not hold it", path, name,
                             shard);
        if (strcmp(checkpoint->files[tensor->file].name, shard) != 0)
            return error_set(error, ERROR_INPUT, "%s: tensor \"%s\" is said to be in %s but is in %s", path, name,
                             shard, checkpoint->files[tensor->file].name);
    }
    for (size_t i = 0; i < checkpoint->tensor_count; i++)
        if (json_object_get(map, checkpoint->tensors[i].name) == NULL)
            return error_set(error, ERROR_INPUT, "%s: tensor \"%s\" of %s is not in the index", path,
                             checkpoint->tensors[i].name, checkpoint->files[checkpoint->tensors[i].file].name);
    return true;
}

static bool open_shards(struct checkpoint *checkpoint, const char *path, struct error *error) {
    json_t *map = read_index(checkpoint, path, error);
    size_t count = 0;
    const char **names = map != NULL ? list_shards(&count, map, path, error) : NULL;
    bool ok = names != NULL && check_shards_exist(checkpoint, names, count, error) &&
              open_files(checkpoint, names, count, error) && check_index(checkpoint, map, path, error);
    memory_free(names);
    return ok;
}

bool checkpoint_is_weight_file(const char *name) {
    static const char *const suffixes[] = {SUFFIX,
                                           ".bin",
                                           ".pt",
                                           ".pth",
                                           ".ckpt",
                                           ".gguf",
                                           ".ggml",
                                           ".onnx",
                                           ".h5",
                                           ".msgpack",
                                           ".tflite",
                                           ".npz",
                                           ".mlmodel",
                                           ".ot",
                                           ".pdparams",
                                           ".onnx_data",
                                           ".nemo",
                                           ".pkl",
                                           ".safetensors.index.json",
                                           ".bin.index.json"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (text_ends(name, suffixes[i]))
            return true;
    return false;
}

static bool is_part(const struct checkpoint *checkpoint, const char *name) {
    for (size_t i = 0; i < checkpoint->file_count; i++)
        if (strcmp(checkpoint->files[i].name, name) == 0)
            return true;
    return checkpoint->index != NULL && strcmp(name, INDEX_NAME) == 0;
}

static bool list_left_out(struct checkpoint *checkpoint, struct error *error) {
    char **names;
    size_t count;
    if (!file_list(&names, &count, checkpoint->folder, error))
        return false;
    bool ok = (checkpoint->left_out = memory_alloc(count, sizeof *names, error)) != NULL;
    for (size_t i = 0; i < count && ok; i++)
        if (checkpoint_is_weight_file(names[i]) && !is_part(checkpoint, names[i])) {
            char *copy = memory_copy_string(names[i], error);
            ok = copy != NULL;
            checkpoint->left_out[checkpoint->left_out_count] = copy;
            checkpoint->left_out_count += ok;
        }
    file_list_free(names, count);
    return ok;
}

static bool refuse_folder(struct checkpoint *checkpoint, struct error *error) {
    if (!list_left_out(checkpoint, error))
        return false;
    if (checkpoint->left_out_count > 0)
        return error_set(error, ERROR_INPUT,
                         "%s holds %s, but no %s and no %s; only safetensors models are supported, in these two forms",
                         checkpoint->path, checkpoint->left_out[0], MODEL_NAME, INDEX_NAME);
    return error_set(error, ERROR_INPUT, "%s holds no model: neither %s nor %s is there", checkpoint->path, MODEL_NAME,
                     INDEX_NAME);
}

static bool open_folder(struct checkpoint *checkpoint, struct error *error) {
    checkpoint->format = CHECKPOINT_SAFETENSORS_FOLDER;
    checkpoint->folder = memory_copy_string(checkpoint->path, error);
    if (checkpoint->folder == NULL)
        return false;
    static const char *const single[] = {MODEL_NAME};
    char *model = file_join(checkpoint->folder, MODEL_NAME, error);
    char *index = model != NULL ? file_join(checkpoint->folder, INDEX_NAME, error) : NULL;
    bool ok = false;
    if (index == NULL)
        goto out;
    if (file_exists(model))
        ok = open_files(checkpoint, single, 1, error);
    else if (file_exists(index))
        ok = open_shards(checkpoint, index, error);
    else
        ok = refuse_folder(checkpoint, error);
    ok = ok && list_left_out(checkpoint, error);
out:
    memory_free(model);
    memory_free(index);
    return ok;
}

static bool open_single(struct checkpoint *checkpoint, struct error *error) {
    checkpoint->format = CHECKPOINT_SAFETENSORS_FILE;
    const char *name = file_name(checkpoint->path);
    size_t length = (size_t)(name - checkpoint->path);
    checkpoint->folder =
        length > 0 ? memory_copy_bytes(checkpoint->path, length, error) : memory_copy_string(".", error);
    if (checkpoint->folder == NULL)
        return false;
    if (!text_ends(name, SUFFIX))
        return error_set(error, ERROR_INPUT,
                         "%s is not a model that can be opened; supported are Hugging Face folders with safetensors "
                         "and single .safetensors files",
                         checkpoint->path);
    return open_files(checkpoint, &name, 1, error) && list_left_out(checkpoint, error);
}

static bool open_any(struct checkpoint *checkpoint, struct error *error) {
    if (file_is_folder(checkpoint->path))
        return open_folder(checkpoint, error);
    if (file_is_regular(checkpoint->path))
        return open_single(checkpoint, error);
    return error_set(error, ERROR_INPUT, "%s is neither a folder nor a file", checkpoint->path);
}

struct checkpoint *checkpoint_open(const char *path, struct error *error) {
    struct checkpoint *checkpoint = memory_alloc(1, sizeof *checkpoint, error);
    if (checkpoint == NULL)
        return NULL;
    checkpoint->path = memory_copy_string(path, error);
    if (checkpoint->path != NULL && open_any(checkpoint, error))
        return checkpoint;
    checkpoint_close(checkpoint);
    return NULL;
}

void checkpoint_close(struct checkpoint *checkpoint) {
    if (checkpoint == NULL)
        return;
    for (size_t i = 0; i < checkpoint->tensor_count; i++)
        memory_free((void *)(uintptr_t)checkpoint->tensors[i].name);
    for (size_t i = 0; i < checkpoint->file_count; i++) {
        memory_free(checkpoint->files[i].name);
        file_map_close(&checkpoint->files[i].map);
        json_decref(checkpoint->files[i].metadata);
    }
    file_list_free(checkpoint->left_out, checkpoint->left_out_count);
    json_decref(checkpoint->index);
    memory_free(checkpoint->tensors);
    memory_free(checkpoint->files);
    memory_free(checkpoint->by_name);
    memory_free(checkpoint->folder);
    memory_free(checkpoint->path);
    memory_free(checkpoint);
}

const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name) {
    size_t slot = *find_slot(checkpoint->by_name, checkpoint->tensors, name);
    return slot > 0 ? &checkpoint->tensors[slot - 1] : NULL;
}

size_t checkpoint_index(const struct checkpoint *checkpoint, const struct tensor *tensor) {
    return (size_t)(tensor - checkpoint->tensors);
}

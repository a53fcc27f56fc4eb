#include "model/model.h"

#include "base/memory.h"
#include "model/arrange.h"
#include "model/config.h"
#include "model/family.h"
#include "model/place.h"
#include "model/role.h"
#include "model/shape_check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t lookup_slot(const struct model *model, int64_t block, enum role role, int64_t expert, bool bias) {
    uint64_t key = (uint64_t)(block + 1) * 0x9e3779b97f4a7c15u;
    key = (key ^ (uint64_t)(expert + 2)) * 0xbf58476d1ce4e5b9u;
    key = (key ^ ((uint64_t)role * 2 + bias)) * 0x94d049bb133111ebu;
    return (size_t)(key >> 20) & (model->lookup_size - 1);
}

static bool is_weight(const struct weight *weight, int64_t block, enum role role, int64_t expert, bool bias) {
    return weight->block == block && weight->role == role && weight->expert == expert && weight->bias == bias;
}

const struct weight *model_weight(const struct model *model, int64_t block, enum role role, int64_t expert, bool bias) {
    if (role == ROLE_LM_HEAD && model->tied && !bias)
        role = ROLE_EMBEDDING;
    size_t slot = lookup_slot(model, block, role, expert, bias);
    for (; model->lookup[slot] != 0; slot = (slot + 1) & (model->lookup_size - 1)) {
        const struct weight *weight = &model->weights[model->lookup[slot] - 1];
        if (is_weight(weight, block, role, expert, bias))
            return weight;
    }
    return NULL;
}

/* Entries are the weights' indices + 1; 0 is an empty slot. */
static bool build_lookup(struct model *model, struct error *error) {
    model->lookup_size = 2;
    while (model->lookup_size < 2 * model->weight_count)
        model->lookup_size *= 2;
    model->lookup = memory_alloc(model->lookup_size, sizeof *model->lookup, error);
    if (model->lookup == NULL)
        return false;
    for (size_t i = 0; i < model->weight_count; i++) {
        const struct weight *weight = &model->weights[i];
        if (weight->role >= ROLE_SCALE || weight->role == ROLE_MATRIX)
            continue;
        size_t slot = lookup_slot(model, weight->block, weight->role, weight->expert, weight->bias);
        while (model->lookup[slot] != 0)
            slot = (slot + 1) & (model->lookup_size - 1);
        model->lookup[slot] = i + 1;
    }
    return true;
}

static const struct matrix *matrix_of_tensor(const struct model *model, const char *name) {
    const struct tensor *tensor = checkpoint_find(model->checkpoint, name);
    size_t index = tensor != NULL ? model->weights[checkpoint_index(model->checkpoint, tensor)].matrix : SIZE_MAX;
    return index != SIZE_MAX ? &model->matrices[index] : NULL;
}

const struct matrix *model_matrix(const struct model *model, const char *name) {
    static const char *const suffixes[] = {"", ".weight", ".qweight", ".weight_packed"};
    char full[4096];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        int length = snprintf(full, sizeof full, "%s%s", name, suffixes[i]);
        const struct matrix *matrix = NULL;
        if (length > 0 && (size_t)length < sizeof full)
            matrix = matrix_of_tensor(model, full);
        if (matrix != NULL)
            return matrix;
    }
    return NULL;
}

#define READ_TILE 64

/* Rows [begin, end) of a matrix whose file holds its columns one after the other. */
static void read_transposed(float *out, const struct matrix *matrix, int64_t begin, int64_t end) {
    const struct tensor *tensor = matrix->tensor;
    size_t bytes = dtype_info(tensor->dtype)->bytes;
    float tile[READ_TILE];
    for (int64_t row = begin; row < end; row += READ_TILE) {
        int64_t count = end - row < READ_TILE ? end - row : READ_TILE;
        for (int64_t column = 0; column < matrix->columns; column++) {
            size_t first = (size_t)column * (size_t)matrix->rows + (size_t)row;
            dtype_widen(tile, tensor->data + first * bytes, tensor->dtype, (size_t)count);
            for (int64_t i = 0; i < count; i++)
                out[(size_t)(row - begin + i) * (size_t)matrix->columns + (size_t)column] = tile[i];
        }
    }
}

void matrix_read(float *out, const struct matrix *matrix, int64_t begin, int64_t end) {
    const struct tensor *tensor = matrix->tensor;
    if (matrix->transposed) {
        read_transposed(out, matrix, begin, end);
        return;
    }
    size_t columns = (size_t)matrix->columns, first = (size_t)begin * columns;
    dtype_widen(out, tensor->data + first * dtype_info(tensor->dtype)->bytes, tensor->dtype,
                (size_t)(end - begin) * columns);
}

/* config.json beside the weights; *path is its name all the same when there is none. */
static bool load_config(struct model *model, char **path, struct error *error) {
    *path = file_join(model->checkpoint->folder, "config.json", error);
    if (*path == NULL)
        return false;
    if (file_exists(*path))
        model->config = config_load(*path, error);
    return model->config != NULL || !file_exists(*path);
}

static char *title_of(const struct model *model, struct error *error) {
    const char *stated = json_string_value(json_object_get(model->config, "_name_or_path"));
    if (stated != NULL && *stated != '\0')
        return memory_copy_string(stated, error);
    char *folder = realpath(model->checkpoint->folder, NULL);
    char *title = memory_copy_string(folder != NULL ? file_name(folder) : model->checkpoint->folder, error);
    free(folder);
    return title;
}

static char *name_family(const struct model *model, bool guessed, struct error *error) {
    char name[64];
    const char *family = model->family != NULL ? model->family->name : "unknown";
    (void)snprintf(name, sizeof name, guessed ? "%s (guessed)" : "%s", family);
    return memory_copy_string(name, error);
}

/* Chooses the family: by model_type, else by the tensors' names. */
static bool identify(struct model *model, struct error *error) {
    const char *type = config_model_type(model->config);
    model->family = type != NULL ? family_find(type) : NULL;
    bool guessed = model->family == NULL;
    if (guessed)
        model->family = family_guess(model->checkpoint);
    model->prefix = model->family != NULL ? family_prefix(model->family, model->checkpoint) : "";
    model->name = title_of(model, error);
    model->family_name = name_family(model, guessed, error);
    if (guessed && type != NULL)
        (void)error_set(&model->architecture_error, ERROR_INPUT,
                        "config.json: the model_type \"%.100s\" is not known, so the model cannot be run", type);
    else if (guessed)
        (void)error_set(&model->architecture_error, ERROR_INPUT,
                        "no config.json with a model_type beside the weights, so the model cannot be run");
    return model->name != NULL && model->family_name != NULL;
}

static struct weight *find_outside(struct model *model, enum role role) {
    for (size_t i = 0; i < model->weight_count; i++)
        if (is_weight(&model->weights[i], MODEL_NO_BLOCK, role, MODEL_NO_EXPERT, false))
            return &model->weights[i];
    return NULL;
}

/* One tensor serves as embedding and output matrix, whichever of the names the file stores. Where a tied model's file
 * stores both, loaders overwrite one with the other: the embedding counts, and the second copy is left alone. */
static void tie(struct model *model) {
    struct weight *embedding = find_outside(model, ROLE_EMBEDDING), *head = find_outside(model, ROLE_LM_HEAD);
    model->tied = model->architecture_known ? model->architecture.tied : (embedding == NULL) != (head == NULL);
    if (!model->tied || head == NULL)
        return;
    if (embedding == NULL) {
        place_assign(head, ROLE_EMBEDDING, PLACE_WEIGHT);
    } else {
        head->prunable = PRUNABLE_NO;
        head->reason = "a second copy of the embedding, to which it is tied";
    }
}

static bool place_all(struct model *model, struct error *error) {
    const struct checkpoint *checkpoint = model->checkpoint;
    bool *transposed = memory_alloc(checkpoint->tensor_count, sizeof *transposed, error);
    struct place_order *order = memory_alloc(checkpoint->tensor_count, sizeof *order, error);
    model->weights = memory_alloc(checkpoint->tensor_count, sizeof *model->weights, error);
    bool ok = transposed != NULL && order != NULL && model->weights != NULL;
    if (!ok)
        goto out;
    model->weight_count = checkpoint->tensor_count;
    for (size_t i = 0; i < model->weight_count; i++)
        model->weights[i] = (struct weight){.tensor = &checkpoint->tensors[i], .matrix = SIZE_MAX};
    if (model->family != NULL)
        place_weights(model->weights, transposed, order, model);
    else
        place_guess(model->weights, order, checkpoint);
    place_refuse_scaled(model->weights, checkpoint);
    tie(model);
    ok = arrange_matrices(model, transposed, order, error);
out:
    memory_free(transposed);
    memory_free(order);
    return ok;
}

static void count_parameters(struct model *model) {
    bool both = model->tied && find_outside(model, ROLE_LM_HEAD) != NULL;
    for (size_t i = 0; i < model->weight_count; i++) {
        const struct weight *weight = &model->weights[i];
        bool copy = both && weight->role == ROLE_LM_HEAD && !weight->bias;
        if (weight->role != ROLE_BUFFER && !copy)
            model->parameters += weight->tensor->count;
        if (weight->matrix != SIZE_MAX && model->matrices[weight->matrix].prunable)
            model->prunable += weight->tensor->count;
    }
}

/* What config.json says of the computation. False only when memory is short; other faults are kept for later. */
static bool read_architecture(struct model *model, const char *path, struct error *error) {
    struct error *fault = &model->architecture_error;
    if (fault->code != ERROR_NONE)
        return true;
    model->architecture_known = config_read(&model->architecture, model->family, model->config, path, fault);
    if (fault->code != ERROR_MEMORY)
        return true;
    *error = *fault;
    return false;
}

static bool understand(struct model *model, struct error *error) {
    char *path = NULL;
    bool ok = load_config(model, &path, error) && identify(model, error) && read_architecture(model, path, error) &&
              place_all(model, error) && build_lookup(model, error);
    if (ok) {
        arrange_inputs(model);
        count_parameters(model);
        if (model->architecture_known)
            model->architecture_known = shape_check(model, path, &model->architecture_error);
    }
    memory_free(path);
    return ok;
}

struct model *model_open(const char *path, struct error *error) {
    struct model *model = memory_alloc(1, sizeof *model, error);
    if (model == NULL)
        return NULL;
    model->checkpoint = checkpoint_open(path, error);
    if (model->checkpoint != NULL && understand(model, error))
        return model;
    model_close(model);
    return NULL;
}

void model_close(struct model *model) {
    if (model == NULL)
        return;
    for (size_t i = 0; i < model->matrix_count; i++) {
        memory_free(model->matrices[i].module);
        memory_free(model->matrices[i].label);
    }
    architecture_free(&model->architecture);
    memory_free(model->matrices);
    memory_free(model->weights);
    memory_free(model->blocks);
    memory_free(model->lookup);
    memory_free(model->name);
    memory_free(model->family_name);
    json_decref(model->config);
    checkpoint_close(model->checkpoint);
    memory_free(model);
}

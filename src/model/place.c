#include "model/place.h"

#include "model/buffer.h"
#include "model/role.h"
#include <stdio.h>
#include <string.h>

static const struct {
    const char *suffix;
    enum place_kind kind;
    bool scales_weight; /* the module's "weight" is not meant without it */
} suffixes[] = {
    {"weight", PLACE_WEIGHT, false},
    {"bias", PLACE_BIAS, false},
    {"qweight", PLACE_PACKED, false},
    {"weight_packed", PLACE_PACKED, false},
    {"weight_scale_inv", PLACE_SCALE, true},
    {"weight_scale", PLACE_SCALE, true},
    {"scales", PLACE_SCALE, true},
    {"SCB", PLACE_SCALE, true},
    {"weight_zero_point", PLACE_SCALE, true},
    {"qzeros", PLACE_SCALE, true},
    {"input_scale", PLACE_SCALE, false},
    {"g_idx", PLACE_SCALE, false},
    {"weight_g_idx", PLACE_SCALE, false},
    {"weight_shape", PLACE_SCALE, false},
};

enum place_kind place_kind(const char *suffix) {
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (strcmp(suffixes[i].suffix, suffix) == 0)
            return suffixes[i].kind;
    return PLACE_UNKNOWN;
}

size_t place_module_length(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot != NULL ? (size_t)(dot - name) : strlen(name);
}

static const char *last_part(const char *name) {
    size_t length = place_module_length(name);
    return name[length] == '.' ? name + length + 1 : name;
}

static void refuse(struct weight *weight, const char *reason) {
    weight->prunable = PRUNABLE_NO;
    weight->reason = reason;
}

void place_assign(struct weight *weight, enum role role, enum place_kind kind) {
    const struct tensor *tensor = weight->tensor;
    weight->role = kind == PLACE_SCALE ? ROLE_SCALE : kind == PLACE_UNKNOWN ? ROLE_OTHER : role;
    weight->bias = kind == PLACE_BIAS;
    weight->prunable = role_info(weight->role)->prunable;
    weight->reason = role_info(weight->role)->reason;
    if (weight->prunable == PRUNABLE_NO)
        return;
    if (weight->bias)
        refuse(weight, "biases are never pruned");
    else if (kind == PLACE_PACKED)
        refuse(weight, "packed integers: the weights cannot be scored without unpacking them");
    else if (!dtype_info(tensor->dtype)->real)
        refuse(weight, "integers: the weights cannot be scored");
    else if (tensor->rank != 2)
        refuse(weight, "not two-dimensional");
}

/* Experts come one after the other, each with all its matrices, so rows with "%d" that follow each other are one
 * group. */
static struct place_order order_of(const struct family_tensor *first, const struct family_tensor *tensor) {
    const struct family_tensor *group = tensor;
    while (group > first && strchr(group->path, '%') != NULL && strchr(group[-1].path, '%') != NULL)
        group--;
    return (struct place_order){(size_t)(group - first), (size_t)(tensor - first)};
}

static void place_one(struct weight *weight, bool *transposed, struct place_order *order, const struct model *model) {
    const char *name = weight->tensor->name;
    const struct family *family = model->family;
    struct family_place place = family_place(family, model->prefix, name);
    /* A block's number beyond the number of tensors is no block's. */
    bool possible = place.block < (int64_t)model->checkpoint->tensor_count;
    *order = (struct place_order){SIZE_MAX, SIZE_MAX};
    weight->block = possible ? place.block : MODEL_NO_BLOCK;
    weight->expert = MODEL_NO_EXPERT;
    if (buffer_is_named(name)) {
        place_assign(weight, ROLE_BUFFER, PLACE_WEIGHT);
    } else if (place.tensor == NULL || !possible) {
        place_assign(weight, ROLE_OTHER, place_kind(last_part(name)));
    } else {
        weight->expert = place.expert;
        *transposed = place.tensor->transposed;
        *order = order_of(weight->block == MODEL_NO_BLOCK ? family->outside : family->inside, place.tensor);
        place_assign(weight, place.tensor->role, place_kind(place.suffix));
    }
}

void place_weights(struct weight *weights, bool *transposed, struct place_order *order, const struct model *model) {
    for (size_t i = 0; i < model->weight_count; i++)
        place_one(&weights[i], &transposed[i], &order[i], model);
}

void place_refuse_scaled(struct weight *weights, const struct checkpoint *checkpoint) {
    char name[1024];
    for (size_t i = 0; i < checkpoint->tensor_count; i++) {
        const char *scale = checkpoint->tensors[i].name, *suffix = last_part(scale);
        for (size_t j = 0; j < sizeof suffixes / sizeof *suffixes; j++) {
            if (!suffixes[j].scales_weight || strcmp(suffixes[j].suffix, suffix) != 0)
                continue;
            int length = snprintf(name, sizeof name, "%.*s.weight", (int)place_module_length(scale), scale);
            const struct tensor *tensor =
                length > 0 && (size_t)length < sizeof name ? checkpoint_find(checkpoint, name) : NULL;
            if (tensor != NULL)
                refuse(&weights[checkpoint_index(checkpoint, tensor)],
                       "its values are stored without their scales, which another tensor holds");
        }
    }
}

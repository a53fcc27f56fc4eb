#include "model/family.h"

#include "base/text.h"
#include "model/buffer.h"
#include <string.h>

const struct family *family_find(const char *model_type) {
    for (size_t i = 0; i < family_count; i++)
        if (strcmp(families[i].name, model_type) == 0)
            return &families[i];
    return NULL;
}

/* Reads a decimal number of at most 9 digits; NULL when there is none. */
static const char *read_number(int64_t *number, const char *string) {
    int64_t value = 0;
    size_t digits = 0;
    for (; string[digits] >= '0' && string[digits] <= '9' && digits < 9; digits++)
        value = value * 10 + (string[digits] - '0');
    *number = value;
    return digits > 0 ? string + digits : NULL;
}

/* What follows `path` and a dot in `name`, or NULL when name does not lie at path. */
static const char *match_path(int64_t *number, const char *path, const char *name) {
    while (*path != '\0') {
        if (path[0] == '%') {
            name = read_number(number, name);
            if (name == NULL)
                return NULL;
            path += 2;
        } else if (*path++ != *name++) {
            return NULL;
        }
    }
    return *name == '.' ? name + 1 : NULL;
}

static bool place_in(struct family_place *place, const struct family_tensor *tensors, const char *name) {
    for (const struct family_tensor *tensor = tensors; tensor->path != NULL; tensor++) {
        int64_t number = MODEL_NO_EXPERT;
        const char *suffix = match_path(&number, tensor->path, name);
        if (suffix == NULL || strchr(suffix, '.') != NULL)
            continue;
        place->tensor = tensor;
        place->expert = tensor->shared ? MODEL_SHARED_EXPERT : number;
        place->suffix = suffix;
        return true;
    }
    return false;
}

/* The part of a block's tensor name behind the block's number, or NULL when it is not in a block. */
static const char *inside_block(int64_t *block, const struct family *family, const char *name) {
    if (!text_starts(name, family->block))
        return NULL;
    const char *rest = read_number(block, name + strlen(family->block));
    return rest != NULL && *rest == '.' ? rest + 1 : NULL;
}

struct family_place family_place(const struct family *family, const char *prefix, const char *name) {
    struct family_place place = {.block = MODEL_NO_BLOCK, .expert = MODEL_NO_EXPERT};
    if (text_starts(name, prefix)) {
        int64_t block;
        const char *base = name + strlen(prefix);
        const char *rest = inside_block(&block, family, base);
        if (rest != NULL) {
            place.block = block;
            (void)place_in(&place, family->inside, rest);
            return place;
        }
        if (place_in(&place, family->outside, base))
            return place;
    }
    (void)place_in(&place, family->outside, name);
    return place;
}

static bool prefix_fits(const struct family *family, const struct checkpoint *checkpoint, const char *prefix) {
    size_t length = strlen(prefix);
    for (size_t i = 0; i < checkpoint->tensor_count; i++) {
        const char *name = checkpoint->tensors[i].name;
        if (strncmp(name, prefix, length) == 0 && text_starts(name + length, family->block))
            return true;
    }
    return false;
}

const char *family_prefix(const struct family *family, const struct checkpoint *checkpoint) {
    for (size_t i = 0; i < FAMILY_PREFIXES && family->prefixes[i] != NULL; i++)
        if (prefix_fits(family, checkpoint, family->prefixes[i]))
            return family->prefixes[i];
    return "";
}

static bool explains(const struct family *family, const struct checkpoint *checkpoint) {
    const char *prefix = family_prefix(family, checkpoint);
    bool blocks = false;
    for (size_t i = 0; i < checkpoint->tensor_count; i++) {
        const struct tensor *tensor = &checkpoint->tensors[i];
        struct family_place place = family_place(family, prefix, tensor->name);
        if (place.tensor == NULL && !buffer_is_named(tensor->name))
            return false;
        blocks = blocks || place.block != MODEL_NO_BLOCK;
    }
    return blocks;
}

const struct family *family_guess(const struct checkpoint *checkpoint) {
    for (size_t i = 0; i < family_count; i++)
        if (explains(&families[i], checkpoint))
            return &families[i];
    return NULL;
}

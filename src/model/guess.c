/* Models of no known family: blocks are the numbers in the commonest series of names, "....<number>.rest". */
#include "model/place.h"

#include "model/buffer.h"
#include <string.h>

/* The first part of a name that is a number: where it starts (the length of what stands before), its value and what
 * follows. False when there is none. */
static bool first_number(size_t *before, int64_t *number, const char **rest, const char *name) {
    for (const char *part = name; part != NULL; part = strchr(part, '.')) {
        part += *part == '.';
        size_t digits = strspn(part, "0123456789");
        if (digits == 0 || digits > 9 || part[digits] != '.')
            continue;
        *before = (size_t)(part - name);
        *number = 0;
        for (size_t i = 0; i < digits; i++)
            *number = *number * 10 + (part[i] - '0');
        *rest = part + digits + 1;
        return true;
    }
    return false;
}

struct series {
    const char *name; /* its first `length` bytes stand before the block's number */
    size_t length;
};

static size_t count_members(const struct series *series, const struct checkpoint *checkpoint) {
    size_t count = 0;
    for (size_t i = 0; i < checkpoint->tensor_count; i++) {
        const char *name = checkpoint->tensors[i].name, *rest;
        size_t before;
        int64_t number;
        count += checkpoint->tensors[i].rank == 2 && first_number(&before, &number, &rest, name) &&
                 before == series->length && strncmp(name, series->name, before) == 0;
    }
    return count;
}

/* Names of one series lie mostly together, so few candidates are counted. */
static struct series commonest_series(const struct checkpoint *checkpoint) {
    struct series best = {NULL, 0}, last = {NULL, 0};
    size_t most = 0, counted = 0;
    for (size_t i = 0; i < checkpoint->tensor_count && counted < 64; i++) {
        struct series candidate = {checkpoint->tensors[i].name, 0};
        const char *rest;
        int64_t number;
        if (!first_number(&candidate.length, &number, &rest, candidate.name) ||
            (last.name != NULL && last.length == candidate.length &&
             strncmp(last.name, candidate.name, last.length) == 0))
            continue;
        size_t count = count_members(&candidate, checkpoint);
        if (count > most) {
            most = count;
            best = candidate;
        }
        last = candidate;
        counted++;
    }
    return best;
}

static const struct {
    const char *part;
    enum role role;
} outside_names[] = {
    {"lm_head", ROLE_LM_HEAD},       {"embed_out", ROLE_LM_HEAD}, {"output", ROLE_LM_HEAD}, {"pos", ROLE_POSITION},
    {"token_type", ROLE_TOKEN_TYPE}, {"wpe", ROLE_POSITION},      {"emb", ROLE_EMBEDDING},  {"wte", ROLE_EMBEDDING},
};

static enum role role_outside(const char *name) {
    for (size_t i = 0; i < sizeof outside_names / sizeof *outside_names; i++)
        if (strstr(name, outside_names[i].part) != NULL)
            return outside_names[i].role;
    return ROLE_OTHER;
}

static enum role role_inside(const char *rest) {
    static const char *const routers[] = {"router.", "gate.weight", "gate.wg."};
    for (size_t i = 0; i < sizeof routers / sizeof *routers; i++)
        if (strstr(rest, routers[i]) != NULL && strstr(rest, "expert") == NULL)
            return ROLE_ROUTER;
    return strstr(rest, "norm") != NULL ? ROLE_OTHER : ROLE_MATRIX;
}

void place_guess(struct weight *weights, struct place_order *order, const struct checkpoint *checkpoint) {
    struct series series = commonest_series(checkpoint);
    for (size_t i = 0; i < checkpoint->tensor_count; i++) {
        struct weight *weight = &weights[i];
        const char *name = weight->tensor->name, *rest = name;
        size_t before = 0;
        int64_t number = 0;
        bool inside = series.name != NULL && first_number(&before, &number, &rest, name) && before == series.length &&
                      strncmp(name, series.name, before) == 0 && number < (int64_t)checkpoint->tensor_count;
        enum role role = inside ? role_inside(rest) : role_outside(name);
        weight->block = inside ? number : MODEL_NO_BLOCK;
        weight->expert = MODEL_NO_EXPERT;
        order[i] = (struct place_order){i, 0};
        if (weight->tensor->rank != 2)
            role = ROLE_OTHER;
        const char *suffix = name + place_module_length(name);
        enum place_kind kind = place_kind(*suffix == '.' ? suffix + 1 : suffix);
        if (kind == PLACE_UNKNOWN && weight->tensor->rank == 2)
            kind = PLACE_WEIGHT;
        place_assign(weight, buffer_is_named(name) ? ROLE_BUFFER : role, kind);
    }
}

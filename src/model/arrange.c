#include "model/arrange.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/role.h"
#include <stdlib.h>
#include <string.h>

struct entry {
    uint64_t block; /* MODEL_NO_BLOCK is the largest */
    struct place_order order;
    int64_t expert;
    size_t index; /* of the weight */
};

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_entries(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    const int order[] = {COMPARE(x->block, y->block), COMPARE(x->order.group, y->order.group),
                         COMPARE(x->expert, y->expert), COMPARE(x->order.row, y->order.row),
                         COMPARE(x->index, y->index)};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (order[i] != 0)
            return order[i];
    return 0;
}

static bool is_matrix(const struct weight *weight) {
    bool numbers = weight->prunable != PRUNABLE_NO || role_info(weight->role)->prunable != PRUNABLE_NO ||
                   weight->role == ROLE_OTHER;
    return weight->tensor->rank == 2 && !weight->bias && numbers;
}

static size_t collect(struct entry *entries, const struct model *model, const struct place_order *order) {
    size_t count = 0;
    for (size_t i = 0; i < model->weight_count; i++) {
        const struct weight *weight = &model->weights[i];
        if (is_matrix(weight))
            entries[count++] = (struct entry){(uint64_t)weight->block, order[i], weight->expert, i};
    }
    qsort(entries, count, sizeof *entries, compare_entries);
    return count;
}

/* A module's path within its block; the whole path outside blocks. */
static const char *path_in_block(const struct matrix *matrix) {
    const char *part = matrix->module;
    if (matrix->block == MODEL_NO_BLOCK)
        return part;
    while (part != NULL && (*part < '0' || *part > '9')) {
        part = strchr(part, '.');
        part += part != NULL;
    }
    const char *rest = part != NULL ? strchr(part, '.') : NULL;
    return rest != NULL ? rest + 1 : matrix->module;
}

static char *make_label(const struct matrix *matrix, const struct matrix *before, struct error *error) {
    struct text text = {0};
    bool by_path = matrix->role == ROLE_MATRIX || matrix->role == ROLE_OTHER;
    if (before != NULL && before->block == matrix->block && before->role == matrix->role &&
        before->expert == matrix->expert)
        by_path = true;
    if (by_path)
        text_add(&text, "%s", path_in_block(matrix));
    else if (matrix->expert == MODEL_SHARED_EXPERT)
        text_add(&text, "shared.%s", role_name(matrix->role));
    else if (matrix->expert >= 0)
        text_add(&text, "e%lld.%s", (long long)matrix->expert, role_name(matrix->role));
    else
        text_add(&text, "%s", role_name(matrix->role));
    char *label = text.failed ? NULL : memory_copy_string(text_string(&text), error);
    if (text.failed)
        (void)error_set(error, ERROR_MEMORY, "out of memory for the name of %s", matrix->name);
    text_free(&text);
    return label;
}

static bool fill_matrix(struct matrix *matrix, const struct weight *weight, bool transposed,
                        const struct matrix *before, struct error *error) {
    const struct tensor *tensor = weight->tensor;
    *matrix = (struct matrix){.weight = weight,
                              .tensor = tensor,
                              .name = tensor->name,
                              .role = weight->role,
                              .block = weight->block,
                              .expert = weight->expert,
                              .rows = tensor->shape[transposed ? 1 : 0],
                              .columns = tensor->shape[transposed ? 0 : 1],
                              .transposed = transposed,
                              .prunable = weight->prunable == PRUNABLE_YES,
                              .reason = weight->reason};
    matrix->module = memory_copy_bytes(tensor->name, place_module_length(tensor->name), error);
    matrix->label = matrix->module != NULL ? make_label(matrix, before, error) : NULL;
    return matrix->label != NULL;
}

static bool fill_blocks(struct model *model, struct error *error) {
    int64_t last = MODEL_NO_BLOCK;
    for (size_t i = 0; i < model->weight_count; i++)
        if (model->weights[i].block > last)
            last = model->weights[i].block;
    model->block_count = (size_t)(last + 1);
    model->blocks = memory_alloc(model->block_count, sizeof *model->blocks, error);
    if (model->blocks == NULL)
        return false;
    size_t next = 0;
    for (size_t i = 0; i < model->block_count; i++) {
        struct block *block = &model->blocks[i];
        *block = (struct block){.index = (int64_t)i, .first = next};
        for (; next < model->matrix_count && model->matrices[next].block == block->index; next++)
            block->count++;
    }
    return true;
}

bool arrange_matrices(struct model *model, const bool *transposed, const struct place_order *order,
                      struct error *error) {
    bool ok = false;
    struct entry *entries = memory_alloc(model->weight_count, sizeof *entries, error);
    model->matrices = memory_alloc(model->weight_count, sizeof *model->matrices, error);
    if (entries == NULL || model->matrices == NULL)
        goto out;
    size_t count = collect(entries, model, order);
    for (; model->matrix_count < count; model->matrix_count++) {
        size_t i = model->matrix_count, index = entries[i].index;
        struct matrix *matrix = &model->matrices[i];
        if (!fill_matrix(matrix, &model->weights[index], transposed[index], i > 0 ? matrix - 1 : NULL, error)) {
            model->matrix_count++; /* so that closing frees what the last one has */
            goto out;
        }
        model->weights[index].matrix = i;
    }
    ok = fill_blocks(model, error);
out:
    memory_free(entries);
    return ok;
}

/* The vector that a matrix multiplies, as a pair of numbers that is equal for equal vectors of a block. */
struct input_key {
    enum input_kind kind;
    int64_t expert;
};

static struct input_key input_key(const struct matrix *matrix, bool one_norm) {
    struct input_key key = {role_info(matrix->role)->input, matrix->expert};
    /* The shared expert and the routers see every token. */
    if (key.kind == INPUT_FEED_FORWARD && key.expert == MODEL_SHARED_EXPERT)
        key.expert = MODEL_NO_EXPERT;
    if (one_norm && key.kind == INPUT_FEED_FORWARD && key.expert == MODEL_NO_EXPERT)
        key.kind = INPUT_ATTENTION;
    return key;
}

static size_t find_input(const struct matrix *matrices, size_t index, bool one_norm) {
    struct input_key key = input_key(&matrices[index], one_norm);
    if (key.kind == INPUT_OWN)
        return index;
    for (size_t i = 0; i < index; i++) {
        struct input_key other = input_key(&matrices[i], one_norm);
        if (other.kind == key.kind && other.expert == key.expert)
            return i;
    }
    return index;
}

void arrange_inputs(struct model *model) {
    for (size_t i = 0; i < model->block_count; i++) {
        const struct block *block = &model->blocks[i];
        bool one_norm = model->architecture.form == BLOCK_PARALLEL &&
                        model_weight(model, block->index, ROLE_NORM_2, MODEL_NO_EXPERT, false) == NULL;
        for (size_t j = 0; j < block->count; j++)
            model->matrices[block->first + j].input = find_input(&model->matrices[block->first], j, one_norm);
    }
    size_t outside = model->block_count > 0
                         ? model->blocks[model->block_count - 1].first + model->blocks[model->block_count - 1].count
                         : 0;
    for (size_t i = outside; i < model->matrix_count; i++)
        model->matrices[i].input = i - outside;
}

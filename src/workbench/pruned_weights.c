#include "workbench/pruned_weights.h"

#include "base/memory.h"
#include "prune/method.h"
#include <string.h>

/* A pruned matrix. */
struct entry {
    size_t matrix;
    struct target target; /* that it was pruned to; pattern and method resolved */
    float *values;
    size_t bytes;
    uint64_t used; /* the clock when it was asked for last */
};

struct pruned_weights {
    const struct model *model;
    const struct sensitivity *sensitivity;
    struct kept_hessians *kept; /* NULL: none */
    char method[PLAN_METHOD_SIZE];
    struct target *targets; /* [matrix_count], resolved */
    struct entry *entries;
    size_t count, capacity;
    uint64_t bytes, memory;
    uint64_t clock; /* rises when the engine turns to another block */
    int64_t block;
    struct error failure;
    struct weight_source source;
};

static void drop_entry(struct pruned_weights *weights, size_t index) {
    weights->bytes -= weights->entries[index].bytes;
    memory_free(weights->entries[index].values);
    weights->entries[index] = weights->entries[--weights->count];
}

/* The entry that was used longest ago; what the block at work uses stays. */
static bool drop_oldest(struct pruned_weights *weights) {
    size_t oldest = SIZE_MAX;
    for (size_t i = 0; i < weights->count; i++)
        if (weights->entries[i].used < weights->clock &&
            (oldest == SIZE_MAX || weights->entries[i].used < weights->entries[oldest].used))
            oldest = i;
    if (oldest == SIZE_MAX)
        return false;
    drop_entry(weights, oldest);
    return true;
}

static bool prune_values(const struct pruned_weights *weights, float *values, size_t index, struct error *error) {
    const struct matrix *matrix = &weights->model->matrices[index];
    const struct target *target = &weights->targets[index];
    const struct input_sensitivity *known =
        weights->sensitivity != NULL ? sensitivity_input(weights->sensitivity, index) : NULL;
    struct method_chain chain;
    if (!method_parse(&chain, target->method, error))
        return false;
    enum method_need needs = method_needs(&chain);
    if (needs == METHOD_NEEDS_DIAGONAL && (known == NULL || known->tokens == 0))
        return error_set(error, ERROR_USAGE, "%s: %s needs activations; calibrate first", matrix->name, target->method);
    struct input_statistics input = {.columns = matrix->columns};
    if (known != NULL) {
        input.tokens = known->tokens;
        input.sum = known->sum;
        input.sum_squares = known->sum_squares;
    }
    struct layer layer = {.name = matrix->name,
                          .weights = values,
                          .rows = matrix->rows,
                          .columns = matrix->columns,
                          .input = known != NULL ? &input : NULL,
                          .pattern = target->pattern,
                          .sparsity = target->sparsity};
    matrix_read(values, matrix, 0, matrix->rows);
    if (needs != METHOD_NEEDS_HESSIAN)
        return method_run(&layer, &chain, error);
    kept_hessians_fill(weights->kept, &layer, index);
    if (layer.input == NULL && !method_parse(&chain, "magnitude", error)) /* as a run cuts what no token reaches */
        return false;
    bool ok = method_run(&layer, &chain, error);
    kept_hessians_keep(weights->kept, &layer, index);
    return ok;
}

static const float *make_entry(struct pruned_weights *weights, size_t index, struct error *error) {
    const struct matrix *matrix = &weights->model->matrices[index];
    size_t count = (size_t)matrix->rows * (size_t)matrix->columns;
    while (weights->bytes + count * sizeof(float) > weights->memory && drop_oldest(weights))
        continue;
    if (!memory_grow(&weights->entries, &weights->capacity, weights->count, sizeof *weights->entries, error))
        return NULL;
    float *values = memory_alloc_aligned(count, sizeof *values, error);
    if (values == NULL || !prune_values(weights, values, index, error)) {
        memory_free(values);
        return NULL;
    }
    weights->entries[weights->count++] = (struct entry){.matrix = index,
                                                        .target = weights->targets[index],
                                                        .values = values,
                                                        .bytes = count * sizeof(float),
                                                        .used = weights->clock};
    weights->bytes += count * sizeof(float);
    return values;
}

static bool same_result(const struct target *a, const struct target *b) {
    return a->sparsity == b->sparsity && memcmp(&a->pattern, &b->pattern, sizeof a->pattern) == 0 &&
           strcmp(a->method, b->method) == 0;
}

static const float *find(void *context, size_t matrix) {
    struct pruned_weights *weights = context;
    if (weights->targets[matrix].sparsity == 0 || weights->failure.code != ERROR_NONE)
        return NULL;
    if (weights->model->matrices[matrix].block != weights->block) {
        weights->block = weights->model->matrices[matrix].block;
        weights->clock++;
    }
    for (size_t i = 0; i < weights->count; i++) {
        struct entry *entry = &weights->entries[i];
        if (entry->matrix != matrix || !same_result(&entry->target, &weights->targets[matrix]))
            continue;
        entry->used = weights->clock;
        return entry->values;
    }
    return make_entry(weights, matrix, &weights->failure);
}

struct pruned_weights *pruned_weights_create(const struct model *model, const struct sensitivity *sensitivity,
                                             const char *method, uint64_t memory, struct error *error) {
    struct pruned_weights *weights = memory_alloc(1, sizeof *weights, error);
    if (weights == NULL)
        return NULL;
    *weights = (struct pruned_weights){.model = model, .sensitivity = sensitivity, .memory = memory, .block = -2};
    weights->source = (struct weight_source){.find = find, .context = weights};
    if (strlen(method) >= sizeof weights->method)
        (void)error_set(error, ERROR_USAGE, "there is no method \"%s\"", method);
    else
        weights->targets = memory_alloc(model->matrix_count, sizeof *weights->targets, error);
    if (weights->targets == NULL) {
        pruned_weights_free(weights);
        return NULL;
    }
    strcpy(weights->method, method);
    return weights;
}

void pruned_weights_free(struct pruned_weights *weights) {
    if (weights == NULL)
        return;
    while (weights->count > 0)
        drop_entry(weights, weights->count - 1);
    memory_free(weights->entries);
    memory_free(weights->targets);
    memory_free(weights);
}

void pruned_weights_use(struct pruned_weights *weights, struct kept_hessians *kept) {
    weights->kept = kept;
}

static bool resolve(struct pruned_weights *weights, struct target *target, const struct plan *plan, size_t matrix,
                    struct error *error) {
    struct method_chain chain;
    *target = *plan_target(plan, matrix);
    if (target->sparsity == 0)
        return true;
    if (target->method[0] == '\0')
        memcpy(target->method, weights->method, sizeof target->method);
    if (!method_parse(&chain, target->method, error))
        return false;
    target->pattern = method_pattern(&chain, target->pattern); /* as the run will have it */
    if (method_needs(&chain) == METHOD_NEEDS_HESSIAN && weights->kept == NULL)
        return error_set(
            error, ERROR_USAGE,
            "%s needs full Hessians, which only search-plan keeps: measure with wanda or magnitude, or prune and "
            "evaluate the result",
            target->method);
    return method_accepts(&chain, target->pattern, error);
}

bool pruned_weights_set(struct pruned_weights *weights, const struct plan *plan, struct error *error) {
    for (size_t i = 0; i < weights->model->matrix_count; i++)
        if (!resolve(weights, &weights->targets[i], plan, i, error))
            return error_prefix(error, "%s", weights->model->matrices[i].name);
    return true;
}

const struct weight_source *pruned_weights_source(const struct pruned_weights *weights) {
    return &weights->source;
}

bool pruned_weights_check(const struct pruned_weights *weights, struct error *error) {
    if (weights->failure.code == ERROR_NONE)
        return true;
    if (error != NULL)
        *error = weights->failure;
    return false;
}

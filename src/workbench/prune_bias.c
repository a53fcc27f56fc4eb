#include "base/memory.h"
#include "prune/compensate.h"
#include "workbench/prune_data_state.h"
#include <string.h>

static const struct weight *bias_of(const struct model *model, size_t matrix) {
    const struct matrix *of = &model->matrices[matrix];
    return model_weight(model, of->block, of->role, of->expert, true);
}

bool prune_bias_check(const struct model *model, size_t matrix, struct error *error) {
    const struct weight *bias = bias_of(model, matrix);
    if (bias != NULL && dtype_info(bias->tensor->dtype)->real)
        return true;
    return error_set(
        error, ERROR_USAGE,
        "bias compensation needs a bias, and this model (%s) has none for %s: other software would not read one",
        model->family_name, model->matrices[matrix].name);
}

bool prune_bias_put(struct data_run *data, size_t weight, float *values, bool final, struct error *error) {
    const struct model *model = data->run->workbench->model;
    const struct tensor *tensor = model->weights[weight].tensor;
    size_t index = checkpoint_index(model->checkpoint, tensor);
    memory_free(data->vectors[weight]);
    data->vectors[weight] = values;
    return prune_data_round(values, (size_t)tensor->count, writer_dtype(data->writer, index), error) &&
           (!final || writer_has(data->writer, index) ||
            writer_write_floats(data->writer, index, values, (size_t)tensor->count, error));
}

/* The bias as the stream would see it now: reordered already, or the source's own. */
static float *present_bias(const struct data_run *data, size_t weight, struct error *error) {
    const struct tensor *tensor = data->run->workbench->model->weights[weight].tensor;
    float *values = memory_alloc_aligned((size_t)tensor->count, sizeof *values, error);
    if (values != NULL && data->vectors[weight] != NULL)
        memcpy(values, data->vectors[weight], (size_t)tensor->count * sizeof *values);
    else if (values != NULL)
        dtype_widen(values, tensor->data, tensor->dtype, (size_t)tensor->count);
    return values;
}

/* What an earlier run has written. */
static bool take_back(struct data_run *data, size_t weight, size_t tensor, struct error *error) {
    size_t count = (size_t)data->run->workbench->model->weights[weight].tensor->count;
    float *values = memory_alloc_aligned(count, sizeof *values, error);
    if (values == NULL || !writer_read_floats(values, data->writer, tensor, error)) {
        memory_free(values);
        return false;
    }
    memory_free(data->vectors[weight]);
    data->vectors[weight] = values;
    return true;
}

bool prune_bias_take(struct data_run *data, size_t matrix, const float *pruned, const struct input_statistics *input,
                     struct error *error) {
    const struct model *model = data->run->workbench->model;
    const struct matrix *of = &model->matrices[matrix];
    size_t weight = (size_t)(bias_of(model, matrix) - model->weights);
    size_t tensor = checkpoint_index(model->checkpoint, model->weights[weight].tensor);
    if (writer_has(data->writer, tensor))
        return take_back(data, weight, tensor, error);
    double *change = memory_alloc((size_t)of->rows, sizeof *change, error);
    float *dense = memory_alloc_aligned((size_t)of->tensor->count, sizeof *dense, error);
    float *values = change != NULL && dense != NULL ? present_bias(data, weight, error) : NULL;
    bool ok = values != NULL;
    if (ok) {
        prune_data_dense(dense, data, matrix);
        ok = compensate_bias(change, dense, pruned, input, of->rows, error);
    }
    for (int64_t i = 0; ok && i < of->rows; i++)
        values[i] += (float)change[i];
    memory_free(change);
    memory_free(dense);
    if (ok)
        return prune_bias_put(data, weight, values, true, error);
    memory_free(values);
    return false;
}

#include "workbench/calibrate_output.h"

#include "base/memory.h"
#include "workbench/imatrix_source.h"
#include <string.h>

#define HEADER_BYTES 512 /* for each matrix */

static bool open_one(struct safetensors_writer *writer, bool *has, const char *path, const struct model *model,
                     struct error *error) {
    if (path == NULL)
        return true;
    *has = safetensors_writer_open(writer, path, HEADER_BYTES * (model->matrix_count + 1), error);
    return *has;
}

bool calibrate_output_open(struct calibrate_output *output, const struct model *model,
                           const struct calibrate_paths *paths, bool by_sequences, struct error *error) {
    *output = (struct calibrate_output){.model = model, .by_sequences = by_sequences};
    bool ok = open_one(&output->hessian, &output->has_hessian, paths->hessian, model, error) &&
              open_one(&output->scaler, &output->has_scaler, paths->scaler, model, error) &&
              open_one(&output->inputs, &output->has_inputs, paths->inputs, model, error);
    if (ok && output->has_inputs)
        ok = (output->rows = memory_alloc(model->matrix_count, sizeof *output->rows, error)) != NULL;
    if (ok && paths->imatrix != NULL)
        ok = (output->imatrix_path = memory_copy_string(paths->imatrix, error)) != NULL;
    if (!ok)
        calibrate_output_abort(output);
    return ok;
}

bool calibrate_output_name(struct calibrate_output *output, const char *source, size_t windows, size_t length,
                           struct error *error) {
    output->imatrix.chunks = (int64_t)windows;
    output->imatrix.chunk = (int64_t)length;
    output->imatrix.dataset = memory_copy_string(source, error);
    return output->imatrix.dataset != NULL;
}

/* ---- inputs, kept until their block ends ---- */

static bool keep_rows(struct kept_rows *kept, const struct observed_input *input, struct error *error) {
    size_t columns = (size_t)input->columns;
    size_t needed = (kept->rows + (size_t)input->rows) * columns;
    kept->columns = columns;
    if (needed > kept->capacity) {
        float *grown = memory_resize(kept->x, needed * 2, sizeof *grown, error);
        if (grown == NULL)
            return false;
        kept->x = grown;
        kept->capacity = needed * 2;
    }
    for (int64_t row = 0; row < input->rows; row++) {
        int64_t place = input->tokens != NULL ? input->tokens[row] : row;
        if (input->batch->mask != NULL && input->batch->mask[place] == 0)
            continue;
        memcpy(kept->x + kept->rows++ * columns, input->x + (size_t)row * columns, columns * sizeof(float));
    }
    return true;
}

static bool see_input(void *context, const struct observed_input *input, struct error *error) {
    struct calibrate_output *output = context;
    if (output->rows != NULL && !keep_rows(&output->rows[input->matrix], input, error))
        return false;
    return output->inner.input(output->inner.context, input, error);
}

static bool see_block(void *context, int64_t block, const float *before, const float *after, const struct batch *batch,
                      struct error *error) {
    struct calibrate_output *output = context;
    return output->inner.block(output->inner.context, block, before, after, batch, error);
}

static bool see_expert(void *context, int64_t expert, const struct observed_input *given, struct error *error) {
    const struct calibrate_output *output = context;
    return output->inner.expert(output->inner.context, expert, given, error);
}

struct block_observer calibrate_output_observer(struct calibrate_output *output, struct block_observer inner) {
    output->inner = inner;
    return (struct block_observer){.context = output, .input = see_input, .expert = see_expert, .block = see_block};
}

static void drop_rows(struct calibrate_output *output) {
    for (size_t i = 0; output->rows != NULL && i < output->model->matrix_count; i++)
        memory_free(output->rows[i].x);
    if (output->rows != NULL)
        memset(output->rows, 0, output->model->matrix_count * sizeof *output->rows);
}

static bool write_rows(struct calibrate_output *output, size_t matrix, struct error *error) {
    const struct kept_rows *kept = &output->rows[matrix];
    int64_t shape[2] = {(int64_t)kept->rows, output->model->matrices[matrix].columns};
    return safetensors_writer_add(&output->inputs, output->model->matrices[matrix].module, kept->x, shape, 2, error);
}

/* ---- Hessians and scalers ---- */

static bool write_hessian(struct calibrate_output *output, const struct gathered_input *input, struct error *error) {
    const struct hessian *hessian = input->statistics.hessian;
    int64_t shape[2] = {hessian->n, hessian->n};
    float *full = memory_alloc_aligned((size_t)hessian->n * (size_t)hessian->n, sizeof *full, error);
    if (full == NULL)
        return false;
    hessian_copy(full, hessian, hessian_scale(hessian, output->by_sequences));
    bool ok =
        safetensors_writer_add(&output->hessian, output->model->matrices[input->matrix].module, full, shape, 2, error);
    memory_free(full);
    return ok;
}

static bool write_scaler(struct calibrate_output *output, size_t matrix, const struct input_statistics *input,
                         struct error *error) {
    uint64_t count = output->by_sequences ? input->sequences : input->tokens;
    float *scaler = memory_alloc((size_t)input->columns, sizeof *scaler, error);
    if (scaler == NULL)
        return false;
    for (int64_t j = 0; j < input->columns; j++)
        scaler[j] = count > 0 ? (float)(input->sum_squares[j] / (double)count) : 0;
    bool ok = safetensors_writer_add(&output->scaler, output->model->matrices[matrix].module, scaler, &input->columns,
                                     1, error);
    memory_free(scaler);
    return ok;
}

/* Matrices that share another's input are named in the metadata of files that hold it once. */
static bool name_alias(struct calibrate_output *output, const char *module, const char *first, struct error *error) {
    return (!output->has_hessian || safetensors_writer_note(&output->hessian, module, first, error)) &&
           (!output->has_inputs || safetensors_writer_note(&output->inputs, module, first, error));
}

static bool write_matrix(struct calibrate_output *output, size_t matrix, const struct gathered_input *input,
                         struct error *error) {
    if (output->has_scaler && !write_scaler(output, matrix, &input->statistics, error))
        return false;
    if (input->matrix != matrix)
        return name_alias(output, output->model->matrices[matrix].module, output->model->matrices[input->matrix].module,
                          error);
    return (!output->has_hessian || write_hessian(output, input, error)) &&
           (!output->has_inputs || write_rows(output, matrix, error));
}

bool calibrate_output_block(struct calibrate_output *output, const struct gathering *gathering, struct error *error) {
    const struct block *block = &output->model->blocks[gathering->block];
    bool ok = true;
    for (size_t i = block->first; ok && i < block->first + block->count; i++) {
        const struct gathered_input *input = gathering_input(gathering, i);
        ok = input == NULL || write_matrix(output, i, input, error);
    }
    drop_rows(output);
    return ok && (output->imatrix_path == NULL || imatrix_collect(&output->imatrix, gathering, error));
}

/* ---- the end ---- */

static bool commit_one(struct safetensors_writer *writer, bool *has, struct error *error) {
    bool ok = !*has || safetensors_writer_commit(writer, error);
    *has = false;
    return ok;
}

static bool commit_imatrix(struct calibrate_output *output, struct error *error) {
    return output->imatrix_path == NULL || (imatrix_sort(&output->imatrix, output->imatrix_path, error) &&
                                            imatrix_write(&output->imatrix, output->imatrix_path, error));
}

bool calibrate_output_commit(struct calibrate_output *output, struct error *error) {
    bool ok = commit_one(&output->hessian, &output->has_hessian, error) &&
              commit_one(&output->scaler, &output->has_scaler, error) &&
              commit_one(&output->inputs, &output->has_inputs, error) && commit_imatrix(output, error);
    calibrate_output_abort(output);
    return ok;
}

static void abort_one(struct safetensors_writer *writer, bool *has) {
    if (*has)
        safetensors_writer_abort(writer);
    *has = false;
}

void calibrate_output_abort(struct calibrate_output *output) {
    abort_one(&output->hessian, &output->has_hessian);
    abort_one(&output->scaler, &output->has_scaler);
    abort_one(&output->inputs, &output->has_inputs);
    drop_rows(output);
    imatrix_free(&output->imatrix);
    memory_free(output->imatrix_path);
    memory_free(output->rows);
    output->imatrix_path = NULL;
    output->rows = NULL;
}

/* One matrix of a run with data: what its method is told, its solve, what is measured and written of it. */
#include "workbench/prune_data_state.h"

#include "base/memory.h"
#include "workbench/prune_output.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* An expert with fewer tokens than this is named in the report. */
#define FEW_TOKENS 256

const struct matrix *prune_matrix_of(const struct data_run *data, size_t task) {
    return &data->run->workbench->model->matrices[data->run->tasks[task].matrix];
}

size_t prune_matrix_tensor(const struct data_run *data, size_t task) {
    return checkpoint_index(data->run->workbench->model->checkpoint, prune_matrix_of(data, task)->tensor);
}

void prune_matrix_drop_factor(struct data_run *data) {
    factor_free(data->factor);
    data->factor = NULL;
    data->factor_input = NULL;
}

/* What all tokens of the block are, before the router sends them to experts; NULL where there is no router. */
static const struct gathered_input *router_input(const struct data_run *data, const struct matrix *expert) {
    const struct model *model = data->run->workbench->model;
    const struct block *block = &model->blocks[expert->block];
    for (size_t i = block->first; i < block->first + block->count; i++)
        if (model->matrices[i].role == ROLE_ROUTER && model->matrices[i].columns == expert->columns)
            return gathering_input(&data->gathering, i);
    return NULL;
}

/* What a matrix's method is told of its input; NULL for an expert without tokens, which has nothing to go by but its
 * weights. With experts=dense, one with too few sees all tokens of its block instead, where its input is theirs. */
static const struct gathered_input *input_of(const struct data_run *data, size_t task) {
    const struct matrix *matrix = prune_matrix_of(data, task);
    const struct gathered_input *input = gathering_input(&data->gathering, data->run->tasks[task].matrix);
    uint64_t tokens = input != NULL ? input->statistics.tokens : 0;
    if (data->run->settings.experts_dense && matrix->expert >= 0 && tokens < FEW_TOKENS) {
        const struct gathered_input *all = router_input(data, matrix);
        input = all != NULL && all->statistics.tokens > tokens ? all : input;
    }
    return input != NULL && input->statistics.tokens > 0 ? input : NULL;
}

static void say_few_tokens(struct layer_report *report, const struct data_run *data, size_t task,
                           const struct gathered_input *input) {
    const struct gathered_input *own = gathering_input(&data->gathering, data->run->tasks[task].matrix);
    unsigned long long tokens = own != NULL ? (unsigned long long)own->statistics.tokens : 0;
    if (input == NULL)
        (void)snprintf(report->note, sizeof report->note, "no token was routed here: cut by magnitude");
    else if (input != own)
        (void)snprintf(report->note, sizeof report->note,
                       "only %llu tokens were routed here: cut by all of the block's", tokens);
    else if (tokens < FEW_TOKENS && report->note[0] == '\0')
        (void)snprintf(report->note, sizeof report->note, "only %llu tokens were seen", tokens);
}

static bool solve(struct data_run *data, float *weights, size_t index, double sparsity, struct error *error) {
    struct prune_run *run = data->run;
    const struct prune_task *task = &run->tasks[index];
    const struct matrix *matrix = prune_matrix_of(data, index);
    const struct gathered_input *input = input_of(data, index);
    struct layer layer = {.name = matrix->name,
                          .weights = weights,
                          .rows = matrix->rows,
                          .columns = matrix->columns,
                          .input = input != NULL ? &input->statistics : NULL,
                          .pattern = task->pattern,
                          .sparsity = sparsity,
                          .options = run->settings.layer,
                          .progress = data->progress};
    layer.options.reference = run->settings.reference;
    struct method_chain magnitude;
    const struct method_chain *chain = &task->chain;
    if (input == NULL && method_needs(chain) != METHOD_NEEDS_NOTHING) {
        if (!method_parse(&magnitude, "magnitude", error))
            return false;
        chain = &magnitude;
    }
    if (input != data->factor_input)
        prune_matrix_drop_factor(data);
    layer.factor = data->factor;
    bool ok = method_run(&layer, chain, error);
    data->factor = layer.factor;
    data->factor_input = input;
    run->records[index].report = layer.report;
    if (ok && method_needs(&task->chain) != METHOD_NEEDS_NOTHING)
        say_few_tokens(&run->records[index].report, data, index, input);
    return ok;
}

/* Relative output error ‖(W − Ŵ)X‖²/‖WX‖² of what will be stored, from the full Hessian; NaN without one. */
static bool measure(struct data_run *data, size_t index, const float *weights, struct error *error) {
    const struct matrix *matrix = prune_matrix_of(data, index);
    const struct gathered_input *input = input_of(data, index);
    struct prune_record *record = &data->run->records[index];
    record->error = NAN;
    if (input == NULL || input->statistics.hessian == NULL || !data->run->settings.measure)
        return true;
    size_t count = (size_t)matrix->rows * (size_t)matrix->columns;
    float *dense = memory_alloc_aligned(count, sizeof *dense, error);
    if (dense == NULL)
        return false;
    double energy = 0;
    double lost = 0;
    prune_data_dense(dense, data, data->run->tasks[index].matrix);
    bool ok = hessian_quadratic(&energy, input->statistics.hessian, dense, matrix->rows, data->progress, error);
    for (size_t i = 0; i < count; i++)
        dense[i] -= weights[i];
    ok = ok && hessian_quadratic(&lost, input->statistics.hessian, dense, matrix->rows, data->progress, error);
    record->error = energy > 0 ? lost / energy : 0;
    memory_free(dense);
    return ok;
}

/* Weights as the output's type holds them: what later blocks and the measured error see. */
bool prune_data_round(float *weights, size_t count, enum dtype dtype, struct error *error) {
    uint8_t *stored = dtype == DTYPE_F32 ? NULL : memory_alloc(count, dtype_info(dtype)->bytes, error);
    if (stored == NULL)
        return dtype == DTYPE_F32;
    dtype_narrow(stored, weights, dtype, count);
    dtype_widen(weights, stored, dtype, count);
    memory_free(stored);
    return true;
}

bool prune_matrix(struct data_run *data, size_t index, double sparsity, bool last, struct error *error) {
    const struct matrix *matrix = prune_matrix_of(data, index);
    size_t matrix_index = data->run->tasks[index].matrix;
    size_t count = (size_t)matrix->rows * (size_t)matrix->columns;
    double begun = progress_clock();
    job_stage(data->run->workbench->jobs, "pruning %s", matrix->name);
    float *weights = data->pruned[matrix_index];
    if (weights == NULL) {
        weights = memory_alloc_aligned(count, sizeof *weights, error);
        if (weights == NULL)
            return false;
        data->pruned[matrix_index] = weights;
        prune_data_dense(weights, data, matrix_index);
    }
    bool ok = solve(data, weights, index, sparsity, error) &&
              prune_data_round(weights, count, writer_dtype(data->writer, prune_matrix_tensor(data, index)), error);
    const struct gathered_input *input = input_of(data, index);
    if (ok && last && data->run->settings.bias && input != NULL)
        ok = prune_bias_take(data, matrix_index, weights, &input->statistics, error);
    bool changed = method_repairs(&data->run->tasks[index].chain) || data->order_count > 0;
    if (ok && last)
        ok = measure(data, index, weights, error) &&
             (writer_has(data->writer, prune_matrix_tensor(data, index)) || /* a block that is done again */
              prune_output(data->writer, matrix, prune_matrix_tensor(data, index), weights, changed, error));
    data->run->records[index].seconds += progress_clock() - begun;
    data->run->finished += ok && last;
    if (ok && last) {
        data->run->records[index].zeros = prune_run_zeros(weights, count);
        prune_run_publish(data->run, index);
    }
    progress_add(data->progress, 2 * (uint64_t)count * (uint64_t)matrix->columns);
    return ok || (error->code != ERROR_CANCELLED && error_prefix(error, "%s", matrix->name));
}

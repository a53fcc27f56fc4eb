#include "base/memory.h"
#include "prune/permute.h"
#include "workbench/prune_data_state.h"
#include "workbench/prune_output.h"
#include <math.h>
#include <string.h>

/* A round of swaps takes about columns × rows × M² comparisons: as many rounds as that allows, at most four. */
#define SWAP_ROUNDS 4
#define SWAP_WORK 5e8

static const struct matrix *matrix_at(const struct data_run *data, size_t matrix) {
    return &data->run->workbench->model->matrices[matrix];
}

/* Roles whose rows are the units that a role's columns take in. */
static const struct {
    enum role consumer, producer;
} ties[] = {
    {ROLE_DOWN, ROLE_GATE}, {ROLE_DOWN, ROLE_UP}, {ROLE_DOWN, ROLE_GATE_UP}, {ROLE_FC2, ROLE_FC1}, {ROLE_O, ROLE_V},
};

static bool feeds(enum role producer, enum role consumer) {
    for (size_t i = 0; i < sizeof ties / sizeof *ties; i++)
        if (ties[i].consumer == consumer && ties[i].producer == producer)
            return true;
    return false;
}

static void find_producers(struct unit_order *order, const struct data_run *data) {
    const struct model *model = data->run->workbench->model;
    const struct matrix *consumer = matrix_at(data, order->consumer);
    const struct block *block = &model->blocks[consumer->block];
    for (size_t i = block->first; i < block->first + block->count && order->producer_count < 2; i++) {
        const struct matrix *matrix = &model->matrices[i];
        bool fits = matrix->rows == order->units || matrix->rows == 2 * order->units;
        if (fits && matrix->expert == consumer->expert && feeds(matrix->role, consumer->role))
            order->producers[order->producer_count++] = i;
    }
}

/* Within what width units may move; 0: not at all. Values of a head are shared by several queries' heads where there
 * are fewer key-value heads, so that only plain multi-head attention is free to move them. */
static int64_t stretch_of(const struct data_run *data, const struct matrix *consumer) {
    const struct architecture *a = &data->run->workbench->model->architecture;
    if (consumer->role != ROLE_O)
        return consumer->columns;
    return a->qkv == QKV_SEPARATE && a->heads == a->kv_heads ? a->head_dim : 0;
}

static bool wanted(const struct data_run *data, size_t task) {
    const struct prune_task *given = &data->run->tasks[task];
    const struct matrix *matrix = matrix_at(data, given->matrix);
    if (!data->run->settings.permute || given->pattern.kind != PATTERN_N_M)
        return false;
    struct unit_order order = {.consumer = given->matrix, .units = matrix->columns};
    find_producers(&order, data);
    int64_t stretch = stretch_of(data, matrix);
    return order.producer_count > 0 && stretch > 0 && stretch % given->pattern.m == 0;
}

bool prune_reorder_wanted(const struct data_run *data, size_t first_task, size_t end_task) {
    for (size_t i = first_task; i < end_task; i++)
        if (wanted(data, i))
            return true;
    return false;
}

/* Wanda's scores of the dense matrix. */
static float *make_scores(const struct data_run *data, size_t index, struct error *error) {
    const struct matrix *matrix = matrix_at(data, index);
    const struct gathered_input *input = gathering_input(&data->gathering, index);
    float *scores = memory_alloc_aligned((size_t)matrix->tensor->count, sizeof *scores, error);
    if (scores == NULL || input == NULL)
        return scores;
    matrix_read(scores, matrix, 0, matrix->rows);
    for (int64_t i = 0; i < matrix->rows; i++)
        for (int64_t j = 0; j < matrix->columns; j++) {
            float *score = &scores[i * matrix->columns + j];
            *score = fabsf(*score) * (float)sqrt(input->statistics.sum_squares[j]);
        }
    return scores;
}

static int swap_rounds(const struct matrix *matrix, struct pattern pattern) {
    double work = (double)matrix->rows * (double)matrix->columns * pattern.m * pattern.m;
    return (int)fmin(SWAP_ROUNDS, SWAP_WORK / work);
}

static bool find_order(struct unit_order *order, const struct data_run *data, size_t task, struct error *error) {
    const struct prune_task *given = &data->run->tasks[task];
    const struct matrix *matrix = matrix_at(data, given->matrix);
    *order = (struct unit_order){.consumer = given->matrix, .units = matrix->columns};
    find_producers(order, data);
    order->order = memory_alloc((size_t)order->units, sizeof *order->order, error);
    float *scores = order->order != NULL ? make_scores(data, given->matrix, error) : NULL;
    bool ok = scores != NULL && permute_find(order->order, scores, given->pattern, matrix->rows, matrix->columns,
                                             stretch_of(data, matrix), swap_rounds(matrix, given->pattern), error);
    memory_free(scores);
    return ok;
}

static void reorder_columns(float *weights, const struct unit_order *order, int64_t rows, float *spare) {
    for (int64_t i = 0; i < rows; i++) {
        float *row = weights + i * order->units;
        memcpy(spare, row, (size_t)order->units * sizeof *spare);
        for (int64_t p = 0; p < order->units; p++)
            row[p] = spare[order->order[p]];
    }
}

/* Rows of each part of `units` rows (gate and up, in a fused matrix). spare: a copy of all. */
static void reorder_rows(float *weights, const struct unit_order *order, int64_t rows, int64_t columns,
                         const float *spare) {
    size_t bytes = (size_t)columns * sizeof *weights;
    for (int64_t part = 0; part < rows; part += order->units)
        for (int64_t p = 0; p < order->units; p++)
            memcpy(weights + (part + p) * columns, spare + (part + order->order[p]) * columns, bytes);
}

static bool is_producer(const struct unit_order *order, size_t matrix) {
    return (order->producer_count > 0 && order->producers[0] == matrix) ||
           (order->producer_count > 1 && order->producers[1] == matrix);
}

void prune_reorder_apply(float *weights, const struct data_run *data, size_t matrix) {
    const struct matrix *of = matrix_at(data, matrix);
    size_t count = (size_t)of->rows * (size_t)of->columns;
    for (size_t i = 0; i < data->order_count; i++) {
        const struct unit_order *order = &data->orders[i];
        bool producer = is_producer(order, matrix);
        if (order->consumer != matrix && !producer)
            continue;
        memcpy(data->spare, weights, count * sizeof *weights);
        if (producer)
            reorder_rows(weights, order, of->rows, of->columns, data->spare);
        else
            reorder_columns(weights, order, of->rows, data->spare);
    }
}

/* Puts the dense weights of a matrix concerned, reordered, where the stream sees them; an earlier run's are there
 * already. */
static bool put_matrix(struct data_run *data, size_t matrix, struct error *error) {
    if (data->pruned[matrix] != NULL)
        return true;
    data->pruned[matrix] = memory_alloc_aligned((size_t)matrix_at(data, matrix)->tensor->count, sizeof(float), error);
    if (data->pruned[matrix] == NULL)
        return false;
    prune_data_dense(data->pruned[matrix], data, matrix);
    return true;
}

static bool is_task(const struct data_run *data, size_t matrix) {
    for (size_t i = 0; i < data->run->count; i++)
        if (data->run->tasks[i].matrix == matrix)
            return true;
    return false;
}

static bool put_producer(struct data_run *data, const struct unit_order *order, size_t matrix, struct error *error) {
    const struct model *model = data->run->workbench->model;
    const struct matrix *of = &model->matrices[matrix];
    size_t tensor = checkpoint_index(model->checkpoint, of->tensor);
    if (!put_matrix(data, matrix, error))
        return false;
    if (!is_task(data, matrix) && !writer_has(data->writer, tensor) &&
        !prune_output(data->writer, of, tensor, data->pruned[matrix], true, error))
        return false;
    const struct weight *bias = model_weight(model, of->block, of->role, of->expert, true);
    if (bias == NULL || data->vectors[bias - model->weights] != NULL)
        return true;
    size_t count = (size_t)bias->tensor->count;
    float *values = memory_alloc_aligned(2 * count, sizeof *values, error);
    if (values == NULL)
        return false;
    dtype_widen(values + count, bias->tensor->data, bias->tensor->dtype, count);
    reorder_rows(values, order, of->rows, 1, values + count);
    bool later = data->run->settings.bias && is_task(data, matrix); /* compensation still adds to it */
    return prune_bias_put(data, (size_t)(bias - model->weights), values, !later, error);
}

/* Room for the largest matrix concerned. */
static bool make_spare(struct data_run *data, struct error *error) {
    size_t most = 0;
    for (size_t i = 0; i < data->order_count; i++) {
        const struct unit_order *order = &data->orders[i];
        size_t size = (size_t)matrix_at(data, order->consumer)->tensor->count;
        for (size_t p = 0; p < order->producer_count; p++)
            size = size > matrix_at(data, order->producers[p])->tensor->count
                       ? size
                       : (size_t)matrix_at(data, order->producers[p])->tensor->count;
        most = size > most ? size : most;
    }
    data->spare = memory_alloc_aligned(most, sizeof *data->spare, error);
    return data->spare != NULL;
}

bool prune_reorder(struct data_run *data, size_t first_task, size_t end_task, struct error *error) {
    data->orders = memory_alloc(end_task - first_task, sizeof *data->orders, error);
    bool ok = data->orders != NULL;
    size_t found = 0;
    for (size_t i = first_task; ok && i < end_task; i++)
        if (wanted(data, i))
            ok = find_order(&data->orders[found++], data, i, error);
    data->order_count = found;
    ok = ok && make_spare(data, error);
    for (size_t i = 0; ok && i < data->order_count; i++) {
        const struct unit_order *order = &data->orders[i];
        for (size_t p = 0; ok && p < order->producer_count; p++)
            ok = put_producer(data, order, order->producers[p], error);
        ok = ok && put_matrix(data, order->consumer, error);
    }
    return ok;
}

void prune_reorder_drop(struct data_run *data) {
    for (size_t i = 0; i < data->order_count; i++)
        memory_free(data->orders[i].order);
    memory_free(data->orders);
    memory_free(data->spare);
    data->orders = NULL;
    data->spare = NULL;
    data->order_count = 0;
}

#include "calibrate/calibrate.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "engine/vector.h"
#include <math.h>
#include <string.h>

static bool first_of_input(const struct model *model, const struct block *block, size_t matrix) {
    for (size_t i = block->first; i < matrix; i++)
        if (model->matrices[i].input == model->matrices[matrix].input)
            return false;
    return true;
}

static struct gathered_input *find_input(const struct gathering *gathering, size_t matrix) {
    for (size_t i = 0; i < gathering->input_count; i++)
        if (gathering->inputs[i].input == gathering->model->matrices[matrix].input)
            return &gathering->inputs[i];
    return NULL;
}

static bool create_inputs(struct gathering *gathering, struct error *error) {
    const struct model *model = gathering->model;
    const struct block *block = &model->blocks[gathering->block];
    gathering->inputs = memory_alloc(block->count, sizeof *gathering->inputs, error);
    bool ok = gathering->inputs != NULL;
    for (size_t i = block->first; ok && i < block->first + block->count; i++) {
        const struct matrix *matrix = &model->matrices[i];
        if (!first_of_input(model, block, i))
            continue;
        struct gathered_input *input = &gathering->inputs[gathering->input_count];
        input->matrix = i;
        input->input = matrix->input;
        input->hidden = matrix->role == ROLE_DOWN || matrix->role == ROLE_FC2;
        ok = input_statistics_create(&input->statistics, matrix->columns, gathering->full, error);
        gathering->input_count += ok;
    }
    return ok;
}

bool gathering_create(struct gathering *gathering, const struct model *model, int64_t block, bool full, bool bf16,
                      struct error *error) {
    *gathering = (struct gathering){.model = model, .block = block, .full = full, .bf16 = bf16};
    size_t experts = (size_t)model->architecture.experts.count;
    bool ok = create_inputs(gathering, error);
    if (ok && experts > 0) {
        gathering->expert_tokens = memory_alloc(experts, sizeof(uint64_t), error);
        gathering->expert_norm = memory_alloc(experts, sizeof(double), error);
        ok = gathering->expert_tokens != NULL && gathering->expert_norm != NULL;
    }
    if (!ok)
        gathering_free(gathering);
    return ok;
}

void gathering_free(struct gathering *gathering) {
    for (size_t i = 0; i < gathering->input_count; i++)
        input_statistics_free(&gathering->inputs[i].statistics);
    memory_free(gathering->inputs);
    memory_free(gathering->expert_tokens);
    memory_free(gathering->expert_norm);
    memory_free(gathering->packed);
    memset(gathering, 0, sizeof *gathering);
}

const struct gathered_input *gathering_input(const struct gathering *gathering, size_t matrix) {
    return find_input(gathering, matrix);
}

uint64_t gathering_bytes(const struct model *model, int64_t block, bool full) {
    const struct block *matrices = &model->blocks[block];
    uint64_t bytes = 0;
    for (size_t i = matrices->first; i < matrices->first + matrices->count; i++) {
        if (!first_of_input(model, matrices, i))
            continue;
        bytes += 2 * (uint64_t)model->matrices[i].columns * sizeof(double) + sizeof(struct gathered_input);
        bytes += full ? hessian_bytes(model->matrices[i].columns) : 0;
    }
    return bytes;
}

static bool is_padding(const struct observed_input *input, int64_t row) {
    int64_t place = input->tokens != NULL ? input->tokens[row] : row;
    return input->batch->mask[place] == 0;
}

/* Rows without padding: the input itself where there is none. *rows is how many. NULL on lack of memory. */
static const float *real_rows(struct gathering *gathering, int64_t *rows, const struct observed_input *input,
                              struct error *error) {
    *rows = input->rows;
    if (input->batch->mask == NULL)
        return input->x;
    size_t columns = (size_t)input->columns;
    size_t needed = (size_t)input->rows * columns;
    if (gathering->packed_size < needed) {
        memory_free(gathering->packed);
        gathering->packed = memory_alloc_aligned(needed, sizeof(float), error);
        gathering->packed_size = gathering->packed != NULL ? needed : 0;
    }
    *rows = 0;
    for (int64_t row = 0; gathering->packed != NULL && row < input->rows; row++)
        if (!is_padding(input, row))
            memcpy(gathering->packed + (size_t)(*rows)++ * columns, input->x + (size_t)row * columns,
                   columns * sizeof(float));
    return gathering->packed;
}

static bool see_input(void *context, const struct observed_input *observed, struct error *error) {
    struct gathering *gathering = context;
    struct gathered_input *input = find_input(gathering, observed->matrix);
    const struct matrix *matrix = &gathering->model->matrices[observed->matrix];
    int64_t rows;
    if (input == NULL)
        return true;
    const float *x = real_rows(gathering, &rows, observed, error);
    if (x == NULL)
        return false;
    if (matrix->expert >= 0 && !input->hidden && gathering->expert_tokens != NULL)
        gathering->expert_tokens[matrix->expert] += (uint64_t)rows;
    if (rows == 0)
        return true;
    return activity_add(&input->activity, x, (size_t)rows * (size_t)observed->columns, error) &&
           input_statistics_add(&input->statistics, x, rows, (uint64_t)observed->batch->windows, gathering->bf16,
                                error);
}

/* REAP's score of an expert is the mean of these over its tokens. */
static bool see_expert(void *context, int64_t expert, const struct observed_input *output, struct error *error) {
    struct gathering *gathering = context;
    size_t columns = (size_t)output->columns;
    (void)error;
    for (int64_t row = 0; gathering->expert_norm != NULL && row < output->rows; row++) {
        double sum = 0;
        if (output->batch->mask != NULL && is_padding(output, row))
            continue;
        for (size_t j = 0; j < columns; j++) {
            double value = (double)output->x[(size_t)row * columns + j];
            sum += value * value;
        }
        gathering->expert_norm[expert] += (double)output->routing[row] * sqrt(sum);
    }
    return true;
}

VECTOR_CLONES
static double cosine(const float *a, const float *b, size_t columns) {
    double product = 0;
    double first = 0;
    double second = 0;
#pragma omp simd reduction(+ : product, first, second)
    for (size_t j = 0; j < columns; j++) {
        product += (double)a[j] * (double)b[j];
        first += (double)a[j] * (double)a[j];
        second += (double)b[j] * (double)b[j];
    }
    double scale = sqrt(first) * sqrt(second);
    return scale > 0 ? product / scale : 1;
}

struct cosine_work {
    const float *before, *after;
    size_t hidden;
    double *cosines; /* of each row: added in order, so that threads do not change the sum */
};

static void find_cosines(void *context, size_t begin, size_t end, int thread) {
    const struct cosine_work *work = context;
    (void)thread;
    for (size_t row = begin; row < end; row++)
        work->cosines[row] = cosine(work->before + row * work->hidden, work->after + row * work->hidden, work->hidden);
}

static bool add_cosines(struct gathering *gathering, const float *before, const float *after, const struct batch *batch,
                        struct error *error) {
    size_t rows = (size_t)(batch->windows * batch->length);
    struct cosine_work work = {before, after, (size_t)gathering->model->architecture.hidden,
                               memory_alloc(rows, sizeof(double), error)};
    if (work.cosines == NULL)
        return false;
    parallel_for(rows, 16, find_cosines, &work);
    for (size_t row = 0; row < rows; row++) {
        if (batch->mask != NULL && batch->mask[row] == 0)
            continue;
        gathering->cosine += work.cosines[row];
        gathering->cosine_tokens++;
    }
    memory_free(work.cosines);
    return true;
}

static bool see_block(void *context, int64_t block, const float *before, const float *after, const struct batch *batch,
                      struct error *error) {
    struct gathering *gathering = context;
    size_t hidden = (size_t)gathering->model->architecture.hidden;
    (void)block;
    if (!add_cosines(gathering, before, after, batch, error))
        return false;
    for (int64_t window = 0; gathering->last != NULL && window < batch->windows; window++)
        memcpy(gathering->last + (size_t)(batch->first + window) * hidden,
               after + (size_t)((window + 1) * batch->length - 1) * hidden, hidden * sizeof(float));
    return true;
}

struct block_observer gathering_observer(struct gathering *gathering) {
    return (struct block_observer){.context = gathering, .input = see_input, .expert = see_expert, .block = see_block};
}

double angular_distance(const float *a, const float *b, size_t rows, size_t columns) {
    double sum = 0;
    for (size_t row = 0; row < rows; row++) {
        double value = fmin(fmax(cosine(a + row * columns, b + row * columns, columns), -1), 1);
        sum += acos(value) / acos(-1);
    }
    return rows > 0 ? sum / (double)rows : 0;
}

#include "plan/probe.h"

#include "base/memory.h"
#include "prune/method.h"
#include <math.h>
#include <string.h>

#define PROBE_TILE 4096 /* entries of the vocabulary at once */

static const float *find_weights(void *context, size_t matrix) {
    const struct probe *probe = context;
    return probe->weights[matrix];
}

static size_t state_floats(const struct probe *probe) {
    return probe->windows * probe->length * (size_t)probe->model->architecture.hidden;
}

uint64_t probe_bytes(const struct model *model, size_t windows, size_t length, enum compute compute) {
    uint64_t tokens = (uint64_t)windows * length;
    uint64_t hidden = (uint64_t)model->architecture.hidden;
    uint64_t block = 0;
    for (size_t i = 0; i < model->block_count; i++) {
        uint64_t bytes = 0;
        for (size_t m = 0; m < model->blocks[i].count; m++)
            bytes += model->matrices[model->blocks[i].first + m].tensor->count * sizeof(float);
        block = bytes > block ? bytes : block;
    }
    return engine_bytes(model, compute, (int64_t)length, (int64_t)tokens) + 2 * tokens * hidden * sizeof(float) +
           length * (PROBE_TILE + (uint64_t)model->architecture.embedding_dim) * sizeof(float) + block;
}

void probe_free(struct probe *probe) {
    if (probe->model == NULL)
        return;
    engine_free(&probe->engine);
    for (size_t i = 0; probe->weights != NULL && i < probe->model->matrix_count; i++)
        memory_free(probe->weights[i]);
    memory_free(probe->weights);
    memory_free(probe->prefix);
    memory_free(probe->x);
    memory_free(probe->final);
    memory_free(probe->logits);
    memory_free(probe->dense);
    memory_free(probe->cut);
    memset(probe, 0, sizeof *probe);
}

/* ---- loss of the states in x ---- */

static int64_t vocabulary_of(const struct model *model) {
    const struct weight *head = model_weight(model, MODEL_NO_BLOCK, ROLE_LM_HEAD, MODEL_NO_EXPERT, false);
    return model->matrices[head->matrix].rows;
}

/* log Σ exp over the vocabulary, gathered a tile at a time. */
struct token_sum {
    double peak, total, target;
};

static void add_tile(struct token_sum *sum, const float *logits, int64_t begin, int64_t end, int64_t next) {
    double peak = sum->peak;
    for (int64_t i = 0; i < end - begin; i++)
        peak = fmax(peak, (double)logits[i]);
    sum->total *= exp(sum->peak - peak);
    for (int64_t i = 0; i < end - begin; i++)
        sum->total += exp((double)logits[i] - peak);
    sum->peak = peak;
    if (next >= begin && next < end)
        sum->target = (double)logits[next - begin];
}

static bool window_loss(double *mean, struct probe *probe, size_t window, struct token_sum *sums, struct error *error) {
    size_t hidden = (size_t)probe->model->architecture.hidden;
    int64_t rows = (int64_t)probe->length;
    int64_t vocabulary = vocabulary_of(probe->model);
    const int32_t *ids = probe->ids + window * probe->length;
    if (!engine_final(&probe->engine, probe->final, probe->x + window * probe->length * hidden, rows, error))
        return false;
    for (int64_t t = 0; t < rows; t++)
        sums[t] = (struct token_sum){.peak = -HUGE_VAL};
    for (int64_t begin = 0; begin < vocabulary; begin += PROBE_TILE) {
        int64_t end = begin + PROBE_TILE < vocabulary ? begin + PROBE_TILE : vocabulary;
        if (!engine_logits(&probe->engine, probe->logits, probe->final, rows, begin, end, NULL, error))
            return false;
        for (int64_t t = 0; t + 1 < rows; t++)
            add_tile(&sums[t], probe->logits + t * (end - begin), begin, end, ids[t + 1]);
    }
    *mean = 0;
    for (int64_t t = 0; t + 1 < rows; t++)
        *mean += (log(sums[t].total) + sums[t].peak - sums[t].target) / (double)(rows - 1);
    return true;
}

static bool find_losses(double *losses, struct probe *probe, struct error *error) {
    struct token_sum *sums = memory_alloc(probe->length, sizeof *sums, error);
    bool ok = sums != NULL;
    for (size_t window = 0; ok && window < probe->windows; window++)
        ok = window_loss(&losses[window], probe, window, sums, error);
    memory_free(sums);
    return ok;
}

static void compare_losses(struct probe_change *change, const struct probe *probe) {
    double count = (double)probe->windows;
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < probe->windows; i++)
        sum += probe->cut[i] - probe->dense[i];
    change->change = sum / count;
    for (size_t i = 0; i < probe->windows; i++) {
        double off = probe->cut[i] - probe->dense[i] - change->change;
        squares += off * off;
    }
    change->deviation = probe->windows > 1 ? sqrt(squares / (count - 1) / count) : fabs(change->change);
}

double probe_dense(const struct probe *probe) {
    double sum = 0;
    for (size_t i = 0; i < probe->windows; i++)
        sum += probe->dense[i];
    return sum / (double)probe->windows;
}

uint64_t probe_tokens(const struct probe *probe) {
    return (uint64_t)probe->windows * (probe->length - 1);
}

/* ---- cutting ---- */

static bool cut_matrix(float *weights, const struct probe *probe, size_t index, const struct target *target,
                       const char *method, struct error *error) {
    const struct matrix *matrix = &probe->model->matrices[index];
    const struct input_sensitivity *known = sensitivity_input(probe->sensitivity, index);
    struct input_statistics input = {.columns = matrix->columns};
    struct method_chain chain;
    if (!method_parse(&chain, target->method[0] != '\0' ? target->method : method, error))
        return false;
    if (method_needs(&chain) > METHOD_NEEDS_DIAGONAL)
        return error_set(error, ERROR_USAGE,
                         "%s needs full Hessians, which are not kept: losses are measured by magnitude, wanda, ria "
                         "or obd",
                         target->method[0] != '\0' ? target->method : method);
    if (known != NULL) {
        input.tokens = known->tokens;
        input.sequences = probe->windows;
        input.sum = known->sum;
        input.sum_squares = known->sum_squares;
    }
    struct layer layer = {.name = matrix->name,
                          .weights = weights,
                          .rows = matrix->rows,
                          .columns = matrix->columns,
                          .input = known != NULL ? &input : NULL,
                          .pattern = method_pattern(&chain, target->pattern),
                          .sparsity = target->sparsity};
    matrix_read(weights, matrix, 0, matrix->rows);
    return method_run(&layer, &chain, error) || error_prefix(error, "%s", matrix->name);
}

/* Puts the cut matrix in the model's place until drop_weights. */
static bool place_weights(struct probe *probe, size_t matrix, const struct target *target, const char *method,
                          struct error *error) {
    probe->weights[matrix] =
        memory_alloc_aligned((size_t)probe->model->matrices[matrix].tensor->count, sizeof(float), error);
    return probe->weights[matrix] != NULL && cut_matrix(probe->weights[matrix], probe, matrix, target, method, error);
}

static void drop_weights(struct probe *probe, size_t first, size_t count) {
    for (size_t i = first; i < first + count; i++) {
        memory_free(probe->weights[i]);
        probe->weights[i] = NULL;
    }
}

/* ---- running ---- */

static bool run_suffix(struct probe *probe, int64_t block, struct progress *progress, struct error *error) {
    bool ok = true;
    for (; ok && block < (int64_t)probe->model->block_count; block++)
        ok = engine_block(&probe->engine, block, probe->x, &probe->batch, NULL, progress, error);
    return ok;
}

static bool embed(struct probe *probe, float *x, struct error *error) {
    return engine_embed(&probe->engine, x, probe->ids, &probe->batch, error);
}

static bool allocate_probe(struct probe *probe, struct error *error) {
    size_t floats = state_floats(probe);
    probe->prefix = memory_alloc_aligned(floats, sizeof(float), error);
    probe->x = probe->prefix != NULL ? memory_alloc_aligned(floats, sizeof(float), error) : NULL;
    if (probe->x == NULL)
        return false;
    probe->final =
        memory_alloc_aligned(probe->length * (size_t)probe->model->architecture.embedding_dim, sizeof(float), error);
    probe->logits = memory_alloc_aligned(probe->length * PROBE_TILE, sizeof(float), error);
    probe->weights = memory_alloc(probe->model->matrix_count, sizeof *probe->weights, error);
    probe->dense = memory_alloc(probe->windows, sizeof *probe->dense, error);
    probe->cut = memory_alloc(probe->windows, sizeof *probe->cut, error);
    return probe->final != NULL && probe->logits != NULL && probe->weights != NULL && probe->dense != NULL &&
           probe->cut != NULL;
}

bool probe_create(struct probe *probe, const struct sensitivity *sensitivity, const int32_t *ids, size_t windows,
                  size_t length, enum compute compute, struct progress *progress, struct error *error) {
    *probe = (struct probe){.sensitivity = sensitivity,
                            .model = sensitivity->model,
                            .ids = ids,
                            .windows = windows,
                            .length = length,
                            .batch = {.windows = (int64_t)windows, .length = (int64_t)length}};
    probe->source = (struct weight_source){.find = find_weights, .context = probe};
    struct engine_options options = {.compute = compute, .weights = &probe->source};
    bool ok = allocate_probe(probe, error) && engine_create(&probe->engine, probe->model, &options, (int64_t)length,
                                                            (int64_t)(windows * length), error);
    ok = ok && embed(probe, probe->prefix, error);
    if (ok)
        memcpy(probe->x, probe->prefix, state_floats(probe) * sizeof(float));
    ok = ok && run_suffix(probe, 0, progress, error) && find_losses(probe->dense, probe, error);
    if (!ok)
        probe_free(probe);
    return ok;
}

bool probe_seek(struct probe *probe, int64_t block, struct progress *progress, struct error *error) {
    bool ok = true;
    for (; ok && probe->block < block; probe->block += ok)
        ok = engine_block(&probe->engine, probe->block, probe->prefix, &probe->batch, NULL, progress, error);
    return ok;
}

bool probe_matrix(struct probe_change *change, struct probe *probe, size_t matrix, const struct target *target,
                  struct progress *progress, struct error *error) {
    memcpy(probe->x, probe->prefix, state_floats(probe) * sizeof(float));
    bool ok = place_weights(probe, matrix, target, "wanda", error) &&
              run_suffix(probe, probe->block, progress, error) && find_losses(probe->cut, probe, error);
    drop_weights(probe, matrix, 1);
    if (ok)
        compare_losses(change, probe);
    return ok;
}

static bool run_cut_block(struct probe *probe, int64_t index, const struct target *targets, const char *method,
                          struct progress *progress, struct error *error) {
    const struct block *block = &probe->model->blocks[index];
    bool ok = true;
    for (size_t i = block->first; ok && i < block->first + block->count; i++)
        if (targets[i].sparsity > 0)
            ok = progress_continue(progress, error) && place_weights(probe, i, &targets[i], method, error);
    ok = ok && engine_block(&probe->engine, index, probe->x, &probe->batch, NULL, progress, error);
    drop_weights(probe, block->first, block->count);
    return ok;
}

bool probe_plan(struct probe_change *change, struct probe *probe, const struct target *targets, const char *method,
                struct progress *progress, struct error *error) {
    bool ok = embed(probe, probe->x, error);
    for (size_t i = 0; ok && i < probe->model->block_count; i++)
        ok = run_cut_block(probe, (int64_t)i, targets, method, progress, error);
    ok = ok && find_losses(probe->cut, probe, error);
    if (ok)
        compare_losses(change, probe);
    return ok;
}

uint64_t probe_block_work(const struct probe *probe, int64_t block) {
    return engine_block_work(probe->model, block, (int64_t)probe->windows, (int64_t)probe->length);
}

uint64_t probe_matrix_work(const struct probe *probe, int64_t block) {
    uint64_t work = 0;
    for (; block < (int64_t)probe->model->block_count; block++)
        work += probe_block_work(probe, block);
    return work;
}

uint64_t probe_plan_work(const struct probe *probe) {
    return probe_matrix_work(probe, 0);
}

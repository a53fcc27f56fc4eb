#include "workbench/prune_data_state.h"

#include "base/memory.h"
#include "prune/schedule.h"
#include "workbench/imatrix_source.h"
#include "workbench/prune_output.h"
#include "workbench/run_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* An expert with fewer tokens than this is named in the report. */
#define FEW_TOKENS 256

static const float *find_weights(void *context, size_t matrix) {
    const struct data_run *data = context;
    return data->overridden ? data->pruned[matrix] : NULL;
}

static const float *find_vector(void *context, size_t weight) {
    const struct data_run *data = context;
    return data->overridden ? data->vectors[weight] : NULL;
}

void prune_data_dense(float *weights, const struct data_run *data, size_t matrix) {
    const struct matrix *from = &data->run->workbench->model->matrices[matrix];
    matrix_read(weights, from, 0, from->rows);
    prune_reorder_apply(weights, data, matrix);
}

bool prune_data_needed(const struct prune_run *run) {
    for (size_t i = 0; i < run->count; i++)
        if (method_needs(&run->tasks[i].chain) != METHOD_NEEDS_NOTHING)
            return true;
    return false;
}

bool prune_data_check(const struct prune_run *run, struct error *error) {
    const struct prune_settings *settings = &run->settings;
    if (settings->source == NULL || !imatrix_recognise(settings->source))
        return true;
    for (size_t i = 0; i < run->count; i++)
        if (method_needs(&run->tasks[i].chain) == METHOD_NEEDS_HESSIAN)
            return error_set(error, ERROR_USAGE,
                             "%s needs the full Hessian, and %s has its diagonal alone: calibrate on text, or use "
                             "wanda, ria or obd",
                             run->tasks[i].method, settings->source);
    const char *wish = settings->permute ? "permute" : settings->rounds > 1 ? "rounds" : NULL;
    return wish == NULL || error_set(error, ERROR_USAGE,
                                     "%s needs text to run through the changed block, and %s is an importance matrix",
                                     wish, settings->source);
}

static const struct matrix *matrix_of(const struct data_run *data, size_t task) {
    return &data->run->workbench->model->matrices[data->run->tasks[task].matrix];
}

static size_t tensor_of(const struct data_run *data, size_t task) {
    return checkpoint_index(data->run->workbench->model->checkpoint, matrix_of(data, task)->tensor);
}

static void drop_factor(struct data_run *data) {
    factor_free(data->factor);
    data->factor = NULL;
    data->factor_input = NULL;
}

/* ---- one matrix ---- */

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
    const struct matrix *matrix = matrix_of(data, task);
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
    const struct matrix *matrix = matrix_of(data, index);
    const struct gathered_input *input = input_of(data, index);
    struct layer layer = {.name = matrix->name,
                          .weights = weights,
                          .rows = matrix->rows,
                          .columns = matrix->columns,
                          .input = input != NULL ? &input->statistics : NULL,
                          .pattern = task->pattern,
                          .sparsity = sparsity,
                          .options = run->settings.layer};
    layer.options.reference = run->settings.reference;
    struct method_chain magnitude;
    const struct method_chain *chain = &task->chain;
    if (input == NULL && method_needs(chain) != METHOD_NEEDS_NOTHING) {
        if (!method_parse(&magnitude, "magnitude", error))
            return false;
        chain = &magnitude;
    }
    if (input != data->factor_input)
        drop_factor(data);
    layer.factor = data->factor;
    bool ok = method_run(&layer, chain, data->progress, error);
    data->factor = layer.factor;
    data->factor_input = input;
    run->records[index].report = layer.report;
    if (ok && method_needs(&task->chain) != METHOD_NEEDS_NOTHING)
        say_few_tokens(&run->records[index].report, data, index, input);
    return ok;
}

/* Relative output error ‖(W − Ŵ)X‖²/‖WX‖² of what will be stored, from the full Hessian; NaN without one. */
static bool measure(struct data_run *data, size_t index, const float *weights, struct error *error) {
    const struct matrix *matrix = matrix_of(data, index);
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
    bool ok = hessian_quadratic(&energy, input->statistics.hessian, dense, matrix->rows, error);
    for (size_t i = 0; i < count; i++)
        dense[i] -= weights[i];
    ok = ok && hessian_quadratic(&lost, input->statistics.hessian, dense, matrix->rows, error);
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

static bool prune_task(struct data_run *data, size_t index, double sparsity, bool last, struct error *error) {
    const struct matrix *matrix = matrix_of(data, index);
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
              prune_data_round(weights, count, writer_dtype(data->writer, tensor_of(data, index)), error);
    const struct gathered_input *input = input_of(data, index);
    if (ok && last && data->run->settings.bias && input != NULL)
        ok = prune_bias_take(data, matrix_index, weights, &input->statistics, error);
    bool changed = method_repairs(&data->run->tasks[index].chain) || data->order_count > 0;
    if (ok && last)
        ok = measure(data, index, weights, error) &&
             prune_output(data->writer, matrix, tensor_of(data, index), weights, changed, error);
    data->run->records[index].seconds += progress_clock() - begun;
    data->run->finished += ok && last;
    if (ok && last) {
        data->run->records[index].zeros = prune_run_zeros(weights, count);
        prune_run_publish(data->run, index);
    }
    progress_add(data->progress, 2 * (uint64_t)count * (uint64_t)matrix->columns);
    return ok || (error->code != ERROR_CANCELLED && error_prefix(error, "%s", matrix->name));
}

/* ---- one block ---- */

struct range {
    size_t first, end; /* tasks of the block */
};

static struct range tasks_of_block(const struct data_run *data, int64_t block) {
    struct range range = {0, 0};
    while (range.first < data->run->count && matrix_of(data, range.first)->block != block)
        range.first++;
    range.end = range.first;
    while (range.end < data->run->count && matrix_of(data, range.end)->block == block)
        range.end++;
    return range;
}

static bool done_before(const struct data_run *data, size_t task) {
    return data->run->records[task].resumed;
}

static bool all_done(const struct data_run *data, struct range tasks) {
    for (size_t i = tasks.first; i < tasks.end; i++)
        if (!done_before(data, i))
            return false;
    return true;
}

static bool take_matrix(struct data_run *data, size_t index, size_t tensor, struct error *error) {
    const struct matrix *matrix = &data->run->workbench->model->matrices[index];
    data->pruned[index] = memory_alloc_aligned((size_t)matrix->tensor->count, sizeof(float), error);
    return data->pruned[index] != NULL && prune_output_read(data->pruned[index], data->writer, matrix, tensor, error);
}

static bool take_vector(struct data_run *data, size_t index, size_t tensor, struct error *error) {
    const struct weight *weight = &data->run->workbench->model->weights[index];
    data->vectors[index] = memory_alloc_aligned((size_t)weight->tensor->count, sizeof(float), error);
    return data->vectors[index] != NULL && writer_read_floats(data->vectors[index], data->writer, tensor, error);
}

/* Reads back what an earlier run has written of this block: matrices that were pruned or reordered, and biases. */
static bool take_finished(struct data_run *data, int64_t block, struct range tasks, struct error *error) {
    const struct model *model = data->run->workbench->model;
    bool ok = true;
    for (size_t i = 0; ok && i < model->weight_count; i++) {
        const struct weight *weight = &model->weights[i];
        size_t tensor = checkpoint_index(model->checkpoint, weight->tensor);
        if (weight->block != block || !writer_has(data->writer, tensor))
            continue;
        if (weight->matrix != SIZE_MAX)
            ok = take_matrix(data, weight->matrix, tensor, error);
        else if (weight->bias)
            ok = take_vector(data, i, tensor, error);
    }
    for (size_t i = tasks.first; ok && i < tasks.end; i++) {
        if (!done_before(data, i))
            continue;
        data->run->finished++;
        prune_run_publish(data->run, i);
    }
    return ok;
}

static void drop_block(struct data_run *data, int64_t block) {
    const struct model *model = data->run->workbench->model;
    drop_factor(data);
    gathering_free(&data->gathering);
    prune_reorder_drop(data);
    for (size_t i = model->blocks[block].first; i < model->blocks[block].first + model->blocks[block].count; i++) {
        memory_free(data->pruned[i]);
        data->pruned[i] = NULL;
    }
    for (size_t i = 0; i < model->weight_count; i++) {
        memory_free(data->vectors[i]);
        data->vectors[i] = NULL;
    }
}

static bool needs_hessian(const struct data_run *data, struct range tasks) {
    bool full = data->run->settings.measure && data->imatrix.count == 0;
    for (size_t i = tasks.first; i < tasks.end; i++)
        full = full || method_needs(&data->run->tasks[i].chain) == METHOD_NEEDS_HESSIAN;
    return full;
}

/* From the importance matrix, which must know every matrix of the tasks; only experts may be without tokens. */
static bool gather_imatrix(struct data_run *data, struct range tasks, struct error *error) {
    char name[IMATRIX_NAME];
    if (!imatrix_gather(&data->gathering, &data->imatrix, error))
        return error_prefix(error, "%s", data->run->settings.source);
    for (size_t i = tasks.first; i < tasks.end; i++) {
        const struct gathered_input *input = gathering_input(&data->gathering, data->run->tasks[i].matrix);
        if (method_needs(&data->run->tasks[i].chain) == METHOD_NEEDS_NOTHING || matrix_of(data, i)->expert >= 0 ||
            (input != NULL && input->statistics.tokens > 0))
            continue;
        bool named = imatrix_name(name, matrix_of(data, i));
        return error_set(error, ERROR_INPUT, "%s says nothing of %s (%s): prune it by magnitude, or calibrate on text",
                         data->run->settings.source, matrix_of(data, i)->name,
                         named ? name : "which llama.cpp has no name for");
    }
    return true;
}

/* Runs the text through the block and gathers its inputs. */
static bool gather(struct data_run *data, int64_t block, struct range tasks, bool keep, struct error *error) {
    drop_factor(data);
    gathering_free(&data->gathering);
    job_stage(data->run->workbench->jobs, "calibrating block %lld", (long long)block);
    if (!gathering_create(&data->gathering, data->run->workbench->model, block, needs_hessian(data, tasks),
                          data->run->settings.compute == COMPUTE_BF16, error))
        return false;
    if (data->imatrix.count > 0)
        return gather_imatrix(data, tasks, error);
    struct block_observer observer = gathering_observer(&data->gathering);
    return stream_pass(data->stream, &observer, keep, data->progress, error);
}

/* Sparsity of a task in one round of several; N:M patterns know no halfway. */
static double round_sparsity(const struct data_run *data, size_t task, int round) {
    const struct prune_task *given = &data->run->tasks[task];
    if (given->pattern.kind == PATTERN_N_M)
        return given->sparsity;
    return schedule_cubic(0, given->sparsity, round, data->run->settings.rounds);
}

/* All matrices see the block as it was before this round. */
static bool prune_together(struct data_run *data, int64_t block, struct range tasks, bool keep, struct error *error) {
    int rounds = data->run->settings.rounds;
    for (int round = 1; round <= rounds; round++) {
        data->overridden = round > 1 || data->order_count > 0;
        if (!gather(data, block, tasks, keep && round == rounds, error))
            return false;
        for (size_t i = tasks.first; i < tasks.end; i++)
            if (!done_before(data, i) && !prune_task(data, i, round_sparsity(data, i, round), round == rounds, error))
                return false;
    }
    return true;
}

/* Matrix after matrix: each distinct input is gathered after all matrices before it have been pruned. */
static bool prune_in_order(struct data_run *data, int64_t block, struct range tasks, struct error *error) {
    data->overridden = true;
    for (size_t i = tasks.first; i < tasks.end;) {
        size_t next = i;
        while (next < tasks.end && matrix_of(data, next)->input == matrix_of(data, i)->input)
            next++;
        struct range group = {i, next};
        if (!all_done(data, group) && !gather(data, block, tasks, false, error))
            return false;
        for (size_t j = i; j < next; j++)
            if (!done_before(data, j) && !prune_task(data, j, data->run->tasks[j].sparsity, true, error))
                return false;
        i = next;
    }
    return true;
}

/* Units in an order that loses less: found from the dense block, before anything of it is pruned. */
static bool reorder(struct data_run *data, int64_t block, struct range tasks, struct error *error) {
    if (!prune_reorder_wanted(data, tasks.first, tasks.end))
        return true;
    data->overridden = false;
    return gather(data, block, tasks, false, error) && prune_reorder(data, tasks.first, tasks.end, error);
}

static bool prune_block_tasks(struct data_run *data, int64_t block, struct range tasks, struct error *error) {
    bool ok = true;
    bool dense = data->run->settings.sequence == PRUNE_DENSE || data->imatrix.count > 0;
    bool finished = all_done(data, tasks);
    if (!dense || !finished)
        ok = take_finished(data, block, tasks, error);
    if (ok && !finished)
        ok = reorder(data, block, tasks, error);
    data->overridden = false;
    if (ok && !finished)
        ok = !dense && data->run->settings.sequence == PRUNE_IN_ORDER
                 ? prune_in_order(data, block, tasks, error)
                 : prune_together(data, block, tasks, dense, error);
    if (!ok || (dense && !finished) || data->imatrix.count > 0)
        return ok;
    data->overridden = !dense;
    job_stage(data->run->workbench->jobs, "block %lld: text through the pruned block", (long long)block);
    return stream_pass(data->stream, NULL, true, data->progress, error);
}

static bool prune_block(struct data_run *data, int64_t block, struct error *error) {
    struct range tasks = tasks_of_block(data, block);
    bool ok = prune_block_tasks(data, block, tasks, error);
    drop_block(data, block);
    return ok;
}

/* ---- all of it ---- */

/* What lies outside the blocks is last, and only methods that need no data reach it. */
static bool prune_outside(struct data_run *data, struct error *error) {
    for (size_t i = 0; i < data->run->count; i++) {
        if (matrix_of(data, i)->block >= 0 || done_before(data, i))
            continue;
        if (method_needs(&data->run->tasks[i].chain) != METHOD_NEEDS_NOTHING)
            return error_set(error, ERROR_USAGE,
                             "%s lies outside the blocks, where inputs are not gathered: use method magnitude",
                             matrix_of(data, i)->name);
        bool ok = prune_task(data, i, data->run->tasks[i].sparsity, true, error);
        memory_free(data->pruned[data->run->tasks[i].matrix]);
        data->pruned[data->run->tasks[i].matrix] = NULL;
        if (!ok)
            return false;
    }
    return true;
}

static int64_t last_block(const struct data_run *data) {
    int64_t last = -1;
    for (size_t i = 0; i < data->run->count; i++)
        last = matrix_of(data, i)->block > last ? matrix_of(data, i)->block : last;
    return last;
}

uint64_t prune_data_work(const struct prune_run *run, size_t windows, size_t length) {
    const struct model *model = run->workbench->model;
    uint64_t work = 0;
    uint64_t passes = run->settings.sequence == PRUNE_DENSE ? 1 : run->settings.sequence == PRUNE_IN_ORDER ? 5 : 2;
    for (size_t b = 0; b < model->block_count; b++)
        work += passes * engine_block_work(model, (int64_t)b, (int64_t)windows, (int64_t)length);
    for (size_t i = 0; i < run->count; i++) {
        const struct matrix *matrix = &model->matrices[run->tasks[i].matrix];
        work += 2 * (uint64_t)matrix->tensor->count * (uint64_t)matrix->columns;
    }
    return work;
}

static struct stream_options stream_options(const struct data_run *data) {
    return (struct stream_options){.compute = data->run->settings.compute,
                                   .weights = &data->source,
                                   .states_bf16 = data->run->workbench->settings.states_bf16,
                                   .states_memory = memory_limit() / 2};
}

static void say_start(struct data_run *data) {
    struct prune_run *run = data->run;
    struct text line = {0};
    char bytes[TEXT_NUMBER_SIZE];
    uint64_t states;
    struct stream_options options = stream_options(data);
    uint64_t memory =
        stream_memory(&states, run->workbench->model, data->corpus.windows, data->corpus.length, &options);
    run_text_describe(&line, &data->corpus);
    text_add(&line, "; %s of working memory for the text%s", text_bytes(bytes, (double)memory),
             options.states_bf16 ? ", hidden states in bf16" : "");
    job_log(run->workbench->jobs, "%s", text_string(&line));
    text_free(&line);
}

static bool open_stream(struct data_run *data, struct error *error) {
    const struct prune_settings *settings = &data->run->settings;
    const struct model *model = data->run->workbench->model;
    if (!run_text_open(&data->corpus, model, settings->source, &settings->corpus, error))
        return false;
    say_start(data);
    data->source = (struct weight_source){.find = find_weights, .context = data, .find_vector = find_vector};
    struct stream_options options = stream_options(data);
    data->stream = stream_open(model, data->corpus.ids, data->corpus.mask, data->corpus.windows, data->corpus.length,
                               &options, error);
    return data->stream != NULL;
}

static bool open_imatrix(struct data_run *data, struct error *error) {
    struct text line = {0};
    if (!imatrix_read(&data->imatrix, data->run->settings.source, error))
        return false;
    imatrix_describe(&line, data->run->settings.source, &data->imatrix);
    text_add(&line, "; inputs are those of the dense model, and no error is measured");
    job_log(data->run->workbench->jobs, "%s", text_string(&line));
    text_free(&line);
    return true;
}

static bool check_biases(const struct prune_run *run, struct error *error) {
    for (size_t i = 0; run->settings.bias && i < run->count; i++)
        if (!prune_bias_check(run->workbench->model, run->tasks[i].matrix, error))
            return false;
    return true;
}

bool prune_data_run(struct prune_run *run, struct writer *writer, struct progress *progress, struct error *error) {
    struct data_run data = {.run = run, .writer = writer, .progress = progress};
    const struct model *model = run->workbench->model;
    for (size_t i = 0; i < run->count; i++)
        run->records[i].resumed = writer_has(writer, tensor_of(&data, i));
    data.pruned = memory_alloc(model->matrix_count, sizeof *data.pruned, error);
    data.vectors = memory_alloc(model->weight_count, sizeof *data.vectors, error);
    bool by_imatrix = run->settings.source != NULL && imatrix_recognise(run->settings.source);
    bool ok = data.pruned != NULL && data.vectors != NULL && check_biases(run, error) &&
              (by_imatrix ? open_imatrix(&data, error) : open_stream(&data, error));
    if (ok && !by_imatrix) {
        atomic_fetch_add(&progress->total, prune_data_work(run, data.corpus.windows, data.corpus.length));
        ok = stream_pass(data.stream, NULL, true, progress, error);
    }
    for (int64_t block = 0; ok && block <= last_block(&data); block++)
        ok = prune_block(&data, block, error);
    ok = ok && prune_outside(&data, error);
    stream_close(data.stream);
    corpus_close(&data.corpus);
    imatrix_free(&data.imatrix);
    memory_free(data.pruned);
    memory_free(data.vectors);
    return ok;
}

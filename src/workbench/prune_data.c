#include "workbench/prune_data_state.h"

#include "base/memory.h"
#include "prune/schedule.h"
#include "workbench/imatrix_source.h"
#include "workbench/prune_output.h"
#include "workbench/run_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

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

/* ---- one block ---- */

struct range {
    size_t first, end; /* tasks of the block */
};

static struct range tasks_of_block(const struct data_run *data, int64_t block) {
    struct range range = {0, 0};
    while (range.first < data->run->count && prune_matrix_of(data, range.first)->block != block)
        range.first++;
    range.end = range.first;
    while (range.end < data->run->count && prune_matrix_of(data, range.end)->block == block)
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
    prune_matrix_drop_factor(data);
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
        if (method_needs(&data->run->tasks[i].chain) == METHOD_NEEDS_NOTHING || prune_matrix_of(data, i)->expert >= 0 ||
            (input != NULL && input->statistics.tokens > 0))
            continue;
        bool named = imatrix_name(name, prune_matrix_of(data, i));
        return error_set(error, ERROR_INPUT, "%s says nothing of %s (%s): prune it by magnitude, or calibrate on text",
                         data->run->settings.source, prune_matrix_of(data, i)->name,
                         named ? name : "which llama.cpp has no name for");
    }
    return true;
}

/* Runs the text through the block and gathers its inputs. */
static bool gather(struct data_run *data, int64_t block, struct range tasks, bool keep, struct error *error) {
    prune_matrix_drop_factor(data);
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

/* All matrices see the block as it was before this round; `dense`: as it was before all of them, so that its inputs are
 * gathered once, and its outputs with them. Not those of reordered units: they add up in another order. */
static bool prune_together(struct data_run *data, int64_t block, struct range tasks, bool dense, struct error *error) {
    int rounds = data->run->settings.rounds;
    for (int round = 1; round <= rounds; round++) {
        data->overridden = round > 1 || data->order_count > 0;
        if ((round == 1 || !dense) && !gather(data, block, tasks, dense && data->order_count == 0, error))
            return false;
        for (size_t i = tasks.first; i < tasks.end; i++)
            if (!done_before(data, i) && !prune_matrix(data, i, round_sparsity(data, i, round), round == rounds, error))
                return false;
    }
    return true;
}

/* Whether no pruning of the one changes the input of the other: they share it, or are experts' first matrices, or
 * experts' last ones. What an expert sees depends on its own weights and on the router alone. */
static bool same_stage(const struct data_run *data, size_t a, size_t b) {
    const struct matrix *first = prune_matrix_of(data, a);
    const struct matrix *second = prune_matrix_of(data, b);
    bool first_ends = first->role == ROLE_DOWN || first->role == ROLE_FC2;
    bool second_ends = second->role == ROLE_DOWN || second->role == ROLE_FC2;
    return first->input == second->input || (first->expert >= 0 && second->expert >= 0 && first_ends == second_ends);
}

static bool begins_stage(const struct data_run *data, struct range tasks, size_t task) {
    for (size_t i = tasks.first; i < task; i++)
        if (same_stage(data, i, task))
            return false;
    return true;
}

/* One stage after the other: the inputs of each are gathered after all matrices of those before it have been pruned. */
static bool prune_stage(struct data_run *data, int64_t block, struct range tasks, size_t first, struct error *error) {
    bool all = true;
    for (size_t i = first; i < tasks.end; i++)
        all = all && (!same_stage(data, first, i) || done_before(data, i));
    if (all)
        return true;
    bool ok = gather(data, block, tasks, false, error);
    for (size_t i = first; ok && i < tasks.end; i++)
        if (same_stage(data, first, i) && !done_before(data, i))
            ok = prune_matrix(data, i, data->run->tasks[i].sparsity, true, error);
    return ok;
}

static bool prune_in_order(struct data_run *data, int64_t block, struct range tasks, struct error *error) {
    data->overridden = true;
    bool ok = true;
    for (size_t i = tasks.first; ok && i < tasks.end; i++)
        if (begins_stage(data, tasks, i))
            ok = prune_stage(data, block, tasks, i, error);
    return ok;
}

/* Units in an order that loses less: found from the dense block, before anything of it is pruned. */
static bool reorder(struct data_run *data, int64_t block, struct range tasks, struct error *error) {
    if (!prune_reorder_wanted(data, tasks.first, tasks.end))
        return true;
    data->overridden = false;
    return gather(data, block, tasks, false, error) && prune_reorder(data, tasks.first, tasks.end, error);
}

/* Whether matrices of a block see the others of it as they were before: reordered, or of an earlier round. An earlier
 * run's finished ones are not that, so a block that it left half done is done again, to the same bytes. */
static bool must_repeat(const struct data_run *data, struct range tasks) {
    bool together = data->run->settings.sequence != PRUNE_IN_ORDER || data->imatrix.count > 0;
    return together && !all_done(data, tasks) &&
           (data->run->settings.rounds > 1 || prune_reorder_wanted(data, tasks.first, tasks.end));
}

static void forget_finished(struct data_run *data, struct range tasks) {
    for (size_t i = tasks.first; i < tasks.end; i++)
        data->run->records[i].resumed = false;
}

static bool prune_block_tasks(struct data_run *data, int64_t block, struct range tasks, struct error *error) {
    bool ok = true;
    bool dense = data->run->settings.sequence == PRUNE_DENSE || data->imatrix.count > 0;
    bool finished = all_done(data, tasks);
    bool repeat = must_repeat(data, tasks);
    if (repeat)
        forget_finished(data, tasks);
    if (!repeat && (!dense || !finished))
        ok = take_finished(data, block, tasks, error);
    if (ok && !finished)
        ok = reorder(data, block, tasks, error);
    data->overridden = false;
    if (ok && !finished)
        ok = !dense && data->run->settings.sequence == PRUNE_IN_ORDER
                 ? prune_in_order(data, block, tasks, error)
                 : prune_together(data, block, tasks, dense, error);
    bool kept = dense && !finished && data->order_count == 0;
    if (!ok || kept || data->imatrix.count > 0)
        return ok;
    data->overridden = !dense;
    job_stage(data->run->workbench->jobs, "block %lld: text through the %s block", (long long)block,
              dense ? "dense" : "pruned");
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
        if (prune_matrix_of(data, i)->block >= 0 || done_before(data, i))
            continue;
        if (method_needs(&data->run->tasks[i].chain) != METHOD_NEEDS_NOTHING)
            return error_set(error, ERROR_USAGE,
                             "%s lies outside the blocks, where inputs are not gathered: use method magnitude",
                             prune_matrix_of(data, i)->name);
        bool ok = prune_matrix(data, i, data->run->tasks[i].sparsity, true, error);
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
        last = prune_matrix_of(data, i)->block > last ? prune_matrix_of(data, i)->block : last;
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
        run->records[i].resumed = writer_has(writer, prune_matrix_tensor(&data, i));
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

#include "workbench/prune_run.h"

#include "base/memory.h"
#include "workbench/knowledge.h"
#include "workbench/prune_data.h"
#include "workbench/prune_output.h"
#include "workbench/prune_threshold.h"
#include "workbench/run_row.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is expected of a task before it is done. */
static double expected_error(struct workbench *workbench, const struct prune_task *task) {
    struct target target = {.sparsity = task->sparsity, .pattern = task->pattern};
    (void)memcpy(target.method, task->method, sizeof target.method);
    return knowledge_error(workbench, task->matrix, &target);
}

struct prune_run *prune_run_create(struct workbench *workbench, struct plan *plan,
                                   const struct prune_settings *settings, const char *target, struct error *error) {
    struct prune_run *run = memory_alloc(1, sizeof *run, error);
    if (run == NULL) {
        plan_free(plan);
        return NULL;
    }
    run->workbench = workbench;
    run->plan = plan;
    run->settings = *settings;
    run->target = memory_copy_string(target, error);
    bool ok = run->target != NULL;
    if (ok && settings->source != NULL)
        ok = (run->source = memory_copy_string(settings->source, error)) != NULL;
    run->settings.source = run->source;
    ok = ok && prune_tasks_make(&run->tasks, &run->count, plan, settings, error) && prune_data_check(run, error);
    if (ok)
        ok = (run->records = memory_alloc(run->count, sizeof *run->records, error)) != NULL;
    for (size_t i = 0; ok && i < run->count; i++)
        run->records[i] = (struct prune_record){.error = NAN, .forecast = expected_error(workbench, &run->tasks[i])};
    if (ok)
        knowledge_forecast_of(workbench, &run->forecast, run->plan);
    if (ok)
        return run;
    prune_run_free(run);
    return NULL;
}

void prune_run_free(struct prune_run *run) {
    if (run == NULL)
        return;
    plan_free(run->plan);
    memory_free(run->target);
    memory_free(run->source);
    memory_free(run->tasks);
    memory_free(run->records);
    memory_free(run);
}

void prune_run_publish(struct prune_run *run, size_t index) {
    const struct prune_task *task = &run->tasks[index];
    const struct prune_record *record = &run->records[index];
    double count = (double)run->workbench->model->matrices[task->matrix].tensor->count;
    bool counted = record->zeros > 0 || !record->resumed;
    struct run_row row = {.matrix = task->matrix,
                          .target = task->sparsity,
                          .actual = counted ? (double)record->zeros / count : NAN,
                          .error = record->error,
                          .forecast = record->forecast,
                          .seconds = record->seconds,
                          .resumed = record->resumed};
    (void)snprintf(row.note, sizeof row.note, "%s", record->report.note);
    run_rows_put(run->workbench, &row);
    job_changed(run->workbench->jobs);
}

uint64_t prune_run_zeros(const float *weights, size_t count) {
    uint64_t zeros = 0;
    for (size_t i = 0; i < count; i++)
        zeros += weights[i] == 0;
    return zeros;
}

/* ---- one matrix ---- */

static bool check_memory(const struct matrix *matrix, struct error *error) {
    double needed = 2.25 * 4 * (double)matrix->tensor->count;
    char have[TEXT_NUMBER_SIZE];
    char want[TEXT_NUMBER_SIZE];
    if (memory_limit() == 0 || needed <= (double)memory_limit())
        return true;
    return error_set(error, ERROR_MEMORY, "needs %s of working memory; --memory allows %s", text_bytes(want, needed),
                     text_bytes(have, (double)memory_limit()));
}

static bool prune_weights(struct prune_run *run, const struct prune_task *task, float *weights,
                          struct layer_report *report, struct progress *progress, struct error *error) {
    const struct matrix *matrix = &run->workbench->model->matrices[task->matrix];
    struct layer layer = {.name = matrix->name,
                          .weights = weights,
                          .rows = matrix->rows,
                          .columns = matrix->columns,
                          .pattern = task->pattern,
                          .sparsity = task->sparsity,
                          .options = run->settings.layer,
                          .progress = progress};
    layer.options.reference = run->settings.reference;
    matrix_read(weights, matrix, 0, matrix->rows);
    if (!method_run(&layer, &task->chain, error))
        return false;
    *report = layer.report;
    return true;
}

static bool prune_alone(struct prune_run *run, struct writer *writer, size_t index, struct progress *progress,
                        struct error *error) {
    const struct prune_task *task = &run->tasks[index];
    const struct model *model = run->workbench->model;
    const struct matrix *matrix = &model->matrices[task->matrix];
    size_t tensor = checkpoint_index(model->checkpoint, matrix->tensor);
    float *weights = NULL;
    bool ok = check_memory(matrix, error);
    if (ok)
        ok = (weights = memory_alloc_aligned((size_t)matrix->tensor->count, sizeof *weights, error)) != NULL;
    ok = ok && prune_weights(run, task, weights, &run->records[index].report, progress, error) &&
         prune_output(writer, matrix, tensor, weights, method_repairs(&task->chain), error);
    if (ok)
        run->records[index].zeros = prune_run_zeros(weights, (size_t)matrix->tensor->count);
    memory_free(weights);
    return ok;
}

/* What needs neither rows nor the whole matrix at once is streamed. */
static bool takes_threshold(const struct prune_run *run, size_t index) {
    const struct prune_task *task = &run->tasks[index];
    return run->settings.global || (!run->settings.reference && task->pattern.kind == PATTERN_UNSTRUCTURED &&
                                    strcmp(task->method, "magnitude") == 0);
}

static bool prune_matrix(struct prune_run *run, struct writer *writer, size_t index, struct progress *progress,
                         struct error *error) {
    const struct model *model = run->workbench->model;
    const struct matrix *matrix = &model->matrices[run->tasks[index].matrix];
    double begun = progress_clock();
    job_stage(run->workbench->jobs, "%s", matrix->name);
    bool by_threshold = takes_threshold(run, index);
    bool ok = run->settings.global || !by_threshold || prune_threshold_find(run, index, 1, progress, error);
    if (ok)
        ok = by_threshold ? prune_threshold_matrix(run, writer, index, progress, error)
                          : prune_alone(run, writer, index, progress, error);
    file_map_drop(&model->checkpoint->files[matrix->tensor->file].map, matrix->tensor->offset, matrix->tensor->bytes);
    run->records[index].seconds = progress_clock() - begun;
    return ok || (error->code != ERROR_CANCELLED && error_prefix(error, "%s", matrix->name));
}

/* ---- all of them ---- */

static bool prune_all(struct prune_run *run, struct writer *writer, struct progress *progress, struct error *error) {
    const struct checkpoint *checkpoint = run->workbench->model->checkpoint;
    if (prune_data_needed(run))
        return prune_data_run(run, writer, progress, error);
    if (run->settings.global) {
        job_stage(run->workbench->jobs, "one threshold for %zu matrices", run->count);
        if (!prune_threshold_find(run, 0, run->count, progress, error))
            return false;
    }
    for (size_t i = 0; i < run->count; i++) {
        const struct matrix *matrix = &run->workbench->model->matrices[run->tasks[i].matrix];
        run->records[i].resumed = writer_has(writer, checkpoint_index(checkpoint, matrix->tensor));
        if (!progress_continue(progress, error))
            return false;
        bool needed = !run->records[i].resumed || run->settings.global;
        if (needed && !prune_matrix(run, writer, i, progress, error))
            return false;
        run->finished++;
        prune_run_publish(run, i);
        progress_add(progress, matrix->tensor->bytes);
    }
    return true;
}

/* Fewer zeros in the file than the plan asks for would be a fault of ours; more are there when weights were zero
 * already. The references' conventions cut other numbers. */
static bool check_zeros(struct prune_run *run, const struct writer *writer, struct error *error) {
    const struct model *model = run->workbench->model;
    for (size_t i = 0; i < run->count; i++) {
        const struct matrix *matrix = &model->matrices[run->tasks[i].matrix];
        uint64_t zeros = writer_zeros(writer, checkpoint_index(model->checkpoint, matrix->tensor));
        run->records[i].zeros = zeros;
        prune_run_publish(run, i);
        if (zeros < run->tasks[i].planned && !run->settings.reference)
            return error_set(error, ERROR_FAILURE,
                             "%s: %llu zeros were counted in the written file where the plan asks for %llu",
                             matrix->name, (unsigned long long)zeros, (unsigned long long)run->tasks[i].planned);
    }
    return true;
}

static bool finish(struct prune_run *run, struct writer *writer, struct progress *progress, struct error *error) {
    job_stage(run->workbench->jobs, "copying and verifying");
    if (!writer_finish(writer, progress, error) || !check_zeros(run, writer, error))
        return false;
    char *json = prune_run_json(run, error);
    bool ok = json != NULL && writer_add_file(writer, "secateur.json", json, strlen(json), error) &&
              writer_commit(writer, error);
    memory_free(json);
    return ok;
}

static struct writer *open_writer(struct prune_run *run, struct error *error) {
    struct text fingerprint = {0};
    struct writer *writer = NULL;
    if (prune_run_fingerprint(&fingerprint, run, error)) {
        struct writer_settings settings = {.target = run->target,
                                           .fingerprint = text_string(&fingerprint),
                                           .force = run->settings.force,
                                           .resume = run->settings.resume,
                                           .dtype = run->settings.narrow ? run->settings.dtype : DTYPE_COUNT};
        writer = writer_open(run->workbench->model->checkpoint, &settings, error);
    }
    text_free(&fingerprint);
    return writer;
}

static void set_total(const struct prune_run *run, struct progress *progress) {
    uint64_t total = 2 * run->workbench->model->checkpoint->weight_bytes; /* copied or written, then verified */
    for (size_t i = 0; i < run->count; i++) {
        size_t bytes = run->workbench->model->matrices[run->tasks[i].matrix].tensor->bytes;
        total += (takes_threshold(run, i) ? 4 : 1) * bytes;
    }
    atomic_store(&progress->total, total);
}

bool prune_run_work(struct prune_run *run, struct progress *progress, struct error *error) {
    set_total(run, progress);
    struct writer *writer = open_writer(run, error);
    if (writer == NULL)
        return false;
    run->resumed = writer_resumed(writer);
    if (run->resumed > 0)
        job_log(run->workbench->jobs, "%s: going on with an earlier run that had finished %zu tensors", run->target,
                run->resumed);
    bool ok = run_rows_begin(run->workbench, run->count, error) && prune_all(run, writer, progress, error) &&
              finish(run, writer, progress, error);
    writer_close(writer);
    if (!ok && error->code == ERROR_CANCELLED)
        (void)error_set(error, ERROR_CANCELLED,
                        "cancelled: %zu of %zu matrices are finished; the same command goes on from there",
                        run->finished, run->count);
    return ok;
}

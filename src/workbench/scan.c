#include "workbench/scan.h"

#include "base/memory.h"
#include "tensor/summary.h"

static bool known(struct workbench *workbench, size_t index) {
    (void)pthread_mutex_lock(&workbench->mutex);
    bool is_known = workbench->summaries[index] != NULL;
    (void)pthread_mutex_unlock(&workbench->mutex);
    return is_known;
}

static void publish(struct workbench *workbench, size_t index, struct summary *summary) {
    (void)pthread_mutex_lock(&workbench->mutex);
    workbench->summaries[index] = summary;
    workbench->summaries_known++;
    workbench->knowledge++;
    (void)pthread_mutex_unlock(&workbench->mutex);
    job_changed(workbench->jobs);
}

static bool scan_matrix(struct workbench *workbench, size_t index, struct progress *progress, struct error *error) {
    const struct matrix *matrix = &workbench->model->matrices[index];
    const struct checkpoint_file *file = &workbench->model->checkpoint->files[matrix->tensor->file];
    job_stage(workbench->jobs, "%s", matrix->name);
    struct summary *summary = summary_create(matrix->tensor, matrix->transposed, progress, error);
    if (summary == NULL)
        return error_prefix(error, "%s", matrix->name);
    publish(workbench, index, summary);
    file_map_drop(&file->map, matrix->tensor->offset, matrix->tensor->bytes); /* keeps resident memory small */
    return true;
}

bool scan_run(struct workbench *workbench, struct progress *progress, struct error *error) {
    const struct model *model = workbench->model;
    uint64_t total = 0;
    for (size_t i = 0; i < model->matrix_count; i++)
        total += known(workbench, i) ? 0 : model->matrices[i].tensor->bytes;
    atomic_store(&progress->total, total);
    for (size_t i = 0; i < model->matrix_count; i++) {
        if (!progress_continue(progress, error))
            return false;
        if (!known(workbench, i) && !scan_matrix(workbench, i, progress, error))
            return false;
    }
    return true;
}

static bool run_scan(void *context, struct progress *progress, struct error *error) {
    return scan_run(context, progress, error);
}

bool scan_start(struct workbench *workbench, struct error *error) {
    struct job_work work = {.name = "scan", .title = "scan", .background = true, .run = run_scan, .context = workbench};
    return workbench_start(workbench, &work, error);
}

void scan_free(struct workbench *workbench) {
    for (size_t i = 0; workbench->summaries != NULL && i < workbench->model->matrix_count; i++)
        summary_free(workbench->summaries[i]);
    memory_free(workbench->summaries);
    workbench->summaries = NULL;
}

/* The command that finds the singular values' exponents, for strategies and views. */
#include "base/memory.h"
#include "plan/spectrum.h"
#include "workbench/commands.h"
#include "workbench/knowledge.h"

/* Not calibrated yet: there is nothing else to know. */
static bool ensure_sensitivity(struct workbench *workbench, struct error *error) {
    if (workbench->sensitivity != NULL)
        return true;
    struct sensitivity *sensitivity = sensitivity_create(workbench->model, error);
    return sensitivity != NULL && knowledge_replace(workbench, sensitivity, error);
}

static bool find_exponent(struct workbench *workbench, size_t index, struct error *error) {
    const struct matrix *matrix = &workbench->model->matrices[index];
    float *weights = memory_alloc_aligned((size_t)matrix->tensor->count, sizeof *weights, error);
    double alpha;
    if (weights == NULL)
        return false;
    job_stage(workbench->jobs, "%s", matrix->name);
    matrix_read(weights, matrix, 0, matrix->rows);
    bool ok = spectrum_hill(&alpha, weights, matrix->rows, matrix->columns, error);
    memory_free(weights);
    if (!ok)
        return error_prefix(error, "%s", matrix->name);
    (void)pthread_mutex_lock(&workbench->mutex);
    workbench->sensitivity->matrices[index].hill = alpha;
    workbench->sensitivity->revision++;
    workbench->knowledge++;
    (void)pthread_mutex_unlock(&workbench->mutex);
    job_changed(workbench->jobs);
    return true;
}

static bool work(void *context, struct progress *progress, struct error *error) {
    struct workbench *workbench = context;
    const struct model *model = workbench->model;
    atomic_store(&progress->total, model->prunable);
    bool ok = ensure_sensitivity(workbench, error);
    for (size_t i = 0; ok && i < model->matrix_count; i++) {
        if (!model->matrices[i].prunable)
            continue;
        ok = progress_continue(progress, error) && find_exponent(workbench, i, error);
        progress_add(progress, model->matrices[i].tensor->count);
    }
    return ok;
}

static bool run_spectrum(struct workbench *workbench, const struct value *values, struct text *output,
                         struct error *error) {
    struct job_work job = {.name = "spectrum", .title = "singular values", .run = work, .context = workbench};
    (void)values;
    (void)output;
    return workbench_start(workbench, &job, error);
}

const struct command spectrum_commands[] = {
    {"spectrum", NULL, "find how heavy the tail of every matrix's singular values is, for the strategy alpha", NULL,
     NULL, 0, COMMAND_JOB, run_spectrum},
};
const size_t spectrum_command_count = sizeof spectrum_commands / sizeof *spectrum_commands;

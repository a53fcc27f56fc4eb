#include "workbench/workbench.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "plan/forecast.h"
#include "workbench/calibration_cache.h"
#include "workbench/scan.h"
#include "workbench/session.h"
#include <string.h>

#define SCRIPT_BYTES ((size_t)16 << 20)

static bool open_parts(struct workbench *workbench, const char *path, struct error *error) {
    struct model *model = workbench->model = model_open(path, error);
    if (model == NULL)
        return false;
    workbench->plan = plan_create(model, error);
    if (workbench->plan != NULL)
        workbench->session = session_open(model, workbench->settings.interactive, error);
    if (workbench->session != NULL)
        workbench->summaries = memory_alloc(model->matrix_count, sizeof(struct summary *), error);
    if (workbench->summaries != NULL)
        workbench->jobs = jobs_create(error);
    return workbench->jobs != NULL;
}

struct workbench *workbench_open(const char *path, const struct settings *settings, struct error *error) {
    struct workbench *workbench = memory_alloc(1, sizeof *workbench, error);
    if (workbench == NULL)
        return NULL;
    workbench->settings = *settings;
    (void)pthread_mutex_init(&workbench->mutex, NULL);
    parallel_set_threads(settings->threads);
    memory_set_limit(settings->memory);
    if (open_parts(workbench, path, error)) {
        if (settings->interactive)
            (void)calibration_cache_load_latest(workbench);
        return workbench;
    }
    workbench_close(workbench);
    return NULL;
}

void workbench_close(struct workbench *workbench) {
    if (workbench == NULL)
        return;
    jobs_free(workbench->jobs); /* first: jobs use all the rest */
    scan_free(workbench);
    forecaster_free(workbench->forecaster);
    sensitivity_free(workbench->sensitivity);
    session_close(workbench->session);
    plan_free(workbench->plan);
    model_close(workbench->model);
    memory_free(workbench->evaluations);
    memory_free(workbench->run_rows);
    text_free(&workbench->results);
    text_free(&workbench->prune_table);
    (void)pthread_mutex_destroy(&workbench->mutex);
    memory_free(workbench);
}

void workbench_take_results(struct workbench *workbench, struct text *output) {
    text_add_bytes(output, text_string(&workbench->results), workbench->results.length);
    output->failed = output->failed || workbench->results.failed;
    text_clear(&workbench->results);
}

bool workbench_start(struct workbench *workbench, const struct job_work *work, struct error *error) {
    if (workbench->settings.interactive)
        parallel_lower_priority();
    return jobs_start(workbench->jobs, work, error);
}

static bool run_script_line(struct workbench *workbench, const char *path, size_t number, const char *line,
                            struct text *output, struct error *error) {
    if (command_run(workbench, line, output, error))
        return true;
    return error_prefix(error, "%s, line %zu", path, number);
}

bool workbench_script(struct workbench *workbench, const char *path, struct text *output, struct error *error) {
    char *script = file_read(path, SCRIPT_BYTES, NULL, error);
    if (script == NULL)
        return false;
    bool ok = true;
    size_t number = 1;
    for (char *line = script; ok && line != NULL && !workbench->quit; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        ok = run_script_line(workbench, path, number, line, output, error);
        line = end != NULL ? end + 1 : NULL;
    }
    memory_free(script);
    return ok;
}

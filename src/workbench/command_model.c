/* Commands that read the whole model: stat and report. */
#include "base/memory.h"
#include "workbench/commands.h"
#include "workbench/report.h"
#include "workbench/scan.h"
#include <stdio.h>

struct report_job {
    struct workbench *workbench;
    struct plan *plan; /* as it was when the command was given */
    char *folder;      /* NULL: the table of `stat` */
    bool channels;     /* channels.csv as well */
    struct text said;
};

static bool run_report_job(void *context, struct progress *progress, struct error *error) {
    struct report_job *job = context;
    if (!scan_run(job->workbench, progress, error))
        return false;
    if (job->folder == NULL) {
        report_stat(job->workbench, job->plan, &job->said);
        return true;
    }
    text_add(&job->said,
             "written: model.csv, blocks.csv, matrices.csv, histograms.csv, evaluations.csv and plan.csv%s in %s\n",
             job->workbench->sensitivity != NULL ? ", and what calibration found," : "", job->folder);
    return report_write(job->workbench, job->plan, job->folder, job->channels, error);
}

static void free_report_job(struct report_job *job) {
    plan_free(job->plan);
    memory_free(job->folder);
    text_free(&job->said);
    memory_free(job);
}

static void finish_report_job(void *context, bool ok, const struct error *error) {
    struct report_job *job = context;
    (void)error;
    if (ok)
        text_add_bytes(&job->workbench->results, text_string(&job->said), job->said.length);
    free_report_job(job);
}

static bool start_report(struct workbench *workbench, const char *name, const char *folder, bool channels,
                         struct error *error) {
    struct report_job *job = memory_alloc(1, sizeof *job, error);
    if (job == NULL)
        return false;
    job->workbench = workbench;
    job->channels = channels;
    job->plan = plan_copy(workbench->plan, error);
    bool ok = job->plan != NULL;
    if (ok && folder != NULL)
        ok = (job->folder = memory_copy_string(folder, error)) != NULL;
    struct job_work work = {.name = name, .run = run_report_job, .finish = finish_report_job, .context = job};
    (void)snprintf(work.title, sizeof work.title, "%s of %s", name, workbench->model->name);
    if (ok && workbench_start(workbench, &work, error))
        return true;
    free_report_job(job);
    return false;
}

static bool run_stat(struct workbench *workbench, const struct value *values, struct text *output,
                     struct error *error) {
    (void)values;
    (void)output;
    return start_report(workbench, "stat", NULL, false, error);
}

static bool run_report(struct workbench *workbench, const struct value *values, struct text *output,
                       struct error *error) {
    (void)output;
    return start_report(workbench, "report", values[0].text, values[1].integer != 0, error);
}

static const struct argument report_arguments[] = {
    {.name = "dir",
     .kind = ARGUMENT_FOLDER,
     .positional = true,
     .required = true,
     .help = "the folder that the tables are written to; made where absent"},
    {.name = "channels", .kind = ARGUMENT_FLAG, .help = "write channels.csv, too: a row for each channel"},
};

const struct command model_commands[] = {
    {"stat", NULL, "count zeros and say which patterns they follow, for every matrix",
     "Reads all weights once. The table is for people; --csv gives the columns of matrices.csv.", NULL, 0,
     COMMAND_JOB | COMMAND_SUBCOMMAND, run_stat},
    {"report", NULL, "write what is known as CSV tables into a folder",
     "model.csv, blocks.csv, matrices.csv, histograms.csv, evaluations.csv and plan.csv; after a prune in the same "
     "session prune.csv, which holds what prune --csv prints. Their columns are listed under CSV COLUMNS.",
     report_arguments, 2, COMMAND_JOB | COMMAND_SUBCOMMAND, run_report},
};
const size_t model_command_count = sizeof model_commands / sizeof *model_commands;

/* What a person works on: a model, what is known about it, the plan, and the work under way. The screen, scripts and
 * subcommands all hold exactly one of these. Fields are for the screen's thread; what the worker fills in is under
 * `mutex`. */
#ifndef SECATEUR_WORKBENCH_H
#define SECATEUR_WORKBENCH_H

#include "model/model.h"
#include "plan/plan.h"
#include "workbench/command.h"
#include "workbench/job.h"
#include <pthread.h>

struct evaluation_record; /* evaluation_record.h */
struct forecaster;        /* plan/forecast.h */
struct run_row;           /* run_row.h */
struct sensitivity;       /* plan/sensitivity.h */
struct session;           /* session.h */
struct summary;           /* tensor/summary.h */

struct settings {
    int threads;      /* 0 = all */
    uint64_t memory;  /* bytes; 0 = no limit */
    char compute[8];  /* auto, f32, bf16 */
    bool states_bf16; /* hidden states are kept in bf16 between blocks */
    bool csv;         /* text output as CSV */
    bool interactive; /* a terminal is attached: jobs go to the background */
};

struct workbench {
    struct settings settings;
    struct model *model;
    struct plan *plan;
    struct session *session; /* the command log; with a terminal, all work is saved in it */
    struct jobs *jobs;
    pthread_mutex_t mutex;      /* guards what follows up to `screen` */
    struct summary **summaries; /* per matrix; NULL until scanned */
    size_t summaries_known;
    struct sensitivity *sensitivity;       /* what calibration found (plan/sensitivity.h); NULL before the first one */
    struct forecaster *forecaster;         /* over it (plan/forecast.h); exists whenever sensitivity does */
    struct evaluation_record *evaluations; /* in the order they were made; add with evaluation_record_add */
    size_t evaluation_count, evaluation_capacity;
    struct run_row *run_rows; /* of the last prune (run_row.h); run_count of run_total are finished */
    size_t run_count, run_total;
    uint64_t knowledge; /* grows whenever the worker has added something: what views compare */
    void *screen;       /* the terminal, for COMMAND_SCREEN handlers; NULL without one */
    struct text
        results; /* what ended jobs have to say to the user, line by line: the screen shows it, scripts print it */
    struct text prune_table; /* prune.csv of the last finished run */
    double cache_kept;       /* progress_clock when the calibration was last kept; the worker's */
    bool quit;
};

/* Opens the model and starts nothing. */
struct workbench *workbench_open(const char *path, const struct settings *settings, struct error *error);
void workbench_close(struct workbench *workbench);

/* Moves what ended jobs have said to output. */
void workbench_take_results(struct workbench *workbench, struct text *output);

/* Queues a job; with a terminal, all threads but the screen's give way to it. */
bool workbench_start(struct workbench *workbench, const struct job_work *work, struct error *error);

/* Runs a script: one command a line, '#' comments; stops at the first error, which names file and line. Waits for jobs.
 */
bool workbench_script(struct workbench *workbench, const char *path, struct text *output, struct error *error);

/* The overview as plain text (no terminal). */
void workbench_overview(struct workbench *workbench, struct text *output);

#endif

/* The worker: one thread that runs long work while the screen lives on. Jobs queue up; one runs at a time. */
#ifndef SECATEUR_JOB_H
#define SECATEUR_JOB_H

#include "base/progress.h"
#include <stddef.h>

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };

struct job_work {
    const char *name; /* "scan", "prune", "calibrate", "eval" */
    char title[160];  /* for the run view: "magnitude · 50 % · ./out" */
    bool background;  /* the program's own idea (scan): makes no noise, gives way to the user's jobs */
    bool (*run)(void *context, struct progress *progress, struct error *error); /* in the worker */
    void (*finish)(void *context, bool ok,
                   const struct error *error); /* in the screen's thread, exactly once; frees context */
    void *context;
};

struct job_status {
    const char *name;
    char title[160], stage[96];
    enum job_state state;
    double started, seconds; /* progress_clock when it began; running time */
    double fraction;         /* 0..1 by work; -1 unknown */
    double seconds_left;     /* exponential average; -1 while unknown (shown after 5 s) */
    bool background, cancelling, paused;
    struct error error;
};

struct jobs;
struct jobs *jobs_create(struct error *error);
void jobs_free(struct jobs *jobs); /* cancels and waits */

bool jobs_start(struct jobs *jobs, const struct job_work *work, struct error *error); /* queues */
int jobs_descriptor(const struct jobs *jobs); /* becomes readable when something changed: for poll() */
bool jobs_collect(
    struct jobs *jobs); /* in the screen's thread: runs finish() of ended jobs; true when anything changed */
bool jobs_wait(struct jobs *jobs, struct error *error); /* until all are done (scripts); the first error */
bool jobs_busy(struct jobs *jobs);                      /* a job of the user's is waiting or running */
bool jobs_status(struct jobs *jobs,
                 struct job_status *status); /* of the user's running or waiting job, else of his last, else of the
                                                background job; false when there was none */
void jobs_cancel(struct jobs *jobs);         /* the running job; acknowledged at once (status.cancelling) */
void jobs_pause(struct jobs *jobs, bool pause);

/* In a signal handler: jobs_wait cancels what runs. */
void jobs_interrupt(struct jobs *jobs);

/* While jobs_wait waits, report is called a few times a second (progress on a terminal without the screen). */
void jobs_set_reporter(struct jobs *jobs, void (*report)(void *context, const struct job_status *status),
                       void *context);

/* From inside run(): what it is doing ("blk 6 up"), a line for the log, and "something to show" (rate-limited wake-up
 * of the screen). */
void job_stage(struct jobs *jobs, const char *format, ...) __attribute__((format(printf, 2, 3)));
void job_log(struct jobs *jobs, const char *format, ...) __attribute__((format(printf, 2, 3)));
void job_changed(struct jobs *jobs);
size_t job_log_lines(struct jobs *jobs);
bool job_log_line(struct jobs *jobs, size_t index, char *buffer, size_t size);

#endif

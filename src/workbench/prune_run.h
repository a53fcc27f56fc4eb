/* The run: matrix after matrix from the mapped source through a method into the writer, verified, recorded, renamed. */
#ifndef SECATEUR_PRUNE_RUN_H
#define SECATEUR_PRUNE_RUN_H

#include "plan/forecast.h"
#include "prune/select.h"
#include "workbench/prune_task.h"
#include "workbench/workbench.h"

/* What was done to one matrix. */
struct prune_record {
    uint64_t zeros;  /* of what was handed to the writer; in the end counted in the written file, after reopening it */
    double seconds;  /* 0 when an earlier run had finished it */
    double error;    /* measured relative output error of what was written; NaN where none was measured */
    double forecast; /* what was expected of it; NaN where nothing was known */
    bool resumed;
    struct layer_report report;
};

struct prune_run {
    struct workbench *workbench;
    struct plan *plan; /* a copy that nobody else changes */
    struct prune_settings settings;
    char *target;                 /* the folder to appear */
    char *source;                 /* calibration text; NULL: none. settings.source points here */
    struct prune_task *tasks;     /* owned, as the other arrays */
    struct prune_record *records; /* one for each task */
    size_t count;
    struct forecast forecast; /* of the plan, before it is pruned; change_known is false without one */
    struct select_cut cut;    /* the global threshold, as it is used up */
    size_t resumed;           /* tensors that an earlier run had finished */
    size_t finished;          /* tasks */
};

/* Resolves the tasks; takes over `plan`, on failure too. NULL with an error. */
struct prune_run *prune_run_create(struct workbench *workbench, struct plan *plan,
                                   const struct prune_settings *settings, const char *target, struct error *error);
void prune_run_free(struct prune_run *run);

/* In the worker. What was finished before a failure or a cancellation stays for the next run with the same settings. */
bool prune_run_work(struct prune_run *run, struct progress *progress, struct error *error);

/* For the methods' own ways: shows what is recorded of a finished task on the screen, and zeros of either sign. */
void prune_run_publish(struct prune_run *run, size_t index);
uint64_t prune_run_zeros(const float *weights, size_t count);

/* prune_record.c: secateur.json, and what the user is told: text for people, or one CSV row for each matrix. */
char *prune_run_json(const struct prune_run *run, struct error *error);
void prune_run_say(const struct prune_run *run, struct text *output);
/* prune.csv: a row for each matrix. */
void prune_run_table(const struct prune_run *run, struct text *output);

/* Text that stands for everything that decides the written bytes: source, tasks, settings, version. */
bool prune_run_fingerprint(struct text *fingerprint, const struct prune_run *run, struct error *error);

#endif

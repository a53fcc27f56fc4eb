/* An evaluation as a job: opens the text and, where asked for, a dense model to compare with, runs both block by block,
 * and writes what was asked for. */
#ifndef SECATEUR_EVALUATE_RUN_H
#define SECATEUR_EVALUATE_RUN_H

#include "workbench/evaluation_record.h"

struct evaluate_settings {
    char *source, *against, *mask;  /* paths; against and mask NULL where not given */
    char *logits, *hidden, *losses; /* .npy files to write; NULL: not wanted */
    int64_t windows, length;        /* 0: all, the default */
    enum corpus_bos bos;
    enum compute compute;
};
/* Owned strings. */
void evaluate_settings_free(struct evaluate_settings *settings);

struct evaluate_run {
    struct workbench *workbench;
    struct evaluate_settings settings;
    struct corpus corpus;
    struct model *dense; /* to compare with; NULL: none */
    struct stream *stream, *dense_stream;
    struct stream_options options; /* of each stream */
    struct evaluation_record record;
};

/* Takes over settings, on failure too. NULL with an error. */
struct evaluate_run *evaluate_run_create(struct workbench *workbench, struct evaluate_settings *settings,
                                         struct error *error);
void evaluate_run_free(struct evaluate_run *run);

/* In the worker. The record is kept in the workbench. */
bool evaluate_run_work(struct evaluate_run *run, struct progress *progress, struct error *error);

#endif

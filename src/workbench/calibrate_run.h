/* Calibration: text through the dense model block by block, and what it tells about every matrix, published block by
 * block while it runs. */
#ifndef SECATEUR_CALIBRATE_RUN_H
#define SECATEUR_CALIBRATE_RUN_H

#include "checkpoint/imatrix.h"
#include "engine/gemm.h"
#include "model/corpus.h"
#include "plan/findings.h"
#include "workbench/calibrate_output.h"
#include "workbench/workbench.h"

enum hessian_wish { HESSIAN_AUTO, HESSIAN_YES, HESSIAN_NO };

struct calibrate_settings {
    char *source; /* text, or an importance matrix: then no text is run and all is from diagonals */
    struct corpus_options corpus;
    enum compute compute;
    enum hessian_wish hessian; /* AUTO: full where the memory limit allows */
    struct findings_options findings;
    struct calibrate_paths paths;
    bool by_sequences; /* of the files: --compat reference */
    bool fresh;        /* not from the cache */
    bool more;         /* added to what is known */
};

struct calibrate_run {
    struct workbench *workbench;
    struct calibrate_settings settings; /* strings owned */
    struct corpus corpus;
    struct imatrix imatrix; /* in place of text */
    struct stream *stream;
    struct calibrate_output output;
    bool full;   /* Hessians */
    float *last; /* [blocks + 1][windows × hidden]: each window's last state before the first block and after each */
    uint64_t bytes;  /* of working memory */
    size_t finished; /* blocks */
    bool continued;  /* some of them by an earlier run */
    struct text said;
};

/* Takes over the strings of settings, on failure too. */
struct calibrate_run *calibrate_run_create(struct workbench *workbench, const struct calibrate_settings *settings,
                                           struct error *error);
void calibrate_run_free(struct calibrate_run *run);

/* In the worker. Blocks that were finished before a failure or a cancellation stay known, in the cache as well, and the
 * next run with the same settings goes on behind them. */
bool calibrate_run_work(struct calibrate_run *run, struct progress *progress, struct error *error);

/* Frees the strings. */
void calibrate_settings_free(struct calibrate_settings *settings);

/* Both with the usual settings, for work that calibrates first. */
bool calibrate_run_source(struct workbench *workbench, const char *source, struct progress *progress,
                          struct error *error);

#endif

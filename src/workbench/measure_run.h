/* Measuring losses: what the whole model loses when one matrix alone is cut, and when all are cut alike. What the
 * forecast rests on. */
#ifndef SECATEUR_MEASURE_RUN_H
#define SECATEUR_MEASURE_RUN_H

#include "engine/gemm.h"
#include "model/corpus.h"
#include "workbench/workbench.h"

struct measure_settings {
    char *source;
    struct corpus_options corpus;
    enum compute compute;
    char method[24];
    size_t *matrices; /* to cut one by one */
    size_t count;
    double around; /* sparsity of the uniform plan around which they are moved as well; 0: not */
};
void measure_settings_free(struct measure_settings *settings);

struct measure_run {
    struct workbench *workbench;
    struct measure_settings settings; /* owned */
    struct corpus corpus;
    uint64_t text;                      /* hash of the windows that it measures on */
    size_t plans, losses, slopes;       /* measured so far */
    size_t known_plans, known_matrices; /* by an earlier run on the same text: not measured again */
};

/* Takes over what settings own, on failure too. */
struct measure_run *measure_run_create(struct workbench *workbench, const struct measure_settings *settings,
                                       struct error *error);
void measure_run_free(struct measure_run *run);

/* In the worker. Refuses a model that has not been calibrated. What was measured before a cancellation is kept. */
bool measure_run_work(struct measure_run *run, struct progress *progress, struct error *error);

#endif

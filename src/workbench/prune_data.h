/* Runs whose methods need data: block after block, the text runs through a block, its matrices are pruned by what was
 * gathered, and the text goes on through the pruned block. Every finished matrix is in the writer's journal, so that a
 * killed run goes on from the block where it stood, with the same result. */
#ifndef SECATEUR_PRUNE_DATA_H
#define SECATEUR_PRUNE_DATA_H

#include "checkpoint/writer.h"
#include "workbench/prune_run.h"

/* Whether any task needs calibration text. */
bool prune_data_needed(const struct prune_run *run);

/* Refuses, before anything is written, what an importance matrix in place of text cannot give. */
bool prune_data_check(const struct prune_run *run, struct error *error);

/* Opens the text and prunes all tasks. Those that an earlier run has finished are read back from the writer. */
bool prune_data_run(struct prune_run *run, struct writer *writer, struct progress *progress, struct error *error);

/* Floating-point operations that prune_data_run adds to progress. 0 where the text has not been opened. */
uint64_t prune_data_work(const struct prune_run *run, size_t windows, size_t length);

#endif

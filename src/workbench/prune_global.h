/* One threshold on |w| over all matrices of a run: as many weights go in all as the targets add up to, and where they
 * go is for the threshold to say. Streaming: nothing larger than a piece is held. */
#ifndef SECATEUR_PRUNE_GLOBAL_H
#define SECATEUR_PRUNE_GLOBAL_H

#include "checkpoint/writer.h"
#include "workbench/prune_run.h"

/* Finds run->cut in three passes over the matrices. */
bool prune_global_find(struct prune_run *run, struct progress *progress, struct error *error);

/* Writes one matrix, or, when the writer has it already, only takes its share of the weights at the threshold. Matrices
 * come in the order of the tasks. */
bool prune_global_matrix(struct prune_run *run, struct writer *writer, size_t index, struct progress *progress,
                         struct error *error);

#endif

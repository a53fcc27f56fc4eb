/* Magnitude by one threshold on |w|, over one matrix or over all matrices of a run: as many weights go as the targets
 * add up to, ties in the order of the file. Straight from the stored type; nothing larger than a piece is held. */
#ifndef SECATEUR_PRUNE_THRESHOLD_H
#define SECATEUR_PRUNE_THRESHOLD_H

#include "checkpoint/writer.h"
#include "workbench/prune_run.h"

/* Finds run->cut for tasks[first .. first+count) in three passes over their matrices. Refuses NaN and Inf. */
bool prune_threshold_find(struct prune_run *run, size_t first, size_t count, struct progress *progress,
                          struct error *error);

/* Writes one matrix, or, when the writer has it already, only takes its share of the weights at the threshold. Matrices
 * come in the order of the tasks. */
bool prune_threshold_matrix(struct prune_run *run, struct writer *writer, size_t index, struct progress *progress,
                            struct error *error);

#endif

/* From a pruned matrix in memory to the writer, and back. */
#ifndef SECATEUR_PRUNE_OUTPUT_H
#define SECATEUR_PRUNE_OUTPUT_H

#include "checkpoint/writer.h"
#include "model/model.h"

/* Writes weights[rows × columns] (outputs × inputs) as tensor `tensor` in its stored order. Where neither the method
 * (repairs) nor the output's dtype changes kept weights, these go out as the bytes they are in the source. */
bool prune_output(struct writer *writer, const struct matrix *matrix, size_t tensor, const float *weights, bool repairs,
                  struct error *error);

/* weights[rows × columns] of a matrix that is finished. */
bool prune_output_read(float *weights, const struct writer *writer, const struct matrix *matrix, size_t tensor,
                       struct error *error);

#endif

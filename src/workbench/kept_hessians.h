/* Full Hessians of all blocks at once, and the factors made of them: for trying many plans by methods that need them
 * (search-plan method=sparsegpt). Gathered on the dense model; a prune run, which goes block after block, never needs
 * more than one block's. */
#ifndef SECATEUR_KEPT_HESSIANS_H
#define SECATEUR_KEPT_HESSIANS_H

#include "model/corpus.h"
#include "prune/layer.h"
#include "workbench/workbench.h"

struct kept_hessians;

/* Runs the text through the model. Refused with both numbers where Hessians and factors take more than `memory` bytes.
 */
struct kept_hessians *kept_hessians_create(struct workbench *workbench, const struct corpus *corpus, uint64_t memory,
                                           struct progress *progress, struct error *error);
void kept_hessians_free(struct kept_hessians *kept); /* NULL is fine */

/* Input and factor of a matrix's layer problem; the factor, once a method has made it, goes back with
 * kept_hessians_keep. No input: no token has reached the matrix. */
void kept_hessians_fill(const struct kept_hessians *kept, struct layer *layer, size_t matrix);
void kept_hessians_keep(struct kept_hessians *kept, const struct layer *layer, size_t matrix);

#endif

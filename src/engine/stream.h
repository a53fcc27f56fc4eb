/* Text through a model, block by block: all windows pass block l before block l+1 is touched, so that the working set
 * is one block's weights and the hidden states, never the model. */
#ifndef SECATEUR_STREAM_H
#define SECATEUR_STREAM_H

#include "engine/engine.h"

/* Windows are put together until a product has about this many rows. */
#define STREAM_TOKENS 2048

struct stream_options {
    enum compute compute;
    const struct weight_source *weights; /* NULL: the file's */
    bool states_bf16;                    /* hidden states are rounded to bf16 between blocks and take half the room */
    uint64_t states_memory; /* bytes of hidden states kept in memory; beyond it they lie in a temporary file. 0: memory
                               without limit */
    const char *spill_folder; /* for that file; NULL: $TMPDIR or /tmp */
};

struct stream;

/* ids[windows × length], mask[windows × length] (NULL: no padding): both must outlive the stream, as must the model. */
struct stream *stream_open(const struct model *model, const int32_t *ids, const uint8_t *mask, size_t windows,
                           size_t length, const struct stream_options *options, struct error *error);
void stream_close(struct stream *stream); /* NULL is fine */

/* Working memory in bytes that a stream will take, hidden states in memory included; *states the part of these. */
uint64_t stream_memory(uint64_t *states, const struct model *model, size_t windows, size_t length,
                       const struct stream_options *options);

/* A pass takes all windows through the next part of the model: first the embedding, then block 0, 1, ... `keep`: the
 * outputs become the states and the next pass is the next block; without it they are thrown away (an observer has seen
 * what it wanted) and the next pass is over the same block. step runs one batch; *more says whether the pass goes on.
 */
void stream_pass_begin(struct stream *stream, const struct block_observer *observer, bool keep);
bool stream_pass_step(struct stream *stream, bool *more, struct progress *progress, struct error *error);

/* A whole pass. */
bool stream_pass(struct stream *stream, const struct block_observer *observer, bool keep, struct progress *progress,
                 struct error *error);

/* All passes that are left, kept: afterwards the states are the last block's outputs. */
bool stream_run(struct stream *stream, const struct block_observer *observer, struct progress *progress,
                struct error *error);

/* The block that the next pass runs; -1: the embedding; number of blocks: none is left. */
int64_t stream_next(const struct stream *stream);

/* Operations that stream_run would add to progress, and those of one pass over a block. */
uint64_t stream_work(const struct stream *stream);
uint64_t stream_pass_work(const struct stream *stream, int64_t block);

/* Hidden states as they are now: out[count × length × hidden] of windows [first, first + count). */
bool stream_read(float *out, struct stream *stream, size_t first, size_t count, struct error *error);

const struct model *stream_model(const struct stream *stream);
struct engine *stream_engine(struct stream *stream);
size_t stream_windows(const struct stream *stream);
size_t stream_length(const struct stream *stream);
size_t stream_batch_windows(const struct stream *stream); /* that one step takes */
const int32_t *stream_ids(const struct stream *stream);
const uint8_t *stream_mask(const struct stream *stream);

#endif

/* Writes a changed copy of a model as a Hugging Face folder that loads as an ordinary dense model: same tensor names,
 * shapes, order and shards, same metadata, config and tokenizer. Whole or not at all.
 *
 *   writer_open -> writer_write ... for every changed tensor -> writer_finish -> writer_add_file -> writer_commit
 *
 * Until the commit everything lies in .NAME.secateur-partial beside the target, with a journal of finished tensors: a
 * run that ended early goes on where it was. Memory use is a few fixed buffers. The source is never written. */
#ifndef SECATEUR_WRITER_H
#define SECATEUR_WRITER_H

#include "base/progress.h"
#include "checkpoint/checkpoint.h"

struct writer_settings {
    const char *target;      /* the folder to appear */
    const char *fingerprint; /* text that stands for every setting that decides the bytes handed in */
    bool force;              /* replace a model that is there; give up a partial run with other settings */
    bool resume;             /* insist on a partial run to go on with */
    enum dtype dtype;        /* real tensors are stored so; DTYPE_COUNT: each as the source has it */
};

struct writer;

/* Checks target, settings and free space, makes the partial folder, or verifies what one with the same fingerprint
 * holds. `source` must outlive the writer. NULL with an error: ERROR_USAGE for a target that is refused. */
struct writer *writer_open(const struct checkpoint *source, const struct writer_settings *settings,
                           struct error *error);

/* Frees the writer. What was written before a commit stays for a later run. NULL is fine. */
void writer_close(struct writer *writer);

/* As writer_close, and removes the partial folder. */
void writer_discard(struct writer *writer);

/* Tensors are named by their index in the source. */
bool writer_has(const struct writer *writer, size_t tensor);         /* finished, now or by an earlier run */
size_t writer_resumed(const struct writer *writer);                  /* tensors an earlier run had finished */
enum dtype writer_dtype(const struct writer *writer, size_t tensor); /* as the output stores it */

/* The next `size` bytes of a tensor, in the output's dtype. Tensors may come in any order, one at a time, the pieces of
 * each from first to last; the last one enters the tensor in the journal. */
bool writer_write(struct writer *writer, size_t tensor, const void *bytes, size_t size, struct error *error);

/* As writer_write, `count` values rounded to the output's dtype. */
bool writer_write_floats(struct writer *writer, size_t tensor, const float *values, size_t count, struct error *error);

/* values[count of the tensor] of a finished tensor, as the output stores them: what a run that goes on takes up again.
 */
bool writer_read_floats(float *values, const struct writer *writer, size_t tensor, struct error *error);

/* Copies every tensor not written, and all small files; syncs; opens the result and verifies each tensor: copied ones
 * against the source's bytes, others against the hash of what was handed in, which must hold no -0. Can be cancelled
 * and called again. progress counts bytes and may be NULL. */
bool writer_finish(struct writer *writer, struct progress *progress, struct error *error);

/* After writer_finish: zeros counted in the file, for tensors handed in; 0 for copied ones. */
uint64_t writer_zeros(const struct writer *writer, size_t tensor);

/* A file of the caller's own (secateur.json), between finish and commit. */
bool writer_add_file(struct writer *writer, const char *name, const void *bytes, size_t size, struct error *error);

/* Gives the folder its name. With force, an older model there is exchanged in one step and removed after. */
bool writer_commit(struct writer *writer, struct error *error);

#endif

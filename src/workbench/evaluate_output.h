/* What an evaluation writes for other programs: hidden states, logits and losses as .npy files. */
#ifndef SECATEUR_EVALUATE_OUTPUT_H
#define SECATEUR_EVALUATE_OUTPUT_H

#include "base/npy.h"
#include "engine/loss.h"

/* hidden[blocks + 1, windows, length, hidden]: entry l < blocks is the input of block l, the last one the output of the
 * last block before the final norm. hidden_output_add appends the states as they are now. */
bool hidden_output_open(struct npy_writer *writer, const char *path, const struct stream *stream, struct error *error);
bool hidden_output_add(struct npy_writer *writer, struct stream *stream, struct error *error);

/* logits[windows, length, vocabulary] of a stream that has run, written whole. */
bool logits_output_write(const char *path, struct stream *stream, struct progress *progress, struct error *error);

/* losses[windows, length - 1]: -ln p(token t + 1) at place t, NaN where padding leaves it out. */
bool losses_output_open(struct npy_writer *writer, const char *path, const struct stream *stream, struct error *error);
bool losses_output_add(struct npy_writer *writer, const struct prediction *predictions, size_t length,
                       struct error *error);

#endif

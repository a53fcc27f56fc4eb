/* What the model predicts, from the last block's hidden states: logits in tiles of the vocabulary, never all of them
 * unless asked for. */
#ifndef SECATEUR_LOSS_H
#define SECATEUR_LOSS_H

#include "engine/stream.h"

/* Entries of the vocabulary that are worked on at once. */
#define LOSS_TILE 4096

/* One token's prediction of the next one. */
struct prediction {
    double nll;      /* -log p(next token); NaN for the last of a window and where this or the next token is padding */
    int32_t likely;  /* the token with the largest logit (the first of equals) */
    float log_total; /* log Σ exp(logit) */
};

/* out[count × length] for windows [first, first + count) of a stream that has run. count at most stream_batch_windows.
 */
bool loss_predict(struct prediction *out, struct stream *stream, size_t first, size_t count, struct progress *progress,
                  struct error *error);

/* Two models on the same windows: out (NULL: not wanted) and other_out as loss_predict gives them, kl[count × length] =
 * KL(stream ‖ other) of the distributions in nats. */
bool loss_compare(struct prediction *out, struct prediction *other_out, double *kl, struct stream *stream,
                  struct stream *other, size_t first, size_t count, struct progress *progress, struct error *error);

/* logits[length × vocabulary] of one window. */
bool loss_logits(float *logits, struct stream *stream, size_t window, struct progress *progress, struct error *error);

/* logits[vocabulary] behind the last token of the only window. */
bool loss_last_logits(float *logits, struct stream *stream, struct progress *progress, struct error *error);

/* Bytes that these functions take while they run, for so many tokens at once. */
uint64_t loss_bytes(const struct model *model, int64_t tokens);

/* Operations of the output matrix for so many windows. */
uint64_t loss_work(const struct stream *stream, size_t windows);

#endif

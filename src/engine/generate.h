/* Continues a text. */
#ifndef SECATEUR_GENERATE_H
#define SECATEUR_GENERATE_H

#include "engine/stream.h"

struct generate_options {
    enum compute compute;
    const struct weight_source *weights;
    double temperature; /* 0: greedy, always the most likely token (the first of equals) */
    uint64_t seed;
    int64_t stop; /* a token that ends the text (EOS); -1: none */
};

/* Appends up to `count` tokens to ids[*length], which has room for them; *length grows. The whole prefix is run again
 * for each token, so that rotary positions that change with the length (dynamic, longrope) are right. `token` (NULL:
 * none) is called for each new one. An error when the position limit is reached. */
bool generate(int32_t *ids, size_t *length, size_t count, const struct model *model,
              const struct generate_options *options, void (*token)(void *context, int32_t id), void *context,
              struct progress *progress, struct error *error);

#endif

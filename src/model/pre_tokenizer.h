/* Cutting a normalised text into the pieces that a tokenizer's model sees one by one ("words"). */
#ifndef SECATEUR_PRE_TOKENIZER_H
#define SECATEUR_PRE_TOKENIZER_H

#include "model/token_text.h"

struct pre_tokenizer {
    struct pre_tokenizer_step *steps;
    size_t count, capacity;
};
/* From tokenizer.json's "pre_tokenizer" (null = the whole text is one piece). Sequences are taken apart. */
bool pre_tokenizer_load(struct pre_tokenizer *pre, const json_t *json, struct error *error);
void pre_tokenizer_free(struct pre_tokenizer *pre);

/* Cuts every piece of *pieces further, in place; other is a second buffer. */
bool pre_tokenizer_apply(struct pieces *pieces, struct pieces *other, const struct pre_tokenizer *pre,
                         struct pattern_scratch *scratch, struct error *error);

#endif

/* From tokens back to text. */
#ifndef SECATEUR_TOKEN_DECODER_H
#define SECATEUR_TOKEN_DECODER_H

#include "model/token_text.h"

struct token_decoder {
    struct decoder_step *steps;
    size_t count, capacity;
};
/* From tokenizer.json's "decoder" (null = tokens with a blank between them). Sequences are taken apart. */
bool token_decoder_load(struct token_decoder *decoder, const json_t *json, struct error *error);
void token_decoder_free(struct token_decoder *decoder);

/* Changes the tokens' texts into pieces whose joined text is the result, in place; other is a second buffer. */
bool token_decoder_apply(struct pieces *pieces, struct pieces *other, const struct token_decoder *decoder,
                         struct pattern_scratch *scratch, struct error *error);

#endif

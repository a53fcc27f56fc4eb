/* What a tokenizer does to a text before it looks for words: Unicode normal forms, replacements, a prefix. */
#ifndef SECATEUR_NORMALIZER_H
#define SECATEUR_NORMALIZER_H

#include "model/token_text.h"

struct normalizer {
    struct normalizer_step *steps;
    size_t count, capacity;
};
/* From tokenizer.json's "normalizer" (null = no steps). Sequences are taken apart. */
bool normalizer_load(struct normalizer *normalizer, const json_t *json, struct error *error);
void normalizer_free(struct normalizer *normalizer);

/* Normalises *text in place; other is a second buffer. */
bool normalizer_apply(struct text *text, struct text *other, const struct normalizer *normalizer,
                      struct pattern_scratch *scratch, struct error *error);

#endif

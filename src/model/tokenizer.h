/* Text to token ids and back, as the model's own tokenizer files say: tokenizer.json, vocab.json with merges.txt, or
 * tokenizer.model (SentencePiece). A component that is not known is an error that names it, never left out. */
#ifndef SECATEUR_TOKENIZER_H
#define SECATEUR_TOKENIZER_H

#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tokenizer;

/* A growing list of ids. Start from {0}; free with token_ids_free. */
struct token_ids {
    int32_t *data;
    size_t count, capacity;
};
bool token_ids_add(struct token_ids *ids, int32_t id, struct error *error);
void token_ids_free(struct token_ids *ids);

/* Opens the tokenizer in a folder (which need hold nothing else), the first found of tokenizer.json, vocab.json +
 * merges.txt and tokenizer.model; or one of these files. tokenizer_config.json beside it, where present, names BOS and
 * EOS. */
struct tokenizer *tokenizer_open(const char *path, struct error *error);
void tokenizer_close(struct tokenizer *tokenizer); /* NULL is fine */

/* Whether tokenizer_open(folder) would find a tokenizer file there. */
bool tokenizer_present(const char *folder);

/* Every id is below this (the highest id + 1). */
int64_t tokenizer_vocabulary(const struct tokenizer *tokenizer);
int64_t tokenizer_bos(const struct tokenizer *tokenizer);      /* -1: none */
int64_t tokenizer_eos(const struct tokenizer *tokenizer);      /* -1: none */
bool tokenizer_adds_bos(const struct tokenizer *tokenizer);    /* encoding with add_special begins with BOS */
const char *tokenizer_kind(const struct tokenizer *tokenizer); /* "BPE", "Unigram"; static text */

/* The token's text as the file spells it (byte-level tokens in their printable alphabet), NUL-terminated; NULL for an
 * id that has none. *length may be NULL. */
const char *tokenizer_token(size_t *length, const struct tokenizer *tokenizer, int64_t id);
bool tokenizer_is_special(const struct tokenizer *tokenizer, int64_t id);
/* The id of a token's text; -1 when there is none. */
int64_t tokenizer_find(const struct tokenizer *tokenizer, const char *text, size_t length);

/* What one thread needs to encode: buffers, a cache of words, and counts of what went wrong. Several threads may encode
 * with one tokenizer, each with a scratch of its own. */
struct tokenizer_scratch;
struct tokenizer_scratch *tokenizer_scratch_create(const struct tokenizer *tokenizer, struct error *error);
void tokenizer_scratch_free(struct tokenizer_scratch *scratch); /* NULL is fine */

/* Summed over all texts since the scratch was made. */
struct tokenizer_counts {
    uint64_t replaced; /* invalid UTF-8: bytes that U+FFFD was put in place of */
    uint64_t unknown;  /* characters that the vocabulary cannot express */
};
struct tokenizer_counts tokenizer_counts(const struct tokenizer_scratch *scratch);

/* Appends the ids of text[length] (any bytes; NULs are characters). add_special also adds what the post-processor puts
 * before and behind (BOS, EOS). Added tokens written out in the text become their ids either way. On error ids holds
 * an unspecified part of the result. */
bool tokenizer_encode(struct token_ids *ids, const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                      const char *text, size_t length, bool add_special, struct error *error);

/* Appends the text of ids[count], special tokens included when `special`. Ids without a token are an error. Bytes that
 * do not make up UTF-8 (a text cut inside a character) become U+FFFD. */
bool tokenizer_decode(struct text *out, const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                      bool special, struct error *error);

#endif

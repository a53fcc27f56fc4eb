/* What a tokenizer is made of; for the files that load one. */
#ifndef SECATEUR_TOKENIZER_PARTS_H
#define SECATEUR_TOKENIZER_PARTS_H

#include "model/added_token.h"
#include "model/normalizer.h"
#include "model/pre_tokenizer.h"
#include "model/token_decoder.h"
#include "model/token_model.h"

struct tokenizer {
    struct normalizer normalizer;
    struct pre_tokenizer pre_tokenizer;
    struct token_model model;
    struct token_decoder decoder;
    struct added_tokens added;
    struct token_ids before, after; /* what the post-processor puts around a text */
    int64_t bos, eos;
};

/* All but the model: the parts of a tokenizer.json. The model's vocabulary must be there. */
bool tokenizer_load_parts(struct tokenizer *tokenizer, const json_t *json, struct error *error);
/* One token looked for in texts; its id comes into the vocabulary if it is not there. */
bool tokenizer_put_added(struct tokenizer *tokenizer, const char *text, size_t length, int64_t id, bool special,
                         struct error *error);

bool tokenizer_load_json(struct tokenizer *tokenizer, const char *path, struct error *error);
/* vocab.json and merges.txt; config is tokenizer_config.json or NULL. */
bool tokenizer_load_vocabulary(struct tokenizer *tokenizer, const char *path, const char *merges_path,
                               const json_t *config, struct error *error);
/* tokenizer.model (SentencePiece). */
bool tokenizer_load_sentencepiece(struct tokenizer *tokenizer, const char *path, const json_t *config,
                                  struct error *error);

/* A JSON file of at most 256 MB, read with jansson's flags besides; NULL with an error. Caller json_decref's. */
json_t *tokenizer_read_json(const char *path, size_t flags, struct error *error);

#endif

/* Tokens written out in a text ("<|endoftext|>", "[INST]") that are found before the model sees the rest. */
#ifndef SECATEUR_ADDED_TOKEN_H
#define SECATEUR_ADDED_TOKEN_H

#include "model/token_map.h"
#include "model/token_text.h"

struct added_token {
    char *text; /* as it is looked for: normalised where `normalized` */
    size_t length;
    int32_t id;
    bool special;
    bool single_word;           /* only where no word character stands beside it */
    bool take_left, take_right; /* lstrip, rstrip: white space beside it belongs to it */
    bool normalized;            /* looked for after normalisation */
};

struct added_tokens {
    struct added_token *list;
    size_t count, capacity;
    struct trie tries[2]; /* [0] looked for in the text as it is, [1] after normalisation; values are indices */
    bool begins[2][256];  /* bytes that one of them begins with */
};
/* Takes ownership of token.text, on failure as well. */
bool added_tokens_put(struct added_tokens *added, struct added_token token, struct error *error);
void added_tokens_free(struct added_tokens *added);
const struct added_token *added_tokens_by_id(const struct added_tokens *added, int64_t id); /* NULL */

/* The next one in text at or behind `from`: its bounds with the white space it takes (never before `from`); NULL, and
 * *begin == length, when there is none. */
const struct added_token *added_tokens_next(size_t *begin, size_t *end, const struct added_tokens *added,
                                            bool normalized, const char *text, size_t length, size_t from);

#endif

/* What a tokenizer's steps share: valid UTF-8, the byte-level alphabet, patterns, a text cut into pieces. */
#ifndef SECATEUR_TOKEN_TEXT_H
#define SECATEUR_TOKEN_TEXT_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/text.h"
#include <jansson.h>
#include <pcre2.h>
#include <stdint.h>

/* Bytes of the character that text begins with, and the character: 1 and U+FFFD for an invalid byte. length > 0. */
size_t utf8_decode(uint32_t *character, const char *text, size_t length);
size_t utf8_encode(char bytes[4], uint32_t character);
/* The first byte that is not valid UTF-8; length when all is. */
size_t utf8_valid_prefix(const char *text, size_t length);
/* Appends text with U+FFFD in place of each invalid sequence (maximal subparts, Unicode 15 section 3.9); returns how
 * many bytes were replaced. */
uint64_t utf8_repair(struct text *out, const char *text, size_t length);

/* GPT-2's byte-level alphabet: each byte as one printable character. */
void byte_level_add(struct text *out, const char *bytes, size_t length);
int byte_level_byte(uint32_t character); /* -1: not of the alphabet */

/* A compiled pattern; matching needs a scratch per thread. */
struct pattern {
    pcre2_code *code;
};
struct pattern_scratch {
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};
bool pattern_compile(struct pattern *pattern, const char *text, size_t length, bool literal, struct error *error);
/* From a tokenizer.json's {"String": "..."} or {"Regex": "..."}. */
bool pattern_load(struct pattern *pattern, const json_t *json, struct error *error);
void pattern_free(struct pattern *pattern);
bool pattern_scratch_create(struct pattern_scratch *scratch, struct error *error);
void pattern_scratch_free(struct pattern_scratch *scratch);
/* The first match at or behind `from` that is not empty; *begin == length when there is none. text is valid UTF-8. */
bool pattern_next(size_t *begin, size_t *end, const struct pattern *pattern, struct pattern_scratch *scratch,
                  const char *text, size_t length, size_t from, struct error *error);

/* A text and where its pieces end; piece i is [end of i-1, end of i). */
struct pieces {
    struct text text;
    size_t *ends;
    size_t count, capacity;
    bool at_start; /* the first piece begins where the user's text begins */
};
void pieces_clear(struct pieces *pieces);
void pieces_free(struct pieces *pieces);
/* Ends a piece at the text's present end. */
bool pieces_end(struct pieces *pieces, struct error *error);
bool pieces_add(struct pieces *pieces, const char *bytes, size_t length, struct error *error);
const char *pieces_get(size_t *length, const struct pieces *pieces, size_t index);

/* Appends text with every match of the pattern replaced by `content`. */
bool text_add_replaced(struct text *out, const struct pattern *pattern, struct pattern_scratch *scratch,
                       const char *content, const char *text, size_t length, struct error *error);

/* Members of a JSON object. The string must be there; the flag is `fallback` where it is not. */
bool json_need_string(const char **value, const json_t *object, const char *key, struct error *error);
bool json_flag(const json_t *object, const char *key, bool fallback);
/* "type" of a component: "" when there is none. */
const char *json_type_name(const json_t *object);

#endif

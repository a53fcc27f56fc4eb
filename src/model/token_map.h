/* The look-ups a tokenizer is made of: whole numbers to whole numbers, strings to ids, prefixes to ids. */
#ifndef SECATEUR_TOKEN_MAP_H
#define SECATEUR_TOKEN_MAP_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

/* A hash of 64-bit numbers (open addressing). Start from {0}. The key UINT64_MAX is not to be used. */
struct number_map {
    struct number_slot {
        uint64_t key, value;
    } * slots;
    size_t slot_count, count;
};
#define NUMBER_MAP_NONE UINT64_MAX
bool number_map_put(struct number_map *map, uint64_t key, uint64_t value, struct error *error); /* replaces */
uint64_t number_map_get(const struct number_map *map, uint64_t key);                            /* NUMBER_MAP_NONE */
void number_map_free(struct number_map *map);

/* Strings by their prefixes: the longest or all that a text begins with. Start from {0}. */
struct trie {
    struct number_map edges; /* node << 8 | byte -> node */
    int32_t *values;         /* per node: -1 or the value of the string that ends there */
    size_t nodes, capacity;
};
bool trie_put(struct trie *trie, const char *string, size_t length, int32_t value, struct error *error);
/* One step down from `node` (0 = the root); SIZE_MAX when nothing goes on with that byte. */
size_t trie_step(const struct trie *trie, size_t node, uint8_t byte);
/* The value of the longest string that text begins with; -1 when there is none. */
int32_t trie_longest(size_t *matched, const struct trie *trie, const char *text, size_t length);
void trie_free(struct trie *trie);

/* Tokens by id and by text. Ids may have gaps. */
#define VOCABULARY_LIMIT ((int64_t)1 << 22)
struct vocabulary {
    struct vocabulary_token {
        const char *text; /* NULL: no token has this id */
        size_t length;
    } * tokens;
    size_t size, capacity; /* highest id + 1 */
    int32_t *slots;        /* hash of texts: id, or -1 */
    size_t slot_count, count;
};
/* Adding the same pair again is fine; an id with two texts or a text with two ids is an error. */
bool vocabulary_add(struct vocabulary *vocabulary, const char *text, size_t length, int64_t id, struct error *error);
int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t length); /* -1 */
void vocabulary_free(struct vocabulary *vocabulary);

#endif

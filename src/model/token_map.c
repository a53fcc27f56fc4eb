#include "model/token_map.h"

#include "base/memory.h"
#include <string.h>
#include <xxhash.h>

static size_t find_slot(const struct number_map *map, uint64_t key) {
    uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
    size_t slot = (size_t)(hash ^ hash >> 32) & (map->slot_count - 1);
    while (map->slots[slot].key != key && map->slots[slot].key != NUMBER_MAP_NONE)
        slot = (slot + 1) & (map->slot_count - 1);
    return slot;
}

static bool enlarge_map(struct number_map *map, struct error *error) {
    struct number_map larger = {.slot_count = map->slot_count > 0 ? map->slot_count * 2 : 64, .count = map->count};
    larger.slots = memory_alloc(larger.slot_count, sizeof *larger.slots, error);
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < larger.slot_count; i++)
        larger.slots[i].key = NUMBER_MAP_NONE;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].key != NUMBER_MAP_NONE)
            larger.slots[find_slot(&larger, map->slots[i].key)] = map->slots[i];
    number_map_free(map);
    *map = larger;
    return true;
}

bool number_map_put(struct number_map *map, uint64_t key, uint64_t value, struct error *error) {
    if (map->count * 2 >= map->slot_count && !enlarge_map(map, error))
        return false;
    struct number_slot *slot = &map->slots[find_slot(map, key)];
    map->count += slot->key == NUMBER_MAP_NONE;
    *slot = (struct number_slot){key, value};
    return true;
}

uint64_t number_map_get(const struct number_map *map, uint64_t key) {
    if (map->slot_count == 0)
        return NUMBER_MAP_NONE;
    const struct number_slot *slot = &map->slots[find_slot(map, key)];
    return slot->key == key ? slot->value : NUMBER_MAP_NONE;
}

void number_map_free(struct number_map *map) {
    memory_free(map->slots);
    memset(map, 0, sizeof *map);
}

static bool add_node(struct trie *trie, struct error *error) {
    if (!memory_grow(&trie->values, &trie->capacity, trie->nodes, sizeof *trie->values, error))
        return false;
    trie->values[trie->nodes++] = -1;
    return true;
}

bool trie_put(struct trie *trie, const char *string, size_t length, int32_t value, struct error *error) {
    if (trie->nodes == 0 && !add_node(trie, error))
        return false;
    size_t node = 0;
    for (size_t i = 0; i < length; i++) {
        size_t next = trie_step(trie, node, (uint8_t)string[i]);
        if (next == SIZE_MAX) {
            next = trie->nodes;
            if (!add_node(trie, error) ||
                !number_map_put(&trie->edges, (uint64_t)node << 8 | (uint8_t)string[i], next, error))
                return false;
        }
        node = next;
    }
    trie->values[node] = value;
    return true;
}

size_t trie_step(const struct trie *trie, size_t node, uint8_t byte) {
    uint64_t next = number_map_get(&trie->edges, (uint64_t)node << 8 | byte);
    return next == NUMBER_MAP_NONE ? SIZE_MAX : (size_t)next;
}

int32_t trie_longest(size_t *matched, const struct trie *trie, const char *text, size_t length) {
    int32_t value = -1;
    size_t node = 0;
    for (size_t i = 0; i < length; i++) {
        node = trie_step(trie, node, (uint8_t)text[i]);
        if (node == SIZE_MAX)
            break;
        if (trie->values[node] >= 0) {
            value = trie->values[node];
            *matched = i + 1;
        }
    }
    return value;
}

void trie_free(struct trie *trie) {
    number_map_free(&trie->edges);
    memory_free(trie->values);
    memset(trie, 0, sizeof *trie);
}

static size_t find_text(const struct vocabulary *vocabulary, const char *text, size_t length) {
    size_t slot = (size_t)XXH3_64bits(text, length) & (vocabulary->slot_count - 1);
    for (;; slot = (slot + 1) & (vocabulary->slot_count - 1)) {
        int32_t id = vocabulary->slots[slot];
        if (id < 0)
            return slot;
        const struct vocabulary_token *token = &vocabulary->tokens[id];
        if (token->length == length && memcmp(token->text, text, length) == 0)
            return slot;
    }
}

static bool enlarge_slots(struct vocabulary *vocabulary, struct error *error) {
    size_t count = vocabulary->slot_count > 0 ? vocabulary->slot_count * 2 : 64;
    int32_t *slots = memory_alloc(count, sizeof *slots, error);
    if (slots == NULL)
        return false;
    memset(slots, 0xff, count * sizeof *slots);
    memory_free(vocabulary->slots);
    vocabulary->slots = slots;
    vocabulary->slot_count = count;
    for (size_t id = 0; id < vocabulary->size; id++) {
        const struct vocabulary_token *token = &vocabulary->tokens[id];
        if (token->text != NULL)
            slots[find_text(vocabulary, token->text, token->length)] = (int32_t)id;
    }
    return true;
}

static bool reserve_id(struct vocabulary *vocabulary, size_t id, struct error *error) {
    if (id >= vocabulary->capacity) {
        size_t capacity = id + 1 > vocabulary->capacity * 2 ? id + 1 : vocabulary->capacity * 2;
        struct vocabulary_token *tokens = memory_resize(vocabulary->tokens, capacity, sizeof *tokens, error);
        if (tokens == NULL)
            return false;
        memset(tokens + vocabulary->capacity, 0, (capacity - vocabulary->capacity) * sizeof *tokens);
        vocabulary->tokens = tokens;
        vocabulary->capacity = capacity;
    }
    vocabulary->size = id + 1 > vocabulary->size ? id + 1 : vocabulary->size;
    return true;
}

bool vocabulary_add(struct vocabulary *vocabulary, const char *text, size_t length, int64_t id, struct error *error) {
    if (id < 0 || id >= VOCABULARY_LIMIT)
        return error_set(error, ERROR_INPUT, "the token \"%.40s\" has the id %lld; ids must be from 0 to %lld", text,
                         (long long)id, (long long)VOCABULARY_LIMIT - 1);
    int32_t old = vocabulary_find(vocabulary, text, length);
    if (old == id)
        return true;
    if (old >= 0)
        return error_set(error, ERROR_INPUT, "the token \"%.40s\" has two ids, %d and %lld", text, old, (long long)id);
    if (vocabulary->count * 2 >= vocabulary->slot_count && !enlarge_slots(vocabulary, error))
        return false;
    if (!reserve_id(vocabulary, (size_t)id, error))
        return false;
    struct vocabulary_token *token = &vocabulary->tokens[id];
    if (token->text != NULL)
        return error_set(error, ERROR_INPUT, "the id %lld belongs to two tokens, \"%.40s\" and \"%.40s\"",
                         (long long)id, token->text, text);
    char *copy = memory_copy_bytes(text, length, error);
    if (copy == NULL)
        return false;
    size_t slot = find_text(vocabulary, text, length);
    *token = (struct vocabulary_token){copy, length};
    vocabulary->slots[slot] = (int32_t)id;
    vocabulary->count++;
    return true;
}

int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t length) {
    return vocabulary->slot_count == 0 ? -1 : vocabulary->slots[find_text(vocabulary, text, length)];
}

void vocabulary_free(struct vocabulary *vocabulary) {
    for (size_t id = 0; id < vocabulary->size; id++)
        memory_free((void *)(uintptr_t)vocabulary->tokens[id].text);
    memory_free(vocabulary->tokens);
    memory_free(vocabulary->slots);
    memset(vocabulary, 0, sizeof *vocabulary);
}

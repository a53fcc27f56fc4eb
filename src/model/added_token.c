#include "model/added_token.h"

#include "base/memory.h"
#include <string.h>
#include <utf8proc.h>

bool added_tokens_put(struct added_tokens *added, struct added_token token, struct error *error) {
    bool which = token.normalized;
    if (token.text == NULL || token.length == 0 ||
        !memory_grow(&added->list, &added->capacity, added->count, sizeof *added->list, error)) {
        bool empty = token.text != NULL && token.length == 0;
        memory_free(token.text);
        return empty; /* an empty token is never found in a text */
    }
    added->list[added->count] = token;
    added->begins[which][(uint8_t)token.text[0]] = true;
    return trie_put(&added->tries[which], token.text, token.length, (int32_t)added->count++, error);
}

void added_tokens_free(struct added_tokens *added) {
    for (size_t i = 0; i < added->count; i++)
        memory_free(added->list[i].text);
    memory_free(added->list);
    trie_free(&added->tries[0]);
    trie_free(&added->tries[1]);
    memset(added, 0, sizeof *added);
}

const struct added_token *added_tokens_by_id(const struct added_tokens *added, int64_t id) {
    for (size_t i = 0; i < added->count; i++)
        if (added->list[i].id == id)
            return &added->list[i];
    return NULL;
}

static uint32_t character_before(size_t *bytes, const char *text, size_t at) {
    uint32_t character;
    size_t begin = at - 1;
    while (begin > 0 && ((uint8_t)text[begin] & 0xc0) == 0x80)
        begin--;
    (void)utf8_decode(&character, text + begin, at - begin);
    *bytes = at - begin;
    return character;
}

static bool is_word(uint32_t character) {
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)character);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO) || category == UTF8PROC_CATEGORY_PC;
}

static bool is_space(uint32_t character) {
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)character);
    return (character >= 9 && character <= 13) || character == 0x85 ||
           (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

static bool stands_alone(const char *text, size_t length, size_t begin, size_t end) {
    size_t bytes;
    uint32_t after = ' ';
    if (end < length)
        (void)utf8_decode(&after, text + end, length - end);
    return (begin == 0 || !is_word(character_before(&bytes, text, begin))) && !is_word(after);
}

static void take_space(size_t *begin, size_t *end, const struct added_token *token, const char *text, size_t length,
                       size_t from) {
    size_t bytes;
    uint32_t character;
    while (token->take_left && *begin > from && is_space(character_before(&bytes, text, *begin)))
        *begin -= bytes;
    while (token->take_right && *end < length) {
        bytes = utf8_decode(&character, text + *end, length - *end);
        if (!is_space(character))
            break;
        *end += bytes;
    }
}

const struct added_token *added_tokens_next(size_t *begin, size_t *end, const struct added_tokens *added,
                                            bool normalized, const char *text, size_t length, size_t from) {
    for (size_t at = from; added->count > 0 && at < length; at++) {
        size_t matched = 0;
        if (!added->begins[normalized][(uint8_t)text[at]])
            continue;
        int32_t index = trie_longest(&matched, &added->tries[normalized], text + at, length - at);
        if (index < 0)
            continue;
        const struct added_token *token = &added->list[index];
        *begin = at;
        *end = at + matched;
        if (!token->single_word || stands_alone(text, length, *begin, *end)) {
            take_space(begin, end, token, text, length, from);
            return token;
        }
        at = *end - 1;
    }
    *begin = *end = length;
    return NULL;
}

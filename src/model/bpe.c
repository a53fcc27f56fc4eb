/* Byte-pair encoding: of all neighbouring pairs that have a merge, the one of lowest rank, leftmost first, is merged,
 * until none is left. A heap of candidates over a linked list of symbols makes this n log n; pieces seen before come
 * from a cache; long pieces are first cut where no merge can ever reach across. */
#include "base/memory.h"
#include "model/token_model.h"
#include <string.h>
#include <xxhash.h>

#define WORD_BYTES 30
#define WORD_IDS 8
#define WORD_SLOTS ((size_t)1 << 15)
#define NO_SYMBOL UINT32_MAX
#define CHARACTERS ((size_t)0x110000)

/* One cache line: a piece of up to 30 bytes that became up to 8 ids. length 0 = unused. */
struct word_slot {
    uint8_t length, count;
    char text[WORD_BYTES];
    int32_t ids[WORD_IDS];
};

struct merge_symbol {
    int32_t id; /* -1: merged into its left neighbour */
    uint32_t previous, next;
};

struct merge_candidate {
    uint64_t order; /* rank << 32 | position of the left symbol */
    uint64_t pair;  /* ids when it was found; a candidate whose symbols have changed since is stale */
    int32_t result;
};

bool token_work_create(struct token_work *work, struct error *error) {
    memset(work, 0, sizeof *work);
    work->words = memory_alloc(WORD_SLOTS, sizeof *work->words, error);
    return work->words != NULL;
}

void token_work_free(struct token_work *work) {
    memory_free(work->words);
    memory_free(work->symbols);
    memory_free(work->heap);
    memory_free(work->nodes);
}

static uint64_t pair_key(int32_t left, int32_t right) {
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

bool bpe_add_merge(struct token_model *model, int32_t left, int32_t right, uint32_t rank, struct error *error) {
    const struct vocabulary_token *a = &model->vocabulary.tokens[left];
    const struct vocabulary_token *b = &model->vocabulary.tokens[right];
    struct text joined = {0};
    text_add_bytes(&joined, a->text, a->length);
    text_add_bytes(&joined, b->text, b->length);
    int32_t result = vocabulary_find(&model->vocabulary, text_string(&joined), joined.length);
    bool ok = !joined.failed || error_set(error, ERROR_MEMORY, "out of memory for a merge");
    if (ok && result < 0)
        ok = error_set(error, ERROR_INPUT, "\"%.40s\", what it gives, is not in the vocabulary", text_string(&joined));
    text_free(&joined);
    return ok && number_map_put(&model->merges, pair_key(left, right), (uint64_t)rank << 32 | (uint32_t)result, error);
}

static bool add_neighbours(struct token_model *model, const struct vocabulary_token *token, struct error *error) {
    uint32_t before = 0, character;
    for (size_t at = 0; at < token->length; before = character) {
        size_t bytes = utf8_decode(&character, token->text + at, token->length - at);
        if (at > 0 && !number_map_put(&model->neighbours, (uint64_t)before << 32 | character, 1, error))
            return false;
        at += bytes;
    }
    return true;
}

static void note_character(struct token_model *model, const struct vocabulary_token *token) {
    uint32_t character;
    if (token->length > 0 && utf8_decode(&character, token->text, token->length) == token->length)
        model->known_characters[character / 8] |= (uint8_t)(1 << character % 8);
}

static bool encode(struct token_ids *ids, const struct token_model *model, struct token_work *work, const char *text,
                   size_t length, struct error *error);

bool bpe_finish(struct token_model *model, struct error *error) {
    model->kind = "BPE";
    model->encode = encode;
    token_model_find_bytes(model);
    model->known_characters = memory_alloc(CHARACTERS / 8, 1, error);
    if (model->known_characters == NULL)
        return false;
    for (size_t id = 0; id < model->vocabulary.size; id++)
        if (model->vocabulary.tokens[id].text != NULL)
            note_character(model, &model->vocabulary.tokens[id]);
    for (size_t i = 0; i < model->merges.slot_count; i++) {
        const struct number_slot *slot = &model->merges.slots[i];
        if (slot->key != NUMBER_MAP_NONE &&
            !add_neighbours(model, &model->vocabulary.tokens[slot->value & UINT32_MAX], error))
            return false;
    }
    return true;
}

static bool comes_before(const struct merge_candidate *a, const struct merge_candidate *b) {
    return a->order < b->order;
}

static bool push_candidate(struct token_work *work, const struct token_model *model, uint32_t left,
                           struct error *error) {
    uint32_t right = left == NO_SYMBOL ? NO_SYMBOL : work->symbols[left].next;
    if (right == NO_SYMBOL)
        return true;
    uint64_t pair = pair_key(work->symbols[left].id, work->symbols[right].id);
    uint64_t merge = number_map_get(&model->merges, pair);
    if (merge == NUMBER_MAP_NONE)
        return true;
    if (!memory_grow(&work->heap, &work->heap_capacity, work->heap_count, sizeof *work->heap, error))
        return false;
    struct merge_candidate new = {merge >> 32 << 32 | left, pair, (int32_t)(merge & UINT32_MAX)};
    size_t at = work->heap_count++;
    for (; at > 0 && comes_before(&new, &work->heap[(at - 1) / 2]); at = (at - 1) / 2)
        work->heap[at] = work->heap[(at - 1) / 2];
    work->heap[at] = new;
    return true;
}

static struct merge_candidate pop_candidate(struct token_work *work) {
    struct merge_candidate top = work->heap[0];
    struct merge_candidate last = work->heap[--work->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= work->heap_count)
            break;
        if (child + 1 < work->heap_count && comes_before(&work->heap[child + 1], &work->heap[child]))
            child++;
        if (!comes_before(&work->heap[child], &last))
            break;
        work->heap[at] = work->heap[child];
        at = child;
    }
    work->heap[at] = last;
    return top;
}

static bool apply_candidate(struct token_work *work, const struct token_model *model, struct merge_candidate top,
                            struct error *error) {
    uint32_t position = (uint32_t)top.order;
    struct merge_symbol *left = &work->symbols[position];
    if (left->id < 0 || left->next == NO_SYMBOL || pair_key(left->id, work->symbols[left->next].id) != top.pair)
        return true;
    struct merge_symbol *right = &work->symbols[left->next];
    left->id = top.result;
    left->next = right->next;
    right->id = -1;
    if (left->next != NO_SYMBOL)
        work->symbols[left->next].previous = position;
    return push_candidate(work, model, left->previous, error) && push_candidate(work, model, position, error);
}

/* The piece as ids of single characters, appended to ids. */
static bool add_characters(struct token_ids *ids, const struct token_model *model, struct token_work *work,
                           const char *text, size_t length, struct error *error) {
    bool after_unknown = false;
    for (size_t at = 0; at < length;) {
        uint32_t character;
        size_t bytes = utf8_decode(&character, text + at, length - at);
        int32_t id = vocabulary_find(&model->vocabulary, text + at, bytes);
        if (id < 0) {
            work->unknown += !model->byte_fallback;
            if (!token_model_add_unknown(ids, model, text + at, bytes, after_unknown, error))
                return false;
        } else if (!token_ids_add(ids, id, error))
            return false;
        after_unknown = id < 0;
        at += bytes;
    }
    return true;
}

static bool link_symbols(struct token_work *work, const int32_t *ids, size_t count, struct error *error) {
    if (count >= NO_SYMBOL)
        return error_set(error, ERROR_INPUT, "a text of %zu characters without a break is too long", count);
    if (count > work->symbol_capacity) {
        struct merge_symbol *symbols = memory_resize(work->symbols, count, sizeof *symbols, error);
        if (symbols == NULL)
            return false;
        work->symbols = symbols;
        work->symbol_capacity = count;
    }
    for (size_t i = 0; i < count; i++)
        work->symbols[i] = (struct merge_symbol){ids[i], i > 0 ? (uint32_t)i - 1 : NO_SYMBOL,
                                                 i + 1 < count ? (uint32_t)i + 1 : NO_SYMBOL};
    return true;
}

static bool merge_piece(struct token_ids *ids, const struct token_model *model, struct token_work *work,
                        const char *text, size_t length, struct error *error) {
    size_t first = ids->count;
    if (!add_characters(ids, model, work, text, length, error) ||
        !link_symbols(work, ids->data + first, ids->count - first, error))
        return false;
    if (ids->count == first)
        return true;
    size_t count = ids->count - first;
    work->heap_count = 0;
    bool ok = true;
    for (uint32_t i = 0; ok && i + 1 < count; i++)
        ok = push_candidate(work, model, i, error);
    while (ok && work->heap_count > 0)
        ok = apply_candidate(work, model, pop_candidate(work), error);
    ids->count = first;
    for (uint32_t i = 0; ok && i != NO_SYMBOL; i = work->symbols[i].next)
        ids->data[ids->count++] = work->symbols[i].id;
    return ok;
}

static void remember(struct word_slot *slot, const char *text, size_t length, const int32_t *ids, size_t count) {
    if (count > WORD_IDS)
        return;
    slot->length = (uint8_t)length;
    slot->count = (uint8_t)count;
    memcpy(slot->text, text, length);
    memcpy(slot->ids, ids, count * sizeof *ids);
}

static bool encode_part(struct token_ids *ids, const struct token_model *model, struct token_work *work,
                        const char *text, size_t length, struct error *error) {
    if (length == 0 || length > WORD_BYTES)
        return merge_piece(ids, model, work, text, length, error);
    struct word_slot *slot = &work->words[(size_t)XXH3_64bits(text, length) & (WORD_SLOTS - 1)];
    if (slot->length == length && memcmp(slot->text, text, length) == 0) {
        bool ok = true;
        for (size_t i = 0; ok && i < slot->count; i++)
            ok = token_ids_add(ids, slot->ids[i], error);
        return ok;
    }
    size_t first = ids->count;
    uint64_t unknown = work->unknown;
    if (!merge_piece(ids, model, work, text, length, error))
        return false;
    if (work->unknown == unknown && ids->count > first) /* a word from the cache would not be counted as unknown */
        remember(slot, text, length, ids->data + first, ids->count - first);
    return true;
}

static bool is_known(const struct token_model *model, uint32_t character) {
    return (model->known_characters[character / 8] >> character % 8 & 1) != 0;
}

/* Two characters that are tokens by themselves and stand side by side in no merged token are never joined by a merge,
 * so the parts on both sides can be encoded apart with the same result. */
static bool never_joined(const struct token_model *model, uint32_t before, uint32_t character) {
    return is_known(model, before) && is_known(model, character) &&
           number_map_get(&model->neighbours, (uint64_t)before << 32 | character) == NUMBER_MAP_NONE;
}

static bool encode(struct token_ids *ids, const struct token_model *model, struct token_work *work, const char *text,
                   size_t length, struct error *error) {
    if (model->ignore_merges) {
        int32_t whole = vocabulary_find(&model->vocabulary, text, length);
        if (whole >= 0)
            return token_ids_add(ids, whole, error);
    }
    size_t begin = 0;
    uint32_t before = 0, character;
    for (size_t at = 0; length > WORD_BYTES && at < length; before = character) {
        size_t bytes = utf8_decode(&character, text + at, length - at);
        if (at > 0 && never_joined(model, before, character)) {
            if (!encode_part(ids, model, work, text + begin, at - begin, error))
                return false;
            begin = at;
        }
        at += bytes;
    }
    return encode_part(ids, model, work, text + begin, length - begin, error);
}

#include "model/token_model.h"

#include "base/memory.h"
#include <stdio.h>
#include <string.h>

void token_model_free(struct token_model *model) {
    vocabulary_free(&model->vocabulary);
    number_map_free(&model->merges);
    number_map_free(&model->neighbours);
    trie_free(&model->trie);
    memory_free(model->known_characters);
    memory_free(model->scores);
}

void token_model_find_bytes(struct token_model *model) {
    for (int byte = 0; byte < 256; byte++) {
        char name[8];
        int length = snprintf(name, sizeof name, "<0x%02X>", byte);
        model->byte_ids[byte] = vocabulary_find(&model->vocabulary, name, (size_t)length);
    }
}

static bool all_bytes_known(const struct token_model *model, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (model->byte_ids[(uint8_t)text[i]] < 0)
            return false;
    return true;
}

bool token_model_add_unknown(struct token_ids *ids, const struct token_model *model, const char *text, size_t length,
                             bool after_unknown, struct error *error) {
    if (!model->byte_fallback || !all_bytes_known(model, text, length))
        return model->unknown < 0 || (after_unknown && model->fuse_unknown) ||
               token_ids_add(ids, model->unknown, error);
    bool ok = true;
    for (size_t i = 0; ok && i < length; i++)
        ok = token_ids_add(ids, model->byte_ids[(uint8_t)text[i]], error);
    return ok;
}

static bool encode_word(struct token_ids *ids, const struct token_model *model, struct token_work *work,
                        const char *text, size_t length, struct error *error) {
    int32_t id = vocabulary_find(&model->vocabulary, text, length);
    if (id >= 0)
        return token_ids_add(ids, id, error);
    work->unknown++;
    return token_model_add_unknown(ids, model, text, length, false, error);
}

static bool load_vocabulary(struct token_model *model, const json_t *json, struct error *error) {
    const json_t *vocabulary = json_object_get(json, "vocab");
    if (!json_is_object(vocabulary) || json_object_size(vocabulary) == 0)
        return error_set(error, ERROR_INPUT, "its model has no \"vocab\" of tokens and ids");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)vocabulary, key, value) {
        if (!json_is_integer(value))
            return error_set(error, ERROR_INPUT, "the id of the token \"%.40s\" is not a whole number", key);
        if (!vocabulary_add(&model->vocabulary, key, strlen(key), json_integer_value(value), error))
            return false;
    }
    return true;
}

static bool load_unknown(struct token_model *model, const json_t *json, struct error *error) {
    const json_t *name = json_object_get(json, "unk_token");
    model->unknown = -1;
    if (name == NULL || json_is_null(name))
        return true;
    if (!json_is_string(name))
        return error_set(error, ERROR_INPUT, "unk_token is not a text");
    model->unknown = vocabulary_find(&model->vocabulary, json_string_value(name), json_string_length(name));
    return model->unknown >= 0 ||
           error_set(error, ERROR_INPUT, "unk_token \"%.40s\" is not in the vocabulary", json_string_value(name));
}

/* A merge is ["left", "right"] or "left right". */
static bool read_merge(const char **left, size_t *left_length, const char **right, size_t *right_length,
                       const json_t *json) {
    if (json_is_array(json) && json_array_size(json) == 2) {
        const json_t *first = json_array_get(json, 0);
        const json_t *second = json_array_get(json, 1);
        *left = json_string_value(first);
        *right = json_string_value(second);
        *left_length = json_string_length(first);
        *right_length = json_string_length(second);
        return *left != NULL && *right != NULL;
    }
    *left = json_string_value(json);
    const char *blank = *left != NULL ? strchr(*left, ' ') : NULL;
    if (blank == NULL || strchr(blank + 1, ' ') != NULL)
        return false;
    *left_length = (size_t)(blank - *left);
    *right = blank + 1;
    *right_length = strlen(*right);
    return true;
}

static bool load_merges(struct token_model *model, const json_t *json, struct error *error) {
    const json_t *merges = json_object_get(json, "merges");
    if (!json_is_array(merges))
        return error_set(error, ERROR_INPUT, "its BPE model has no list \"merges\"");
    for (size_t i = 0; i < json_array_size(merges); i++) {
        const char *left, *right;
        size_t left_length, right_length;
        if (!read_merge(&left, &left_length, &right, &right_length, json_array_get(merges, i)))
            return error_set(error, ERROR_INPUT, "merge %zu is not a pair of two tokens", i);
        int32_t a = vocabulary_find(&model->vocabulary, left, left_length);
        int32_t b = vocabulary_find(&model->vocabulary, right, right_length);
        if (a < 0 || b < 0)
            return error_set(error, ERROR_INPUT, "merge %zu names \"%.40s\", which is not in the vocabulary", i,
                             a < 0 ? left : right);
        if (!bpe_add_merge(model, a, b, (uint32_t)i, error))
            return error_prefix(error, "merge %zu", i);
    }
    return true;
}

/* Options that would change the result and that nothing here follows. */
static bool refuse_options(const json_t *json, struct error *error) {
    static const char *const names[] = {"continuing_subword_prefix", "end_of_word_suffix", "dropout"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *value = json_object_get(json, names[i]);
        bool empty = value == NULL || json_is_null(value) || (json_is_number(value) && json_number_value(value) == 0) ||
                     (json_is_string(value) && json_string_length(value) == 0);
        if (!empty)
            return error_set(error, ERROR_INPUT, "the BPE model's option %s is not supported", names[i]);
    }
    return true;
}

static bool load_bpe(struct token_model *model, const json_t *json, struct error *error) {
    if (!refuse_options(json, error) || !load_vocabulary(model, json, error) || !load_unknown(model, json, error))
        return false;
    model->fuse_unknown = json_flag(json, "fuse_unk", false);
    model->byte_fallback = json_flag(json, "byte_fallback", false);
    model->ignore_merges = json_flag(json, "ignore_merges", false);
    return load_merges(model, json, error) && bpe_finish(model, error);
}

static bool load_scores(struct token_model *model, const json_t *list, struct error *error) {
    size_t count = json_array_size(list);
    model->scores = memory_alloc(count, sizeof *model->scores, error);
    if (model->scores == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *token = json_array_get(json_array_get(list, i), 0);
        const json_t *score = json_array_get(json_array_get(list, i), 1);
        if (!json_is_string(token) || !json_is_number(score))
            return error_set(error, ERROR_INPUT, "entry %zu of the Unigram vocabulary is not a token and a score", i);
        if (!vocabulary_add(&model->vocabulary, json_string_value(token), json_string_length(token), (int64_t)i, error))
            return false;
        model->scores[i] = json_number_value(score);
    }
    return true;
}

static bool load_unigram(struct token_model *model, const json_t *json, struct error *error) {
    const json_t *list = json_object_get(json, "vocab");
    if (!json_is_array(list) || json_array_size(list) == 0)
        return error_set(error, ERROR_INPUT, "its Unigram model has no list \"vocab\"");
    if (!load_scores(model, list, error))
        return false;
    const json_t *unknown = json_object_get(json, "unk_id");
    model->unknown = -1;
    if (json_is_integer(unknown)) {
        if (json_integer_value(unknown) < 0 || (size_t)json_integer_value(unknown) >= model->vocabulary.size)
            return error_set(error, ERROR_INPUT, "unk_id %lld is outside the vocabulary of %zu",
                             (long long)json_integer_value(unknown), model->vocabulary.size);
        model->unknown = (int32_t)json_integer_value(unknown);
    }
    model->byte_fallback = json_flag(json, "byte_fallback", false);
    return unigram_finish(model, error);
}

static bool load_word_level(struct token_model *model, const json_t *json, struct error *error) {
    model->kind = "WordLevel";
    model->encode = encode_word;
    return load_vocabulary(model, json, error) && load_unknown(model, json, error);
}

bool token_model_load(struct token_model *model, const json_t *json, struct error *error) {
    static const struct {
        const char *type;
        bool (*load)(struct token_model *, const json_t *, struct error *);
    } kinds[] = {{"BPE", load_bpe}, {"Unigram", load_unigram}, {"WordLevel", load_word_level}};
    if (!json_is_object(json))
        return error_set(error, ERROR_INPUT, "it has no \"model\"");
    const char *type = json_type_name(json);
    if (*type == '\0' && json_object_get(json, "merges") != NULL)
        type = "BPE"; /* early files leave the type out */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(type, kinds[i].type) == 0)
            return kinds[i].load(model, json, error);
    return error_set(error, ERROR_INPUT, "the model type \"%s\" is not known (BPE, Unigram and WordLevel are)", type);
}

/* tokenizer.json, the format of Hugging Face's tokenizers library. */
#include "base/file.h"
#include "base/memory.h"
#include "model/tokenizer_parts.h"
#include <string.h>

#define FILE_LIMIT ((size_t)256 << 20)
#define NESTING_LIMIT 16

json_t *tokenizer_read_json(const char *path, size_t flags, struct error *error) {
    size_t size;
    char *contents = file_read(path, FILE_LIMIT, &size, error);
    if (contents == NULL)
        return NULL;
    json_error_t problem;
    json_t *json = json_loadb(contents, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | flags, &problem);
    memory_free(contents);
    if (json == NULL)
        (void)error_set(error, ERROR_INPUT, "%s is not JSON: line %d: %s", path, problem.line, problem.text);
    else if (!json_is_object(json)) {
        (void)error_set(error, ERROR_INPUT, "%s is not a JSON object", path);
        json_decref(json);
        json = NULL;
    }
    return json;
}

static bool normalize_content(struct text *content, const struct tokenizer *tokenizer, struct error *error) {
    struct pattern_scratch scratch = {0};
    struct text other = {0};
    bool ok = pattern_scratch_create(&scratch, error) &&
              normalizer_apply(content, &other, &tokenizer->normalizer, &scratch, error);
    text_free(&other);
    pattern_scratch_free(&scratch);
    return ok;
}

static bool put_added(struct tokenizer *tokenizer, struct added_token token, const char *text, size_t length,
                      struct error *error) {
    struct text content = {0};
    text_add_bytes(&content, text, length);
    bool ok = !content.failed || error_set(error, ERROR_MEMORY, "out of memory for a token");
    if (ok && token.normalized)
        ok = normalize_content(&content, tokenizer, error);
    if (!ok) {
        text_free(&content);
        return false;
    }
    token.text = content.data;
    token.length = content.length;
    return added_tokens_put(&tokenizer->added, token, error);
}

bool tokenizer_put_added(struct tokenizer *tokenizer, const char *text, size_t length, int64_t id, bool special,
                         struct error *error) {
    struct added_token token = {.id = (int32_t)id, .special = special};
    return vocabulary_add(&tokenizer->model.vocabulary, text, length, id, error) &&
           put_added(tokenizer, token, text, length, error);
}

static bool load_added_token(struct tokenizer *tokenizer, const json_t *json, struct error *error) {
    const json_t *content = json_object_get(json, "content");
    const json_t *id = json_object_get(json, "id");
    if (!json_is_string(content) || !json_is_integer(id))
        return error_set(error, ERROR_INPUT, "an entry of added_tokens has no content or no id");
    const char *text = json_string_value(content);
    size_t length = json_string_length(content);
    if (!vocabulary_add(&tokenizer->model.vocabulary, text, length, json_integer_value(id), error))
        return error_prefix(error, "added_tokens");
    bool special = json_flag(json, "special", false);
    struct added_token token = {
        .id = (int32_t)json_integer_value(id),
        .special = special,
        .single_word = json_flag(json, "single_word", false),
        .take_left = json_flag(json, "lstrip", false),
        .take_right = json_flag(json, "rstrip", false),
        .normalized = json_flag(json, "normalized", !special),
    };
    return put_added(tokenizer, token, text, length, error);
}

static bool load_added(struct tokenizer *tokenizer, const json_t *list, struct error *error) {
    if (list != NULL && !json_is_null(list) && !json_is_array(list))
        return error_set(error, ERROR_INPUT, "added_tokens is not a list");
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(list); i++)
        ok = load_added_token(tokenizer, json_array_get(list, i), error);
    return ok;
}

static bool add_id(struct token_ids *ids, const struct tokenizer *tokenizer, const json_t *json, struct error *error) {
    json_int_t id = json_is_integer(json) ? json_integer_value(json) : -1;
    if (id < 0 || (size_t)id >= tokenizer->model.vocabulary.size)
        return error_set(error, ERROR_INPUT, "its token id %lld is outside the vocabulary of %zu", (long long)id,
                         tokenizer->model.vocabulary.size);
    return token_ids_add(ids, (int32_t)id, error);
}

static bool add_template_token(struct token_ids *ids, const struct tokenizer *tokenizer, const json_t *json,
                               const json_t *item, struct error *error) {
    const char *name = json_string_value(json_object_get(item, "id"));
    const json_t *tokens = json_object_get(json, "special_tokens");
    const json_t *list = name != NULL ? json_object_get(json_object_get(tokens, name), "ids") : NULL;
    if (!json_is_array(list))
        return error_set(error, ERROR_INPUT, "its special token \"%.40s\" has no ids", name != NULL ? name : "");
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(list); i++)
        ok = add_id(ids, tokenizer, json_array_get(list, i), error);
    return ok;
}

static bool load_template(struct tokenizer *tokenizer, const json_t *json, struct error *error) {
    const json_t *list = json_object_get(json, "single");
    bool text_seen = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *special = json_object_get(item, "SpecialToken");
        struct token_ids *side = text_seen ? &tokenizer->after : &tokenizer->before;
        if (special == NULL && (json_object_get(item, "Sequence") == NULL || text_seen))
            return error_set(error, ERROR_INPUT, "item %zu of its template is not known", i);
        if (special == NULL)
            text_seen = true;
        else if (!add_template_token(side, tokenizer, json, special, error))
            return false;
    }
    return text_seen || error_set(error, ERROR_INPUT, "its template for a single text has no place for the text");
}

/* RobertaProcessing and BertProcessing: [text, id] pairs for the first and the last token. */
static bool load_class_tokens(struct tokenizer *tokenizer, const json_t *json, struct error *error) {
    return add_id(&tokenizer->before, tokenizer, json_array_get(json_object_get(json, "cls"), 1), error) &&
           add_id(&tokenizer->after, tokenizer, json_array_get(json_object_get(json, "sep"), 1), error);
}

static bool load_no_tokens(struct tokenizer *tokenizer, const json_t *json, struct error *error) {
    (void)tokenizer;
    (void)json;
    (void)error;
    return true;
}

static const struct {
    const char *type;
    bool (*load)(struct tokenizer *, const json_t *, struct error *);
} processors[] = {
    {"ByteLevel", load_no_tokens},
    {"TemplateProcessing", load_template},
    {"RobertaProcessing", load_class_tokens},
    {"BertProcessing", load_class_tokens},
};

static bool load_processor(struct tokenizer *tokenizer, const json_t *json, int depth, struct error *error) {
    if (json == NULL || json_is_null(json))
        return true;
    const char *type = json_type_name(json);
    const json_t *list = json_object_get(json, "processors");
    if (strcmp(type, "Sequence") == 0 && json_is_array(list) && depth < NESTING_LIMIT) {
        bool ok = true;
        for (size_t i = 0; ok && i < json_array_size(list); i++)
            ok = load_processor(tokenizer, json_array_get(list, i), depth + 1, error);
        return ok;
    }
    for (size_t i = 0; i < sizeof processors / sizeof *processors; i++)
        if (strcmp(processors[i].type, type) == 0)
            return processors[i].load(tokenizer, json, error) || error_prefix(error, "post-processor %s", type);
    return error_set(error, ERROR_INPUT, "the post-processor \"%s\" is not known", type);
}

bool tokenizer_load_parts(struct tokenizer *tokenizer, const json_t *json, struct error *error) {
    return normalizer_load(&tokenizer->normalizer, json_object_get(json, "normalizer"), error) &&
           pre_tokenizer_load(&tokenizer->pre_tokenizer, json_object_get(json, "pre_tokenizer"), error) &&
           token_decoder_load(&tokenizer->decoder, json_object_get(json, "decoder"), error) &&
           load_added(tokenizer, json_object_get(json, "added_tokens"), error) &&
           load_processor(tokenizer, json_object_get(json, "post_processor"), 0, error);
}

bool tokenizer_load_json(struct tokenizer *tokenizer, const char *path, struct error *error) {
    json_t *json = tokenizer_read_json(path, 0, error);
    if (json == NULL)
        return false;
    bool ok = (token_model_load(&tokenizer->model, json_object_get(json, "model"), error) &&
               tokenizer_load_parts(tokenizer, json, error)) ||
              error_prefix(error, "%s", path);
    json_decref(json);
    return ok;
}

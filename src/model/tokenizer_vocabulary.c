/* vocab.json and merges.txt, as GPT-2 published them: byte-level BPE. Made into a tokenizer.json's parts. */
#include "base/file.h"
#include "base/memory.h"
#include "model/tokenizer_parts.h"
#include <string.h>

#define FILE_LIMIT ((size_t)256 << 20)

/* Qwen cut their texts otherwise than GPT-2; all others with these two files cut as GPT-2 did. */
static const char qwen_parts[] =
    "{\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
    "\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| "
    "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\"},{"
    "\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"decoder\":{\"type\":\"ByteLevel\"}}";
static const char gpt2_parts[] =
    "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"decoder\":{\"type\":\"ByteLevel\"}}";
static const char prefixed_parts[] =
    "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true},\"decoder\":{\"type\":\"ByteLevel\"}}";

static const char *choose_parts(const json_t *config) {
    const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
    if (class != NULL && text_starts(class, "Qwen2Tokenizer"))
        return qwen_parts;
    return json_flag(config, "add_prefix_space", false) ? prefixed_parts : gpt2_parts;
}

/* merges.txt as the list that tokenizer.json would hold: one "left right" per line, after a line "#version". */
static json_t *read_merges(const char *path, struct error *error) {
    char *contents = file_read(path, FILE_LIMIT, NULL, error);
    json_t *list = contents != NULL ? json_array() : NULL;
    bool ok = list != NULL;
    char *rest = contents;
    for (char *line = ok ? strtok_r(contents, "\r\n", &rest) : NULL; ok && line != NULL;
         line = strtok_r(NULL, "\r\n", &rest))
        if (!text_starts(line, "#version"))
            ok = json_array_append_new(list, json_string(line)) == 0;
    if (contents != NULL && !ok) {
        (void)error_set(error, ERROR_INPUT, "%s cannot be read as UTF-8 text", path);
        json_decref(list);
        list = NULL;
    }
    memory_free(contents);
    return list;
}

/* Special tokens are those that tokenizer_config.json names and the vocabulary holds, and its added_tokens_decoder. */
static bool put_special_tokens(struct tokenizer *tokenizer, const json_t *config, struct error *error) {
    static const char *const keys[] = {"bos_token", "eos_token", "unk_token", "pad_token"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = json_object_get(config, keys[i]);
        const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
        int64_t id = text != NULL ? tokenizer_find(tokenizer, text, strlen(text)) : -1;
        if (id >= 0 && !tokenizer_put_added(tokenizer, text, strlen(text), id, true, error))
            return false;
    }
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(config, "added_tokens_decoder"), key, value) {
        const char *text = json_string_value(json_object_get(value, "content"));
        int64_t id;
        if (!text_parse_integer(&id, key, 0, VOCABULARY_LIMIT - 1, "an id of added_tokens_decoder", error) ||
            text == NULL ||
            !tokenizer_put_added(tokenizer, text, strlen(text), id, json_flag(value, "special", false), error))
            return text != NULL ? false
                                : error_set(error, ERROR_INPUT, "added_tokens_decoder: the id %s has no content", key);
    }
    return true;
}

static bool put_bos(struct tokenizer *tokenizer, const json_t *config, struct error *error) {
    const json_t *value = json_object_get(config, "bos_token");
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
    int64_t id = text != NULL ? tokenizer_find(tokenizer, text, strlen(text)) : -1;
    return !json_flag(config, "add_bos_token", false) || id < 0 ||
           token_ids_add(&tokenizer->before, (int32_t)id, error);
}

bool tokenizer_load_vocabulary(struct tokenizer *tokenizer, const char *path, const char *merges_path,
                               const json_t *config, struct error *error) {
    json_t *vocabulary = tokenizer_read_json(path, 0, error);
    json_t *merges = vocabulary != NULL ? read_merges(merges_path, error) : NULL;
    json_t *parts = json_loads(choose_parts(config), 0, NULL);
    json_t *model = merges != NULL && parts != NULL
                        ? json_pack("{s:s,s:O,s:O}", "type", "BPE", "vocab", vocabulary, "merges", merges)
                        : NULL;
    bool ok = model != NULL;
    if (merges != NULL && !ok)
        (void)error_set(error, ERROR_MEMORY, "out of memory for %s", path);
    ok = ok && (token_model_load(&tokenizer->model, model, error) || error_prefix(error, "%s", path)) &&
         tokenizer_load_parts(tokenizer, parts, error) && put_special_tokens(tokenizer, config, error) &&
         put_bos(tokenizer, config, error);
    json_decref(vocabulary);
    json_decref(merges);
    json_decref(parts);
    json_decref(model);
    return ok;
}

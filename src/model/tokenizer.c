#include "model/tokenizer.h"

#include "base/file.h"
#include "base/memory.h"
#include "model/tokenizer_parts.h"
#include <string.h>

struct tokenizer_scratch {
    struct text repaired, section, other;
    struct pieces pieces, spare;
    struct pattern_scratch pattern;
    struct token_work work;
    uint64_t replaced;
};

bool token_ids_add(struct token_ids *ids, int32_t id, struct error *error) {
    if (!memory_grow(&ids->data, &ids->capacity, ids->count, sizeof *ids->data, error))
        return false;
    ids->data[ids->count++] = id;
    return true;
}

void token_ids_free(struct token_ids *ids) {
    memory_free(ids->data);
    memset(ids, 0, sizeof *ids);
}

/* The files a tokenizer may be in, in the order in which they are looked for. */
enum source { SOURCE_JSON, SOURCE_VOCABULARY, SOURCE_SENTENCEPIECE, SOURCE_COUNT };
static const char *const source_files[SOURCE_COUNT] = {"tokenizer.json", "vocab.json", "tokenizer.model"};

static bool file_in_folder(const char *folder, const char *name) {
    char *path = file_join(folder, name, NULL);
    bool found = path != NULL && file_is_regular(path);
    memory_free(path);
    return found;
}

static int find_source(const char *folder) {
    for (int i = 0; i < SOURCE_COUNT; i++)
        if (file_in_folder(folder, source_files[i]) && (i != SOURCE_VOCABULARY || file_in_folder(folder, "merges.txt")))
            return i;
    return -1;
}

bool tokenizer_present(const char *folder) {
    return find_source(folder) >= 0;
}

static int source_of_file(const char *path) {
    size_t length = strlen(path);
    if (length > 6 && strcmp(path + length - 6, ".model") == 0)
        return SOURCE_SENTENCEPIECE;
    return strcmp(file_name(path), "vocab.json") == 0 ? SOURCE_VOCABULARY : SOURCE_JSON;
}

/* A JSON file beside the tokenizer; NULL without an error when it is not there. */
static bool read_beside(json_t **json, const char *folder, const char *name, size_t flags, struct error *error) {
    *json = NULL;
    char *path = file_join(folder, name, error);
    bool ok = path != NULL;
    if (ok && file_is_regular(path)) {
        *json = tokenizer_read_json(path, flags, error);
        ok = *json != NULL;
    }
    memory_free(path);
    return ok;
}

/* "bos_token" is a text or {"content": text}. */
static int64_t find_named(const struct tokenizer *tokenizer, const json_t *config, const char *key) {
    const json_t *value = json_object_get(config, key);
    if (json_is_object(value))
        value = json_object_get(value, "content");
    return json_is_string(value) ? tokenizer_find(tokenizer, json_string_value(value), json_string_length(value)) : -1;
}

static int64_t find_numbered(const struct tokenizer *tokenizer, const json_t *config, const char *key) {
    const json_t *value = json_object_get(config, key);
    int64_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    return id < tokenizer_vocabulary(tokenizer) ? id : -1;
}

/* BOS and EOS as tokenizer_config.json or special_tokens_map.json name them; config.json's numbers where they do not.
 */
static bool load_ends(struct tokenizer *tokenizer, const char *folder, const json_t *config, struct error *error) {
    json_t *map = NULL, *model = NULL;
    bool ok = read_beside(&map, folder, "special_tokens_map.json", 0, error) &&
              read_beside(&model, folder, "config.json", 0, error);
    const json_t *const named[] = {config, map};
    for (size_t i = 0; ok && i < sizeof named / sizeof *named; i++) {
        tokenizer->bos = tokenizer->bos >= 0 ? tokenizer->bos : find_named(tokenizer, named[i], "bos_token");
        tokenizer->eos = tokenizer->eos >= 0 ? tokenizer->eos : find_named(tokenizer, named[i], "eos_token");
    }
    bool forbidden = json_is_null(json_object_get(config, "bos_token")); /* Qwen: says that there is none */
    if (tokenizer->bos < 0 && !forbidden)
        tokenizer->bos = find_numbered(tokenizer, model, "bos_token_id");
    if (tokenizer->eos < 0)
        tokenizer->eos = find_numbered(tokenizer, model, "eos_token_id");
    json_decref(map);
    json_decref(model);
    return ok;
}

static bool load_source(struct tokenizer *tokenizer, int source, const char *path, const char *folder,
                        const json_t *config, struct error *error) {
    if (source == SOURCE_JSON)
        return tokenizer_load_json(tokenizer, path, error);
    if (source == SOURCE_SENTENCEPIECE)
        return tokenizer_load_sentencepiece(tokenizer, path, config, error);
    char *merges = file_join(folder, "merges.txt", error);
    bool ok = merges != NULL && tokenizer_load_vocabulary(tokenizer, path, merges, config, error);
    memory_free(merges);
    return ok;
}

/* model_max_length in tokenizer_config.json is often 10^30, hence whole numbers as real ones there. */
static bool load_all(struct tokenizer *tokenizer, int source, const char *path, const char *folder,
                     struct error *error) {
    json_t *config;
    bool ok = read_beside(&config, folder, "tokenizer_config.json", JSON_DECODE_INT_AS_REAL, error) &&
              load_source(tokenizer, source, path, folder, config, error) &&
              load_ends(tokenizer, folder, config, error);
    json_decref(config);
    return ok;
}

static char *folder_of(const char *path, struct error *error) {
    size_t length = (size_t)(file_name(path) - path);
    return length == 0 ? memory_copy_string(".", error) : memory_copy_bytes(path, length, error);
}

struct tokenizer *tokenizer_open(const char *path, struct error *error) {
    bool is_folder = file_is_folder(path);
    int source = is_folder ? find_source(path) : source_of_file(path);
    if (source < 0) {
        (void)error_set(error, ERROR_INPUT,
                        "%s holds no tokenizer: neither tokenizer.json, vocab.json with merges.txt "
                        "nor tokenizer.model",
                        path);
        return NULL;
    }
    struct tokenizer *tokenizer = memory_alloc(1, sizeof *tokenizer, error);
    char *folder = is_folder ? memory_copy_string(path, error) : folder_of(path, error);
    char *file = is_folder ? file_join(path, source_files[source], error) : memory_copy_string(path, error);
    bool ok = tokenizer != NULL && folder != NULL && file != NULL;
    if (ok) {
        tokenizer->bos = tokenizer->eos = -1;
        ok = load_all(tokenizer, source, file, folder, error);
    }
    memory_free(folder);
    memory_free(file);
    if (!ok) {
        tokenizer_close(tokenizer);
        tokenizer = NULL;
    }
    return tokenizer;
}

void tokenizer_close(struct tokenizer *tokenizer) {
    if (tokenizer == NULL)
        return;
    normalizer_free(&tokenizer->normalizer);
    pre_tokenizer_free(&tokenizer->pre_tokenizer);
    token_model_free(&tokenizer->model);
    token_decoder_free(&tokenizer->decoder);
    added_tokens_free(&tokenizer->added);
    token_ids_free(&tokenizer->before);
    token_ids_free(&tokenizer->after);
    memory_free(tokenizer);
}

int64_t tokenizer_vocabulary(const struct tokenizer *tokenizer) {
    return (int64_t)tokenizer->model.vocabulary.size;
}

int64_t tokenizer_bos(const struct tokenizer *tokenizer) {
    return tokenizer->bos;
}

int64_t tokenizer_eos(const struct tokenizer *tokenizer) {
    return tokenizer->eos;
}

bool tokenizer_adds_bos(const struct tokenizer *tokenizer) {
    return tokenizer->bos >= 0 && tokenizer->before.count > 0 && tokenizer->before.data[0] == tokenizer->bos;
}

const char *tokenizer_kind(const struct tokenizer *tokenizer) {
    return tokenizer->model.kind;
}

const char *tokenizer_token(size_t *length, const struct tokenizer *tokenizer, int64_t id) {
    const struct vocabulary *vocabulary = &tokenizer->model.vocabulary;
    if (id < 0 || (uint64_t)id >= vocabulary->size)
        return NULL;
    if (length != NULL)
        *length = vocabulary->tokens[id].length;
    return vocabulary->tokens[id].text;
}

bool tokenizer_is_special(const struct tokenizer *tokenizer, int64_t id) {
    const struct added_token *token = added_tokens_by_id(&tokenizer->added, id);
    return token != NULL && token->special;
}

int64_t tokenizer_find(const struct tokenizer *tokenizer, const char *text, size_t length) {
    return vocabulary_find(&tokenizer->model.vocabulary, text, length);
}

struct tokenizer_scratch *tokenizer_scratch_create(const struct tokenizer *tokenizer, struct error *error) {
    (void)tokenizer;
    struct tokenizer_scratch *scratch = memory_alloc(1, sizeof *scratch, error);
    if (scratch != NULL && pattern_scratch_create(&scratch->pattern, error) && token_work_create(&scratch->work, error))
        return scratch;
    tokenizer_scratch_free(scratch);
    return NULL;
}

void tokenizer_scratch_free(struct tokenizer_scratch *scratch) {
    if (scratch == NULL)
        return;
    text_free(&scratch->repaired);
    text_free(&scratch->section);
    text_free(&scratch->other);
    pieces_free(&scratch->pieces);
    pieces_free(&scratch->spare);
    pattern_scratch_free(&scratch->pattern);
    token_work_free(&scratch->work);
    memory_free(scratch);
}

struct tokenizer_counts tokenizer_counts(const struct tokenizer_scratch *scratch) {
    return (struct tokenizer_counts){scratch->replaced, scratch->work.unknown};
}

/* Normalised text without added tokens. */
static bool encode_plain(struct token_ids *ids, const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                         const char *text, size_t length, bool at_start, struct error *error) {
    struct pieces *pieces = &scratch->pieces;
    if (length == 0)
        return true;
    pieces_clear(pieces);
    pieces->at_start = at_start;
    bool ok = pieces_add(pieces, text, length, error) &&
              pre_tokenizer_apply(pieces, &scratch->spare, &tokenizer->pre_tokenizer, &scratch->pattern, error);
    for (size_t i = 0; ok && i < pieces->count; i++) {
        size_t size;
        const char *piece = pieces_get(&size, pieces, i);
        ok = tokenizer->model.encode(ids, &tokenizer->model, &scratch->work, piece, size, error);
    }
    return ok;
}

typedef bool section_encoder(struct token_ids *, const struct tokenizer *, struct tokenizer_scratch *, const char *,
                             size_t, bool, struct error *);

/* Gives what stands between added tokens to `inner`. */
static bool encode_between(struct token_ids *ids, const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                           const char *text, size_t length, bool at_start, bool normalized, section_encoder *inner,
                           struct error *error) {
    for (size_t at = 0; at < length;) {
        size_t begin, end;
        const struct added_token *token =
            added_tokens_next(&begin, &end, &tokenizer->added, normalized, text, length, at);
        if (begin > at && !inner(ids, tokenizer, scratch, text + at, begin - at, at_start && at == 0, error))
            return false;
        if (token != NULL && !token_ids_add(ids, token->id, error))
            return false;
        at = end;
    }
    return true;
}

static bool encode_section(struct token_ids *ids, const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                           const char *text, size_t length, bool at_start, struct error *error) {
    text_clear(&scratch->section);
    text_add_bytes(&scratch->section, text, length);
    return normalizer_apply(&scratch->section, &scratch->other, &tokenizer->normalizer, &scratch->pattern, error) &&
           encode_between(ids, tokenizer, scratch, text_string(&scratch->section), scratch->section.length, at_start,
                          true, encode_plain, error);
}

static bool add_all(struct token_ids *ids, const struct token_ids *more, struct error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < more->count; i++)
        ok = token_ids_add(ids, more->data[i], error);
    return ok;
}

bool tokenizer_encode(struct token_ids *ids, const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                      const char *text, size_t length, bool add_special, struct error *error) {
    if (utf8_valid_prefix(text, length) < length) {
        text_clear(&scratch->repaired);
        scratch->replaced += utf8_repair(&scratch->repaired, text, length);
        if (scratch->repaired.failed)
            return error_set(error, ERROR_MEMORY, "out of memory for a text of %zu bytes", length);
        text = text_string(&scratch->repaired);
        length = scratch->repaired.length;
    }
    return (!add_special || add_all(ids, &tokenizer->before, error)) &&
           encode_between(ids, tokenizer, scratch, text, length, true, false, encode_section, error) &&
           (!add_special || add_all(ids, &tokenizer->after, error));
}

static bool gather_tokens(struct pieces *pieces, const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                          bool special, struct error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        size_t length;
        const char *token = tokenizer_token(&length, tokenizer, ids[i]);
        if (token == NULL)
            return error_set(error, ERROR_INPUT, "the id %d has no token; the vocabulary ends at %lld", ids[i],
                             (long long)tokenizer_vocabulary(tokenizer) - 1);
        if (special || !tokenizer_is_special(tokenizer, ids[i]))
            ok = pieces_add(pieces, token, length, error);
    }
    return ok;
}

bool tokenizer_decode(struct text *out, const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                      bool special, struct error *error) {
    struct pieces pieces = {0}, other = {0};
    struct pattern_scratch scratch = {0};
    bool ok = pattern_scratch_create(&scratch, error) &&
              gather_tokens(&pieces, tokenizer, ids, count, special, error) &&
              token_decoder_apply(&pieces, &other, &tokenizer->decoder, &scratch, error);
    if (ok) {
        text_add_bytes(out, text_string(&pieces.text), pieces.text.length);
        ok = !out->failed || error_set(error, ERROR_MEMORY, "out of memory for a text");
    }
    pieces_free(&pieces);
    pieces_free(&other);
    pattern_scratch_free(&scratch);
    return ok;
}

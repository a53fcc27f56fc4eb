#include "model/source.h"

#include "base/memory.h"
#include "base/parallel.h"
#include <ctype.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static bool add_document(struct source *source, const char *text, size_t length, char *owned, struct error *error) {
    if (!memory_grow(&source->documents, &source->capacity, source->count, sizeof *source->documents, error)) {
        memory_free(owned);
        return false;
    }
    source->documents[source->count++] = (struct source_document){text, length, owned};
    return true;
}

/* UTF-16 and binary files would be tokenized into nonsense: both hold NULs or the mark U+FEFF in another form. */
static bool check_characters(const struct file_map *map, struct error *error) {
    static const char advice[] = "secateur reads UTF-8; convert it, for example with iconv";
    if (map->size >= 2 && (memcmp(map->data, "\xff\xfe", 2) == 0 || memcmp(map->data, "\xfe\xff", 2) == 0))
        return error_set(error, ERROR_INPUT, "%s is UTF-16 or UTF-32 text; %s", map->path, advice);
    const uint8_t *zero = map->size > 0 ? memchr(map->data, 0, map->size) : NULL;
    if (zero != NULL)
        return error_set(error, ERROR_INPUT, "%s is not text: it holds a NUL at byte %zu; %s", map->path,
                         (size_t)(zero - map->data), advice);
    return true;
}

static bool is_separator(const char *line, size_t length) {
    if (length > 0 && line[length - 1] == '\r')
        length--;
    return length == sizeof SOURCE_SEPARATOR - 1 && memcmp(line, SOURCE_SEPARATOR, length) == 0;
}

/* A document ends before the line break that stands before a separator. */
static bool add_part(struct source *source, const char *text, size_t length, bool separated, struct error *error) {
    if (separated && length > 0 && text[length - 1] == '\n')
        length--;
    if (separated && length > 0 && text[length - 1] == '\r')
        length--;
    return length == 0 || add_document(source, text, length, NULL, error);
}

static bool add_text(struct source *source, const char *text, size_t length, struct error *error) {
    size_t begin = 0;
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t end = newline != NULL ? (size_t)(newline - text) : length;
        size_t next = newline != NULL ? end + 1 : length;
        if (is_separator(text + at, end - at)) {
            source->separated = true;
            if (!add_part(source, text + begin, at - begin, true, error))
                return false;
            begin = next;
        }
        at = next;
    }
    return add_part(source, text + begin, length - begin, source->separated, error);
}

static bool add_json_line(struct source *source, const char *path, size_t number, const char *line, size_t length,
                          struct error *error) {
    json_error_t problem;
    json_t *json = json_loadb(line, length, JSON_ALLOW_NUL, &problem);
    const json_t *text = json_object_get(json, "text");
    bool ok = json_is_string(text);
    if (!ok)
        (void)error_set(error, ERROR_INPUT, "%s, line %zu: not a JSON object with a text field \"text\"%s%s", path,
                        number, json == NULL ? ": " : "", json == NULL ? problem.text : "");
    else if (json_string_length(text) > 0) {
        char *owned = memory_copy_bytes(json_string_value(text), json_string_length(text), error);
        ok = owned != NULL && add_document(source, owned, json_string_length(text), owned, error);
    }
    json_decref(json);
    return ok;
}

static bool add_json_lines(struct source *source, const struct file_map *map, struct error *error) {
    const char *text = (const char *)map->data;
    size_t number = 1;
    for (size_t at = 0; at < map->size; number++) {
        const char *newline = memchr(text + at, '\n', map->size - at);
        size_t end = newline != NULL ? (size_t)(newline - text) : map->size;
        size_t blank = at;
        while (blank < end && isspace((unsigned char)text[blank]))
            blank++;
        if (blank < end && !add_json_line(source, map->path, number, text + at, end - at, error))
            return false;
        at = end + 1;
    }
    return true;
}

static bool add_file(struct source *source, const char *path, struct error *error) {
    if (!memory_grow(&source->files, &source->file_capacity, source->file_count, sizeof *source->files, error))
        return false;
    struct file_map *map = &source->files[source->file_count];
    if (!file_map_open(map, path, error))
        return false;
    source->file_count++;
    if (!check_characters(map, error))
        return false;
    if (text_ends(path, ".jsonl"))
        return add_json_lines(source, map, error);
    bool marked = map->size >= 3 && memcmp(map->data, "\xef\xbb\xbf", 3) == 0; /* a byte order mark is no text */
    return map->size == 0 ||
           add_text(source, (const char *)map->data + (marked ? 3 : 0), map->size - (marked ? 3 : 0), error);
}

/* The regular files of a folder, in the order of their names; hidden ones and folders in it are not text. */
static bool add_folder(struct source *source, const char *path, struct error *error) {
    char **names;
    size_t count;
    if (!file_list(&names, &count, path, error))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        char *inner = file_join(path, names[i], error);
        ok = inner != NULL && (names[i][0] == '.' || !file_is_regular(inner) || add_file(source, inner, error));
        memory_free(inner);
    }
    file_list_free(names, count);
    return ok;
}

bool source_open(struct source *source, const char *path, struct error *error) {
    memset(source, 0, sizeof *source);
    source->name = memory_copy_string(path, error);
    bool ok = source->name != NULL &&
              (file_is_folder(path) ? add_folder(source, path, error) : add_file(source, path, error));
    if (ok && source->count == 0)
        ok = error_set(error, ERROR_INPUT, "%s holds no text", path);
    if (!ok)
        source_close(source);
    return ok;
}

void source_close(struct source *source) {
    for (size_t i = 0; i < source->count; i++)
        memory_free(source->documents[i].owned);
    for (size_t i = 0; i < source->file_count; i++)
        file_map_close(&source->files[i]);
    memory_free(source->documents);
    memory_free(source->files);
    memory_free(source->name);
    memset(source, 0, sizeof *source);
}

/* The documents are shared out over the threads; each result has a place of its own, so their order stays. */
struct encoding {
    const struct source *source;
    const struct tokenizer *tokenizer;
    struct tokenizer_scratch **scratches; /* one per thread */
    struct token_ids *results;            /* one per document */
    int32_t bos;
    atomic_flag failed;
    atomic_bool stop;
    struct error *error;
};

static void encode_documents(void *context, size_t begin, size_t end, int thread) {
    struct encoding *encoding = context;
    for (size_t i = begin; i < end && !atomic_load(&encoding->stop); i++) {
        const struct source_document *document = &encoding->source->documents[i];
        struct token_ids *ids = &encoding->results[i];
        struct error error = {0};
        if ((encoding->bos < 0 || token_ids_add(ids, encoding->bos, &error)) &&
            tokenizer_encode(ids, encoding->tokenizer, encoding->scratches[thread], document->text, document->length,
                             false, &error))
            continue;
        if (!atomic_flag_test_and_set(&encoding->failed) && encoding->error != NULL)
            *encoding->error = error;
        atomic_store(&encoding->stop, true);
    }
}

static bool gather(struct source_tokens *tokens, const struct token_ids *results, size_t count, struct error *error) {
    size_t total = 0;
    tokens->ends = memory_alloc(count, sizeof *tokens->ends, error);
    if (tokens->ends == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        tokens->ends[i] = total += results[i].count;
    tokens->documents = count;
    tokens->ids.data = memory_alloc(total, sizeof *tokens->ids.data, error);
    if (tokens->ids.data == NULL)
        return false;
    tokens->ids.count = tokens->ids.capacity = total;
    for (size_t i = 0; i < count; i++)
        if (results[i].count > 0)
            memcpy(tokens->ids.data + tokens->ends[i] - results[i].count, results[i].data,
                   results[i].count * sizeof *results[i].data);
    return true;
}

static bool create_scratches(struct encoding *encoding, size_t threads, struct error *error) {
    for (size_t i = 0; i < threads; i++) {
        encoding->scratches[i] = tokenizer_scratch_create(encoding->tokenizer, error);
        if (encoding->scratches[i] == NULL)
            return false;
    }
    return true;
}

static void add_counts(struct source_tokens *tokens, const struct encoding *encoding, size_t threads) {
    for (size_t i = 0; i < threads; i++) {
        struct tokenizer_counts counts = tokenizer_counts(encoding->scratches[i]);
        tokens->counts.replaced += counts.replaced;
        tokens->counts.unknown += counts.unknown;
    }
}

bool source_encode(struct source_tokens *tokens, const struct source *source, const struct tokenizer *tokenizer,
                   int32_t bos, struct error *error) {
    size_t threads = (size_t)parallel_threads();
    struct encoding encoding = {
        .source = source, .tokenizer = tokenizer, .bos = bos, .failed = ATOMIC_FLAG_INIT, .error = error};
    encoding.scratches = memory_alloc(threads, sizeof *encoding.scratches, error);
    encoding.results = memory_alloc(source->count, sizeof *encoding.results, error);
    bool ok = encoding.scratches != NULL && encoding.results != NULL && create_scratches(&encoding, threads, error);
    if (ok) {
        parallel_for(source->count, 4, encode_documents, &encoding);
        ok = !atomic_load(&encoding.stop);
        add_counts(tokens, &encoding, threads);
    }
    ok = ok && gather(tokens, encoding.results, source->count, error);
    for (size_t i = 0; encoding.scratches != NULL && i < threads; i++)
        tokenizer_scratch_free(encoding.scratches[i]);
    for (size_t i = 0; encoding.results != NULL && i < source->count; i++)
        token_ids_free(&encoding.results[i]);
    memory_free(encoding.scratches);
    memory_free(encoding.results);
    return ok;
}

static bool read_document_ids(struct token_ids *ids, const char *name, const char *text, size_t length,
                              struct error *error) {
    for (size_t at = 0; at < length;) {
        if (isspace((unsigned char)text[at])) {
            at++;
            continue;
        }
        int64_t id = 0;
        size_t begin = at;
        while (at < length && isdigit((unsigned char)text[at]) && id <= INT32_MAX)
            id = id * 10 + (text[at++] - '0');
        if (at == begin || id > INT32_MAX || (at < length && !isspace((unsigned char)text[at])))
            return error_set(error, ERROR_INPUT,
                             "the model has no tokenizer, and %s does not hold token ids: \"%.*s\" at byte %zu", name,
                             (int)(length - begin < 20 ? length - begin : 20), text + begin, begin);
        if (!token_ids_add(ids, (int32_t)id, error))
            return false;
    }
    return true;
}

bool source_read_ids(struct source_tokens *tokens, const struct source *source, struct error *error) {
    tokens->ends = memory_alloc(source->count, sizeof *tokens->ends, error);
    if (tokens->ends == NULL)
        return false;
    for (size_t i = 0; i < source->count; i++) {
        const struct source_document *document = &source->documents[i];
        if (!read_document_ids(&tokens->ids, source->name, document->text, document->length, error))
            return false;
        tokens->ends[i] = tokens->ids.count;
        tokens->documents = i + 1;
    }
    return true;
}

void source_tokens_free(struct source_tokens *tokens) {
    token_ids_free(&tokens->ids);
    memory_free(tokens->ends);
    memset(tokens, 0, sizeof *tokens);
}

#include "model/corpus.h"

#include "base/memory.h"
#include "base/npy.h"
#include "model/source.h"
#include <string.h>
#include <xxhash.h>

const char *corpus_bos_name(enum corpus_bos bos) {
    static const char *const names[] = {"auto", "none", "per document", "per window"};
    return names[bos];
}

uint64_t corpus_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Rejects the numbers of the last, incomplete stretch of `bound`, so that none is likelier. */
uint64_t corpus_random_below(uint64_t *state, uint64_t bound) {
    uint64_t least = -bound % bound; /* 2^64 mod bound */
    uint64_t number;
    do
        number = corpus_random(state);
    while (number < least);
    return number % bound;
}

static bool check_length(struct corpus *corpus, const struct corpus_options *options, struct error *error) {
    int64_t limit = options->position_limit;
    int64_t fallback = limit > 0 && limit < CORPUS_DEFAULT_LENGTH ? limit : CORPUS_DEFAULT_LENGTH;
    int64_t length = options->length != 0 ? options->length : fallback;
    if (options->windows < 0 || length < 2)
        return error_set(error, ERROR_USAGE, "windows of %lld tokens cannot be cut; a window has at least 2",
                         (long long)length);
    if (limit > 0 && length > limit)
        return error_set(error, ERROR_USAGE,
                         "a window of %lld tokens is longer than the model's position limit of %lld", (long long)length,
                         (long long)limit);
    corpus->length = (size_t)length;
    return true;
}

static bool check_ids(const struct corpus *corpus, const struct corpus_options *options, struct error *error) {
    for (size_t i = 0; i < corpus->windows * corpus->length; i++)
        if (corpus->ids[i] < 0 || (options->vocabulary > 0 && corpus->ids[i] >= options->vocabulary))
            return error_set(error, ERROR_INPUT,
                             "%s: token id %d in window %zu is outside the model's vocabulary of %lld", corpus->name,
                             corpus->ids[i], i / corpus->length, (long long)options->vocabulary);
    return true;
}

static bool allocate_windows(struct corpus *corpus, size_t windows, struct error *error) {
    size_t count;
    if (!memory_multiply(&count, windows, corpus->length))
        return error_set(error, ERROR_USAGE, "%zu windows of %zu tokens are too many", windows, corpus->length);
    corpus->windows = windows;
    corpus->ids = memory_alloc(count, sizeof *corpus->ids, error);
    return corpus->ids != NULL;
}

/* A .npy already is windows; a smaller number of them is the first ones. */
static bool load_npy(struct corpus *corpus, const struct npy *npy, const struct corpus_options *options,
                     struct error *error) {
    if (npy->rank != 2 || npy->kind == 'f' || npy->count == 0)
        return error_set(error, ERROR_INPUT, "%s must hold whole numbers shaped [windows, length], at least one",
                         corpus->name);
    if (options->length != 0 && (size_t)options->length != npy->shape[1])
        return error_set(error, ERROR_USAGE, "%s holds windows of %zu tokens, not of %lld", corpus->name, npy->shape[1],
                         (long long)options->length);
    struct corpus_options with_length = *options;
    with_length.length = npy->shape[1] < INT64_MAX ? (int64_t)npy->shape[1] : INT64_MAX;
    if (!check_length(corpus, &with_length, error))
        return false;
    size_t windows = options->windows > 0 ? (size_t)options->windows : npy->shape[0];
    if (windows > npy->shape[0])
        return error_set(error, ERROR_INPUT, "%s holds %zu windows, %zu were asked for", corpus->name, npy->shape[0],
                         windows);
    if (!allocate_windows(corpus, windows, error))
        return false;
    corpus->tokens = npy->count;
    for (size_t i = 0; i < windows * corpus->length; i++) {
        int64_t id;
        if (!npy_copy_integers(&id, npy, i, 1, error))
            return false;
        corpus->ids[i] = id >= 0 && id <= INT32_MAX ? (int32_t)id : -1; /* check_ids names it */
    }
    return true;
}

static bool open_npy(struct corpus *corpus, const struct corpus_options *options, struct error *error) {
    struct npy npy;
    if (!npy_open(&npy, corpus->name, error))
        return false;
    corpus->bos = CORPUS_BOS_NONE;
    bool ok = load_npy(corpus, &npy, options, error);
    npy_close(&npy);
    return ok;
}

/* Where BOS stands in the ids, once the documents are known. */
static bool choose_bos(struct corpus *corpus, const struct source *source, const struct tokenizer *tokenizer,
                       enum corpus_bos asked, struct error *error) {
    int64_t bos = tokenizer != NULL ? tokenizer_bos(tokenizer) : -1;
    bool automatic =
        bos >= 0 && (tokenizer_adds_bos(tokenizer) ||
                     (source->separated && strcmp(tokenizer_token(NULL, tokenizer, bos), SOURCE_SEPARATOR) == 0));
    corpus->bos = asked != CORPUS_BOS_AUTO ? asked : automatic ? CORPUS_BOS_DOCUMENT : CORPUS_BOS_NONE;
    return bos >= 0 || corpus->bos == CORPUS_BOS_NONE ||
           error_set(error, ERROR_USAGE, "the tokenizer names no beginning-of-sequence token to put in front");
}

/* How many ids of text a window takes. */
static size_t text_length(const struct corpus *corpus) {
    return corpus->length - (corpus->bos == CORPUS_BOS_WINDOW);
}

static void put_window(struct corpus *corpus, size_t window, const int32_t *ids, int32_t bos) {
    int32_t *out = corpus->ids + window * corpus->length;
    if (corpus->bos == CORPUS_BOS_WINDOW)
        *out++ = bos;
    memcpy(out, ids, text_length(corpus) * sizeof *ids);
}

static bool cut_sequential(struct corpus *corpus, const struct source_tokens *tokens, int32_t bos,
                           const struct corpus_options *options, struct error *error) {
    size_t step = text_length(corpus);
    size_t present = tokens->ids.count / step;
    size_t windows = options->windows > 0 ? (size_t)options->windows : present;
    if (present == 0 || windows > present)
        return error_set(error, ERROR_INPUT, "too little text: %s has %zu tokens, %zu windows of %zu need %zu",
                         corpus->name, tokens->ids.count, windows > 0 ? windows : 1, corpus->length,
                         (windows > 0 ? windows : 1) * step);
    if (!allocate_windows(corpus, windows, error))
        return false;
    for (size_t i = 0; i < windows; i++)
        put_window(corpus, i, tokens->ids.data + i * step, bos);
    return true;
}

/* Documents of more ids than a window takes: their numbers in `long_ones`; returns how many. */
static size_t find_long(size_t *long_ones, const struct source_tokens *tokens, size_t step) {
    size_t count = 0;
    for (size_t i = 0; i < tokens->documents; i++)
        if (tokens->ends[i] - (i > 0 ? tokens->ends[i - 1] : 0) > step)
            long_ones[count++] = i;
    return count;
}

static bool cut_random(struct corpus *corpus, const struct source_tokens *tokens, int32_t bos,
                       const struct corpus_options *options, struct error *error) {
    size_t step = text_length(corpus);
    if (tokens->ids.count <= step)
        return error_set(error, ERROR_INPUT, "too little text: %s has %zu tokens, a window of %zu needs more",
                         corpus->name, tokens->ids.count, corpus->length);
    size_t windows = options->windows > 0 ? (size_t)options->windows : CORPUS_DEFAULT_WINDOWS;
    size_t *long_ones = memory_alloc(tokens->documents, sizeof *long_ones, error);
    bool ok = long_ones != NULL && allocate_windows(corpus, windows, error);
    size_t choices = ok ? find_long(long_ones, tokens, step) : 0;
    uint64_t state = options->seed;
    corpus->joined = choices == 0;
    for (size_t i = 0; ok && i < windows; i++) {
        size_t begin = 0, end = tokens->ids.count;
        if (choices > 0) {
            size_t document = long_ones[corpus_random_below(&state, choices)];
            begin = document > 0 ? tokens->ends[document - 1] : 0;
            end = tokens->ends[document];
        }
        size_t start = begin + (size_t)corpus_random_below(&state, end - begin - step + 1);
        put_window(corpus, i, tokens->ids.data + start, bos);
    }
    memory_free(long_ones);
    return ok;
}

static bool cut_windows(struct corpus *corpus, const struct source_tokens *tokens, int32_t bos,
                        const struct corpus_options *options, struct error *error) {
    corpus->documents = tokens->documents;
    corpus->tokens = tokens->ids.count;
    corpus->replaced = tokens->counts.replaced;
    corpus->unknown = tokens->counts.unknown;
    return options->cut == CORPUS_RANDOM ? cut_random(corpus, tokens, bos, options, error)
                                         : cut_sequential(corpus, tokens, bos, options, error);
}

static bool open_text(struct corpus *corpus, const struct tokenizer *tokenizer, const struct corpus_options *options,
                      struct error *error) {
    struct source source;
    struct source_tokens tokens = {0};
    if (!check_length(corpus, options, error) || !source_open(&source, corpus->name, error))
        return false;
    bool ok = choose_bos(corpus, &source, tokenizer, options->bos, error);
    int32_t bos = tokenizer != NULL ? (int32_t)tokenizer_bos(tokenizer) : -1;
    int32_t each = corpus->bos == CORPUS_BOS_DOCUMENT ? bos : -1;
    ok = ok &&
         (tokenizer != NULL ? source_encode(&tokens, &source, tokenizer, each, error)
                            : source_read_ids(&tokens, &source, error)) &&
         cut_windows(corpus, &tokens, bos, options, error);
    source_tokens_free(&tokens);
    source_close(&source);
    return ok;
}

bool corpus_open(struct corpus *corpus, const char *source, const struct tokenizer *tokenizer,
                 const struct corpus_options *options, struct error *error) {
    memset(corpus, 0, sizeof *corpus);
    corpus->cut = options->cut;
    corpus->seed = options->seed;
    corpus->name = memory_copy_string(source, error);
    bool ok =
        corpus->name != NULL &&
        (text_ends(source, ".npy") ? open_npy(corpus, options, error) : open_text(corpus, tokenizer, options, error)) &&
        check_ids(corpus, options, error);
    if (ok)
        corpus->hash = XXH3_64bits(corpus->ids, corpus->windows * corpus->length * sizeof *corpus->ids);
    else
        corpus_close(corpus);
    return ok;
}

void corpus_close(struct corpus *corpus) {
    memory_free(corpus->ids);
    memory_free(corpus->mask);
    memory_free(corpus->name);
    memset(corpus, 0, sizeof *corpus);
}

static bool copy_mask(struct corpus *corpus, const struct npy *npy, const char *path, struct error *error) {
    if (npy->rank != 2 || npy->shape[0] < corpus->windows || npy->shape[1] != corpus->length)
        return error_set(error, ERROR_INPUT, "the mask %s is not shaped [%zu, %zu] as the tokens are", path,
                         corpus->windows, corpus->length);
    size_t count = corpus->windows * corpus->length;
    uint8_t *mask = memory_alloc(count, 1, error);
    if (mask == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        float value;
        npy_copy_floats(&value, npy, i, 1);
        mask[i] = value > 0;
    }
    memory_free(corpus->mask);
    corpus->mask = mask;
    return true;
}

bool corpus_read_mask(struct corpus *corpus, const char *path, struct error *error) {
    struct npy npy;
    if (!npy_open(&npy, path, error))
        return false;
    bool ok = copy_mask(corpus, &npy, path, error);
    npy_close(&npy);
    return ok;
}

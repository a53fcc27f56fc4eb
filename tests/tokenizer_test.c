/* The tokenizer: real ones against the ids of the reference library (where ../shared is), small ones made here against
 * results worked out by hand, and damaged files, which must be errors. */
#include "base/file.h"
#include "base/memory.h"
#include "model/tokenizer.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef SHARED_FOLDER
#define SHARED_FOLDER "../shared"
#endif

static const char *shared_folder(void) {
    const char *named = getenv("SECATEUR_SHARED");
    return named != NULL ? named : SHARED_FOLDER;
}

/* Opens `name` below the shared folder; skips the test where there is none. */
static struct tokenizer *open_shared(const char *name) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", shared_folder(), name);
    if (!file_exists(path))
        skip();
    struct error error = {0};
    struct tokenizer *tokenizer = tokenizer_open(path, &error);
    if (tokenizer == NULL)
        fail_msg("%s", error.text);
    return tokenizer;
}

static void encode(struct token_ids *ids, const struct tokenizer *tokenizer, const char *text, size_t length,
                   bool special) {
    struct error error = {0};
    struct tokenizer_scratch *scratch = tokenizer_scratch_create(tokenizer, &error);
    assert_non_null(scratch);
    ids->count = 0;
    if (!tokenizer_encode(ids, tokenizer, scratch, text, length, special, &error))
        fail_msg("%s", error.text);
    tokenizer_scratch_free(scratch);
}

static bool ids_equal(const struct token_ids *ids, const json_t *expected) {
    if (ids->count != json_array_size(expected))
        return false;
    for (size_t i = 0; i < ids->count; i++)
        if (ids->data[i] != json_integer_value(json_array_get(expected, i)))
            return false;
    return true;
}

static int check_case(const struct tokenizer *tokenizer, const json_t *one) {
    static const char *const keys[] = {"ids_without_special", "ids"};
    const json_t *text = json_object_get(one, "text");
    struct token_ids ids = {0};
    struct text decoded = {0};
    struct error error = {0};
    int wrong = 0;
    for (int special = 1; special >= 0; special--) {
        encode(&ids, tokenizer, json_string_value(text), json_string_length(text), special);
        if (!ids_equal(&ids, json_object_get(one, keys[special]))) {
            print_error("%s of \"%s\" differ\n", keys[special], json_string_value(text));
            wrong++;
        }
    }
    assert_true(tokenizer_decode(&decoded, tokenizer, ids.data, ids.count, true, &error));
    if (strcmp(text_string(&decoded), json_string_value(json_object_get(one, "decoded"))) != 0) {
        print_error("\"%s\" is decoded as \"%s\"\n", json_string_value(text), text_string(&decoded));
        wrong++;
    }
    text_free(&decoded);
    token_ids_free(&ids);
    return wrong;
}

static void check_cases(const char *name, const char *cases) {
    struct tokenizer *tokenizer = open_shared(name);
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", shared_folder(), cases);
    json_t *list = json_load_file(path, JSON_ALLOW_NUL, NULL);
    assert_true(json_array_size(list) >= 50);
    int wrong = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        wrong += check_case(tokenizer, json_array_get(list, i));
    assert_int_equal(wrong, 0);
    json_decref(list);
    tokenizer_close(tokenizer);
}

static void gpt2(void **state) {
    (void)state;
    check_cases("tokenizers/gpt2", "tokenizers/gpt2/cases.json");
}
static void llama2(void **state) {
    (void)state;
    check_cases("tokenizers/llama2", "tokenizers/llama2/cases.json");
}
static void llama2_sentencepiece(void **state) {
    (void)state;
    check_cases("tokenizers/llama2/tokenizer.model", "tokenizers/llama2/cases.json");
}
static void llama3(void **state) {
    (void)state;
    check_cases("tokenizers/llama3", "tokenizers/llama3/cases.json");
}
static void mistral(void **state) {
    (void)state;
    check_cases("tokenizers/mistral-7b-v0.3", "tokenizers/mistral-7b-v0.3/cases.json");
}
static void qwen3(void **state) {
    (void)state;
    check_cases("tokenizers/qwen3", "tokenizers/qwen3/cases.json");
}

static void round_trip(const char *name) {
    static const char text[] = "Once upon a time, there was a \"little\" cat.\n\nShe said: it's 12:30!  na\xc3\xafve";
    struct tokenizer *tokenizer = open_shared(name);
    struct token_ids ids = {0};
    struct text decoded = {0};
    struct error error = {0};
    encode(&ids, tokenizer, text, strlen(text), false);
    assert_true(ids.count > 10 && ids.count < strlen(text));
    assert_true(tokenizer_decode(&decoded, tokenizer, ids.data, ids.count, true, &error));
    assert_string_equal(text_string(&decoded), text);
    assert_true(tokenizer_bos(tokenizer) >= 0);
    text_free(&decoded);
    token_ids_free(&ids);
    tokenizer_close(tokenizer);
}

static void trained_models_round_trip(void **state) {
    (void)state;
    round_trip("models/sample");
    round_trip("models/stories260k");
    round_trip("models/llama-11m");
}

/* A folder of its own for files that a test makes. */
static char folder[64];

static int make_folder(void **state) {
    (void)state;
    (void)strcpy(folder, "/tmp/secateur-tokenizer-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return file_remove_tree(folder, NULL) ? 0 : -1;
}

static void write_file(const char *name, const void *data, size_t size) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

static struct tokenizer *open_text(const char *json) {
    struct error error = {0};
    write_file("tokenizer.json", json, strlen(json));
    struct tokenizer *tokenizer = tokenizer_open(folder, &error);
    if (tokenizer == NULL)
        fail_msg("%s", error.text);
    return tokenizer;
}

static void assert_ids(const struct tokenizer *tokenizer, const char *text, bool special, const char *expected) {
    struct token_ids ids = {0};
    struct text shown = {0};
    encode(&ids, tokenizer, text, strlen(text), special);
    for (size_t i = 0; i < ids.count; i++)
        text_add(&shown, i > 0 ? " %d" : "%d", ids.data[i]);
    assert_string_equal(text_string(&shown), expected);
    text_free(&shown);
    token_ids_free(&ids);
}

static void assert_decoded(const struct tokenizer *tokenizer, const int32_t *ids, size_t count, const char *expected) {
    struct text text = {0};
    struct error error = {0};
    assert_true(tokenizer_decode(&text, tokenizer, ids, count, false, &error));
    assert_string_equal(text_string(&text), expected);
    text_free(&text);
}

/* Best path by hand: "ab" (-1) + "c" (-2) = -3 beats "a" (-2) + "bc" (-1.5) = -3.5; unknown characters in a row are
 * one unknown token. */
static void unigram(void **state) {
    (void)state;
    struct tokenizer *tokenizer =
        open_text("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-2],[\"b\",-2],"
                  "[\"c\",-2],[\"ab\",-1],[\"bc\",-1.5],[\"\xe2\x96\x81\",-3]]},\"pre_tokenizer\":{\"type\":"
                  "\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"always\"},\"decoder\":{\"type\":"
                  "\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"always\"}}");
    assert_ids(tokenizer, "abc", false, "6 4 3");
    assert_ids(tokenizer, "bc zzz", false, "6 5 6 0");
    static const int32_t ids[] = {6, 4, 3, 6, 5};
    assert_decoded(tokenizer, ids, 5, "abc bc");
    assert_string_equal(tokenizer_kind(tokenizer), "Unigram");
    tokenizer_close(tokenizer);
}

/* Merges by rank: in "abab" rank 0 is "b a", so a, ba, b; then "a ba" gives aba. " ba" is blank, ba: "blank b" comes
 * too late. */
static void vocabulary_and_merges(void **state) {
    (void)state;
    static const char vocabulary[] = "{\"a\":0,\"b\":1,\"ba\":2,\"aba\":3,\"\xc4\xa0\":4,\"\xc4\xa0\x62\":5,\"<s>\":6}";
    static const char merges[] = "#version: 0.2\nb a\na ba\n\xc4\xa0 b\n";
    static const char config[] = "{\"bos_token\":\"<s>\",\"add_bos_token\":true,\"tokenizer_class\":\"GPT2Tokenizer\"}";
    (void)file_remove_tree(folder, NULL);
    assert_true(file_make_folder(folder, NULL));
    write_file("vocab.json", vocabulary, strlen(vocabulary));
    write_file("merges.txt", merges, strlen(merges));
    write_file("tokenizer_config.json", config, strlen(config));
    struct error error = {0};
    struct tokenizer *tokenizer = tokenizer_open(folder, &error);
    if (tokenizer == NULL)
        fail_msg("%s", error.text);
    assert_ids(tokenizer, "abab ba", true, "6 3 1 4 2");
    assert_ids(tokenizer, "<s>b", false, "6 1");
    assert_int_equal(tokenizer_bos(tokenizer), 6);
    assert_true(tokenizer_adds_bos(tokenizer));
    static const int32_t ids[] = {6, 3, 5};
    assert_decoded(tokenizer, ids, 3, "aba b");
    tokenizer_close(tokenizer);
    (void)file_remove_tree(folder, NULL);
    assert_true(file_make_folder(folder, NULL));
}

#define LETTERS "{\"a\":0,\"b\":1,\"c\":2,\" \":3,\"1\":4,\"2\":5,\".\":6,\"<x>\":7,\"ab\":8,\"_\":9}"
#define WITH(parts) "{\"model\":{\"type\":\"BPE\",\"vocab\":" LETTERS ",\"merges\":[\"a b\"]}," parts "}"

static void behaviors_and_added_tokens(void **state) {
    (void)state;
    static const struct {
        const char *json, *text, *ids;
    } cases[] = {
        {WITH("\"pre_tokenizer\":null"), "cab ab", "2 8 3 8"},
        {WITH("\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}"), "cab ab", "2 8 8"},
        {WITH("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Isolated\"}"), "ab",
         "0 1"},
        {WITH("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"MergedWithNext\"}"),
         "cab", "2 8"},
        {WITH("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":"
              "\"MergedWithPrevious\"}"),
         "cab", "2 0 1"},
        {WITH("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[ab]\"},\"behavior\":\"Contiguous\"}"),
         "cab", "2 8"},
        {WITH("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[ab]+\"},\"behavior\":\"Removed\","
              "\"invert\":true}"),
         "cab2a", "8 0"},
        {WITH("\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":"
              "true},{\"type\":\"Punctuation\"},{\"type\":\"Whitespace\"}]}"),
         "ab12. a", "8 4 5 6 0"},
        {WITH("\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"},{\"type\":\"StripAccents\"},{"
              "\"type\":\"Lowercase\"},{\"type\":\"Strip\"},{\"type\":\"Prepend\",\"prepend\":\"c\"}]}"),
         " \xc3\x81\x42 ", "2 8"},
        {WITH("\"added_tokens\":[{\"id\":7,\"content\":\"<x>\",\"special\":true,\"lstrip\":true,\"rstrip\":true}]"),
         "a <x> b", "0 7 1"},
        {WITH("\"added_tokens\":[{\"id\":9,\"content\":\"_\",\"single_word\":true,\"special\":true}]"), "_ a", "9 3 0"},
        {WITH("\"added_tokens\":[{\"id\":10,\"content\":\"ba\",\"single_word\":true,\"normalized\":false}]"), "aba ba",
         "8 0 3 10"},
        {WITH("\"added_tokens\":[{\"id\":7,\"content\":\"<x>\",\"special\":true}],\"post_processor\":{\"type\":"
              "\"RobertaProcessing\",\"cls\":[\"<x>\",7],\"sep\":[\"<x>\",7]}"),
         "ab", "7 8 7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer *tokenizer = open_text(cases[i].json);
        assert_ids(tokenizer, cases[i].text, true, cases[i].ids);
        tokenizer_close(tokenizer);
    }
}

static void bad_bytes_are_replaced_and_counted(void **state) {
    (void)state;
    struct tokenizer *tokenizer =
        open_text("{\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"fuse_unk\":true,\"vocab\":{\"?\":0,\"a\":1,"
                  "\"\xef\xbf\xbd\":2},\"merges\":[]}}");
    struct error error = {0};
    struct token_ids ids = {0};
    struct tokenizer_scratch *scratch = tokenizer_scratch_create(tokenizer, &error);
    static const char text[] = "a\xff\xe2\x96"
                               "a\xc3\xa9\xc3\xa9\0a";
    assert_true(tokenizer_encode(&ids, tokenizer, scratch, text, sizeof text - 1, false, &error));
    static const int32_t expected[] = {1, 2, 2, 1, 0, 1};
    assert_int_equal(ids.count, 6);
    assert_memory_equal(ids.data, expected, sizeof expected);
    assert_int_equal(tokenizer_counts(scratch).replaced, 3);
    assert_int_equal(tokenizer_counts(scratch).unknown, 3);
    token_ids_free(&ids);
    tokenizer_scratch_free(scratch);
    tokenizer_close(tokenizer);
}

/* Long words go through the heap, short ones through the cache; cutting a text must not change its ids. */
static void long_words(void **state) {
    (void)state;
    struct tokenizer *tokenizer = open_text(
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"aa\":2,\"aaaa\":3,\"ab\":4},\"merges\":[\"a a\","
        "\"aa aa\",\"a b\"]}}");
    enum { LENGTH = 100003 };
    char *text = memory_alloc(LENGTH, 1, NULL);
    memset(text, 'a', LENGTH);
    text[LENGTH - 1] = 'b';
    struct token_ids ids = {0};
    encode(&ids, tokenizer, text, LENGTH, false); /* 100002 a's: 25000 fours, one pair, b */
    assert_int_equal(ids.count, 25002);
    assert_int_equal(ids.data[0], 3);
    assert_int_equal(ids.data[24999], 3);
    assert_int_equal(ids.data[25000], 2);
    assert_int_equal(ids.data[25001], 1);
    token_ids_free(&ids);
    memory_free(text);
    tokenizer_close(tokenizer);
}

#define BPE(rest) "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2}," rest "}"
#define GOOD "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"

static void damaged_files_are_errors(void **state) {
    (void)state;
    static const struct {
        const char *json, *says;
    } cases[] = {
        {"", "JSON"},
        {"[]", "object"},
        {"{}", "model"},
        {"{\"model\":7}", "model"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}", "WordPiece"},
        {"{\"model\":{\"type\":\"BPE\"}}", "vocab"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}", "vocab"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":[\"a\"],\"merges\":[]}}", "vocab"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"0\"},\"merges\":[]}}", "whole number"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1.5},\"merges\":[]}}", "whole number"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "-1"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4000000000},\"merges\":[]}}", "4000000000"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "two tokens"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", "JSON"},
        {BPE("\"merges\":7}"), "merges"},
        {BPE("\"merges\":[7]}"), "merge 0"},
        {BPE("\"merges\":[\"ab\"]}"), "merge 0"},
        {BPE("\"merges\":[\"a b c\"]}"), "merge 0"},
        {BPE("\"merges\":[[\"a\"]]}"), "merge 0"},
        {BPE("\"merges\":[\"a z\"]}"), "\"z\""},
        {BPE("\"merges\":[\"b a\"]}"), "\"ba\""},
        {BPE("\"merges\":[],\"unk_token\":\"u\"}"), "unk_token"},
        {BPE("\"merges\":[],\"unk_token\":7}"), "unk_token"},
        {BPE("\"merges\":[],\"dropout\":0.1}"), "dropout"},
        {BPE("\"merges\":[],\"end_of_word_suffix\":\"</w>\"}"), "end_of_word_suffix"},
        {GOOD ",\"normalizer\":{\"type\":\"Bogus\"}}", "Bogus"},
        {GOOD ",\"normalizer\":{\"type\":\"Precompiled\"}}", "Precompiled"},
        {GOOD ",\"normalizer\":{\"type\":\"Replace\",\"content\":\"\"}}", "pattern"},
        {GOOD ",\"normalizer\":{\"type\":\"Sequence\"}}", "normalizers"},
        {GOOD ",\"pre_tokenizer\":{\"type\":\"Bogus\"}}", "Bogus"},
        {GOOD ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}}",
         "compiled"},
        {GOOD ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"\"},\"behavior\":\"Isolated\"}}",
         "empty"},
        {GOOD ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Odd\"}}", "Odd"},
        {GOOD ",\"pre_tokenizer\":{\"type\":\"Metaspace\"}}", "replacement"},
        {GOOD ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"odd\"}}", "odd"},
        {GOOD ",\"decoder\":{\"type\":\"Bogus\"}}", "Bogus"},
        {GOOD ",\"decoder\":{\"type\":\"Strip\",\"content\":\"\",\"start\":1,\"stop\":0}}", "empty"},
        {GOOD ",\"decoder\":{\"type\":\"Strip\",\"content\":\"a\",\"start\":-1,\"stop\":0}}", "negative"},
        {GOOD ",\"post_processor\":{\"type\":\"Bogus\"}}", "Bogus"},
        {GOOD ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[]}}", "template"},
        {GOOD ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"q\"}}]}}",
         "\"q\""},
        {GOOD ",\"post_processor\":{\"type\":\"RobertaProcessing\",\"cls\":[\"a\",99],\"sep\":[\"a\",0]}}", "99"},
        {GOOD ",\"added_tokens\":{}}", "added_tokens"},
        {GOOD ",\"added_tokens\":[{\"id\":0}]}", "content"},
        {GOOD ",\"added_tokens\":[{\"id\":1,\"content\":\"zz\"}]}", "two tokens"},
        {GOOD ",\"added_tokens\":[{\"id\":9,\"content\":\"a\"}]}", "two ids"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":{}}}", "vocab"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", "entry 0"},
        {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":5,\"vocab\":[[\"a\",0]]}}", "unk_id"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        write_file("tokenizer.json", cases[i].json, strlen(cases[i].json));
        struct tokenizer *tokenizer = tokenizer_open(folder, &error);
        if (tokenizer != NULL || strstr(error.text, cases[i].says) == NULL)
            fail_msg("case %zu: %s", i, tokenizer != NULL ? "was opened" : error.text);
        assert_int_equal(error.code, ERROR_INPUT);
    }
}

static void deep_nesting_is_an_error(void **state) {
    (void)state;
    struct text json = {0};
    text_add(&json, GOOD ",\"normalizer\":");
    for (int i = 0; i < 100; i++)
        text_add(&json, "{\"type\":\"Sequence\",\"normalizers\":[");
    for (int i = 0; i < 100; i++)
        text_add(&json, "]}");
    text_add(&json, "}");
    struct error error = {0};
    write_file("tokenizer.json", text_string(&json), json.length);
    assert_null(tokenizer_open(folder, &error));
    assert_non_null(strstr(error.text, "nested"));
    text_free(&json);
}

static void put_varint(struct text *out, uint64_t value) {
    do {
        char byte = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        text_add_bytes(out, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static void put_piece(struct text *out, const char *piece, float score, int type) {
    struct text message = {0};
    put_varint(&message, 1 << 3 | 2);
    put_varint(&message, strlen(piece));
    text_add_bytes(&message, piece, strlen(piece));
    put_varint(&message, 2 << 3 | 5);
    text_add_bytes(&message, &score, sizeof score);
    put_varint(&message, 3 << 3);
    put_varint(&message, (uint64_t)type);
    put_varint(out, 1 << 3 | 2);
    put_varint(out, message.length);
    text_add_bytes(out, message.data, message.length);
    text_free(&message);
}

/* A BPE model: scores decide the order of merges; then every cut of the file must be an error or a tokenizer. */
static void sentencepiece(void **state) {
    (void)state;
    struct text model = {0};
    put_piece(&model, "<unk>", 0, 2);
    put_piece(&model, "<s>", 0, 3);
    put_piece(&model, "\xe2\x96\x81", -10, 1);
    put_piece(&model, "a", -11, 1);
    put_piece(&model, "b", -12, 1);
    put_piece(&model, "ab", -2, 1);
    put_piece(&model, "ba", -1, 1);
    put_piece(&model,
              "\xe2\x96\x81"
              "a",
              -3, 1);
    text_add_bytes(&model, "\x12\x02\x18\x02", 4); /* trainer_spec: BPE */
    (void)file_remove_tree(folder, NULL);
    assert_true(file_make_folder(folder, NULL));
    write_file("tokenizer.model", model.data, model.length);
    struct error error = {0};
    struct tokenizer *tokenizer = tokenizer_open(folder, &error);
    if (tokenizer == NULL)
        fail_msg("%s", error.text);
    assert_ids(tokenizer, "aba", true, "1 7 6");
    static const int32_t ids[] = {1, 7, 6};
    assert_decoded(tokenizer, ids, 3, "aba");
    tokenizer_close(tokenizer);
    for (size_t cut = 0; cut < model.length; cut++) {
        write_file("tokenizer.model", model.data, cut);
        error.text[0] = '\0';
        tokenizer = tokenizer_open(folder, &error);
        assert_true(tokenizer != NULL || error.text[0] != '\0');
        tokenizer_close(tokenizer);
    }
    text_free(&model);
    (void)file_remove_tree(folder, NULL);
    assert_true(file_make_folder(folder, NULL));
}

/* Every allocation that can fail while opening and encoding gives an error, never a crash. */
static void allocation_failures(void **state) {
    (void)state;
    static const char json[] =
        WITH("\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"decoder\":{\"type\":\"ByteLevel\"},\"normalizer\":{\"type\":"
             "\"NFC\"},\"added_tokens\":[{\"id\":7,\"content\":\"<x>\",\"special\":false}]");
    write_file("tokenizer.json", json, strlen(json));
    bool finished = false;
    for (uint64_t n = 1; !finished && n < 1000; n++) {
        struct error error = {0};
        struct token_ids ids = {0};
        (void)memory_fail_at(n);
        struct tokenizer *tokenizer = tokenizer_open(folder, &error);
        struct tokenizer_scratch *scratch = tokenizer != NULL ? tokenizer_scratch_create(tokenizer, &error) : NULL;
        bool ok = scratch != NULL && tokenizer_encode(&ids, tokenizer, scratch, "ab <x>ab", 8, true, &error);
        finished = memory_fail_at(0) < n;
        assert_true(ok || error.text[0] != '\0');
        assert_true(ok || !finished);
        token_ids_free(&ids);
        tokenizer_scratch_free(scratch);
        tokenizer_close(tokenizer);
    }
    assert_true(finished);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unigram),
        cmocka_unit_test(vocabulary_and_merges),
        cmocka_unit_test(behaviors_and_added_tokens),
        cmocka_unit_test(bad_bytes_are_replaced_and_counted),
        cmocka_unit_test(long_words),
        cmocka_unit_test(damaged_files_are_errors),
        cmocka_unit_test(deep_nesting_is_an_error),
        cmocka_unit_test(sentencepiece),
        cmocka_unit_test(allocation_failures),
        cmocka_unit_test(gpt2),
        cmocka_unit_test(llama2),
        cmocka_unit_test(llama2_sentencepiece),
        cmocka_unit_test(llama3),
        cmocka_unit_test(mistral),
        cmocka_unit_test(qwen3),
        cmocka_unit_test(trained_models_round_trip),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* Windows cut from text, JSON lines, folders and arrays of ids, and what is refused; .npy files read and written. */
#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/parallel.h"
#include "model/corpus.h"
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

static char folder[64];
static struct tokenizer *tokenizer; /* one id per character: a..e are 0..4, newline 5, <|endoftext|> 6 = BOS */

static const char *in_folder(const char *name) {
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *write_file(const char *name, const void *data, size_t size) {
    FILE *stream = fopen(in_folder(name), "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
    return in_folder(name);
}

static const char *write_text(const char *name, const char *text) {
    return write_file(name, text, strlen(text));
}

static int setup(void **state) {
    (void)state;
    struct error error = {0};
    (void)strcpy(folder, "/tmp/secateur-corpus-XXXXXX");
    if (mkdtemp(folder) == NULL || !file_make_folder(in_folder("tokenizer"), &error))
        return -1;
    write_text("tokenizer/tokenizer.json",
               "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"d\":3,\"e\":4,\"\\n\":5,"
               "\"<|endoftext|>\":6},\"merges\":[]},\"added_tokens\":[{\"id\":6,\"content\":\"<|endoftext|>\","
               "\"special\":true}]}");
    write_text("tokenizer/tokenizer_config.json", "{\"bos_token\":\"<|endoftext|>\"}");
    tokenizer = tokenizer_open(in_folder("tokenizer"), &error);
    return tokenizer != NULL ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    tokenizer_close(tokenizer);
    return file_remove_tree(folder, NULL) ? 0 : -1;
}

static void open_corpus(struct corpus *corpus, const char *path, const struct corpus_options *options) {
    struct error error = {0};
    if (!corpus_open(corpus, path, tokenizer, options, &error))
        fail_msg("%s", error.text);
}

static void assert_ids(const struct corpus *corpus, const char *expected) {
    struct text shown = {0};
    for (size_t i = 0; i < corpus->windows * corpus->length; i++)
        text_add(&shown, "%s%d", i == 0 ? "" : i % corpus->length == 0 ? " | " : " ", corpus->ids[i]);
    assert_string_equal(text_string(&shown), expected);
    text_free(&shown);
}

static void sequential_windows_and_bos(void **state) {
    (void)state;
    static const struct {
        enum corpus_bos asked, used;
        const char *ids;
    } cases[] = {
        {CORPUS_BOS_AUTO, CORPUS_BOS_DOCUMENT, "6 0 1 | 2 6 3 | 4 6 0"},
        {CORPUS_BOS_NONE, CORPUS_BOS_NONE, "0 1 2 | 3 4 0"},
        {CORPUS_BOS_WINDOW, CORPUS_BOS_WINDOW, "6 0 1 | 6 2 3 | 6 4 0"},
    };
    const char *path = write_text("text.txt", "abc\n<|endoftext|>\nde\n<|endoftext|>\na");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct corpus corpus;
        open_corpus(&corpus, path, &(struct corpus_options){.length = 3, .bos = cases[i].asked});
        assert_ids(&corpus, cases[i].ids);
        assert_int_equal(corpus.bos, cases[i].used);
        assert_int_equal(corpus.documents, 3);
        corpus_close(&corpus);
    }
}

static void random_windows(void **state) {
    (void)state;
    struct corpus first, again, other;
    const char *path = write_text("text.txt", "abcdeabcdeabcde\n<|endoftext|>\nab\n<|endoftext|>\nedcbaedcba");
    struct corpus_options options = {.cut = CORPUS_RANDOM, .windows = 50, .length = 4, .bos = CORPUS_BOS_NONE};
    open_corpus(&first, path, &options);
    parallel_set_threads(3);
    open_corpus(&again, path, &options);
    parallel_set_threads(0);
    options.seed = 1;
    open_corpus(&other, path, &options);
    assert_true(first.hash == again.hash && first.hash != other.hash);
    assert_false(first.joined);
    assert_int_equal(first.tokens, 27);
    for (size_t i = 0; i < 200; i += 4) /* inside a document, ids go up or down by one throughout */
        for (size_t k = 1; k < 4; k++) {
            int step = (first.ids[i + k] - first.ids[i + k - 1] + 5) % 5;
            assert_true(step == 1 || step == 4);
        }
    corpus_close(&first);
    corpus_close(&again);
    corpus_close(&other);
    options.length = 20;
    open_corpus(&first, path, &options);
    assert_true(first.joined);
    corpus_close(&first);
}

/* SplitMix64 from 0 begins with the number its authors publish. */
static void random_numbers_are_the_published_ones(void **state) {
    (void)state;
    uint64_t random = 0;
    assert_true(corpus_random(&random) == UINT64_C(0xe220a8397b1dcdaf));
    for (int i = 0; i < 1000; i++)
        assert_true(corpus_random_below(&random, 7) < 7);
}

static void json_lines_and_folders(void **state) {
    (void)state;
    struct corpus corpus;
    struct error error = {0};
    open_corpus(&corpus, write_text("t.jsonl", "{\"text\":\"ab\"}\n\n{\"text\":\"c\\nd\",\"id\":1}\n"),
                &(struct corpus_options){.length = 5});
    assert_ids(&corpus, "0 1 2 5 3");
    assert_int_equal(corpus.documents, 2);
    corpus_close(&corpus);
    assert_true(file_make_folder(in_folder("many"), &error));
    write_text("many/2.txt", "cd");
    write_text("many/1.txt", "ab");
    write_text("many/.hidden", "ee");
    open_corpus(&corpus, in_folder("many"), &(struct corpus_options){.length = 4});
    assert_ids(&corpus, "0 1 2 3");
    corpus_close(&corpus);
}

static void ids_without_a_tokenizer(void **state) {
    (void)state;
    struct corpus corpus;
    struct error error = {0};
    struct corpus_options options = {.length = 2, .vocabulary = 100};
    assert_true(corpus_open(&corpus, write_text("ids.txt", "7\n8\n99\n1\n"), NULL, &options, &error));
    assert_ids(&corpus, "7 8 | 99 1");
    corpus_close(&corpus);
    static const int32_t ids[] = {1, 2, 3, 4, 5, 6};
    assert_true(npy_write_integers(in_folder("ids.npy"), ids, (const size_t[]){2, 3}, 2, &error));
    options.length = 0;
    assert_true(corpus_open(&corpus, in_folder("ids.npy"), NULL, &options, &error));
    assert_ids(&corpus, "1 2 3 | 4 5 6");
    assert_true(corpus_read_mask(&corpus, in_folder("ids.npy"), &error));
    assert_int_equal(corpus.mask[5], 1);
    corpus_close(&corpus);
    options.vocabulary = 6;
    assert_false(corpus_open(&corpus, in_folder("ids.npy"), NULL, &options, &error));
    assert_non_null(strstr(error.text, "id 6"));
}

static void unusable_sources_are_errors(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        size_t size;
        struct corpus_options options;
        const char *says;
    } cases[] = {
        {"empty.txt", "", 0, {.length = 4}, "no text"},
        {"short.txt", "abc", 3, {.length = 4}, "too little text"},
        {"short.txt", "abcdabc", 7, {.length = 4, .windows = 2}, "too little text"},
        {"short.txt", "abcd", 4, {.length = 4, .cut = CORPUS_RANDOM}, "too little text"},
        {"long.txt", "abcdabcd", 8, {.length = 4, .position_limit = 3}, "position limit of 3"},
        {"one.txt", "abcdabcd", 8, {.length = 1}, "at least 2"},
        {"utf16.txt",
         "\xff\xfe"
         "a\0b\0",
         6,
         {.length = 4},
         "UTF-16"},
        {"binary.txt", "ab\0cd", 5, {.length = 4}, "NUL at byte 2"},
        {"bad.jsonl", "{\"text\":\"a\"}\n{\"txt\":1}", 22, {.length = 2}, "line 2"},
        {"bad.jsonl", "{\"text\":", 8, {.length = 2}, "line 1"},
        {"bad.npy", "abc", 3, {.length = 2}, ".npy"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct corpus corpus;
        struct error error = {0};
        const char *path = write_file(cases[i].name, cases[i].text, cases[i].size);
        assert_false(corpus_open(&corpus, path, tokenizer, &cases[i].options, &error));
        if (strstr(error.text, cases[i].says) == NULL)
            fail_msg("case %zu: %s", i, error.text);
    }
    struct corpus corpus;
    struct error error = {0};
    assert_false(
        corpus_open(&corpus, write_text("text.txt", "12 abc"), NULL, &(struct corpus_options){.length = 2}, &error));
    assert_non_null(strstr(error.text, "no tokenizer"));
}

static void arrays_are_read_back(void **state) {
    (void)state;
    static const float values[] = {0, 1.5F, -2, 3e-3F, 5, 6};
    struct error error = {0};
    struct npy npy;
    assert_true(npy_write_floats(in_folder("f.npy"), values, (const size_t[]){3, 1, 2}, 3, &error));
    assert_true(npy_open(&npy, in_folder("f.npy"), &error));
    assert_int_equal(npy.rank, 3);
    assert_int_equal(npy.shape[0], 3);
    float back[6];
    npy_copy_floats(back, &npy, 0, 6);
    assert_memory_equal(back, values, sizeof back);
    int64_t whole;
    assert_false(npy_copy_integers(&whole, &npy, 0, 1, &error));
    npy_close(&npy);
    struct npy_writer writer;
    assert_true(npy_writer_open(&writer, in_folder("g.npy"), "<f4", (const size_t[]){7}, 1, &error));
    assert_true(npy_writer_add(&writer, values, 6, &error));
    assert_false(npy_writer_commit(&writer, &error));
    assert_false(file_exists(in_folder("g.npy")));
}

static void array_types(void **state) {
    (void)state;
    static const struct {
        const char *format, *bytes;
        size_t size;
        float value;
    } cases[] = {{"<i2", "\xfe\xff", 2, -2},
                 {"<u2", "\xfe\xff", 2, 65534},
                 {"|i1", "\x80", 1, -128},
                 {"|u1", "\x80", 1, 128},
                 {"<f2", "\x00\x3c", 2, 1},
                 {"<f2", "\x01\x80", 2, -0x1p-24F},
                 {"<f2", "\x00\xbe", 2, -1.5F},
                 {"<f8", "\0\0\0\0\0\0\xf8\xbf", 8, -1.5F},
                 {"<i8", "\x05\0\0\0\0\0\0\0", 8, 5},
                 {"<f4", "\0\0\x80\x3f", 4, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text file = {0};
        struct error error = {0};
        char header[128];
        int length = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (1,), }\n",
                              cases[i].format);
        text_add_bytes(&file, "\x93NUMPY\x02\0", 8);
        text_add_bytes(&file, (const char[]){(char)length, 0, 0, 0}, 4);
        text_add_bytes(&file, header, (size_t)length);
        text_add_bytes(&file, cases[i].bytes, cases[i].size);
        const char *path = write_file("t.npy", file.data, file.length);
        struct npy npy;
        assert_true(npy_open(&npy, path, &error));
        float value;
        npy_copy_floats(&value, &npy, 0, 1);
        assert_true(value == cases[i].value);
        npy_close(&npy);
        for (size_t cut = 0; cut < file.length; cut++) {
            (void)write_file("t.npy", file.data, cut);
            assert_false(npy_open(&npy, path, &error));
        }
        text_free(&file);
    }
}

/* The held-out windows of the trained models were cut by the reference from the same text. */
static void golden_windows(const char *model, const char *golden) {
    const char *shared = getenv("SECATEUR_SHARED") != NULL ? getenv("SECATEUR_SHARED") : SHARED_FOLDER;
    char path[4096];
    struct error error = {0};
    struct corpus expected, corpus;
    (void)snprintf(path, sizeof path, "%s/golden/%s/heldout.npy", shared, golden);
    if (!file_exists(path))
        skip();
    assert_true(corpus_open(&expected, path, NULL, &(struct corpus_options){0}, &error));
    (void)snprintf(path, sizeof path, "%s/models/%s", shared, model);
    struct tokenizer *own = tokenizer_open(path, &error);
    assert_non_null(own);
    (void)snprintf(path, sizeof path, "%s/text/tinystories-valid.txt", shared);
    struct corpus_options options = {.windows = (int64_t)expected.windows, .length = (int64_t)expected.length};
    assert_true(corpus_open(&corpus, path, own, &options, &error));
    assert_int_equal(corpus.bos, CORPUS_BOS_DOCUMENT);
    assert_memory_equal(corpus.ids, expected.ids, expected.windows * expected.length * sizeof *corpus.ids);
    assert_true(corpus.hash == expected.hash);
    corpus_close(&expected);
    corpus_close(&corpus);
    tokenizer_close(own);
}

static void windows_of_stories260k(void **state) {
    (void)state;
    golden_windows("stories260k", "trained_stories260k");
}
static void windows_of_sample(void **state) {
    (void)state;
    golden_windows("sample", "trained_sample");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequential_windows_and_bos),
        cmocka_unit_test(random_windows),
        cmocka_unit_test(random_numbers_are_the_published_ones),
        cmocka_unit_test(json_lines_and_folders),
        cmocka_unit_test(ids_without_a_tokenizer),
        cmocka_unit_test(unusable_sources_are_errors),
        cmocka_unit_test(arrays_are_read_back),
        cmocka_unit_test(array_types),
        cmocka_unit_test(windows_of_stories260k),
        cmocka_unit_test(windows_of_sample),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

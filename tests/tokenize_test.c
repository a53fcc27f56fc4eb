/* Every reference case through the program: ids with and without special tokens, and the text back from ids. */
#include "tests/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/memory.h"
#include "workbench/command.h"
#include "workbench/commands.h"
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const folders[] = {"gpt2", "llama2", "llama3", "mistral-7b-v0.3", "qwen3"};

static char *work_path(const char *name) {
    const char *folder = getenv("TMPDIR");
    struct text text = {0};
    text_add(&text, "%s/secateur-tokenize-%d-%s", folder != NULL ? folder : "/tmp", (int)getpid(), name);
    return text.data;
}

/* What `tokenize WORDS` prints. */
static void tokenize(struct text *output, char **words, size_t count) {
    struct error error = {0};
    bool ok = command_run_words(NULL, command_find("tokenize"), words, count, output, &error);
    if (!ok)
        print_error("%s\n", error.text);
    assert_true(ok);
}

static void add_ids(struct text *line, const json_t *ids) {
    size_t i;
    const json_t *id;
    json_array_foreach(ids, i, id) text_add(line, i > 0 ? " %lld" : "%lld", (long long)json_integer_value(id));
    text_add(line, "\n");
}

static void check_ids(char *folder, char *cases, const json_t *list, const char *key, char *option) {
    struct text expected = {0};
    struct text output = {0};
    size_t i;
    const json_t *entry;
    char *words[] = {folder, cases, "--json", option};
    json_array_foreach(list, i, entry) add_ids(&expected, json_object_get(entry, key));
    tokenize(&output, words, option != NULL ? 4 : 3);
    assert_string_equal(text_string(&output), text_string(&expected));
    text_free(&expected);
    text_free(&output);
}

/* The ids without special tokens of every case, written as a JSON list, give the decoded texts as JSON strings. */
static void check_decoding(char *folder, const json_t *list) {
    struct text output = {0};
    size_t i;
    const json_t *entry;
    json_t *ids = json_array();
    char *path = work_path("ids.json");
    char *words[] = {folder, path, "--json", "--decode"};
    json_array_foreach(list, i, entry) json_array_append(ids, json_object_get(entry, "ids_without_special"));
    assert_int_equal(json_dump_file(ids, path, 0), 0);
    tokenize(&output, words, 4);
    char *line = output.data;
    json_array_foreach(list, i, entry) {
        char *end = strchr(line, '\n');
        json_t *text = json_loadb(line, (size_t)(end - line), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_true(json_equal(text, json_object_get(entry, "decoded")));
        json_decref(text);
        line = end + 1;
    }
    assert_int_equal(*line, '\0');
    (void)remove(path);
    free(path);
    json_decref(ids);
    text_free(&output);
}

static void test_cases(void **state) {
    (void)state;
    if (golden_folder() == NULL)
        skip();
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *tokenizers = golden_path("tokenizers");
        char *folder = file_join(tokenizers, folders[i], NULL);
        char *cases = file_join(folder, "cases.json", NULL);
        json_t *list = json_load_file(cases, JSON_ALLOW_NUL, NULL);
        assert_true(json_array_size(list) > 0);
        check_ids(folder, cases, list, "ids", NULL);
        check_ids(folder, cases, list, "ids_without_special", "--no-special");
        check_decoding(folder, list);
        json_decref(list);
        memory_free(cases);
        memory_free(folder);
        memory_free(tokenizers);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    commands_register();
    return golden_folder() == NULL ? GOLDEN_SKIPPED : cmocka_run_group_tests(tests, NULL, NULL);
}

/* The command language: words, values, errors that say what would be right, both spellings of an option, completion. */
#include "base/memory.h"
#include "workbench/command_help.h"
#include "workbench/command_parse.h"
#include "workbench/workbench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct value seen[8];
static char texts[8][64];
static int runs;

static bool record(struct workbench *workbench, const struct value *values, struct text *output, struct error *error) {
    (void)workbench;
    (void)error;
    runs++;
    for (size_t i = 0; i < 8; i++) {
        seen[i] = values[i];
        texts[i][0] = '\0';
        if (values[i].text != NULL)
            strncat(texts[i], values[i].text, sizeof texts[i] - 1);
    }
    text_add(output, "ran");
    return true;
}

static bool record_rest(struct workbench *workbench, const struct value *values, struct text *output,
                        struct error *error) {
    (void)workbench;
    (void)error;
    text_add(output, "%s", values[0].text != NULL ? values[0].text : "(none)");
    return true;
}

static const char *const fruits[] = {"apple", "pear", "plum", NULL};
static const struct argument cut_arguments[] = {
    {.name = "out", .kind = ARGUMENT_FOLDER, .positional = true, .required = true, .help = "where"},
    {.name = "sparsity", .kind = ARGUMENT_FRACTION, .fallback = "0.5", .relative = true, .help = "how much"},
    {.name = "pattern", .kind = ARGUMENT_PATTERN, .help = "shape"},
    {.name = "force", .kind = ARGUMENT_FLAG, .help = "overwrite"},
    {.name = "seed", .kind = ARGUMENT_INTEGER, .low = 0, .high = 100, .help = "number"},
    {.name = "memory-limit", .kind = ARGUMENT_BYTES, .help = "bytes"},
    {.name = "fruit", .kind = ARGUMENT_CHOICE, .choices = fruits, .help = "which"},
    {.name = "plan", .kind = ARGUMENT_PATH, .letter = 'p', .help = "file"},
};
static const struct argument say_arguments[] = {
    {.name = "words", .kind = ARGUMENT_REST, .positional = true, .help = "what to say"}};
static const struct command table[] = {
    {"cut", "c", "cut something", NULL, cut_arguments, 8, COMMAND_SUBCOMMAND, record},
    {"say", NULL, "say something", NULL, say_arguments, 1, 0, record_rest},
    {"steer", NULL, "needs keys", NULL, NULL, 0, COMMAND_SCREEN, record_rest},
};

static struct error error;
static struct text output;

static bool run(const char *line) {
    memset(&error, 0, sizeof error);
    text_clear(&output);
    return command_run(NULL, line, &output, &error);
}

static bool run_words(size_t count, char **words) {
    memset(&error, 0, sizeof error);
    text_clear(&output);
    return command_run_words(NULL, &table[0], words, count, &output, &error);
}

static void refused(const char *line, const char *part) {
    assert_false(run(line));
    assert_int_equal(error.code, ERROR_USAGE);
    if (strstr(error.text, part) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", line, error.text, part);
}

static void words_are_split_as_a_shell_does(void **state) {
    (void)state;
    struct words words;
    assert_true(words_split(&words, "  a 'b c' d\\ e \"f'\\\"g\" h# # end", &error));
    static const char *const expected[] = {"a", "b c", "d e", "f'\"g", "h#"};
    assert_int_equal(words.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(words.list[i].text, expected[i]);
    words_free(&words);
    assert_true(words_split(&words, "# nothing", &error));
    assert_int_equal(words.count, 0);
    words_free(&words);
    refused("cut 'open", "not closed");
}

static void values_are_converted(void **state) {
    (void)state;
    assert_true(run("cut 'my folder' sparsity=+5% pattern=2:4 force seed=7 memory-limit=2k fruit=plum"));
    assert_string_equal(texts[0], "my folder");
    assert_true(seen[1].sign == 1 && seen[1].number > 0.0499 && seen[1].number < 0.0501);
    assert_string_equal(texts[2], "2:4");
    assert_int_equal(seen[3].integer, 1);
    assert_int_equal(seen[4].integer, 7);
    assert_int_equal(seen[5].integer, 2000);
    assert_int_equal(seen[6].integer, 2);
    assert_false(seen[7].given);
    assert_true(run("c out force=no"));
    assert_int_equal(seen[3].integer, 0);
    assert_true(!seen[1].given && seen[1].number == 0.5 && seen[1].sign == 0);
}

static void subcommands_mean_the_same(void **state) {
    (void)state;
    char *words[] = {"--sparsity", "60%", "--pattern=2:4", "out", "--force", "-p", "plan.csv"};
    assert_true(run_words(7, words));
    assert_string_equal(texts[0], "out");
    assert_true(seen[1].number > 0.599 && seen[1].number < 0.601);
    assert_int_equal(seen[3].integer, 1);
    assert_string_equal(texts[7], "plan.csv");
    char *dashed[] = {"--", "--odd-name"};
    assert_true(run_words(2, dashed));
    assert_string_equal(texts[0], "--odd-name");
    char *model[] = {"--sparsity", "0.5", "--force", "MODEL", "out"};
    assert_int_equal(command_first_positional(&table[0], model, 5), 3);
    char *missing[] = {"out", "--seed"};
    assert_false(run_words(2, missing));
    assert_int_equal(error.code, ERROR_USAGE);
}

static void errors_say_what_would_be_right(void **state) {
    (void)state;
    refused("cux out", "did you mean \"cut\"");
    refused("nonsense", "no command \"nonsense\"");
    refused("cut", "out is missing");
    refused("cut a b", "one word too many");
    refused("cut out sparcity=0.5", "did you mean sparsity");
    refused("cut out zebra=1", "usage: cut OUT");
    refused("cut out sparsity=1.5.2", "sparsity");
    refused("cut out seed=101", "from 0 to 100");
    refused("cut out fruit=plumm", "did you mean plum");
    refused("cut out pattern=4:2", "");
    refused("cut out force=maybe", "force");
    refused("cut out force force", "given twice");
    refused("steer", "needs the terminal");
}

static void the_rest_is_taken_as_typed(void **state) {
    (void)state;
    assert_true(run("say  'as  typed'  a=b"));
    assert_string_equal(text_string(&output), "'as  typed'  a=b");
    assert_true(run("say"));
    assert_string_equal(text_string(&output), "(none)");
}

static bool offered(const char *line, const char *expected) {
    char **list = command_complete(NULL, line);
    bool found = false;
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        found = found || strcmp(list[i], expected) == 0;
        memory_free(list[i]);
    }
    memory_free(list);
    return found;
}

static void completion_knows_the_table(void **state) {
    (void)state;
    assert_true(offered("cu", "cut"));
    assert_true(offered("", "say"));
    assert_false(offered("cu", "say"));
    assert_true(offered("cut out spar", "sparsity="));
    assert_true(offered("cut out fruit=p", "fruit=pear"));
    assert_false(offered("cut out fruit=p", "fruit=apple"));
    assert_true(offered("cut out force=", "force=yes"));
    assert_true(offered("cut out pattern=2", "pattern=2:4"));
    assert_true(offered("cut /de", "/dev/"));
    assert_false(offered("cut /dev/nul", "/dev/null"));
    assert_true(offered("cut out plan=/dev/nul", "plan=/dev/null"));
}

static void usage_is_made_from_the_row(void **state) {
    (void)state;
    text_clear(&output);
    command_usage(&output, &table[0], false);
    assert_string_equal(text_string(&output), "cut OUT [sparsity=S] [pattern=PATTERN] [force] [seed=N] "
                                              "[memory-limit=BYTES] [fruit=apple|pear|plum] [plan=FILE]");
    text_clear(&output);
    command_usage(&output, &table[0], true);
    assert_non_null(strstr(text_string(&output), "cut MODEL OUT [--sparsity S]"));
    assert_non_null(strstr(text_string(&output), "[-p FILE]"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_split_as_a_shell_does), cmocka_unit_test(values_are_converted),
        cmocka_unit_test(subcommands_mean_the_same),       cmocka_unit_test(errors_say_what_would_be_right),
        cmocka_unit_test(the_rest_is_taken_as_typed),      cmocka_unit_test(completion_knows_the_table),
        cmocka_unit_test(usage_is_made_from_the_row),
    };
    command_register(table, sizeof table / sizeof *table);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    text_free(&output);
    return failures;
}

/* The lowest floor: numbers as people type them, globbing, loops over all threads, outputs that appear whole or not at
 * all. */
#include "base/file.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/text.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void fractions(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0.5", 0.5}, {"50%", 0.5}, {"50", 0.5}, {"1", 1}, {"1%", 0.01}, {" 62.5 % ", 0.625}, {"0", 0}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double value = -1;
        struct error error = {0};
        assert_true(text_parse_fraction(&value, good[i].text, &error));
        assert_true(fabs(value - good[i].value) < 1e-12);
    }
    static const char *const bad[] = {"", "half", "101", "-1", "nan", "0x1", "5 0", "inf"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double value;
        struct error error = {0};
        assert_false(text_parse_fraction(&value, bad[i], &error));
        assert_int_equal(error.code, ERROR_USAGE);
    }
}

static void globs(void **state) {
    (void)state;
    assert_true(text_glob("*.mlp.*", "model.layers.3.mlp.up"));
    assert_true(text_glob("{gate,up}", "up"));
    assert_true(text_glob("e[0-3].up", "e2.up"));
    assert_false(text_glob("e[0-3].up", "e5.up"));
    assert_false(text_glob("q", "qkv"));
    assert_true(text_glob("*", ""));
}

static void count_visits(void *context, size_t begin, size_t end, int thread) {
    unsigned char *visited = context;
    (void)thread;
    for (size_t i = begin; i < end; i++)
        visited[i]++;
}

static void loops_visit_everything_once(void **state) {
    (void)state;
    static unsigned char visited[10007];
    for (int threads = 1; threads <= 5; threads++) {
        memset(visited, 0, sizeof visited);
        parallel_set_threads(threads);
        parallel_for(sizeof visited, 13, count_visits, visited);
        for (size_t i = 0; i < sizeof visited; i++)
            assert_int_equal(visited[i], 1);
    }
    parallel_set_threads(0);
}

static void outputs_are_whole_or_absent(void **state) {
    (void)state;
    char folder[] = "/tmp/secateur-base-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct error error = {0};
    char *path = file_join(folder, "out.txt", &error);
    struct file_output output;
    assert_true(file_output_open(&output, path, &error));
    (void)fputs("whole", output.stream);
    assert_false(file_exists(path));
    assert_true(file_output_commit(&output, &error));
    size_t size;
    char *contents = file_read(path, 100, &size, &error);
    assert_string_equal(contents, "whole");
    memory_free(contents);
    assert_null(file_read(path, 3, &size, &error));
    assert_true(file_output_open(&output, path, &error));
    file_output_abort(&output);
    char **names;
    size_t count;
    assert_true(file_list(&names, &count, folder, &error));
    assert_int_equal(count, 1);
    file_list_free(names, count);
    assert_true(file_remove_tree(folder, &error));
    assert_false(file_exists(folder));
    memory_free(path);
}

static void allocation_failure_is_an_error(void **state) {
    (void)state;
    struct error error = {0};
    (void)memory_fail_at(1);
    assert_null(memory_alloc(10, 10, &error));
    assert_int_equal(error.code, ERROR_MEMORY);
    void *memory = memory_alloc(10, 10, &error);
    assert_non_null(memory);
    memory_free(memory);
    assert_null(memory_alloc(SIZE_MAX / 2, 3, &error));
    (void)memory_fail_at(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fractions),
        cmocka_unit_test(globs),
        cmocka_unit_test(loops_visit_everything_once),
        cmocka_unit_test(outputs_are_whole_or_absent),
        cmocka_unit_test(allocation_failure_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The writer: identical copies, resuming after an end at any tensor, a full disk, and targets that are refused. */
#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/writer.h"
#include "tests/golden.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static struct error error;

static int make_folder(void **state) {
    (void)state;
    (void)strcpy(folder, "/tmp/secateur-writer-XXXXXX");
    memset(&error, 0, sizeof error);
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    return !file_remove_tree(folder, &error);
}

static char *target_path(const char *name) {
    return file_join(folder, name, &error);
}

static struct checkpoint *open_golden(const char *name) {
    char *path = golden_path(name);
    struct checkpoint *source = checkpoint_open(path, &error);
    assert_non_null(source);
    memory_free(path);
    return source;
}

static void assert_same_file(const char *a, const char *b, const char *name) {
    char *first = file_join(a, name, &error), *second = file_join(b, name, &error);
    struct file_map one, two;
    assert_true(file_map_open(&one, first, &error));
    assert_true(file_map_open(&two, second, &error));
    assert_int_equal(one.size, two.size);
    assert_memory_equal(one.data, two.data, one.size);
    file_map_close(&one);
    file_map_close(&two);
    memory_free(first);
    memory_free(second);
}

static void finish_and_compare(struct writer *writer, const struct checkpoint *source, const char *target) {
    if (!writer_finish(writer, NULL, &error))
        fail_msg("%s", error.text);
    assert_false(file_exists(target));
    assert_true(writer_commit(writer, &error));
    writer_close(writer);
    for (size_t i = 0; i < source->file_count; i++)
        assert_same_file(source->folder, target, source->files[i].name);
    assert_same_file(source->folder, target, "config.json");
    if (source->index != NULL)
        assert_same_file(source->folder, target, "model.safetensors.index.json");
    struct checkpoint *copy = checkpoint_open(target, &error);
    assert_non_null(copy);
    assert_int_equal(copy->left_out_count, 0);
    checkpoint_close(copy);
}

static void copies_are_identical(void **state) {
    (void)state;
    static const char *const models[] = {"golden/llama", "golden/mistral", "golden/opt", "golden/qwen2"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct checkpoint *source = open_golden(models[i]);
        char *target = target_path(file_name(models[i]));
        struct writer_settings settings = {.target = target, .fingerprint = "copy", .dtype = DTYPE_COUNT};
        struct writer *writer = writer_open(source, &settings, &error);
        assert_non_null(writer);
        finish_and_compare(writer, source, target);
        checkpoint_close(source);
        memory_free(target);
    }
}

/* Stands in for the library's: a run that is armed ends at it as by a kill, without having renamed `dying_at`. */
static const char *dying_at;

int rename(const char *from, const char *to) {
    if (dying_at != NULL && strcmp(to, dying_at) == 0)
        _exit(9);
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* Killed when all is written and verified but for the name: the next run has nothing to do but give it. */
static void a_run_killed_at_its_rename_resumes(void **state) {
    (void)state;
    struct checkpoint *source = open_golden("golden/qwen2");
    char *target = target_path("out");
    struct writer_settings settings = {.target = target, .fingerprint = "a", .dtype = DTYPE_COUNT};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct writer *writer = writer_open(source, &settings, &error);
        bool ready = writer != NULL && writer_finish(writer, NULL, &error);
        dying_at = target;
        (void)(ready && writer_commit(writer, &error));
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 9);
    assert_false(file_exists(target));
    settings.resume = true;
    struct writer *writer = writer_open(source, &settings, &error);
    if (writer == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(writer_resumed(writer), source->tensor_count);
    finish_and_compare(writer, source, target);
    char *journal = file_join(target, ".secateur-journal", &error);
    assert_false(file_exists(journal));
    memory_free(journal);
    checkpoint_close(source);
    memory_free(target);
}

/* Ends a run before every tensor in turn; each next run must find what the earlier ones finished. */
static void runs_resume_at_every_tensor(void **state) {
    (void)state;
    struct checkpoint *source = open_golden("golden/qwen2");
    char *target = target_path("out");
    struct writer_settings settings = {.target = target, .fingerprint = "a", .resume = true, .dtype = DTYPE_COUNT};
    assert_null(writer_open(source, &settings, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    settings.resume = false;
    for (size_t i = 0; i < source->tensor_count; i++) {
        struct writer *writer = writer_open(source, &settings, &error);
        assert_non_null(writer);
        assert_int_equal(writer_resumed(writer), i);
        const struct tensor *tensor = &source->tensors[i];
        assert_true(writer_write(writer, i, tensor->data, tensor->bytes / 2, &error));
        assert_false(writer_has(writer, i));
        assert_true(
            writer_write(writer, i, tensor->data + tensor->bytes / 2, tensor->bytes - tensor->bytes / 2, &error));
        assert_true(writer_has(writer, i));
        writer_close(writer);
    }
    settings.fingerprint = "b";
    assert_null(writer_open(source, &settings, &error));
    assert_non_null(strstr(error.text, "--force"));
    settings.fingerprint = "a";
    finish_and_compare(writer_open(source, &settings, &error), source, target);
    checkpoint_close(source);
    memory_free(target);
}

static void full_disk_is_an_error(void **state) {
    (void)state;
    struct checkpoint *source = open_golden("golden/llama");
    char *target = target_path("out");
    struct writer_settings settings = {.target = target, .fingerprint = "a", .dtype = DTYPE_COUNT};
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {100000, old.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct writer *writer = writer_open(source, &settings, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_null(writer);
    assert_int_equal(error.code, ERROR_FAILURE);
    char **names;
    size_t count;
    assert_true(file_list(&names, &count, folder, &error));
    assert_int_equal(count, 0);
    file_list_free(names, count);
    checkpoint_close(source);
    memory_free(target);
}

static void force_replaces_and_counts_zeros(void **state) {
    (void)state;
    struct checkpoint *source = open_golden("golden/mistral");
    char *target = target_path("out");
    assert_true(file_make_folder(target, &error));
    struct writer_settings settings = {.target = target, .fingerprint = "a", .dtype = DTYPE_COUNT};
    assert_null(writer_open(source, &settings, &error));
    assert_non_null(strstr(error.text, "--force"));
    settings.force = true;
    assert_null(writer_open(source, &settings, &error)); /* an empty folder is no model */
    assert_true(file_remove_tree(target, &error));
    for (int run = 0; run < 2; run++) {
        struct writer *writer = writer_open(source, &settings, &error);
        assert_non_null(writer);
        size_t count = (size_t)source->tensors[3].count;
        float *values = memory_alloc(count, sizeof *values, &error);
        for (size_t i = 0; i < count; i++)
            values[i] = i % 3 == 0 ? -0.0f : 1.0f;
        assert_true(writer_write_floats(writer, 3, values, count, &error));
        if (!writer_finish(writer, NULL, &error))
            fail_msg("%s", error.text);
        assert_int_equal(writer_zeros(writer, 3), (count + 2) / 3);
        assert_true(writer_add_file(writer, "secateur.json", "{}", 2, &error));
        assert_true(writer_commit(writer, &error));
        writer_close(writer);
        memory_free(values);
    }
    checkpoint_close(source);
    memory_free(target);
}

static void targets_in_the_source_are_refused(void **state) {
    (void)state;
    struct checkpoint *golden = open_golden("golden/mistral");
    char *copy = target_path("copy"), *inside = target_path("copy/inside");
    struct writer_settings settings = {.target = copy, .fingerprint = "a", .force = true, .dtype = DTYPE_COUNT};
    finish_and_compare(writer_open(golden, &settings, &error), golden, copy);
    struct checkpoint *source = checkpoint_open(copy, &error);
    const char *const targets[] = {copy, inside, folder};
    const char *const words[] = {"is the source", "inside the source", "contains the source"};
    for (size_t i = 0; i < 3; i++) {
        settings.target = targets[i];
        assert_null(writer_open(source, &settings, &error));
        assert_int_equal(error.code, ERROR_USAGE);
        assert_non_null(strstr(error.text, words[i]));
    }
    checkpoint_close(source);
    checkpoint_close(golden);
    memory_free(copy);
    memory_free(inside);
}

static void another_dtype_is_named_in_the_config(void **state) {
    (void)state;
    struct checkpoint *source = open_golden("golden/mistral");
    char *target = target_path("out");
    struct writer_settings settings = {.target = target, .fingerprint = "a", .dtype = DTYPE_F32};
    struct writer *writer = writer_open(source, &settings, &error);
    assert_non_null(writer);
    if (!writer_finish(writer, NULL, &error))
        fail_msg("%s", error.text);
    assert_true(writer_commit(writer, &error));
    writer_close(writer);
    struct checkpoint *result = checkpoint_open(target, &error);
    assert_non_null(result);
    assert_int_equal(result->weight_bytes, 2 * source->weight_bytes);
    char *path = file_join(target, "config.json", &error), *text = file_read(path, 1 << 20, NULL, &error);
    assert_non_null(strstr(text, "\"float32\""));
    assert_null(strstr(text, "bfloat16"));
    memory_free(text);
    memory_free(path);
    checkpoint_close(result);
    checkpoint_close(source);
    memory_free(target);
}

int main(void) {
    if (golden_folder() == NULL)
        return GOLDEN_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copies_are_identical, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(runs_resume_at_every_tensor, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_run_killed_at_its_rename_resumes, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(full_disk_is_an_error, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(force_replaces_and_counts_zeros, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(targets_in_the_source_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(another_dtype_is_named_in_the_config, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

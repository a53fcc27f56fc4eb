/* Magnitude through the whole program against the reference implementation's pruned models: the same weights but for
 * entries of equal magnitude, whose number is printed. Routers are left out: the references prune those, too. */
#include "base/memory.h"
#include "tests/golden.h"
#include "workbench/commands.h"
#include "workbench/workbench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct tally {
    uint64_t entries, differing, wrong, changed;
    uint64_t beyond;               /* cut by the references alone, but not at the magnitude of their threshold */
    double kept_ours, kept_theirs; /* sums of |w|: equal when only ties were broken otherwise */
};

static float highest_cut(const float *dense, const float *pruned, size_t count) {
    float highest = 0;
    for (size_t i = 0; i < count; i++)
        if (pruned[i] == 0)
            highest = fmaxf(highest, fabsf(dense[i]));
    return highest;
}

static void compare_matrix(struct tally *tally, const float *dense, const float *ours, const float *theirs,
                           size_t count) {
    float threshold = highest_cut(dense, theirs, count);
    for (size_t i = 0; i < count; i++) {
        tally->entries++;
        tally->beyond += ours[i] != 0 && theirs[i] == 0 && fabsf(dense[i]) != threshold;
        tally->differing += (ours[i] == 0) != (theirs[i] == 0);
        tally->wrong += ours[i] == 0 && theirs[i] != 0;
        tally->changed += ours[i] != 0 && memcmp(&ours[i], &dense[i], sizeof(float)) != 0;
        tally->kept_ours += fabs((double)ours[i]);
        tally->kept_theirs += fabs((double)theirs[i]);
    }
}

static void compare_models(struct tally *tally, const struct model *dense, const char *ours_path,
                           const char *theirs_path) {
    struct error error = {0};
    struct checkpoint *ours = checkpoint_open(ours_path, &error);
    struct checkpoint *theirs = checkpoint_open(theirs_path, &error);
    if (ours == NULL || theirs == NULL)
        fail_msg("%s", error.text);
    for (size_t i = 0; i < dense->matrix_count; i++) {
        const struct matrix *matrix = &dense->matrices[i];
        if (!matrix->prunable)
            continue;
        float *before = golden_tensor(dense->checkpoint, matrix->name);
        float *mine = golden_tensor(ours, matrix->name);
        float *reference = golden_tensor(theirs, matrix->name);
        assert_non_null(mine);
        assert_non_null(reference);
        compare_matrix(tally, before, mine, reference, (size_t)matrix->tensor->count);
        memory_free(before);
        memory_free(mine);
        memory_free(reference);
    }
    checkpoint_close(ours);
    checkpoint_close(theirs);
}

static struct tally prune_and_compare(const char *folder, const char *family, const char *kind, const char *how) {
    struct settings settings = {.csv = true};
    struct error error = {0};
    struct text line = {0};
    struct text output = {0};
    struct tally tally = {0};
    char theirs[96];
    (void)snprintf(theirs, sizeof theirs, "golden/%s/pruned_magnitude_%s.safetensors", family, kind);
    char *reference = golden_path(theirs);
    (void)snprintf(theirs, sizeof theirs, "golden/%s", family);
    char *source = golden_path(theirs);
    char *target = file_join(folder, "out", NULL);
    text_add(&line, "prune %s force %s", target, how);
    struct workbench *workbench = workbench_open(source, &settings, &error);
    if (workbench == NULL || !command_run(workbench, text_string(&line), &output, &error))
        fail_msg("%s: %s", source, error.text);
    compare_models(&tally, workbench->model, target, reference);
    workbench_close(workbench);
    text_free(&line);
    text_free(&output);
    memory_free(target);
    memory_free(source);
    memory_free(reference);
    return tally;
}

static const char *const families[] = {"bloom",   "falcon",  "gemma2", "gpt2", "gpt_neo", "gpt_neox", "llama",
                                       "mistral", "mixtral", "opt",    "phi3", "qwen2",   "qwen3",    "stablelm"};
#define FAMILIES (sizeof families / sizeof *families)

static char *scratch_folder(void) {
    static char folder[32];
    (void)snprintf(folder, sizeof folder, "/tmp/secateur-prune-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void report(const char *family, const char *how, const struct tally *tally) {
    print_message("%-9s %-32s %8llu entries, %llu differ\n", family, how, (unsigned long long)tally->entries,
                  (unsigned long long)tally->differing);
}

/* The references cut one entry too many, and all ties: ours are a subset, and what differs lies at their threshold. */
static void half_is_a_subset_of_the_references(void **state) {
    (void)state;
    char *folder = scratch_folder();
    for (size_t i = 0; i < FAMILIES; i++) {
        struct tally tally = prune_and_compare(folder, families[i], "50", "sparsity=50%");
        report(families[i], "50 %", &tally);
        assert_true(tally.entries > 0);
        assert_int_equal(tally.wrong, 0);
        assert_int_equal(tally.beyond, 0);
        assert_int_equal(tally.changed, 0);
    }
    assert_true(file_remove_tree(folder, NULL));
}

static void compat_equals_the_references(void **state) {
    (void)state;
    char *folder = scratch_folder();
    for (size_t i = 0; i < FAMILIES; i++) {
        struct tally tally = prune_and_compare(folder, families[i], "50", "sparsity=50% compat=reference");
        report(families[i], "50 %, references' conventions", &tally);
        assert_int_equal(tally.differing, 0);
        assert_int_equal(tally.changed, 0);
    }
    assert_true(file_remove_tree(folder, NULL));
}

static void two_of_four_differs_in_ties_only(void **state) {
    (void)state;
    char *folder = scratch_folder();
    for (size_t i = 0; i < FAMILIES; i++) {
        struct tally tally = prune_and_compare(folder, families[i], "2_4", "pattern=2:4");
        report(families[i], "2:4", &tally);
        assert_int_equal(tally.changed, 0);
        assert_true(fabs(tally.kept_ours - tally.kept_theirs) <= 1e-9 * tally.kept_theirs);
    }
    assert_true(file_remove_tree(folder, NULL));
}

int main(void) {
    if (golden_folder() == NULL)
        return GOLDEN_SKIPPED;
    commands_register();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_is_a_subset_of_the_references),
        cmocka_unit_test(compat_equals_the_references),
        cmocka_unit_test(two_of_four_differs_in_ties_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

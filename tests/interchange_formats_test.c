/* Plans of other tools: written and read back, known files, and faults named with nothing changed. */
#include "base/memory.h"
#include "made_model.h"
#include "plan/interchange.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define B0 "model.layers.0."
#define B1 "model.layers.1."

static const struct made_matrix two[2] = {{"q", ROLE_Q, 64, 64}, {"up", ROLE_UP, 172, 64}};

struct fixture {
    struct model *model;
    struct plan *plan;
    char path[64];
    struct text remarks;
    struct error error;
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->model = made_model_create(2, two, 2, 0);
    fixture->plan = plan_create(fixture->model, NULL);
    *state = fixture;
    (void)snprintf(fixture->path, sizeof fixture->path, "/tmp/interchange.%d.%p", (int)getpid(), (void *)fixture);
    return fixture->plan == NULL;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    (void)unlink(fixture->path);
    text_free(&fixture->remarks);
    plan_free(fixture->plan);
    made_model_free(fixture->model);
    free(fixture);
    return 0;
}

static void write_file(const struct fixture *fixture, const char *text) {
    FILE *file = fopen(fixture->path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void set(struct fixture *fixture, size_t matrix, double sparsity, const char *pattern) {
    struct target target = *plan_target(fixture->plan, matrix);
    target.sparsity = sparsity;
    if (pattern != NULL)
        assert_true(pattern_parse(&target.pattern, pattern, NULL));
    assert_true(plan_begin(fixture->plan, "set", NULL));
    assert_true(plan_set(fixture->plan, matrix, &target, NULL));
    plan_end(fixture->plan);
}

static const struct interchange_options steps = {.sparsity = 0.5, .step = 100};

static bool import(struct fixture *fixture, const char *format, const char *text) {
    text_clear(&fixture->remarks);
    write_file(fixture, text);
    return interchange_import(fixture->plan, format, fixture->path, &steps, &fixture->remarks, &fixture->error);
}

/* ---- what is written reads back as the same plan ---- */

static void plans_come_back(void **state) {
    struct fixture *fixture = *state;
    static const double by_block[4] = {1.0 / 3, 1.0 / 3, 0.7, 0.7}, by_matrix[4] = {0.1, 0.65, 1e-5, 1};
    static const double by_level[4] = {0.5 - 300.0 / 4096, 0.5 + 200.0 / 11008, 0.5, 0.5};
    const struct {
        const char *format;
        const double *sparsities;
    } rows[] = {{"evopress", by_level},
                {"dlp", by_block},
                {"owl", by_block},
                {"owl", by_matrix},
                {"alphapruning", by_block},
                {"alphapruning", by_matrix},
                {"llm-compressor", by_matrix},
                {"llm-compressor", by_block}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        for (size_t i = 0; i < 4; i++)
            set(fixture, i, rows[r].sparsities[i], NULL);
        assert_true(interchange_export(fixture->plan, rows[r].format, fixture->path, &steps, &fixture->remarks,
                                       &fixture->error));
        for (size_t i = 0; i < 4; i++)
            set(fixture, i, 0, NULL);
        if (!interchange_import(fixture->plan, rows[r].format, fixture->path, &steps, &fixture->remarks,
                                &fixture->error))
            fail_msg("%s: %s", rows[r].format, fixture->error.text);
        for (size_t i = 0; i < 4; i++)
            assert_true(fabs(plan_target(fixture->plan, i)->sparsity - rows[r].sparsities[i]) < 1e-15);
    }
}

static void npy_comes_back(void **state) {
    struct fixture *fixture = *state;
    (void)strcat(fixture->path, ".npy");
    set(fixture, 1, 1.0 / 3, NULL);
    assert_true(interchange_export(fixture->plan, "owl", fixture->path, &steps, &fixture->remarks, NULL));
    set(fixture, 1, 0.9, NULL);
    assert_true(interchange_import(fixture->plan, "owl", fixture->path, &steps, &fixture->remarks, &fixture->error));
    assert_true(fabs(plan_target(fixture->plan, 1)->sparsity - 1.0 / 3) < 1e-15);
    assert_true(plan_target(fixture->plan, 0)->sparsity == 0);
}

static void groups_come_back_turned_round(void **state) {
    struct fixture *fixture = *state;
    char bytes[2000] = "";
    for (size_t i = 0; i < 3; i++)
        set(fixture, i, 0.75, "1:4");
    assert_true(interchange_export(fixture->plan, "llm-compressor", fixture->path, &steps, &fixture->remarks, NULL));
    FILE *file = fopen(fixture->path, "r");
    assert_non_null(file);
    assert_true(fread(bytes, 1, sizeof bytes - 1, file) > 0);
    (void)fclose(file);
    assert_non_null(strstr(bytes, "mask_structure: \"3:4\"")); /* there: removed of every 4 */
    set(fixture, 0, 0, "unstructured");
    assert_true(interchange_import(fixture->plan, "llm-compressor", fixture->path, &steps, &fixture->remarks, NULL));
    assert_true(pattern_equal(plan_target(fixture->plan, 0)->pattern, (struct pattern){PATTERN_N_M, 1, 4}));
    assert_true(plan_target(fixture->plan, 3)->sparsity == 0);
}

/* ---- files as the tools write them ---- */

static const struct {
    const char *format, *text;
    double sparsities[4];
} good[] = {
    {"evopress",
     B0 "q: 4\r\n" B0 "up: -2\n\n" B1 "up: 0\n" B1 "q: 0",
     {0.5 + 400.0 / 4096, 0.5 - 200.0 / 11008, .5, .5}},
    {"dlp", "[0.25, 0.5]", {0.75, 0.75, 0.5, 0.5}},
    {"owl", "[0.25 0.5]\n", {0.75, 0.75, 0.5, 0.5}},
    {"owl", "0.25,0.5\n0.75,1", {0.75, 0.5, 0.25, 0}},
    {"alphapruning", "# ratios\n0.25\n0.5\n", {0.25, 0.25, 0.5, 0.5}},
    /* sparsities pair in the model's order, not in that of the targets */
    {"llm-compressor",
     "pruning_stage:\n  pruning_modifiers:\n    SparseGPTModifier:\n      sparsity: [0.1, 0.2]\n      targets: [\"" B1
     "q\", \"" B0 "up\"]\n",
     {0, 0.1, 0.2, 0}},
    {"llm-compressor",
     "---\n# a comment\ns:\n  m:\n    WandaPruningModifier:\n      sparsity: 0.5 # half\n      mask_structure: '0:0'\n"
     "      targets:\n      - 're:.*up$'\n      ignore: [\"" B0 "up\"]\n",
     {0, 0, 0, 0.5}},
    {"llm-compressor",
     "s:\n  m:\n    GPTQModifier:\n      bits: 4\n    SparseGPTModifier:\n      block_size: 128\n      sparsity: "
     "[0.1,\n"
     "        0.2,\n        0.3, 0.4]\n      targets: [Linear]\n",
     {0.1, 0.2, 0.3, 0.4}},
};

static void good_files_are_taken(void **state) {
    struct fixture *fixture = *state;
    for (size_t r = 0; r < sizeof good / sizeof *good; r++) {
        if (!import(fixture, good[r].format, good[r].text))
            fail_msg("%zu, %s: %s", r, good[r].format, fixture->error.text);
        for (size_t i = 0; i < 4; i++)
            if (fabs(plan_target(fixture->plan, i)->sparsity - good[r].sparsities[i]) > 1e-15)
                fail_msg("%zu, matrix %zu: %g", r, i, plan_target(fixture->plan, i)->sparsity);
    }
}

/* ---- faults ---- */

#define S "s:\n  m:\n    SparseGPTModifier:\n"
static const struct {
    const char *format, *text, *says;
} bad[] = {
    {"evopress", "", "without a line for " B0 "q"},
    {"evopress", B0 "q: 1\n" B0 "q: 1\n", "line 2: " B0 "q stands on line 1"},
    {"evopress", B0 "q: 1\nlm: 1\n", "line 2: this model has no prunable matrix \"lm\""},
    {"evopress", B0 "q: 1.5\n", "line 1: \"1.5\" is no level"},
    {"evopress", B0 "q: 100\n", "line 1: level 100"},
    {"evopress", "hello\n", "line 1: \"hello\" is not"},
    {"dlp", "{}", "JSON list"},
    {"dlp", "[0.5, 1", "line 1: not valid JSON"},
    {"dlp", "[0.5, \"x\"]", "value 2: not a number"},
    {"dlp", "[0.5, 1.5]", "value 2: 1.5 is no share"},
    {"dlp", "[0.5, 0.5, 0.5, 0.5]", "has 4 numbers"},
    {"dlp", "[]", "has 0 numbers"},
    {"owl", "0.5 half", "line 1: \"half\" is not a number"},
    {"owl", "0.5\nnan\n", "line 2: \"nan\""},
    {"owl", "0.5 0.5 0.5", "has 3 numbers"},
    {"alphapruning", "0.5 3.5", "value 2: 3.5 is no sparsity"},
    {"llm-compressor", "", "has no SparseGPTModifier"},
    {"llm-compressor", S "      sparsity: [0.1, 0.2]\n", "line 4: 2 sparsities for 4 matrices"},
    {"llm-compressor", S "      targets: [Linear]\n", "line 3: this modifier has no sparsity"},
    {"llm-compressor", S "      sparsity: much\n", "line 4: the sparsity \"much\""},
    {"llm-compressor", S "      sparsity: 1.5\n", "line 4: 1.5 is no sparsity"},
    {"llm-compressor", S "      sparsity: [0.1\n", "the list of line 4 is not closed"},
    {"llm-compressor", S "      sparsity: 0.5\n      sparsity: 0.5\n", "line 5: sparsity stands on line 4"},
    {"llm-compressor", S "      sparsity: 0.5\n      owl_m: 5\n", "line 5: the field owl_m is not understood"},
    {"llm-compressor", S "      sparsity: 0.5\n      mask_structure: \"4:2\"\n", "line 5: mask_structure \"4:2\""},
    {"llm-compressor", S "      sparsity: 0.5\n      mask_structure: row\n", "line 5: mask_structure \"row\""},
    {"llm-compressor", S "      sparsity: 0.5\n      targets: [nothing]\n", "line 5: the target \"nothing\""},
    {"llm-compressor", S "      sparsity: 0.5\n      targets: [re:(]\n", "line 5: \"(\" is no regular"},
    {"llm-compressor", S "      sparsity: 0.5\n      targets: [\"a\n", "line 5: \"a is not understood"},
    {"llm-compressor", S "      sparsity: 0.5\n      targets: {a: b}\n", "line 5"},
    {"llm-compressor", S "\tsparsity: 0.5\n", "line 4: a tab"},
    {"llm-compressor", S "      - sparsity\n", "line 4"},
    {"llm-compressor", S "      sparsity: 0.5\n    WandaPruningModifier:\n      sparsity: 0.2\n",
     "line 5: this modifier prunes " B0 "q"},
    {"llm-compressor", "s:\n  m:\n    MagnitudePruningModifier:\n      final_sparsity: 0.5\n",
     "line 3: MagnitudePruningModifier is not understood"},
    {"gguf", "", "there is no format"},
};

static void faults_change_nothing(void **state) {
    struct fixture *fixture = *state;
    set(fixture, 0, 0.25, NULL);
    uint64_t revision = plan_revision(fixture->plan);
    for (size_t r = 0; r < sizeof bad / sizeof *bad; r++) {
        if (import(fixture, bad[r].format, bad[r].text))
            fail_msg("%zu was taken", r);
        if (strstr(fixture->error.text, bad[r].says) == NULL)
            fail_msg("%zu: %s", r, fixture->error.text);
        assert_int_equal(plan_revision(fixture->plan), revision);
    }
}

/* Every prefix and every changed byte of a good recipe ends in an answer. */
static void mangled_recipes_end(void **state) {
    struct fixture *fixture = *state;
    const char *text = good[6].text;
    for (size_t i = 0; i < strlen(text); i++) {
        char copy[512];
        (void)snprintf(copy, sizeof copy, "%.*s", (int)i, text);
        (void)import(fixture, "llm-compressor", copy);
        for (const char *bytes = "[]:-\"'# \n*"; *bytes != '\0'; bytes++) {
            (void)snprintf(copy, sizeof copy, "%s", text);
            copy[i] = *bytes;
            (void)import(fixture, "llm-compressor", copy);
        }
    }
}

/* ---- what a format cannot say ---- */

static void losses_are_said(void **state) {
    struct fixture *fixture = *state;
    struct target target = *plan_target(fixture->plan, 0);
    target.sparsity = 0.5;
    target.locked = true;
    (void)strcpy(target.method, "alps");
    assert_true(plan_begin(fixture->plan, "set", NULL));
    assert_true(plan_set(fixture->plan, 0, &target, NULL));
    plan_end(fixture->plan);
    set(fixture, 1, 0.5, "2:4");
    assert_true(interchange_export(fixture->plan, "dlp", fixture->path, &steps, &fixture->remarks, NULL));
    const char *said = text_string(&fixture->remarks);
    assert_non_null(strstr(said, "1 matrices: patterns"));
    assert_non_null(strstr(said, "1 matrices: methods"));
    assert_non_null(strstr(said, "1 matrices: locks"));
    assert_false(
        interchange_export(fixture->plan, "llm-compressor", fixture->path, &steps, &fixture->remarks, &fixture->error));
    assert_non_null(strstr(fixture->error.text, "one mask_structure"));
    assert_true(import(fixture, "dlp", "[0.25, 0.5]"));
    assert_true(plan_target(fixture->plan, 0)->sparsity == 0.5);
    assert_non_null(strstr(text_string(&fixture->remarks), "1 locked matrices keep"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plans_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(npy_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(groups_come_back_turned_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(good_files_are_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_change_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mangled_recipes_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(losses_are_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

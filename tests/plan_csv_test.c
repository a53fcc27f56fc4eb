/* Plans as CSV: read back to the last bit, and every fault named with its line and column, with nothing changed. */
#include "base/memory.h"
#include "base/file.h"
#include "made_model.h"
#include "plan/plan_csv.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct made_matrix two[2] = {{"q", ROLE_Q, 64, 64}, {"up", ROLE_UP, 172, 64}};
#define Q "model.layers.0.q.weight"
#define UP "model.layers.0.up.weight"
#define HEADER "name,sparsity,pattern,method,locked\n"

static const struct {
    const char *text;
    double q, up;
} good[] = {
    {"name,sparsity\n" Q ",0.5\n" UP ",25%\n", 0.5, 0.25},
    {"name,sparsity\r\n" Q ",50\r\n" UP ",0\r\n", 0.5, 0},
    {"\xef\xbb\xbfname,sparsity\n" Q ",0.5\n" UP ",0.25", 0.5, 0.25},
    {"\"name\",\"sparsity\"\n\"" Q "\",\"0.5\"\n\"" UP "\",\"0.25\"\n", 0.5, 0.25},
    {"note,sparsity,name\nhello,0.5," Q "\n\"a, b\",0.25," UP "\n,,\n\n", 0.5, 0.25},
    {HEADER UP ",0.25,unstructured,,yes\n" Q ",0.5,,wanda,TRUE\n", 0.5, 0.25},
    {HEADER Q ",0.9,2:4,,\n" UP ",0,default,,0\n", 0.5, 0},
    {HEADER Q ",0.5,,,\n" UP ",0,,,\nlm_head.weight,0.1,,,\n", 0.5, 0},
};

static const struct {
    const char *text, *says;
} bad[] = {
    {"", "empty"},
    {"\n\n", "empty"},
    {"sparsity\n0.5\n", "no column \"name\""},
    {"name\n" Q "\n", "no column \"sparsity\""},
    {"name;sparsity\n" Q ";0,5\n", "separated by ;"},
    {"name\tsparsity\n" Q "\t0.5\n", "separated by a tab"},
    {"\xff\xfen\0a\0", "UTF-16"},
    {"name,sparsity,name\n", "column 3 (name): there are two"},
    {"name,sparsity,sparsity\n", "column 3 (sparsity): there are two"},
    {HEADER Q ",0.5,,,\n", "line 2: the file ends without a row for " UP},
    {HEADER, "line 1: the file ends without a row for " Q},
    {HEADER "model.layers.9.q.weight,0.5,,,\n", "line 2: column 1 (name): this model has no"},
    {HEADER ",0.5,,,\n", "line 2: column 1 (name)"},
    {HEADER Q ",0.5,,,\n" UP ",0,,,\n" Q ",0.5,,,\n", "line 4: column 1 (name): " Q " stands on line 2 already"},
    {HEADER "\n" Q ",half,,,\n", "line 3: column 2 (sparsity): \"half\""},
    {HEADER Q ",,,,\n", "line 2: column 2 (sparsity)"},
    {HEADER Q ",-0.1,,,\n", "line 2: column 2 (sparsity)"},
    {HEADER Q ",101,,,\n", "line 2: column 2 (sparsity)"},
    {HEADER Q ",1.2,,,\n", "line 2: column 2 (sparsity): 1.2 is outside 0 to 1"},
    {"name,sparsity,high\n" Q ",0.5,1.01\n", "line 2: column 3 (high): 1.01 is outside"},
    {HEADER Q ",nan,,,\n", "line 2: column 2 (sparsity)"},
    {HEADER Q ",inf,,,\n", "line 2: column 2 (sparsity)"},
    {HEADER Q ",0x1,,,\n", "line 2: column 2 (sparsity)"},
    {HEADER Q ",\"0,5\",,,\n", "line 2: column 2 (sparsity)"},
    {HEADER Q ",0.5 0.6,,,\n", "line 2: column 2 (sparsity)"},
    {HEADER Q ",0.5,4:2,,\n", "line 2: column 3 (pattern)"},
    {HEADER Q ",0.5,diagonal,,\n", "line 2: column 3 (pattern)"},
    {HEADER Q ",0.5,,wander,\n", "line 2: column 4 (method)"},
    {HEADER Q ",0.5,,repair,\n", "line 2: column 4 (method)"},
    {HEADER Q ",0.5,,wanda+wanda+wanda+wanda+wanda+wanda+wanda+wanda+wanda,\n", "line 2: column 4 (method)"},
    {HEADER Q ",0.5,,,maybe\n", "line 2: column 5 (locked): \"maybe\" is neither yes nor no"},
    {"name,sparsity,low\n" Q ",0.5,2x\n", "line 2: column 3 (low)"},
    {"name,sparsity,high\n" Q ",0.5,-1\n", "line 2: column 3 (high)"},
    {"name,sparsity,low,high\n" Q ",0.5,0.6,0.4\n", "line 2: column 3 (low): the lower bound 0.6 is above"},
    {HEADER Q ",0.5\n", "line 2: 2 columns where the header has 5"},
    {HEADER Q ",0.5,,,,,\n", "line 2: 7 columns where the header has 5"},
    {HEADER Q ",\"0.5,,,\n", "quotation mark"},
    {HEADER Q ",0\"5,,,\n", "line 2: a quotation mark"},
};

static void good_files_are_taken(void **state) {
    (void)state;
    struct error error = {0};
    struct model *model = made_model_create(1, two, 2, 0);
    struct target targets[4];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!plan_csv_parse(targets, model, good[i].text, strlen(good[i].text), "plan.csv", &error))
            fail_msg("case %zu: %s", i, error.text);
        struct plan *plan = plan_create(model, &error);
        assert_true(plan_begin(plan, "load", &error));
        assert_true(plan_set(plan, 0, &targets[0], &error) && plan_set(plan, 1, &targets[1], &error));
        assert_true(plan_target(plan, 0)->sparsity == good[i].q);
        assert_true(plan_target(plan, 1)->sparsity == good[i].up);
        plan_end(plan);
        plan_free(plan);
    }
    made_model_free(model);
}

static void faults_are_named(void **state) {
    (void)state;
    struct model *model = made_model_create(1, two, 2, 0);
    struct target targets[4];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error error = {0};
        size_t length = bad[i].text[0] == '\xff' ? 6 : strlen(bad[i].text);
        if (plan_csv_parse(targets, model, bad[i].text, length, "plan.csv", &error))
            fail_msg("case %zu was taken", i);
        assert_int_equal(error.code, ERROR_INPUT);
        if (strstr(error.text, bad[i].says) == NULL || strncmp(error.text, "plan.csv", 8) != 0)
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, error.text, bad[i].says);
    }
    made_model_free(model);
}

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void files_come_back_byte_for_byte(void **state) {
    (void)state;
    char folder[] = "/tmp/secateur-csv-XXXXXX";
    struct error error = {0};
    assert_non_null(mkdtemp(folder));
    char *first = file_join(folder, "a.csv", &error);
    char *second = file_join(folder, "b.csv", &error);
    struct model *model = made_model_create(4, made_llama, 7, 0);
    struct plan *plan = plan_create(model, &error);
    assert_true(plan_begin(plan, "edit", &error));
    for (size_t i = 0; i < model->matrix_count; i++) {
        struct target target = *plan_target(plan, i);
        target.sparsity = (double)(i + 1) / 37 / 3;
        target.high = 0.9 + (double)i / 1000;
        target.locked = i % 3 == 0;
        assert_true(plan_set(plan, i, &target, &error));
    }
    plan_end(plan);
    assert_true(plan_csv_write(plan, first, &error));
    struct plan *other = plan_create(model, &error);
    assert_true(plan_csv_read(other, first, &error));
    for (size_t i = 0; i < model->matrix_count; i++)
        assert_true(target_equal(plan_target(plan, i), plan_target(other, i)));
    assert_true(plan_csv_write(other, second, &error));
    char *a = file_read(first, 1 << 20, NULL, &error);
    char *b = file_read(second, 1 << 20, NULL, &error);
    assert_string_equal(a, b);
    write_text(second, HEADER Q ",0.5,,,\n");
    size_t current;
    assert_false(plan_csv_read(other, second, &error));
    assert_int_equal(plan_history(other, &current), 1);
    memory_free(a);
    memory_free(b);
    plan_free(plan);
    plan_free(other);
    made_model_free(model);
    assert_true(file_remove_tree(folder, &error));
    memory_free(first);
    memory_free(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_taken),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(files_come_back_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

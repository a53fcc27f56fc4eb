/* More text adds up to the same as all of it at once; and how many Hessians a block of a Llama takes. */
#include "base/memory.h"
#include "workbench/calibrate_more.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOKENS 24

static struct error error;
static struct model *model;

static int open_model(void **state) {
    (void)state;
    model = model_open(SAMPLE_FOLDER, &error);
    return model == NULL;
}

static int close_model(void **state) {
    (void)state;
    model_close(model);
    return 0;
}

/* q, k and v share one, gate and up another. */
static void test_four_hessians(void **state) {
    (void)state;
    struct gathering gathering;
    uint64_t hidden = (uint64_t)model->architecture.hidden;
    const struct matrix *down = &model->matrices[model->blocks[0].first + 6];
    assert_int_equal(model->blocks[0].count, 7);
    assert_int_equal(down->role, ROLE_DOWN);
    assert_true(gathering_create(&gathering, model, 0, true, false, &error));
    assert_int_equal(gathering.input_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_non_null(gathering.inputs[i].statistics.hessian);
    uint64_t moments = gathering_bytes(model, 0, true) - gathering_bytes(model, 0, false);
    assert_int_equal(moments, 3 * hessian_bytes((int64_t)hidden) + hessian_bytes(down->columns));
    gathering_free(&gathering);
}

static float value_at(size_t token, size_t column) {
    return (float)((int)((token * 31 + column * 7) % 17) - 8);
}

static void gather(struct gathering *gathering, size_t first, size_t count) {
    assert_true(gathering_create(gathering, model, 0, false, false, &error));
    for (size_t i = 0; i < gathering->input_count; i++) {
        struct gathered_input *input = &gathering->inputs[i];
        size_t columns = (size_t)input->statistics.columns;
        float *x = memory_alloc(count * columns, sizeof *x, &error);
        for (size_t t = 0; t < count; t++)
            for (size_t j = 0; j < columns; j++)
                x[t * columns + j] = value_at(first + t, j);
        assert_true(input_statistics_add(&input->statistics, x, (int64_t)count, 1, false, &error));
        assert_true(activity_add(&input->activity, x, count * columns, &error));
        memory_free(x);
    }
    gathering->cosine = 0.5 * (double)count;
    gathering->cosine_tokens = count;
}

static void study(struct findings *findings, const struct gathering *gathering) {
    struct progress progress = {0};
    struct findings_options options = {0};
    assert_true(findings_make(findings, gathering, &options, &progress, &error));
}

static void assert_same(double a, double b) {
    if (!(fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b))))
        fail_msg("%.17g where %.17g is right", a, b);
}

static void test_adds_up(void **state) {
    (void)state;
    struct gathering first;
    struct gathering second;
    struct gathering all;
    struct findings findings;
    struct findings whole;
    struct sensitivity *known = sensitivity_create(model, &error);
    gather(&first, 0, 10);
    gather(&second, 10, TOKENS - 10);
    gather(&all, 0, TOKENS);
    study(&findings, &first);
    findings_publish(known, &findings);
    known->tokens = 10;
    findings_free(&findings);
    calibrate_more_merge(&second, known);
    study(&findings, &second);
    study(&whole, &all);
    assert_true(calibrate_more_keep(&findings, known, &error));
    for (size_t i = 0; i < whole.input_count; i++) {
        assert_int_equal(findings.inputs[i].tokens, TOKENS);
        assert_int_equal(findings.inputs[i].activity.zeros, whole.inputs[i].activity.zeros);
        assert_same(findings.inputs[i].trace, whole.inputs[i].trace);
        for (int64_t j = 0; j < whole.inputs[i].columns; j++)
            assert_same(findings.inputs[i].sum[j], whole.inputs[i].sum[j]);
    }
    for (size_t i = 0; i < model->blocks[0].count; i++) {
        assert_same(findings.matrices[i].energy, whole.matrices[i].energy);
        assert_same(findings.matrices[i].metric_sum, whole.matrices[i].metric_sum);
    }
    assert_same(findings.whole.influence, 0.5);
    findings_free(&findings);
    findings_free(&whole);
    gathering_free(&first);
    gathering_free(&second);
    gathering_free(&all);
    sensitivity_free(known);
}

static void test_refuses(void **state) {
    (void)state;
    struct sensitivity *known = sensitivity_create(model, &error);
    known->corpus_hash = 7;
    assert_false(calibrate_more_check(NULL, 8, &error));
    assert_false(calibrate_more_check(known, 8, &error));
    for (size_t b = 0; b < model->block_count; b++)
        known->blocks[b].known = true;
    assert_true(calibrate_more_check(known, 8, &error));
    assert_false(calibrate_more_check(known, 7, &error));
    assert_non_null(strstr(error.text, "twice"));
    sensitivity_free(known);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_four_hessians), cmocka_unit_test(test_adds_up),
                                       cmocka_unit_test(test_refuses)};
    return cmocka_run_group_tests(tests, open_model, close_model);
}

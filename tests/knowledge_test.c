/* What is kept of a calibration: written and read back it is the same, damaged in any byte it is refused; and the
 * estimate and the spectrum's exponent where the answer is known. */
#include "base/memory.h"
#include "plan/knowledge_file.h"
#include "plan/spectrum.h"
#include "tests/made_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* A made model's sensitivity, with a curve that is the square of the sparsity. */
static struct sensitivity *make_sensitivity(const struct model *model) {
    struct error error = {0};
    struct sensitivity *sensitivity = sensitivity_create(model, &error);
    assert_non_null(sensitivity);
    for (size_t i = 0; i < model->matrix_count; i++) {
        struct matrix_sensitivity *matrix = &sensitivity->matrices[i];
        matrix->known = true;
        matrix->energy = matrix->diagonal_energy = 1;
        matrix->curves = memory_alloc(CURVE_ORDERS, sizeof *matrix->curves, &error);
        for (int order = 0; order < CURVE_ORDERS; order++)
            for (int k = 0; k < CURVE_POINTS; k++)
                matrix->curves[order].error[k] = (float)(k * k) / (float)((CURVE_POINTS - 1) * (CURVE_POINTS - 1));
    }
    (void)snprintf(sensitivity->source, sizeof sensitivity->source, "made");
    sensitivity->key = 7;
    return sensitivity;
}

static bool add_anchor(struct forecaster *forecaster, const char *name, const struct plan *plan, double change,
                       double deviation) {
    struct forecast_anchor anchor = {.change = change, .deviation = deviation, .tokens = 100, .text = 5};
    (void)snprintf(anchor.name, sizeof anchor.name, "%s", name);
    return forecaster_add(forecaster, &anchor, plan, NULL);
}

static void add_knowledge(struct sensitivity *sensitivity, struct forecaster *forecaster) {
    struct error error = {0};
    struct measured_point point = {.method = "wanda", .pattern = {PATTERN_ROW, 0, 0}, .sparsity = 0.6, .error = 0.3};
    struct loss_point loss = {.method = "wanda", .sparsity = 0.7, .change = 0.02, .deviation = 0.001};
    struct plan *plan = plan_create(sensitivity->model, &error);
    assert_true(sensitivity_add_point(sensitivity, 1, &point, &error));
    assert_true(sensitivity_add_loss(sensitivity, 1, &loss, &error));
    struct slope_point slope = {"wanda", 0.6, 0.1, 0.9, 1, 1.2, 5};
    assert_true(sensitivity_add_slope(sensitivity, 1, &slope, &error));
    slope.base = 0.7;
    assert_true(sensitivity_add_slope(sensitivity, 1, &slope, &error));
    assert_true(add_anchor(forecaster, "nothing", plan, 0.5, 0.1));
    assert_true(add_anchor(forecaster, "nothing again", plan, 0.25, 0.1));
    assert_int_equal(forecaster->anchor_count, 1); /* the same plan: measured again */
    plan_free(plan);
}

static void pack(struct text *bytes, const struct model *model) {
    struct error error = {0};
    struct sensitivity *sensitivity = make_sensitivity(model);
    struct forecaster *forecaster = forecaster_create(sensitivity, &error);
    forecaster->dense_nll = 2.5;
    add_knowledge(sensitivity, forecaster);
    assert_true(knowledge_pack(bytes, sensitivity, forecaster, &error));
    forecaster_free(forecaster);
    sensitivity_free(sensitivity);
}

static void what_was_packed_comes_back(void **state) {
    (void)state;
    struct error error = {0};
    struct text bytes = {0};
    struct text again = {0};
    struct sensitivity *sensitivity;
    struct forecaster *forecaster;
    struct model *model = made_model_create(2, made_llama, 7, 0);
    pack(&bytes, model);
    assert_true(knowledge_unpack(&sensitivity, &forecaster, model, bytes.data, bytes.length, &error));
    assert_true(knowledge_pack(&again, sensitivity, forecaster, &error));
    assert_int_equal(bytes.length, again.length);
    assert_memory_equal(bytes.data, again.data, bytes.length);
    assert_string_equal(sensitivity->source, "made");
    assert_int_equal(forecaster->anchor_count, 1);
    assert_true(forecaster->anchors[0].change == 0.25);
    assert_true(forecaster->dense_nll == 2.5);
    forecaster_free(forecaster);
    sensitivity_free(sensitivity);
    text_free(&bytes);
    text_free(&again);
    made_model_free(model);
}

static void damage_and_other_models_are_refused(void **state) {
    (void)state;
    struct error error = {0};
    struct text bytes = {0};
    struct sensitivity *sensitivity;
    struct forecaster *forecaster;
    struct model *model = made_model_create(2, made_llama, 7, 0);
    struct model *other = made_model_create(3, made_llama, 7, 0);
    pack(&bytes, model);
    assert_false(knowledge_unpack(&sensitivity, &forecaster, other, bytes.data, bytes.length, &error));
    assert_int_equal(error.code, ERROR_INPUT);
    for (size_t size = 0; size < bytes.length; size += 997)
        assert_false(knowledge_unpack(&sensitivity, &forecaster, model, bytes.data, size, &error));
    for (size_t at = 0; at < bytes.length; at += 499) {
        bytes.data[at] ^= 0x40;
        assert_false(knowledge_unpack(&sensitivity, &forecaster, model, bytes.data, bytes.length, &error));
        bytes.data[at] ^= 0x40;
    }
    text_free(&bytes);
    made_model_free(model);
    made_model_free(other);
}

/* The estimate goes through the one measured point, keeps 0 and 1, and rises. */
static void the_estimate_goes_through_the_measured_point(void **state) {
    (void)state;
    struct error error = {0};
    struct pattern row = {PATTERN_ROW, 0, 0};
    struct measured_point point = {.method = "wanda", .pattern = row, .sparsity = 0.8, .error = 0.3};
    struct model *model = made_model_create(1, made_llama, 7, 0);
    struct sensitivity *sensitivity = make_sensitivity(model);
    sensitivity->matrices[0].exact = true;
    sensitivity->matrices[0].energy = 3; /* three times the diagonal's */
    assert_true(fabs(sensitivity_estimate(sensitivity, 0, "wanda", row, 0.5) - (0.25 + 2 * 0.0625) / 3) < 1e-6);
    assert_true(sensitivity_add_point(sensitivity, 0, &point, &error));
    assert_true(fabs(sensitivity_estimate(sensitivity, 0, "wanda", row, 0.8) - 0.3) < 1e-3);
    assert_true(sensitivity_estimate(sensitivity, 0, "wanda", row, 0) == 0);
    assert_true(fabs(sensitivity_estimate(sensitivity, 0, "wanda", row, 1) - 1) < 1e-6);
    double last = 0;
    for (double s = 0.05; s <= 1; s += 0.05) {
        double next = sensitivity_estimate(sensitivity, 0, "wanda", row, s);
        assert_true(next >= last);
        last = next;
    }
    sensitivity_free(sensitivity);
    made_model_free(model);
}

/* Quantiles of a power law of exponent 3 have a Hill exponent near 3. */
static void a_power_law_has_its_exponent(void **state) {
    (void)state;
    double values[2000];
    for (size_t i = 0; i < 2000; i++)
        values[i] = pow(1 - ((double)i + 0.5) / 2000, -1 / (3.0 - 1));
    assert_true(fabs(spectrum_fit(values, 2000) - 3) < 0.1);
    assert_true(isnan(spectrum_fit((double[]){0, 0, 0}, 3)));
    /* Few values: none within reach of the fullest bin's edge, 1.17e-4, so the nearest, 1e-4, begins the tail. */
    assert_true(fabs(spectrum_fit((double[]){1e-4, 1e-2, 1, 10, 1000}, 5) - (1 + 5 / (18 * log(10)))) < 1e-9);
}

static void fill(struct plan *plan, double even, double by_block) {
    const struct model *model = plan_model(plan);
    struct target target = plan_default_target();
    assert_true(plan_begin(plan, "made", NULL));
    for (size_t i = 0; i < model->matrix_count; i++) {
        target.sparsity = even + (model->matrices[i].block % 2 ? by_block : -by_block);
        if (model->matrices[i].prunable)
            assert_true(plan_set(plan, i, &target, NULL));
    }
    plan_end(plan);
}

static double width(const struct forecast *forecast) {
    return forecast->high / forecast->low;
}

/* A measured plan is forecast as measured, the plans near it are corrected towards it, and an interval is wider the
 * less a plan is like a measured one. 32 blocks of 7 matrices take less than 5 ms each time. */
static void uneven_plans_are_forecast_from_uneven_plans(void **state) {
    (void)state;
    enum { TIMES = 50 };
    struct error error = {0};
    struct forecast even, uneven, near, far;
    struct timespec begin, end;
    struct model *model = made_model_create(32, made_llama, 7, 0);
    struct sensitivity *sensitivity = make_sensitivity(model);
    struct forecaster *forecaster = forecaster_create(sensitivity, &error);
    struct plan *plan = plan_create(model, &error);
    for (int i = 2; i < 8; i++) {
        fill(plan, 0.1 * i, 0);
        assert_true(add_anchor(forecaster, "uniform", plan, 0.01 * i * i, 0.001));
    }
    fill(plan, 0.5, 0.2);
    forecast_plan(&far, NULL, forecaster, plan);
    assert_true(add_anchor(forecaster, "uneven", plan, 2 * far.change, 0.001));
    forecast_plan(&uneven, NULL, forecaster, plan);
    assert_true(fabs(uneven.change / (2 * far.change) - 1) < 1e-9);
    assert_true(uneven.distance < 1e-9 && far.distance > 0.1);
    assert_true(width(&far) > 1.1 * width(&uneven));
    fill(plan, 0.5, 0);
    forecast_plan(&even, NULL, forecaster, plan);
    assert_true(fabs(even.change / 0.25 - 1) < 1e-9);
    fill(plan, 0.5, 0.19);
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < TIMES; i++)
        forecast_plan(&near, NULL, forecaster, plan);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    assert_true(seconds / TIMES < 0.005);
    assert_true(near.change > 1.8 * far.change && near.change < 2.2 * far.change);
    assert_true(width(&near) > width(&uneven) && width(&near) < width(&far));
    plan_free(plan);
    forecaster_free(forecaster);
    sensitivity_free(sensitivity);
    made_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_packed_comes_back),
        cmocka_unit_test(uneven_plans_are_forecast_from_uneven_plans),
        cmocka_unit_test(damage_and_other_models_are_refused),
        cmocka_unit_test(the_estimate_goes_through_the_measured_point),
        cmocka_unit_test(a_power_law_has_its_exponent),
    };
    return cmocka_run_group_tests_name("knowledge", tests, NULL, NULL);
}

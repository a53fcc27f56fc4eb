/* Strategies against independent computations from their definitions, budgets met to the weight under random locks and
 * bounds, and the time that a knapsack takes. */
#include "tests/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/memory.h"
#include "model/corpus.h"
#include "plan/allocate.h"
#include "plan/allocate_group.h"
#include "plan/cost.h"
#include "tests/made_model.h"
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUDGET 0.6
#define BLOCKS 8

struct fixture {
    struct model *model;
    struct plan *plan;
    struct sensitivity *sensitivity;
    struct forecaster *forecaster;
    double *fisher;
};

static double unit(uint64_t *random) {
    return (double)(corpus_random(random) >> 11) * 0x1p-53;
}

static double size_of(const struct fixture *f, size_t i) {
    return (double)f->model->matrices[i].rows * (double)f->model->matrices[i].columns;
}

/* A convex curve of its own for every matrix, and numbers for the other strategies. */
static void make_up(struct fixture *f) {
    uint64_t random = 7;
    for (size_t i = 0; i < f->model->matrix_count; i++) {
        struct matrix_sensitivity *m = &f->sensitivity->matrices[i];
        double power = 1.5 + 3 * unit(&random);
        m->known = true;
        m->energy = m->diagonal_energy = 1;
        m->curves = memory_alloc(CURVE_ORDERS, sizeof *m->curves, NULL);
        for (int order = 0; order < CURVE_ORDERS; order++) {
            for (int p = 0; p < CURVE_POINTS; p++)
                m->curves[order].error[p] = (float)pow((double)p / (CURVE_POINTS - 1), power);
            for (int n = 1; n < 4; n++)
                m->curves[order].n_of_4[n] = (float)pow(1 - n / 4.0, power);
        }
        m->metric_sum = size_of(f, i) * (0.5 + unit(&random));
        m->outliers[1] = floor(size_of(f, i) * 0.03 * unit(&random));
        m->hill = 1.5 + 2 * unit(&random);
        f->fisher[i] = pow(10, -6 * unit(&random));
    }
    for (size_t b = 0; b < f->model->block_count; b++)
        f->sensitivity->blocks[b] = (struct block_sensitivity){.known = true, .influence = unit(&random)};
    f->sensitivity->tokens = 1000;
    f->sensitivity->revision++;
}

static void open_fixture(struct fixture *f, struct model *model) {
    f->model = model;
    f->plan = plan_create(model, NULL);
    f->sensitivity = sensitivity_create(model, NULL);
    f->forecaster = forecaster_create(f->sensitivity, NULL);
    f->fisher = memory_alloc(model->matrix_count, sizeof *f->fisher, NULL);
    assert_true(f->plan != NULL && f->forecaster != NULL && f->fisher != NULL);
    make_up(f);
}

static void close_fixture(struct fixture *f) {
    forecaster_free(f->forecaster);
    sensitivity_free(f->sensitivity);
    plan_free(f->plan);
    memory_free(f->fisher);
}

static struct allocation given_of(const struct fixture *f, const struct summary *const *summaries) {
    return (struct allocation){.plan = f->plan,
                               .sensitivity = f->sensitivity,
                               .forecaster = f->forecaster,
                               .summaries = summaries,
                               .fisher = f->fisher,
                               .budget = BUDGET,
                               .parameter = NAN};
}

static void run(const struct fixture *f, const char *strategy, const struct summary *const *summaries) {
    struct error error = {0};
    struct allocation given = given_of(f, summaries);
    if (!allocate(strategy_find(strategy), &given, NULL, 0, &error))
        fail_msg("%s: %s", strategy, error.text);
}

/* expected[block_count]: the sparsity of every matrix of a block. */
static void assert_blocks(const struct fixture *f, const double *expected) {
    for (size_t i = 0; i < f->model->matrix_count; i++)
        if (f->model->matrices[i].prunable)
            assert_true(fabs(plan_target(f->plan, i)->sparsity - expected[f->model->matrices[i].block]) <=
                        3 / size_of(f, i));
}

/* Keep ratios moved so that their mean over blocks of one size is 1 - S (OWL and DLP). */
static void ratios_to_sparsities(double *values, double spread) {
    double least = INFINITY;
    double most = -INFINITY;
    double mean = 0;
    for (size_t b = 0; b < BLOCKS; b++) {
        least = fmin(least, values[b]);
        most = fmax(most, values[b]);
    }
    for (size_t b = 0; b < BLOCKS; b++) {
        values[b] = (values[b] - least) / (most - least) * 2 * spread;
        mean += values[b] / BLOCKS;
    }
    for (size_t b = 0; b < BLOCKS; b++)
        values[b] = 1 - (values[b] - mean + 1 - BUDGET);
}

static void block_means(double *outliers, double *metrics, double *hills, const struct fixture *f) {
    for (size_t b = 0; b < BLOCKS; b++) {
        double weights = 0;
        outliers[b] = metrics[b] = hills[b] = 0;
        for (size_t i = f->model->blocks[b].first; i < f->model->blocks[b].first + f->model->blocks[b].count; i++) {
            outliers[b] += f->sensitivity->matrices[i].outliers[1];
            metrics[b] += f->sensitivity->matrices[i].metric_sum;
            hills[b] += f->sensitivity->matrices[i].hill / (double)f->model->blocks[b].count;
            weights += size_of(f, i);
        }
        outliers[b] *= 100 / weights;
        metrics[b] /= weights;
    }
}

static void test_block_strategies(void **state) {
    struct fixture f;
    double owl[BLOCKS];
    double dlp[BLOCKS];
    double alpha[BLOCKS];
    (void)state;
    struct model *model = made_model_create(BLOCKS, made_llama, 7, 1);
    open_fixture(&f, model);
    block_means(owl, dlp, alpha, &f);
    ratios_to_sparsities(owl, 0.08);
    run(&f, "owl", NULL);
    assert_blocks(&f, owl);
    double sum = 0;
    for (size_t b = 0; b < BLOCKS; b++)
        sum += dlp[b];
    for (size_t b = 0; b < BLOCKS; b++)
        dlp[b] = 1 - dlp[b] / sum;
    ratios_to_sparsities(dlp, 0.15);
    run(&f, "dlp", NULL);
    assert_blocks(&f, dlp);
    double least = INFINITY;
    double most = -INFINITY;
    double mean = 0;
    for (size_t b = 0; b < BLOCKS; b++) {
        least = fmin(least, alpha[b]);
        most = fmax(most, alpha[b]);
    }
    for (size_t b = 0; b < BLOCKS; b++) {
        alpha[b] = 0.7 + 0.6 * (alpha[b] - least) / (most - least);
        mean += alpha[b] / BLOCKS;
    }
    for (size_t b = 0; b < BLOCKS; b++)
        alpha[b] *= BUDGET / mean;
    run(&f, "alpha", NULL);
    assert_blocks(&f, alpha);
    close_fixture(&f);
    made_model_free(model);
}

/* Keep ratios linear in log(trace / weights), least to largest 0.2 apart, their weighted mean at 1 - S. */
static void test_fisher(void **state) {
    struct fixture f;
    struct error error = {0};
    double least = INFINITY, most = -INFINITY, mean = 0, all = 0;
    (void)state;
    struct model *model = made_model_create(BLOCKS, made_llama, 7, 1);
    open_fixture(&f, model);
    double *keep = memory_alloc(model->matrix_count, sizeof *keep, NULL);
    for (size_t i = 0; i < model->matrix_count; i++) {
        if (!model->matrices[i].prunable)
            continue;
        keep[i] = log10(f.fisher[i]) - log10(size_of(&f, i));
        least = keep[i] < least ? keep[i] : least;
        most = keep[i] > most ? keep[i] : most;
    }
    for (size_t i = 0; i < model->matrix_count; i++) {
        if (!model->matrices[i].prunable)
            continue;
        keep[i] = 0.2 * (keep[i] - least) / (most - least);
        mean += keep[i] * size_of(&f, i);
        all += size_of(&f, i);
    }
    run(&f, "fisher", NULL);
    for (size_t i = 0; i < model->matrix_count; i++)
        if (model->matrices[i].prunable)
            assert_true(fabs(1 - plan_target(f.plan, i)->sparsity - (keep[i] - mean / all + 1 - BUDGET)) <=
                        3 / size_of(&f, i));
    struct allocation given = given_of(&f, NULL);
    given.fisher = NULL;
    assert_false(allocate(strategy_find("fisher"), &given, NULL, 0, &error));
    assert_non_null(strstr(error.text, "gradients=FILE"));
    memory_free(keep);
    close_fixture(&f);
    made_model_free(model);
}

/* Bytes and operations of a plan, counted by hand: f32 weights, nothing tied away. */
static void test_cost(void **state) {
    struct fixture f;
    enum dtype half = DTYPE_F16;
    double flops = 0, bytes = 0, halves = 0;
    (void)state;
    struct model *model = made_model_create(BLOCKS, made_llama, 7, 1);
    open_fixture(&f, model);
    run(&f, "erk", NULL);
    for (size_t i = 0; i < model->weight_count; i++) {
        const struct weight *weight = &model->weights[i];
        double count = (double)weight->tensor->count;
        double wide = (double)weight->tensor->bytes / count;
        double gone = weight->matrix != SIZE_MAX ? (double)plan_count(f.plan, weight->matrix) : 0;
        bytes += gone > 0 ? (count - gone) * wide + count / 8 : count * wide;
        halves += gone > 0 ? (count - gone) * 2 + count / 8 : count * 2;
        if (weight->matrix != SIZE_MAX && (weight->role != ROLE_EMBEDDING || model->tied))
            flops += 2 * (count - gone);
    }
    assert_true(fabs(plan_flops(f.plan) - flops) < 1e-6 * flops);
    assert_true(fabs(plan_bytes(f.plan, NULL) - bytes) < 1e-6 * bytes);
    assert_true(fabs(plan_bytes(f.plan, &half) - halves) < 1e-6 * halves);
    close_fixture(&f);
    made_model_free(model);
}

/* Densities c (rows + columns) / (rows columns), those above 1 taken out and the rest scaled again. */
static void test_erk(void **state) {
    struct fixture f;
    bool full[7] = {false};
    double scale = 0;
    (void)state;
    struct model *model = made_model_create(BLOCKS, made_llama, 7, 1);
    open_fixture(&f, model);
    for (int round = 0; round < 8; round++) {
        double keep = 0;
        double share = 0;
        for (size_t i = 0; i < 7; i++) {
            keep += size_of(&f, i) * (1 - BUDGET) - (full[i] ? size_of(&f, i) : 0);
            share += full[i] ? 0 : (double)(model->matrices[i].rows + model->matrices[i].columns);
        }
        scale = keep / share;
        for (size_t i = 0; i < 7; i++)
            full[i] =
                full[i] || scale * (double)(model->matrices[i].rows + model->matrices[i].columns) / size_of(&f, i) > 1;
    }
    run(&f, "erk", NULL);
    for (size_t i = 0; i < 7; i++) {
        double density =
            full[i] ? 1 : scale * (double)(model->matrices[i].rows + model->matrices[i].columns) / size_of(&f, i);
        assert_true(fabs(plan_target(f.plan, i)->sparsity - (1 - density)) <= 3 / size_of(&f, i));
    }
    close_fixture(&f);
    made_model_free(model);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static int compare_magnitudes(const void *a, const void *b) {
    double x = (double)fabsf(*(const float *)a);
    double y = (double)fabsf(*(const float *)b);
    return (x > y) - (x < y);
}

/* Every weight's score is its square over the sum of squares of all that are at least as large; one threshold. */
static void test_lamp(void **state) {
    struct fixture f;
    uint64_t random = 3;
    (void)state;
    struct model *model = made_model_create(2, made_llama, 7, 1);
    open_fixture(&f, model);
    struct summary **summaries = memory_alloc(model->matrix_count, sizeof *summaries, NULL);
    double **scores = memory_alloc(model->matrix_count, sizeof *scores, NULL);
    double *all = memory_alloc(1000000, sizeof *all, NULL);
    size_t total = 0;
    for (size_t i = 0; i < model->matrix_count; i++) {
        size_t count = (size_t)size_of(&f, i);
        float *weights = memory_alloc(count, sizeof *weights, NULL);
        double width = 0.2 + unit(&random);
        for (size_t w = 0; w < count; w++)
            weights[w] = (float)(width * (unit(&random) + unit(&random) + unit(&random) - 1.5));
        struct tensor tensor = *model->matrices[i].tensor;
        tensor.data = (const uint8_t *)weights;
        tensor.dtype = DTYPE_F32;
        tensor.bytes = count * sizeof(float);
        tensor.shape[0] = model->matrices[i].rows;
        tensor.shape[1] = model->matrices[i].columns;
        summaries[i] = summary_create(&tensor, false, NULL, NULL);
        qsort(weights, count, sizeof *weights, compare_magnitudes);
        scores[i] = memory_alloc(count, sizeof **scores, NULL);
        double above = 0;
        for (size_t w = count; w-- > 0;) {
            above += (double)weights[w] * (double)weights[w];
            scores[i][w] = (double)weights[w] * (double)weights[w] / above;
            if (model->matrices[i].prunable)
                all[total++] = scores[i][w];
        }
        memory_free(weights);
    }
    qsort(all, total, sizeof *all, compare);
    double threshold = all[(size_t)(BUDGET * (double)total)];
    run(&f, "lamp", (const struct summary *const *)summaries);
    for (size_t i = 0; i < model->matrix_count; i++) {
        size_t below = 0;
        while (below < (size_t)size_of(&f, i) && scores[i][below] < threshold)
            below++;
        if (model->matrices[i].prunable)
            assert_true(fabs(plan_target(f.plan, i)->sparsity - (double)below / size_of(&f, i)) < 0.01);
        summary_free(summaries[i]);
        memory_free(scores[i]);
    }
    memory_free(all);
    memory_free(scores);
    memory_free(summaries);
    close_fixture(&f);
    made_model_free(model);
}

/* ---- budgets ---- */

static void set_random_limits(struct fixture *f, uint64_t *random) {
    for (size_t i = 0; i < f->model->matrix_count; i++) {
        struct target target = plan_default_target();
        if (!f->model->matrices[i].prunable)
            continue;
        target.locked = corpus_random_below(random, 5) == 0;
        target.sparsity = target.locked ? unit(random) : 0;
        target.low = corpus_random_below(random, 4) == 0 ? 0.3 * unit(random) : 0;
        target.high = corpus_random_below(random, 4) == 0 ? 0.7 + 0.3 * unit(random) : 1;
        assert_true(plan_begin(f->plan, "limits", NULL));
        assert_true(plan_set(f->plan, i, &target, NULL));
        plan_end(f->plan);
    }
}

static void check_budget(const struct fixture *f, const char *strategy, double budget) {
    struct plan_totals totals;
    plan_totals(&totals, f->plan);
    double off = fabs((double)totals.pruned - budget * (double)totals.prunable);
    if (off > (double)f->model->matrix_count)
        fail_msg("%s, %s at %g: %g weights off", f->model->name, strategy, budget, off);
    for (size_t i = 0; i < f->model->matrix_count; i++) {
        const struct target *target = plan_target(f->plan, i);
        if (f->model->matrices[i].prunable && !target->locked)
            assert_true(target->sparsity >= target->low - 1e-9 && target->sparsity <= target->high + 1e-9);
    }
}

static void check_model(struct model *model, uint64_t seed) {
    struct fixture f;
    uint64_t random = seed;
    open_fixture(&f, model);
    struct summary **summaries = memory_alloc(model->matrix_count, sizeof *summaries, NULL);
    for (size_t i = 0; i < model->matrix_count; i++)
        summaries[i] = summary_create(model->matrices[i].tensor, model->matrices[i].transposed, NULL, NULL);
    for (size_t s = 0; s < strategy_count; s++) {
        struct error error = {0};
        set_random_limits(&f, &random);
        struct allocation given = given_of(&f, (const struct summary *const *)summaries);
        given.budget = 0.45 + 0.2 * unit(&random);
        if (strategy_table[s].needs == STRATEGY_NEEDS_EVALUATION)
            given.parameter = 0.01;
        if (allocate(&strategy_table[s], &given, NULL, 0, &error))
            check_budget(&f, strategy_table[s].name, given.budget);
        else if (strstr(error.text, "cannot be reached") == NULL) /* locks and bounds may leave no room: it says so */
            fail_msg("%s, %s: %s", model->name, strategy_table[s].name, error.text);
    }
    for (size_t i = 0; i < model->matrix_count; i++)
        summary_free(summaries[i]);
    memory_free(summaries);
    close_fixture(&f);
}

static void test_budgets(void **state) {
    char **names;
    size_t count;
    (void)state;
    if (golden_folder() == NULL)
        skip();
    char *folder = golden_path("golden");
    size_t models = 0;
    assert_true(file_list(&names, &count, folder, NULL));
    for (size_t i = 0; i < count; i++) {
        char *path = file_join(folder, names[i], NULL);
        char *config = file_join(path, "config.json", NULL);
        struct model *model = file_exists(config) ? model_open(path, NULL) : NULL;
        if (model != NULL) {
            check_model(model, i);
            models++;
        }
        model_close(model);
        memory_free(config);
        memory_free(path);
    }
    assert_true(models >= 19);
    file_list_free(names, count);
    memory_free(folder);
}

/* ---- keep N of M, and time ---- */

static void test_group(void **state) {
    struct fixture f;
    struct plan_totals totals;
    (void)state;
    struct model *model = made_model_create(BLOCKS, made_llama, 7, 1);
    open_fixture(&f, model);
    struct allocation given = given_of(&f, NULL);
    assert_true(allocate_group(&given, 4, NULL, 0, NULL));
    plan_totals(&totals, f.plan);
    assert_true(totals.sparsity >= BUDGET - 1e-6 && totals.sparsity < BUDGET + 0.01);
    for (size_t i = 0; i < model->matrix_count; i++) {
        const struct target *target = plan_target(f.plan, i);
        if (target->sparsity > 0)
            assert_true(target->pattern.kind == PATTERN_N_M && target->pattern.m == 4);
    }
    double low, high;
    assert_true(allocate_group_range(&low, &high, &given, 4, NULL, 0, NULL));
    assert_true(low == 0 && fabs(high - 0.75) < 1e-12);
    given.budget = high;
    assert_true(allocate_group(&given, 4, NULL, 0, NULL));
    /* Bounds between two N: a sentence, not silence. */
    struct error error = {0};
    struct target narrow = *plan_target(f.plan, model->blocks[0].first);
    narrow.low = 0.3;
    narrow.high = 0.4;
    assert_true(plan_begin(f.plan, "bounds", NULL) && plan_set(f.plan, model->blocks[0].first, &narrow, NULL));
    plan_end(f.plan);
    assert_false(allocate_group(&given, 4, NULL, 0, &error));
    assert_non_null(strstr(error.text, "within its bounds"));
    close_fixture(&f);
    made_model_free(model);
}

static void test_knapsack_time(void **state) {
    struct fixture f;
    struct timespec begun;
    struct timespec ended;
    (void)state;
    struct model *model = made_model_create(80, made_llama, 7, 1);
    open_fixture(&f, model);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun); /* of this process: others may be at work */
    run(&f, "knapsack", NULL);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
    double seconds = (double)(ended.tv_sec - begun.tv_sec) + 1e-9 * (double)(ended.tv_nsec - begun.tv_nsec);
    print_message("knapsack on 80 x 7 matrices: %.1f ms\n", 1e3 * seconds);
    assert_true(seconds < 0.2);
    close_fixture(&f);
    made_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_block_strategies),
                                       cmocka_unit_test(test_fisher),
                                       cmocka_unit_test(test_cost),
                                       cmocka_unit_test(test_erk),
                                       cmocka_unit_test(test_lamp),
                                       cmocka_unit_test(test_budgets),
                                       cmocka_unit_test(test_group),
                                       cmocka_unit_test(test_knapsack_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How well errors are estimated and perplexities forecast, on trained models: rank correlation and ratio of the
 * estimate to the exact error, and the forecast of plans that the fit has never seen. Prints the table that is kept in
 * tests/results/forecast.md; fails where a figure is worse than promised. */
#include "base/memory.h"
#include "plan/probe.h"
#include "tests/golden.h"
#include "workbench/commands.h"
#include "workbench/knowledge.h"
#include "workbench/run_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_CORRELATION 0.98
#define RATIO_LOW 0.8
#define RATIO_HIGH 1.25
#define EVEN_TOLERANCE 0.05
#define UNEVEN_TOLERANCE 0.10
#define SHARE_TOLERANCE 0.10 /* of the change, where that is larger */
/* Of a kind's plans inside the 90 % interval: 12 drawn with that chance leave fewer than 9 once in forty times. */
#define LEAST_INSIDE 0.75

struct trained {
    const char *name;
    int windows, length;
    bool counts;
};
/* llama-11m is under-trained: reported only. */
static const struct trained models[] = {
    {"stories260k", 16, 256, true}, {"sample", 16, 128, true}, {"llama-11m", 16, 128, false}};

static bool failed;

static void check(bool holds, const char *what, const char *name) {
    bool counts = true;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        counts = strcmp(models[i].name, name) == 0 ? models[i].counts : counts;
    if (!holds) {
        printf("%s: %s, %s\n", counts ? "FAILED" : "not held", name, what);
        failed = failed || counts;
    }
}

/* ---- estimate against measured ---- */

struct pair {
    double estimated, measured;
};

static int by_estimate(const void *a, const void *b) {
    double first = ((const struct pair *)a)->estimated;
    double second = ((const struct pair *)b)->estimated;
    return (first > second) - (first < second);
}

static int by_value(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* Spearman's; no ties among errors. */
static double rank_correlation(struct pair *pairs, size_t count) {
    double squares = 0;
    qsort(pairs, count, sizeof *pairs, by_estimate);
    for (size_t i = 0; i < count; i++) {
        double rank = 0;
        for (size_t j = 0; j < count; j++)
            rank += pairs[j].measured < pairs[i].measured;
        squares += (rank - (double)i) * (rank - (double)i);
    }
    double n = (double)count;
    return 1 - 6 * squares / (n * (n * n - 1));
}

static double median_ratio(const struct pair *pairs, size_t count) {
    double ratios[512];
    for (size_t i = 0; i < count; i++)
        ratios[i] = pairs[i].estimated / pairs[i].measured;
    qsort(ratios, count, sizeof *ratios, by_value);
    return ratios[count / 2];
}

static size_t collect(struct pair *pairs, const struct sensitivity *sensitivity, const char *method, double level) {
    size_t count = 0;
    for (size_t i = 0; i < sensitivity->model->matrix_count && count < 512; i++)
        for (size_t k = 0; k < sensitivity->matrices[i].point_count; k++) {
            const struct measured_point *point = &sensitivity->matrices[i].points[k];
            if (strcmp(point->method, method) == 0 && point->sparsity == level && point->pattern.kind != PATTERN_N_M)
                pairs[count++] =
                    (struct pair){sensitivity_estimate(sensitivity, i, method, point->pattern, level), point->error};
        }
    return count;
}

static void check_estimates(const char *model, const struct sensitivity *sensitivity) {
    static const char *const methods[] = {"magnitude", "wanda"};
    static const double levels[] = {0.2, 0.4, 0.6, 0.8};
    struct pair pairs[512];
    printf("\n| %s | sparsity | matrices | rank correlation | median estimated / measured |\n|---|---|---|---|---|\n",
           model);
    for (size_t m = 0; m < 2; m++)
        for (size_t level = 0; level < 4; level++) {
            size_t count = collect(pairs, sensitivity, methods[m], levels[level]);
            double correlation = rank_correlation(pairs, count);
            double ratio = median_ratio(pairs, count);
            printf("| %s | %.1f | %zu | %.4f | %.3f |\n", methods[m], levels[level], count, correlation, ratio);
            check(count > 0 && correlation >= LEAST_CORRELATION, "rank correlation", model);
            check(ratio >= RATIO_LOW && ratio <= RATIO_HIGH, "median ratio", model);
        }
}

/* ---- forecast against measured ---- */

enum evenness { EVEN, BY_BLOCK_AND_ROLE, BY_MATRIX, EVENNESS_COUNT };
static const char *const evenness_names[] = {"uniform", "uneven by block and role", "uneven by matrix"};
static const int plan_counts[] = {12, 12, 12};

static double uniform_random(uint64_t *state) {
    return (double)(corpus_random(state) >> 11) * 0x1p-53;
}

static double spread(uint64_t *state, double width) {
    return (2 * uniform_random(state) - 1) * width;
}

/* A plan about a level: all matrices alike; moved by their block and role, which may reach 0 and 90 %; or each on its
 * own between 20 and 70 %. */
static bool make_plan(struct plan *plan, struct target *targets, enum evenness kind, double level, uint64_t *state) {
    const struct model *model = plan_model(plan);
    double blocks[256];
    double roles[ROLE_COUNT];
    for (size_t i = 0; i < 256; i++)
        blocks[i] = spread(state, 0.15);
    for (size_t i = 0; i < ROLE_COUNT; i++)
        roles[i] = spread(state, 0.15);
    bool ok = plan_begin(plan, "validation", NULL);
    for (size_t i = 0; ok && i < model->matrix_count; i++) {
        targets[i] = plan_default_target();
        if (!model->matrices[i].prunable)
            continue;
        double off = 0;
        if (kind == BY_BLOCK_AND_ROLE)
            off = blocks[model->matrices[i].block % 256] + roles[model->matrices[i].role];
        targets[i].sparsity = fmin(fmax(level + off, 0), 0.9);
        if (kind == BY_MATRIX)
            targets[i].sparsity = fmin(fmax(level + spread(state, 0.3), 0.2), 0.7);
        ok = plan_set(plan, i, &targets[i], NULL);
    }
    plan_end(plan);
    return ok;
}

struct score {
    double error, allowed;
    int plans, inside; /* the interval */
};

static bool try_plan(struct score *score, struct workbench *workbench, struct probe *probe, struct target *targets,
                     enum evenness kind, double level, struct error *error) {
    struct forecast forecast;
    struct probe_change change;
    if (!knowledge_forecast(workbench, &forecast, NULL) || !probe_plan(&change, probe, targets, "wanda", NULL, error))
        return false;
    double dense = probe_dense(probe);
    double tolerance = kind == EVEN ? EVEN_TOLERANCE : UNEVEN_TOLERANCE;
    score->error += fabs(forecast.change - change.change);
    score->allowed += fmax(tolerance, SHARE_TOLERANCE * change.change);
    score->plans++;
    score->inside += change.change >= forecast.low && change.change <= forecast.high;
    printf("| %s | %.2f | %.3f | %.3f | %.3f to %.3f | %+.3f |\n", evenness_names[kind], level,
           exp(dense + change.change), forecast.perplexity, forecast.perplexity_low, forecast.perplexity_high,
           forecast.change - change.change);
    return true;
}

static bool check_forecasts(const char *model, struct workbench *workbench, struct probe *probe, struct error *error) {
    struct target *targets = memory_alloc(workbench->model->matrix_count, sizeof *targets, error);
    uint64_t state = 20;
    bool ok = targets != NULL;
    printf("\n| %s | level | measured perplexity | forecast | 90 %% interval | log difference "
           "|\n|---|---|---|---|---|---|\n",
           model);
    for (int kind = 0; ok && kind < EVENNESS_COUNT; kind++) {
        struct score score = {0};
        for (int i = 0; ok && i < plan_counts[kind]; i++) {
            double level = kind == EVEN ? 0.23 + 0.04 * i : 0.25 + 0.4 * uniform_random(&state);
            ok = make_plan(workbench->plan, targets, (enum evenness)kind, level, &state) &&
                 try_plan(&score, workbench, probe, targets, (enum evenness)kind, level, error);
        }
        printf("| **%s** | %d plans | | | %d inside, allowed %.3f | mean %.3f |\n", evenness_names[kind], score.plans,
               score.inside, score.allowed / score.plans, score.error / score.plans);
        check(score.error <= score.allowed, evenness_names[kind], model);
        check(score.inside >= LEAST_INSIDE * score.plans, "the 90 % interval", model);
    }
    memory_free(targets);
    return ok;
}

/* ---- both ---- */

static bool run_line(struct workbench *workbench, const char *command, const char *text, const struct trained *model,
                     int windows, struct error *error) {
    struct text line = {0};
    struct text output = {0};
    text_add(&line, "%s %s windows=%d length=%d", command, text, windows, model->length);
    bool ok = command_run(workbench, text_string(&line), &output, error);
    text_free(&line);
    text_free(&output);
    return ok;
}

static bool validate(const struct trained *model, const char *train, const char *valid, struct error *error) {
    struct settings settings = {.csv = true, .compute = "f32"};
    char relative[64];
    (void)snprintf(relative, sizeof relative, "models/%s", model->name);
    char *path = golden_path(relative);
    struct corpus corpus = {0};
    struct probe probe = {0};
    struct corpus_options options = {.cut = CORPUS_SEQUENTIAL, .windows = model->windows, .length = model->length};
    struct workbench *workbench = workbench_open(path, &settings, error);
    bool ok = workbench != NULL && run_line(workbench, "calibrate", train, model, 64, error);
    if (ok)
        check_estimates(model->name, workbench->sensitivity);
    ok = ok && run_line(workbench, "measure", valid, model, model->windows, error) &&
         run_text_open(&corpus, workbench->model, valid, &options, error) &&
         probe_create(&probe, workbench->sensitivity, corpus.ids, corpus.windows, corpus.length, COMPUTE_F32, NULL,
                      error) &&
         check_forecasts(model->name, workbench, &probe, error);
    probe_free(&probe);
    corpus_close(&corpus);
    workbench_close(workbench);
    memory_free(path);
    return ok;
}

int main(void) {
    struct error error = {0};
    char folder[] = "/tmp/secateur-forecast-XXXXXX";
    if (golden_folder() == NULL)
        return GOLDEN_SKIPPED;
    if (mkdtemp(folder) == NULL)
        return 1;
    (void)setenv("XDG_CACHE_HOME", folder, 1);
    char *train = golden_path("text/tinystories-train.txt");
    char *valid = golden_path("text/tinystories-valid.txt");
    bool ok = true;
    commands_register();
    for (size_t i = 0; ok && i < sizeof models / sizeof *models; i++)
        ok = validate(&models[i], train, valid, &error);
    if (!ok)
        printf("FAILED: %s\n", error.text);
    memory_free(train);
    memory_free(valid);
    (void)file_remove_tree(folder, NULL);
    return ok && !failed ? 0 : 1;
}

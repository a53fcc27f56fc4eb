/* Calibration through the whole program against the reference implementations' Hessians, scalers and inputs, and exact
 * errors and zero counts against ones worked out straight from the reference inputs. */
#include "base/memory.h"
#include "base/npy.h"
#include "tests/golden.h"
#include "workbench/commands.h"
#include "plan/sensitivity.h"
#include "workbench/workbench.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOLERANCE 1e-4

static char folder[32];

static char *family_file(const char *family, const char *file) {
    char relative[96];
    (void)snprintf(relative, sizeof relative, "golden/%s/%s", family, file);
    return golden_path(relative);
}

/* Runs `calibrate` on a family's model; the paths of its outputs are in `folder`. */
static struct workbench *calibrate(const char *family, const char *tokens, const char *options) {
    struct settings settings = {.csv = true};
    struct error error = {0};
    struct text line = {0};
    struct text output = {0};
    char *model = family_file(family, "");
    char *source = family_file(family, tokens);
    text_add(&line, "calibrate %s %s", source, options);
    struct workbench *workbench = workbench_open(model, &settings, &error);
    if (workbench == NULL || !command_run(workbench, text_string(&line), &output, &error))
        fail_msg("%s: %s", model, error.text);
    text_free(&line);
    text_free(&output);
    memory_free(model);
    memory_free(source);
    return workbench;
}

static struct checkpoint *open_file(const char *path) {
    struct error error = {0};
    struct checkpoint *file = checkpoint_open(path, &error);
    if (file == NULL)
        fail_msg("%s", error.text);
    return file;
}

/* Largest difference over the largest value. */
static double difference(const float *a, const float *b, size_t count) {
    double largest = 0;
    double value = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)a[i] - (double)b[i]));
        value = fmax(value, fabs((double)b[i]));
    }
    return value > 0 ? largest / value : largest;
}

static double compare_tensor(const struct checkpoint *ours, const struct checkpoint *theirs, const char *name,
                             const char *stored) {
    const struct tensor *mine = checkpoint_find(ours, name);
    const struct tensor *reference = checkpoint_find(theirs, stored);
    if (mine == NULL || reference == NULL)
        fail_msg("%s is not in both files", name);
    assert_int_equal(mine->count, reference->count);
    float *a = golden_tensor(ours, name);
    float *b = golden_tensor(theirs, stored);
    double result = difference(a, b, (size_t)mine->count);
    memory_free(a);
    memory_free(b);
    return result;
}

/* The references list an expert's tokens by rank of choice first, we by place: each row against its nearest. */
static double compare_rows(const struct checkpoint *ours, const struct checkpoint *theirs, const char *name,
                           const char *stored) {
    const struct tensor *reference = checkpoint_find(theirs, stored);
    const struct tensor *mine = checkpoint_find(ours, name);
    assert_non_null(reference);
    assert_non_null(mine);
    assert_int_equal(mine->count, reference->count);
    size_t rows = (size_t)reference->shape[0];
    size_t columns = (size_t)reference->shape[1];
    float *a = golden_tensor(ours, name);
    float *b = golden_tensor(theirs, stored);
    double worst = 0;
    for (size_t row = 0; row < rows; row++) {
        double nearest = HUGE_VAL;
        for (size_t other = 0; other < rows; other++)
            nearest = fmin(nearest, difference(a + other * columns, b + row * columns, columns));
        worst = fmax(worst, nearest);
    }
    memory_free(a);
    memory_free(b);
    return worst;
}

/* The name under which a file of ours holds a module's entry. */
static const char *stored_name(const struct checkpoint *file, const char *module) {
    const char *alias = json_string_value(json_object_get(file->files[0].metadata, module));
    return alias != NULL ? alias : module;
}

static double compare_hessians(const char *family, const struct checkpoint *ours) {
    char *path = family_file(family, "hessian.safetensors");
    char *alias_path = family_file(family, "hessian_alias.json");
    struct checkpoint *theirs = open_file(path);
    json_t *aliases = json_load_file(alias_path, 0, NULL);
    double worst = 0;
    const char *module;
    json_t *stored;
    assert_non_null(aliases);
    json_object_foreach(aliases, module, stored) worst =
        fmax(worst, compare_tensor(ours, theirs, stored_name(ours, module), json_string_value(stored)));
    json_decref(aliases);
    checkpoint_close(theirs);
    memory_free(alias_path);
    memory_free(path);
    return worst;
}

static double compare_file(const char *family, const char *file, const struct checkpoint *ours) {
    char *path = family_file(family, file);
    struct checkpoint *theirs = open_file(path);
    double worst = 0;
    for (size_t i = 0; i < theirs->tensor_count; i++) {
        const char *name = theirs->tensors[i].name;
        bool rows = theirs->tensors[i].rank == 2 && strstr(name, "experts") != NULL;
        double (*compare)(const struct checkpoint *, const struct checkpoint *, const char *, const char *) =
            rows ? compare_rows : compare_tensor;
        worst = fmax(worst, compare(ours, theirs, stored_name(ours, name), name));
    }
    checkpoint_close(theirs);
    memory_free(path);
    return worst;
}

static const char *const families[] = {"bloom", "falcon", "gemma2",    "gpt2",     "gpt_neo",   "gpt_neox", "gptj",
                                       "llama", "llama3", "mistral",   "mixtral",  "olmo2",     "opt",      "phi3",
                                       "qwen2", "qwen3",  "qwen3_moe", "stablelm", "starcoder2"};
#define FAMILIES (sizeof families / sizeof *families)

static struct checkpoint *written(const char *name) {
    char *path = file_join(folder, name, NULL);
    struct checkpoint *file = open_file(path);
    memory_free(path);
    return file;
}

static bool has(const char *family, const char *file) {
    char *path = family_file(family, file);
    bool there = file_exists(path);
    memory_free(path);
    return there;
}

static void hessians_and_scalers_are_the_references(void **state) {
    (void)state;
    char options[160];
    size_t compared = 0;
    (void)snprintf(options, sizeof options,
                   "compat=reference measure=none hessian=%s/h.safetensors scaler=%s/s.safetensors", folder, folder);
    for (size_t i = 0; i < FAMILIES; i++) {
        if (!has(families[i], "hessian.safetensors"))
            continue;
        workbench_close(calibrate(families[i], "calib.npy", options));
        struct checkpoint *hessians = written("h.safetensors");
        struct checkpoint *scalers = written("s.safetensors");
        double hessian = compare_hessians(families[i], hessians);
        double scaler = compare_file(families[i], "wanda_scaler.safetensors", scalers);
        print_message("%-10s Hessians %.1e, scalers %.1e\n", families[i], hessian, scaler);
        assert_true(hessian <= TOLERANCE);
        assert_true(scaler <= TOLERANCE);
        checkpoint_close(hessians);
        checkpoint_close(scalers);
        compared++;
    }
    assert_true(compared > 0);
}

static void inputs_are_the_references(void **state) {
    (void)state;
    char options[96];
    (void)snprintf(options, sizeof options, "windows=1 measure=none inputs=%s/i.safetensors", folder);
    for (size_t i = 0; i < FAMILIES; i++) {
        if (!has(families[i], "linear_inputs.safetensors"))
            continue;
        workbench_close(calibrate(families[i], "tokens.npy", options));
        struct checkpoint *inputs = written("i.safetensors");
        double worst = compare_file(families[i], "linear_inputs.safetensors", inputs);
        print_message("%-10s inputs %.1e\n", families[i], worst);
        assert_true(worst <= TOLERANCE);
        checkpoint_close(inputs);
    }
}

/* fc2's inputs in OPT are units behind a ReLU. */
static void exact_zeros_are_those_of_the_inputs(void **state) {
    (void)state;
    struct workbench *workbench = calibrate("opt", "tokens.npy", "windows=1 measure=none compute=f32");
    char *path = family_file("opt", "linear_inputs.safetensors");
    struct checkpoint *inputs = open_file(path);
    for (size_t i = 0; i < workbench->model->matrix_count; i++) {
        const struct matrix *matrix = &workbench->model->matrices[i];
        float *x = matrix->role == ROLE_FC2 ? golden_tensor(inputs, matrix->module) : NULL;
        if (x == NULL)
            continue;
        uint64_t zeros = 0;
        size_t count = (size_t)checkpoint_find(inputs, matrix->module)->count;
        for (size_t k = 0; k < count; k++)
            zeros += x[k] == 0;
        const struct input_sensitivity *input = sensitivity_input(workbench->sensitivity, i);
        assert_non_null(input);
        assert_true(zeros > 0);
        assert_int_equal(input->activity.values, count);
        assert_int_equal(input->activity.zeros, zeros);
        assert_int_equal(workbench->sensitivity->blocks[matrix->block].hidden.zeros, zeros);
        memory_free(x);
    }
    checkpoint_close(inputs);
    workbench_close(workbench);
    memory_free(path);
}

static double cosine_of(const float *a, const float *b, size_t columns) {
    double product = 0;
    double first = 0;
    double second = 0;
    for (size_t j = 0; j < columns; j++) {
        product += (double)a[j] * (double)b[j];
        first += (double)a[j] * (double)a[j];
        second += (double)b[j] * (double)b[j];
    }
    return product / sqrt(first * second);
}

/* 1 - the mean cosine of a block's input and output, from the reference's own hidden states. */
static void influence_is_that_of_the_hidden_states(void **state) {
    (void)state;
    struct workbench *workbench = calibrate("llama", "tokens.npy", "measure=none compute=f32");
    size_t hidden = (size_t)workbench->model->architecture.hidden;
    size_t blocks = workbench->model->block_count;
    char *path = family_file("llama", "hidden.npy");
    struct npy npy;
    struct error error = {0};
    if (!npy_open(&npy, path, &error))
        fail_msg("%s", error.text);
    float *states = memory_alloc_aligned(npy.count, sizeof *states, NULL);
    npy_copy_floats(states, &npy, 0, npy.count);
    size_t rows = npy.count / (blocks + 1) / hidden;
    assert_true(rows > 1);
    for (size_t block = 0; block < blocks; block++) {
        double sum = 0;
        for (size_t row = block * rows; row < (block + 1) * rows; row++)
            sum += cosine_of(states + row * hidden, states + (row + rows) * hidden, hidden);
        double influence = workbench->sensitivity->blocks[block].influence;
        print_message("block %zu: influence %.7f\n", block, influence);
        assert_true(fabs(influence - (1 - sum / (double)rows)) < 1e-5);
    }
    npy_close(&npy);
    memory_free(states);
    memory_free(path);
    workbench_close(workbench);
}

/* ‖D x‖² over the rows x of an input. */
static double energy_of(const float *d, const float *x, size_t rows, size_t columns, size_t tokens) {
    double sum = 0;
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < rows; i++) {
            double value = 0;
            for (size_t j = 0; j < columns; j++)
                value += (double)d[i * columns + j] * (double)x[t * columns + j];
            sum += value * value;
        }
    return sum;
}

static int compare_magnitudes(const void *a, const void *b) {
    float first = fabsf(*(const float *)a);
    float second = fabsf(*(const float *)b);
    return (first > second) - (first < second);
}

/* The change that cutting the k smallest |w| makes (no ties in these random weights). */
static void cut_smallest(float *change, const float *weights, size_t count, size_t k) {
    float *sorted = memory_alloc(count, sizeof *sorted, NULL);
    memcpy(sorted, weights, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_magnitudes);
    float limit = fabsf(sorted[k]);
    for (size_t i = 0; i < count; i++)
        change[i] = fabsf(weights[i]) < limit ? weights[i] : 0;
    memory_free(sorted);
}

static void check_points(const struct workbench *workbench, size_t index, const float *x, size_t tokens) {
    const struct matrix *matrix = &workbench->model->matrices[index];
    const struct matrix_sensitivity *known = &workbench->sensitivity->matrices[index];
    size_t rows = (size_t)matrix->rows;
    size_t columns = (size_t)matrix->columns;
    float *weights = memory_alloc(rows * columns, sizeof *weights, NULL);
    float *change = memory_alloc(rows * columns, sizeof *change, NULL);
    matrix_read(weights, matrix, 0, matrix->rows);
    double energy = energy_of(weights, x, rows, columns, tokens);
    assert_true(fabs(known->energy * (double)tokens / energy - 1) <= TOLERANCE);
    size_t checked = 0;
    for (size_t i = 0; i < known->point_count; i++) {
        const struct measured_point *point = &known->points[i];
        if (strcmp(point->method, "magnitude") != 0 || point->pattern.kind != PATTERN_UNSTRUCTURED)
            continue;
        cut_smallest(change, weights, rows * columns, (size_t)round(point->sparsity * (double)(rows * columns)));
        double expected = energy_of(change, x, rows, columns, tokens) / energy;
        assert_true(fabs(point->error / expected - 1) <= TOLERANCE);
        checked++;
    }
    assert_int_equal(checked, 4);
    memory_free(weights);
    memory_free(change);
}

static void exact_errors_are_those_of_the_outputs(void **state) {
    (void)state;
    struct workbench *workbench = calibrate("llama", "tokens.npy", "windows=1 measure=magnitude compute=f32");
    char *path = family_file("llama", "linear_inputs.safetensors");
    struct checkpoint *inputs = open_file(path);
    size_t checked = 0;
    for (size_t i = 0; i < workbench->model->matrix_count; i++) {
        const char *module = workbench->model->matrices[i].module;
        float *x = golden_tensor(inputs, module);
        if (x == NULL)
            continue;
        check_points(workbench, i, x, (size_t)checkpoint_find(inputs, module)->shape[0]);
        checked++;
        memory_free(x);
    }
    assert_true(checked >= 8);
    checkpoint_close(inputs);
    workbench_close(workbench);
    memory_free(path);
}

/* ---- experts: REAP's score worked out in f64 from the reference's router inputs and the weights ---- */

enum { EXPERTS = 4, CHOSEN = 2, UNITS = 136, HIDDEN = 48 };

static double product(const float *row, const float *x, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)row[i] * (double)x[i];
    return sum;
}

/* An expert's matrix, by Mixtral's number of it: 1 gate, 2 down, 3 up. */
static float *expert_matrix(const struct checkpoint *weights, int block, int expert, int number) {
    char name[96];
    (void)snprintf(name, sizeof name, "model.layers.%d.block_sparse_moe.experts.%d.w%d.weight", block, expert, number);
    return golden_tensor(weights, name);
}

/* ‖w2 (silu(w1 x) ⊙ w3 x)‖ */
static double output_norm(const struct checkpoint *weights, int block, int expert, const float *x) {
    float *gate = expert_matrix(weights, block, expert, 1);
    float *down = expert_matrix(weights, block, expert, 2);
    float *up = expert_matrix(weights, block, expert, 3);
    double units[UNITS];
    double squares = 0;
    for (size_t u = 0; u < UNITS; u++) {
        double g = product(gate + u * HIDDEN, x, HIDDEN);
        units[u] = g / (1 + exp(-g)) * product(up + u * HIDDEN, x, HIDDEN);
    }
    for (size_t i = 0; i < HIDDEN; i++) {
        double sum = 0;
        for (size_t u = 0; u < UNITS; u++)
            sum += (double)down[i * UNITS + u] * units[u];
        squares += sum * sum;
    }
    memory_free(gate);
    memory_free(down);
    memory_free(up);
    return sqrt(squares);
}

/* Adds one token's share to the experts that it is sent to: the two of the largest logits, weights that add up to 1. */
static void route(double *norms, uint64_t *tokens, const struct checkpoint *weights, int block, const float *router,
                  const float *x) {
    double logits[EXPERTS];
    int best = 0;
    for (int e = 0; e < EXPERTS; e++) {
        logits[e] = product(router + e * HIDDEN, x, HIDDEN);
        best = logits[e] > logits[best] ? e : best;
    }
    int second = best == 0 ? 1 : 0;
    for (int e = 0; e < EXPERTS; e++)
        second = e != best && logits[e] > logits[second] ? e : second;
    double share = 1 / (1 + exp(logits[second] - logits[best]));
    norms[best] += share * output_norm(weights, block, best, x);
    norms[second] += (1 - share) * output_norm(weights, block, second, x);
    tokens[best]++;
    tokens[second]++;
}

static void experts_have_their_routings_and_scores(void **state) {
    (void)state;
    struct workbench *workbench = calibrate("mixtral", "tokens.npy", "windows=1 measure=none compute=f32");
    char *inputs_path = family_file("mixtral", "linear_inputs.safetensors");
    char *weights_path = family_file("mixtral", "model.safetensors");
    struct checkpoint *inputs = open_file(inputs_path);
    struct checkpoint *weights = open_file(weights_path);
    for (int block = 0; block < 2; block++) {
        char name[96];
        double norms[EXPERTS] = {0};
        uint64_t tokens[EXPERTS] = {0};
        (void)snprintf(name, sizeof name, "model.layers.%d.block_sparse_moe.gate", block);
        float *x = golden_tensor(inputs, name);
        size_t rows = (size_t)checkpoint_find(inputs, name)->shape[0];
        (void)snprintf(name, sizeof name, "model.layers.%d.block_sparse_moe.gate.weight", block);
        float *router = golden_tensor(weights, name);
        for (size_t row = 0; row < rows; row++)
            route(norms, tokens, weights, block, router, x + row * HIDDEN);
        const struct block_sensitivity *known = &workbench->sensitivity->blocks[block];
        for (int e = 0; e < EXPERTS; e++) {
            assert_int_equal(known->expert_tokens[e], tokens[e]);
            assert_true(tokens[e] > 0);
            assert_true(fabs(known->expert_norm[e] / (norms[e] / (double)tokens[e]) - 1) < TOLERANCE);
        }
        memory_free(x);
        memory_free(router);
    }
    checkpoint_close(inputs);
    checkpoint_close(weights);
    workbench_close(workbench);
    memory_free(inputs_path);
    memory_free(weights_path);
}

int main(void) {
    if (golden_folder() == NULL)
        return GOLDEN_SKIPPED;
    (void)snprintf(folder, sizeof folder, "/tmp/secateur-calibrate-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    (void)setenv("XDG_CACHE_HOME", folder, 1);
    commands_register();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hessians_and_scalers_are_the_references),
        cmocka_unit_test(inputs_are_the_references),
        cmocka_unit_test(exact_zeros_are_those_of_the_inputs),
        cmocka_unit_test(influence_is_that_of_the_hidden_states),
        cmocka_unit_test(exact_errors_are_those_of_the_outputs),
        cmocka_unit_test(experts_have_their_routings_and_scores),
    };
    int failed = cmocka_run_group_tests_name("calibration against references", tests, NULL, NULL);
    (void)file_remove_tree(folder, NULL);
    return failed;
}

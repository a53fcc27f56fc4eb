/* Commands in which the n-th allocation fails, for n = 1, 2, ...: never a crash, never a leak (the sanitizers see
 * those), never a target that is not whole; a command that cannot do its work says that memory ran out.
 *
 * Of commands that allocate often, a sample of moments is tried; SECATEUR_FAULTS=all tries every one. */
#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/parallel.h"
#include "tests/made_folder.h"
#include "workbench/commands.h"
#include "workbench/workbench.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MOMENTS 60
#define WINDOWS 2
#define LENGTH 8

static const char config[] =
    "{\"model_type\":\"llama\",\"hidden_size\":16,\"intermediate_size\":24,\"num_hidden_layers\":2,"
    "\"num_attention_heads\":2,\"num_key_value_heads\":1,\"vocab_size\":40,\"max_position_embeddings\":64,"
    "\"rms_norm_eps\":1e-5,\"hidden_act\":\"silu\",\"tie_word_embeddings\":true}";
static const struct made_tensor tensors[] = {
    {"model.embed_tokens.weight", 40, 16},
    {"model.layers.%d.self_attn.q_proj.weight", 16, 16},
    {"model.layers.%d.self_attn.k_proj.weight", 8, 16},
    {"model.layers.%d.self_attn.v_proj.weight", 8, 16},
    {"model.layers.%d.self_attn.o_proj.weight", 16, 16},
    {"model.layers.%d.mlp.gate_proj.weight", 24, 16},
    {"model.layers.%d.mlp.up_proj.weight", 24, 16},
    {"model.layers.%d.mlp.down_proj.weight", 16, 24},
    {"model.layers.%d.input_layernorm.weight", 16, 0},
    {"model.layers.%d.post_attention_layernorm.weight", 16, 0},
    {"model.norm.weight", 16, 0},
};

static char *source; /* the model's folder; beside it the calibration windows and what commands write */
static char output_path[512], partial_path[512], script_path[512];

/* The commands of one case, one a line; %s is the model's folder, so that "%s.out" lies beside it. */
static const struct {
    const char *name, *script;
} cases[] = {
    {"looking", "overview\nstat\n"},
    {"planning", "set all 50\nstat\nset mlp.* +10\nundo\nredo\nundolist\nundo 2\nthreshold mlp.* 0.02\n"
                 "pattern attn.* 2:4\nmethod all wanda\nsnapshot save one\nsnapshot restore one\n"
                 "tag 0.*\napply 30\nlock 1.q\nbounds mlp.* 10 90\nbudget 45\nset 0.q 40\nreset\n"},
    {"plan files", "set all 50\nwrite %s.out\nload %s.out\nlog save %s.out\n"},
    {"reports", "set all 50\nreport %s.out\n"},
    {"magnitude", "prune %s.out sparsity=0.5\n"},
    {"magnitude, global", "prune %s.out sparsity=0.5 pattern=global\n"},
    {"magnitude, 2:4", "prune %s.out pattern=2:4\n"},
    {"wanda", "prune %s.out sparsity=0.5 method=wanda calibrate=%s.npy\n"},
    {"sparsegpt", "prune %s.out sparsity=0.5 method=sparsegpt calibrate=%s.npy\n"},
    {"evaluation", "eval %s.npy\n"},
    {"calibration", "calibrate %s.npy hessian=%s.out\n"},
    {"allocation", "calibrate %s.npy\nset all 50\nforecast\nallocate knapsack 0.5\nsuggest\n"},
};

static void remove_outputs(void) {
    struct error error = {0};
    (void)file_remove_tree(output_path, &error);
    (void)file_remove_tree(partial_path, &error);
}

static void write_script(const char *script) {
    FILE *file = fopen(script_path, "w");
    assert_non_null(file);
    for (const char *at = script; *at != '\0'; at++) {
        if (at[0] != '%') {
            (void)fputc(*at, file);
            continue;
        }
        (void)fputs(source, file);
        at++;
    }
    assert_int_equal(fclose(file), 0);
}

/* Opens the model, runs the script, closes; true when all of it went well. */
static bool run(uint64_t failing, struct error *error) {
    const struct settings settings = {.threads = 1, .compute = "f32"};
    struct text output = {0};
    *error = (struct error){0};
    (void)memory_fail_at(failing);
    struct workbench *workbench = workbench_open(source, &settings, error);
    bool ok = workbench != NULL && workbench_script(workbench, script_path, &output, error);
    ok = ok && !output.failed;
    if (output.failed && error->code == ERROR_NONE)
        (void)error_set(error, ERROR_MEMORY, "the output is not whole");
    workbench_close(workbench);
    text_free(&output);
    return ok;
}

/* The pruned weights, or NULL when there is no target. */
static char *read_target(size_t *size) {
    struct error error = {0};
    char path[600];
    (void)snprintf(path, sizeof path, "%s/model.safetensors", output_path);
    return file_read(path, 1 << 20, size, &error);
}

/* What a failed run leaves under the final name is either nothing or the whole. */
static void check_target(const char *name, uint64_t moment, const char *whole, size_t whole_size) {
    size_t size;
    char *found = read_target(&size);
    if (found != NULL && (size != whole_size || memcmp(found, whole, size) != 0))
        fail_msg("%s: allocation %d left another target than a run without faults", name, (int)moment);
    if (found == NULL && file_exists(output_path) && whole != NULL)
        fail_msg("%s: allocation %d left a target without weights", name, (int)moment);
    memory_free(found);
}

static void try_moment(const char *name, uint64_t moment, const char *whole, size_t whole_size) {
    struct error error;
    bool ok = run(moment, &error);
    (void)memory_fail_at(0);
    if (!ok && error.code != ERROR_MEMORY)
        fail_msg("%s, allocation %d: \"%s\"", name, (int)moment, error.text);
    check_target(name, moment, whole, whole_size);
    remove_outputs();
}

static void try_command(const char *name, const char *script, bool all) {
    struct error error;
    size_t size = 0;
    write_script(script);
    if (!run(0, &error))
        fail_msg("%s: \"%s\"", name, error.text);
    uint64_t allocations = memory_fail_at(0);
    char *whole = read_target(&size);
    remove_outputs();
    uint64_t step = all || allocations < MOMENTS ? 1 : allocations / MOMENTS;
    print_message("%s: %d allocations, every %d tried\n", name, (int)allocations, (int)step);
    for (uint64_t moment = 1; moment <= allocations; moment += step)
        try_moment(name, moment, whole, size);
    memory_free(whole);
}

static void test_every_command(void **state) {
    (void)state;
    const char *wish = getenv("SECATEUR_FAULTS");
    bool all = wish != NULL && strcmp(wish, "all") == 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        try_command(cases[i].name, cases[i].script, all);
}

static int set_up(void **state) {
    (void)state;
    char windows_path[512];
    int32_t ids[WINDOWS * LENGTH];
    const size_t shape[] = {WINDOWS, LENGTH};
    struct error error = {0};
    commands_register();
    parallel_set_threads(1);
    source = made_folder_create(config, tensors, sizeof tensors / sizeof *tensors, 2, DTYPE_BF16, 3);
    if (source == NULL)
        return -1;
    (void)snprintf(output_path, sizeof output_path, "%s.out", source);
    (void)snprintf(partial_path, sizeof partial_path, "%.*s.%s.out.secateur-partial", (int)(file_name(source) - source),
                   source, file_name(source));
    (void)snprintf(script_path, sizeof script_path, "%s.script", source);
    (void)snprintf(windows_path, sizeof windows_path, "%s.npy", source);
    for (int32_t i = 0; i < WINDOWS * LENGTH; i++)
        ids[i] = i * 7 % 40;
    return npy_write_integers(windows_path, ids, shape, 2, &error) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    char windows_path[512];
    (void)snprintf(windows_path, sizeof windows_path, "%s.npy", source);
    (void)unlink(windows_path);
    (void)unlink(script_path);
    remove_outputs();
    made_folder_remove(source);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_command)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

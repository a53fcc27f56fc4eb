#include "tests/matrix_case.h"

#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

const char *const matrix_case_names[MATRIX_CASES] = {"hand", "plain", "dead", "rankdef", "ties", "wide"};

void matrix_case_open(struct matrix_case *one, const char *name) {
    char relative[64];
    struct error error = {0};
    (void)snprintf(relative, sizeof relative, "golden/unit/%s.safetensors", name);
    char *path = golden_path(relative);
    one->file = checkpoint_open(path, &error);
    if (one->file == NULL)
        fail_msg("%s", error.text);
    one->w = golden_tensor(one->file, "W");
    one->x = golden_tensor(one->file, "X");
    const struct tensor *x = checkpoint_find(one->file, "X");
    one->rows = checkpoint_find(one->file, "W")->shape[0];
    one->columns = x->shape[2];
    one->tokens = x->shape[0] * x->shape[1];
    assert_true(input_statistics_create(&one->input, one->columns, true, &error));
    assert_true(input_statistics_add(&one->input, one->x, one->tokens, (uint64_t)x->shape[0], false, &error));
    memory_free(path);
}

void matrix_case_close(struct matrix_case *one) {
    input_statistics_free(&one->input);
    memory_free(one->w);
    memory_free(one->x);
    checkpoint_close(one->file);
}

struct layer matrix_case_layer(const struct matrix_case *one, const struct matrix_run *run) {
    size_t count = (size_t)(one->rows * one->columns);
    float *weights = memory_alloc_aligned(count, sizeof *weights, NULL);
    memcpy(weights, one->w, count * sizeof *weights);
    return (struct layer){.name = run->suffix,
                          .weights = weights,
                          .rows = one->rows,
                          .columns = one->columns,
                          .input = &one->input,
                          .pattern = run->pattern,
                          .sparsity = run->sparsity,
                          .options = run->options};
}

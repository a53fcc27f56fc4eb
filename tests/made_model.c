#include "made_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct made_matrix made_llama[7] = {
    {"q", ROLE_Q, 64, 64},        {"k", ROLE_K, 16, 64},    {"v", ROLE_V, 16, 64},        {"o", ROLE_O, 64, 64},
    {"gate", ROLE_GATE, 172, 64}, {"up", ROLE_UP, 172, 64}, {"down", ROLE_DOWN, 64, 172},
};
const struct made_matrix made_fused[4] = {
    {"qkv", ROLE_QKV, 96, 64}, {"o", ROLE_O, 64, 64}, {"gate_up", ROLE_GATE_UP, 344, 64}, {"down", ROLE_DOWN, 64, 172}};
const struct made_matrix made_experts[6] = {{"q", ROLE_Q, 64, 64},         {"o", ROLE_O, 64, 64},
                                            {"e.gate", ROLE_GATE, 48, 64}, {"e.up", ROLE_UP, 48, 64},
                                            {"e.down", ROLE_DOWN, 64, 48}, {"shared.up", ROLE_UP, 80, 64}};

#define NAME_SIZE 64

static char *copy(const char *text) {
    char *memory = malloc(strlen(text) + 1);
    memcpy(memory, text, strlen(text) + 1);
    return memory;
}

/* Appends a tensor with its weight and, for two-dimensional ones, its matrix. */
static void add(struct model *model, const char *module, const char *label, enum role role, int64_t block, int64_t rows,
                int64_t columns, enum prunable prunable) {
    char name[3 * NAME_SIZE];
    struct tensor *tensor = &model->checkpoint->tensors[model->checkpoint->tensor_count++];
    struct weight *weight = &model->weights[model->weight_count++];
    (void)snprintf(name, sizeof name, "%s.weight", module);
    tensor->name = copy(name);
    tensor->dtype = DTYPE_BF16;
    tensor->rank = columns > 0 ? 2 : 1;
    tensor->count = (uint64_t)(columns > 0 ? rows * columns : rows);
    tensor->bytes = tensor->count * 2;
    model->checkpoint->weight_bytes += tensor->bytes;
    model->parameters += tensor->count;
    *weight = (struct weight){.tensor = tensor,
                              .role = role,
                              .block = block,
                              .expert = MODEL_NO_EXPERT,
                              .prunable = prunable,
                              .matrix = SIZE_MAX};
    weight->reason = prunable == PRUNABLE_YES  ? NULL
                     : prunable == PRUNABLE_NO ? "norms keep their scale"
                                               : "named only";
    if (columns == 0)
        return;
    weight->matrix = model->matrix_count;
    model->matrices[model->matrix_count++] = (struct matrix){.weight = weight,
                                                             .tensor = tensor,
                                                             .name = tensor->name,
                                                             .module = copy(module),
                                                             .label = copy(label),
                                                             .role = role,
                                                             .block = block,
                                                             .expert = MODEL_NO_EXPERT,
                                                             .rows = rows,
                                                             .columns = columns,
                                                             .prunable = prunable == PRUNABLE_YES,
                                                             .reason = weight->reason};
    model->prunable += prunable == PRUNABLE_YES ? tensor->count : 0;
}

static void add_block(struct model *model, int64_t block, const struct made_matrix *matrices, size_t count,
                      size_t experts) {
    char module[2 * NAME_SIZE];
    char label[NAME_SIZE / 2];
    for (size_t i = 0; i < count; i++) {
        bool expert = strncmp(matrices[i].label, "e.", 2) == 0;
        for (size_t e = 0; e < (expert ? experts : 1); e++) {
            if (expert)
                (void)snprintf(label, sizeof label, "e%u.%.8s", (unsigned)e, matrices[i].label + 2);
            else
                (void)snprintf(label, sizeof label, "%.24s", matrices[i].label);
            (void)snprintf(module, sizeof module, "model.layers.%lld.%s", (long long)block, label);
            add(model, module, label, matrices[i].role, block, matrices[i].rows, matrices[i].columns, PRUNABLE_YES);
        }
    }
}

struct model *made_model_create(size_t blocks, const struct made_matrix *matrices, size_t count, size_t experts) {
    size_t room = blocks * count * (experts > 0 ? experts : 1) + 2;
    struct model *model = calloc(1, sizeof *model);
    model->checkpoint = calloc(1, sizeof *model->checkpoint);
    model->checkpoint->tensors = calloc(room, sizeof *model->checkpoint->tensors);
    model->checkpoint->path = copy("/made/model");
    model->weights = calloc(room, sizeof *model->weights);
    model->matrices = calloc(room, sizeof *model->matrices);
    model->blocks = calloc(blocks + 1, sizeof *model->blocks);
    for (size_t b = 0; b < blocks; b++) {
        size_t first = model->matrix_count;
        add_block(model, (int64_t)b, matrices, count, experts);
        model->blocks[model->block_count++] = (struct block){(int64_t)b, first, model->matrix_count - first};
    }
    add(model, "lm_head", "lm_head", ROLE_LM_HEAD, MODEL_NO_BLOCK, 96, 32, PRUNABLE_WHEN_NAMED);
    add(model, "model.norm", "norm", ROLE_FINAL_NORM, MODEL_NO_BLOCK, 64, 0, PRUNABLE_NO);
    return model;
}

void made_model_free(struct model *model) {
    for (size_t i = 0; i < model->checkpoint->tensor_count; i++)
        free((void *)(uintptr_t)model->checkpoint->tensors[i].name);
    for (size_t i = 0; i < model->matrix_count; i++) {
        free(model->matrices[i].module);
        free(model->matrices[i].label);
    }
    free(model->checkpoint->tensors);
    free(model->checkpoint->path);
    free(model->checkpoint);
    free(model->weights);
    free(model->matrices);
    free(model->blocks);
    free(model);
}

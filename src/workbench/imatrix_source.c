#include "workbench/imatrix_source.h"

#include "base/file.h"
#include "base/memory.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* What llama.cpp calls a role; `fused`, where files of fused models have it under another name. */
static const struct role_name {
    enum role role;
    const char *name;
    const char *fused;
} role_names[] = {
    {ROLE_Q, "attn_q", "attn_qkv"},
    {ROLE_K, "attn_k", "attn_qkv"},
    {ROLE_V, "attn_v", "attn_qkv"},
    {ROLE_QKV, "attn_qkv", "attn_q"},
    {ROLE_O, "attn_output", NULL},
    {ROLE_GATE, "ffn_gate", "ffn_gate_up"},
    {ROLE_UP, "ffn_up", "ffn_gate_up"},
    {ROLE_GATE_UP, "ffn_up", "ffn_gate"},
    {ROLE_DOWN, "ffn_down", NULL},
    {ROLE_FC1, "ffn_up", NULL},
    {ROLE_FC2, "ffn_down", NULL},
    {ROLE_ROUTER, "ffn_gate_inp", NULL},
    {ROLE_SHARED_ROUTER, "ffn_gate_inp_shexp", NULL},
};

static const struct role_name *find_role(enum role role) {
    for (size_t i = 0; i < sizeof role_names / sizeof *role_names; i++)
        if (role_names[i].role == role)
            return &role_names[i];
    return NULL;
}

static void make_name(char name[IMATRIX_NAME], const struct matrix *matrix, const char *part) {
    const char *suffix = matrix->expert >= 0 ? "_exps" : matrix->expert == MODEL_SHARED_EXPERT ? "_shexp" : "";
    if (matrix->role == ROLE_SHARED_ROUTER)
        suffix = "";
    (void)snprintf(name, IMATRIX_NAME, "blk.%lld.%s%s.weight", (long long)matrix->block, part, suffix);
}

bool imatrix_name(char name[IMATRIX_NAME], const struct matrix *matrix) {
    const struct role_name *role = find_role(matrix->role);
    if (role == NULL || matrix->block < 0)
        return false;
    make_name(name, matrix, role->name);
    return true;
}

/* ---- from a file ---- */

static const struct imatrix_entry *find_entry(const struct imatrix *imatrix, const struct matrix *matrix) {
    char name[IMATRIX_NAME];
    const struct role_name *role = find_role(matrix->role);
    if (role == NULL)
        return NULL;
    make_name(name, matrix, role->name);
    const struct imatrix_entry *entry = imatrix_find(imatrix, name);
    if (entry != NULL || role->fused == NULL)
        return entry;
    make_name(name, matrix, role->fused);
    return imatrix_find(imatrix, name);
}

/* What the file says of the input, under the name of any matrix that has it. */
static const struct imatrix_entry *find_input(const struct imatrix *imatrix, const struct gathering *gathering,
                                              const struct gathered_input *input, const struct matrix **matrix) {
    const struct model *model = gathering->model;
    const struct block *block = &model->blocks[gathering->block];
    const struct imatrix_entry *entry = NULL;
    for (size_t i = block->first; entry == NULL && i < block->first + block->count; i++) {
        *matrix = &model->matrices[i];
        if ((*matrix)->input == input->input)
            entry = find_entry(imatrix, *matrix);
    }
    return entry;
}

/* In the older layout all parts are one row, and share one count. */
static bool check_entry(const struct imatrix *imatrix, const struct imatrix_entry *entry, const struct model *model,
                        const struct matrix *matrix, struct error *error) {
    int64_t parts = matrix->expert >= 0 ? model->architecture.experts.count : 1;
    bool fits = imatrix->legacy ? entry->columns == matrix->columns * parts
                                : entry->columns == matrix->columns && entry->parts == parts;
    return fits || error_set(error, ERROR_INPUT,
                             "%s has %lld inputs of %lld matrices; %s of this model has %lld of %lld: it was made from "
                             "another model",
                             entry->name, (long long)entry->columns, (long long)entry->parts, matrix->name,
                             (long long)matrix->columns, (long long)parts);
}

static void take_entry(struct gathering *gathering, struct gathered_input *input, const struct imatrix *imatrix,
                       const struct imatrix_entry *entry, const struct matrix *matrix) {
    struct input_statistics *statistics = &input->statistics;
    size_t part = matrix->expert >= 0 ? (size_t)matrix->expert : 0;
    size_t first = part * (size_t)matrix->columns;
    statistics->tokens = (uint64_t)llround(entry->counts[imatrix->legacy ? 0 : part]);
    statistics->sequences = imatrix->chunk > 0 ? statistics->tokens / (uint64_t)imatrix->chunk : 0;
    memcpy(statistics->sum_squares, entry->sum_squares + first, (size_t)matrix->columns * sizeof(double));
    if (entry->sum != NULL)
        memcpy(statistics->sum, entry->sum + first, (size_t)matrix->columns * sizeof(double));
    else {
        memory_free(statistics->sum);
        statistics->sum = NULL;
    }
    if (matrix->expert >= 0 && !input->hidden && gathering->expert_tokens != NULL)
        gathering->expert_tokens[matrix->expert] = statistics->tokens;
}

bool imatrix_gather(struct gathering *gathering, const struct imatrix *imatrix, struct error *error) {
    for (size_t i = 0; i < gathering->input_count; i++) {
        const struct matrix *matrix;
        const struct imatrix_entry *entry = find_input(imatrix, gathering, &gathering->inputs[i], &matrix);
        if (entry == NULL)
            continue;
        if (!check_entry(imatrix, entry, gathering->model, matrix, error))
            return false;
        take_entry(gathering, &gathering->inputs[i], imatrix, entry, matrix);
    }
    return true;
}

uint64_t imatrix_tokens(const struct imatrix *imatrix) {
    double most = 0;
    for (size_t i = 0; i < imatrix->count; i++)
        for (int64_t j = 0; j < imatrix->entries[i].parts; j++)
            most = fmax(most, imatrix->entries[i].counts[j]);
    return (uint64_t)most;
}

static size_t values_of(const struct imatrix_entry *entry) {
    return (size_t)entry->columns * (size_t)entry->parts;
}

uint64_t imatrix_hash(const struct imatrix *imatrix) {
    uint64_t hash = 0;
    for (size_t i = 0; i < imatrix->count; i++) {
        const struct imatrix_entry *entry = &imatrix->entries[i];
        hash = XXH3_64bits_withSeed(entry->name, strlen(entry->name), hash);
        hash = XXH3_64bits_withSeed(entry->sum_squares, values_of(entry) * sizeof(double), hash);
    }
    return hash;
}

uint64_t imatrix_bytes(const struct imatrix *imatrix) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < imatrix->count; i++)
        bytes += values_of(&imatrix->entries[i]) * sizeof(double) * (imatrix->entries[i].sum != NULL ? 2 : 1);
    return bytes;
}

void imatrix_describe(struct text *text, const char *path, const struct imatrix *imatrix) {
    text_add(text, "%s: importance matrix", file_name(path));
    if (imatrix->chunks > 0)
        text_add(text, ", %lld chunks", (long long)imatrix->chunks);
    if (imatrix->dataset != NULL)
        text_add(text, " of %.100s", imatrix->dataset);
    if (imatrix->legacy)
        text_add(text, " (old layout: counts of tokens are taken as %d a chunk)", IMATRIX_CHUNK);
}

/* ---- into a file ---- */

static struct imatrix_entry *entry_of(struct imatrix *imatrix, const struct model *model, const struct matrix *matrix,
                                      const char *name, bool with_sum, struct error *error) {
    for (size_t i = imatrix->count; i > 0; i--)
        if (strcmp(imatrix->entries[i - 1].name, name) == 0)
            return &imatrix->entries[i - 1];
    int64_t parts = matrix->expert >= 0 ? model->architecture.experts.count : 1;
    return imatrix_add(imatrix, name, matrix->columns, parts, with_sum, error);
}

static bool collect_matrix(struct imatrix *imatrix, const struct gathering *gathering, size_t index,
                           struct error *error) {
    char name[IMATRIX_NAME];
    const struct matrix *matrix = &gathering->model->matrices[index];
    const struct gathered_input *input = gathering_input(gathering, index);
    if (input == NULL || !imatrix_name(name, matrix))
        return true;
    const struct input_statistics *from = &input->statistics;
    struct imatrix_entry *entry = entry_of(imatrix, gathering->model, matrix, name, from->sum != NULL, error);
    if (entry == NULL)
        return false;
    size_t part = matrix->expert >= 0 ? (size_t)matrix->expert : 0;
    size_t first = part * (size_t)matrix->columns;
    entry->counts[part] = (double)from->tokens;
    memcpy(entry->sum_squares + first, from->sum_squares, (size_t)matrix->columns * sizeof(double));
    if (from->sum != NULL && entry->sum != NULL)
        memcpy(entry->sum + first, from->sum, (size_t)matrix->columns * sizeof(double));
    return true;
}

bool imatrix_collect(struct imatrix *imatrix, const struct gathering *gathering, struct error *error) {
    const struct block *block = &gathering->model->blocks[gathering->block];
    bool ok = true;
    for (size_t i = block->first; ok && i < block->first + block->count; i++)
        ok = collect_matrix(imatrix, gathering, i, error);
    return ok;
}

#include "views/rows.h"
#include "base/memory.h"

struct model_row row_of_block(const struct model *model, size_t block) {
    const struct block *found = &model->blocks[block];
    return (struct model_row){true, block, found->first, found->count};
}

struct model_row row_of_matrix(size_t matrix) {
    return (struct model_row){false, matrix, matrix, 1};
}

static bool append(struct model_row **rows, size_t *capacity, size_t *count, struct model_row row,
                   struct error *error) {
    if (!memory_grow(rows, capacity, *count, sizeof **rows, error))
        return false;
    (*rows)[(*count)++] = row;
    return true;
}

bool rows_list(struct model_row **rows, size_t *capacity, size_t *count, const struct model *model,
               struct error *error) {
    size_t next = 0;
    bool ok = true;
    *count = 0;
    for (size_t i = 0; i < model->block_count && ok; i++) {
        const struct block *block = &model->blocks[i];
        ok = append(rows, capacity, count, row_of_block(model, i), error);
        for (next = block->first; next < block->first + block->count && ok; next++)
            ok = append(rows, capacity, count, row_of_matrix(next), error);
    }
    for (; next < model->matrix_count && ok; next++)
        ok = append(rows, capacity, count, row_of_matrix(next), error);
    return ok;
}

void row_selector(struct text *text, const struct model *model, const struct model_row *row) {
    const struct matrix *matrix = &model->matrices[row->first];
    if (row->block)
        text_add(text, "%lld.*", (long long)model->blocks[row->index].index);
    else if (matrix->prunable && matrix->block >= 0)
        text_add(text, "%lld.%s", (long long)matrix->block, matrix->label);
    else
        text_add(text, "%s", matrix->name);
}

void row_label(struct text *text, const struct model *model, const struct model_row *row) {
    if (row->block)
        text_add(text, "%lld", (long long)model->blocks[row->index].index);
    else
        text_add(text, "%s", model->matrices[row->index].label);
}

bool row_prunable(const struct model *model, const struct model_row *row) {
    for (size_t i = row->first; i < row->first + row->count; i++)
        if (model->matrices[i].prunable)
            return true;
    return false;
}

uint64_t row_parameters(const struct model *model, const struct model_row *row) {
    uint64_t parameters = 0;
    for (size_t i = row->first; i < row->first + row->count; i++)
        parameters += model->matrices[i].tensor->count;
    return parameters;
}

double row_sparsity_in(const struct plan *plan, const struct model_row *row) {
    double pruned = 0, all = 0;
    for (size_t i = row->first; i < row->first + row->count; i++) {
        const struct matrix *matrix = &plan_model(plan)->matrices[i];
        const struct target *target = plan_target(plan, i);
        if (!matrix->prunable && target->sparsity == 0)
            continue;
        pruned += (double)pattern_count(target->pattern, matrix->rows, matrix->columns, target->sparsity);
        all += (double)matrix->tensor->count;
    }
    return all > 0 ? pruned / all : 0;
}

double row_sparsity(const struct workbench *workbench, const struct model_row *row) {
    return row_sparsity_in(workbench->plan, row);
}

bool row_locked(const struct workbench *workbench, const struct model_row *row) {
    for (size_t i = row->first; i < row->first + row->count; i++)
        if (workbench->model->matrices[i].prunable && !plan_target(workbench->plan, i)->locked)
            return false;
    return row_prunable(workbench->model, row);
}

bool row_tagged(const struct workbench *workbench, const struct model_row *row) {
    for (size_t i = row->first; i < row->first + row->count; i++)
        if (!plan_tagged(workbench->plan, i))
            return false;
    return row->count > 0;
}

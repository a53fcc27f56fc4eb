/* The overview as text: what is known from the headers and the plan, at once. */
#include "workbench/csv.h"
#include "workbench/workbench.h"

static void add_headline(const struct workbench *workbench, struct text *output) {
    const struct model *model = workbench->model;
    struct plan_totals totals;
    char parameters[TEXT_NUMBER_SIZE];
    char bytes[TEXT_NUMBER_SIZE];
    char prunable[TEXT_NUMBER_SIZE];
    plan_totals(&totals, workbench->plan);
    text_add(output, "%s: %s, %zu blocks, %zu matrices, %s parameters, %s; %s can be pruned\n", model->name,
             model->family_name, model->block_count, model->matrix_count,
             text_count(parameters, (double)model->parameters), text_bytes(bytes, (double)totals.dense_bytes),
             text_count(prunable, (double)model->prunable));
    if (!model->architecture_known && model->architecture_error.code != ERROR_NONE)
        text_add(output, "note: %s\n", model->architecture_error.text);
    text_add(output, "plan: %.2f %% of the prunable weights go\n\n", 100 * totals.sparsity);
}

static void add_block_number(struct text *output, int64_t block) {
    if (block >= 0)
        text_add(output, "%5lld", (long long)block);
    else
        text_add(output, "    -");
}

static void add_row(const struct workbench *workbench, size_t index, struct text *output) {
    const struct matrix *matrix = &workbench->model->matrices[index];
    const struct target *target = plan_target(workbench->plan, index);
    char shape[48];
    char count[TEXT_NUMBER_SIZE];
    char bytes[TEXT_NUMBER_SIZE];
    char pattern[PATTERN_TEXT_SIZE];
    (void)snprintf(shape, sizeof shape, "%lld x %lld", (long long)matrix->rows, (long long)matrix->columns);
    add_block_number(output, matrix->block);
    text_add(output, "  %-14s %15s  %-7s %9s %9s", matrix->label, shape, dtype_info(matrix->tensor->dtype)->label,
             text_count(count, (double)matrix->tensor->count), text_bytes(bytes, (double)matrix->tensor->bytes));
    if (matrix->prunable || target->sparsity > 0)
        text_add(output, "  %6.2f %%  %s\n", 100 * target->sparsity, pattern_text(pattern, target->pattern));
    else
        text_add(output, "         -  %s\n", matrix->reason != NULL ? matrix->reason : "not pruned");
}

static void add_table(const struct workbench *workbench, struct text *output) {
    text_add(output, "block  %-14s %15s  %-7s %9s %9s  %8s  %s\n", "matrix", "rows x columns", "type", "weights",
             "bytes", "target", "pattern");
    for (size_t i = 0; i < workbench->model->matrix_count; i++)
        add_row(workbench, i, output);
}

static void add_csv(const struct workbench *workbench, struct text *output) {
    char pattern[PATTERN_TEXT_SIZE];
    text_add(output, "name,block,role,rows,cols,dtype,count,bytes,prunable,target,pattern\n");
    for (size_t i = 0; i < workbench->model->matrix_count; i++) {
        const struct matrix *matrix = &workbench->model->matrices[i];
        const struct target *target = plan_target(workbench->plan, i);
        csv_add_string(output, matrix->name);
        text_add(output, ",%lld,%s,%lld,%lld,%s,%llu,%zu,%d,", (long long)matrix->block, role_name(matrix->role),
                 (long long)matrix->rows, (long long)matrix->columns, dtype_info(matrix->tensor->dtype)->name,
                 (unsigned long long)matrix->tensor->count, matrix->tensor->bytes, matrix->prunable);
        csv_add_number(output, target->sparsity);
        text_add(output, ",%s\n", pattern_text(pattern, target->pattern));
    }
}

void workbench_overview(struct workbench *workbench, struct text *output) {
    if (workbench->settings.csv) {
        add_csv(workbench, output);
        return;
    }
    add_headline(workbench, output);
    add_table(workbench, output);
}

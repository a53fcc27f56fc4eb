#include "workbench/report_column.h"

#include "workbench/csv.h"

static void add_name(struct text *line, const struct report_row *row) {
    csv_add_string(line, row->matrix->name);
}

static void add_block(struct text *line, const struct report_row *row) {
    if (row->matrix->block >= 0)
        text_add(line, "%lld", (long long)row->matrix->block);
}

static void add_role(struct text *line, const struct report_row *row) {
    text_add(line, "%s", role_name(row->matrix->role));
}

static void add_rows(struct text *line, const struct report_row *row) {
    text_add(line, "%lld", (long long)row->matrix->rows);
}

static void add_columns(struct text *line, const struct report_row *row) {
    text_add(line, "%lld", (long long)row->matrix->columns);
}

static void add_dtype(struct text *line, const struct report_row *row) {
    text_add(line, "%s", dtype_info(row->matrix->tensor->dtype)->name);
}

static void add_count(struct text *line, const struct report_row *row) {
    text_add(line, "%llu", (unsigned long long)row->matrix->tensor->count);
}

static void add_zeros(struct text *line, const struct report_row *row) {
    if (row->summary != NULL)
        text_add(line, "%llu", (unsigned long long)row->summary->zeros);
}

static void add_sparsity(struct text *line, const struct report_row *row) {
    if (row->summary != NULL && row->matrix->tensor->count > 0)
        csv_add_number(line, (double)row->summary->zeros / (double)row->matrix->tensor->count);
}

static void add_bytes(struct text *line, const struct report_row *row) {
    text_add(line, "%zu", row->matrix->tensor->bytes);
}

static void add_prunable(struct text *line, const struct report_row *row) {
    text_add(line, row->matrix->prunable ? "yes" : "no");
}

static void add_target(struct text *line, const struct report_row *row) {
    csv_add_number(line, row->target->sparsity);
}

static void add_pattern(struct text *line, const struct report_row *row) {
    char text[PATTERN_TEXT_SIZE];
    text_add(line, "%s", pattern_text(text, row->target->pattern));
}

static void add_planned(struct text *line, const struct report_row *row) {
    text_add(line, "%llu", (unsigned long long)row->planned);
}

static void add_nan(struct text *line, const struct report_row *row) {
    if (row->summary != NULL)
        text_add(line, "%llu", (unsigned long long)row->summary->nan);
}

static void add_infinite(struct text *line, const struct report_row *row) {
    if (row->summary != NULL)
        text_add(line, "%llu", (unsigned long long)row->summary->infinite);
}

static void add_minimum(struct text *line, const struct report_row *row) {
    if (row->summary != NULL)
        csv_add_number(line, row->summary->minimum);
}

static void add_maximum(struct text *line, const struct report_row *row) {
    if (row->summary != NULL)
        csv_add_number(line, row->summary->maximum);
}

static void add_mean(struct text *line, const struct report_row *row) {
    if (row->summary != NULL)
        csv_add_number(line, row->summary->mean);
}

static void add_deviation(struct text *line, const struct report_row *row) {
    if (row->summary != NULL)
        csv_add_number(line, row->summary->deviation);
}

static void add_kurtosis(struct text *line, const struct report_row *row) {
    if (row->summary != NULL)
        csv_add_number(line, row->summary->kurtosis);
}

static void add_sum_squares(struct text *line, const struct report_row *row) {
    if (row->summary != NULL)
        csv_add_number(line, row->summary->sum_squares);
}

static void add_patterns(struct text *line, const struct report_row *row) {
    char text[SUMMARY_PATTERNS_SIZE];
    if (row->summary != NULL)
        text_add(line, "%s", summary_patterns(text, row->summary));
}

static void add_zero_rows(struct text *line, const struct report_row *row) {
    if (row->summary != NULL)
        text_add(line, "%llu", (unsigned long long)row->summary->zero_rows);
}

static void add_zero_columns(struct text *line, const struct report_row *row) {
    if (row->summary != NULL)
        text_add(line, "%llu", (unsigned long long)row->summary->zero_columns);
}

static const struct report_column matrix_columns[] = {
    {"name", "the tensor's name in the file", add_name},
    {"block", "index of the block, from 0; empty outside blocks", add_block},
    {"role", "what the matrix is in its block", add_role},
    {"rows", "outputs", add_rows},
    {"cols", "inputs", add_columns},
    {"dtype", "stored type, as safetensors names it", add_dtype},
    {"count", "weights", add_count},
    {"zeros", "weights that are exactly zero, of either sign", add_zeros},
    {"sparsity", "zeros / count, 0 to 1", add_sparsity},
    {"patterns", "which patterns the zeros follow: N:M keeps N of every M inputs", add_patterns},
    {"zero_rows", "rows that are all zero", add_zero_rows},
    {"zero_cols", "columns that are all zero", add_zero_columns},
    {"nan", "weights that are not a number; no other statistic counts them", add_nan},
    {"inf", "weights that are infinite; no other statistic counts them", add_infinite},
    {"min", "smallest weight", add_minimum},
    {"max", "largest weight", add_maximum},
    {"mean", "mean weight", add_mean},
    {"std", "standard deviation of the weights", add_deviation},
    {"kurtosis", "fourth standardised moment; 3 for a normal distribution", add_kurtosis},
    {"sum_squares", "sum of the squared weights", add_sum_squares},
    {"bytes", "bytes in the file", add_bytes},
    {"prunable", "yes when selectors reach it, no when only its exact name does, or nothing", add_prunable},
    {"target_sparsity", "the plan's target, 0 to 1", add_target},
    {"target_pattern", "the plan's pattern", add_pattern},
    {"target_zeros", "weights that the plan removes", add_planned},
};
static const size_t matrix_column_count = sizeof matrix_columns / sizeof *matrix_columns;

void report_add_heading(struct text *output) {
    for (size_t i = 0; i < matrix_column_count; i++)
        text_add(output, "%s%s", i > 0 ? "," : "", matrix_columns[i].name);
    text_add(output, "\n");
}

void report_add_row(struct text *output, const struct report_row *row) {
    for (size_t i = 0; i < matrix_column_count; i++) {
        text_add(output, i > 0 ? "," : "");
        matrix_columns[i].add(output, row);
    }
    text_add(output, "\n");
}

struct report_row report_row_of(struct workbench *workbench, const struct plan *plan, size_t index) {
    (void)pthread_mutex_lock(&workbench->mutex);
    const struct summary *summary = workbench->summaries[index];
    (void)pthread_mutex_unlock(&workbench->mutex);
    return (struct report_row){&workbench->model->matrices[index], plan_target(plan, index), plan_count(plan, index),
                               summary};
}

struct column_help {
    const char *name, *help;
};

static const struct column_help model_help[] = {
    {"name", "the model's name"},
    {"family", "the architecture"},
    {"blocks", "number of blocks"},
    {"parameters", "elements of all tensors, tied ones once"},
    {"prunable", "weights of the matrices that selectors reach"},
    {"dense_bytes", "bytes of all tensors as stored"},
    {"compressed_bytes", "estimate under the plan: a bit for each weight and the kept ones, where that is smaller"},
    {"dense_flops", "floating-point operations per token of all matrix products; attention scores are not counted"},
    {"flops", "the same under the plan, zeros skipped"},
    {NULL, NULL},
};

static const struct column_help sums_help[] = {
    {"matrices", "number of matrices"},
    {"count", "their weights"},
    {"zeros", "weights that are exactly zero"},
    {"sparsity", "zeros / count, 0 to 1"},
    {"target_zeros", "weights that the plan removes"},
    {"target_sparsity", "target_zeros / count, 0 to 1"},
    {"bytes", "bytes in the file"},
    {"norm", "root of the sum of the squared weights"},
    {NULL, NULL},
};

static const struct column_help block_help[] = {{"block", "index of the block, from 0"}, {NULL, NULL}};

static const struct column_help block_calibration_help[] = {
    {"influence", "1 - mean cosine of the block's input and output (ShortGPT); empty before calibration"},
    {"hidden_zeros", "share of exact zeros behind the non-linearity of the feed-forward; empty before calibration"},
    {NULL, NULL}};

static const struct column_help histogram_help[] = {
    {"name", "the tensor's name in the file"},
    {"log2_low", "the row counts weights with |w| of at least 2^log2_low"},
    {"log2_high", "and below 2^log2_high; zeros are in no row"},
    {"count", "how many"},
    {NULL, NULL},
};

/* By report_table: its own columns, those that it shares, and what came later. */
static const struct {
    const char *file;
    const struct column_help *own, *shared, *later;
} tables[] = {
    [REPORT_MODEL] = {"model.csv", model_help, sums_help, NULL},
    [REPORT_BLOCKS] = {"blocks.csv", block_help, sums_help, block_calibration_help},
    [REPORT_HISTOGRAMS] = {"histograms.csv", histogram_help, NULL, NULL},
};

static void add_names(struct text *output, const struct column_help *columns, bool first) {
    for (; columns != NULL && columns->name != NULL; columns++, first = false)
        text_add(output, "%s%s", first ? "" : ",", columns->name);
}

void report_table_heading(struct text *output, enum report_table table) {
    add_names(output, tables[table].own, true);
    add_names(output, tables[table].shared, false);
    add_names(output, tables[table].later, false);
    text_add(output, "\n");
}

static void manual_columns(struct text *output, const struct column_help *columns) {
    for (; columns != NULL && columns->name != NULL; columns++)
        text_add(output, ".TP\n.B %s\n%s\n", columns->name, columns->help);
}

void report_columns_manual(struct text *output) {
    text_add(output, ".SS matrices.csv, and stat \\-\\-csv\nOne row for each matrix.\n");
    for (size_t i = 0; i < matrix_column_count; i++)
        text_add(output, ".TP\n.B %s\n%s\n", matrix_columns[i].name, matrix_columns[i].help);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        text_add(output, ".SS %s\n", tables[i].file);
        manual_columns(output, tables[i].own);
        manual_columns(output, tables[i].shared);
        manual_columns(output, tables[i].later);
    }
    text_add(output, ".SS plan.csv\nOne row for each matrix: name, sparsity (0 to 1), pattern, method, locked, low and "
                     "high; it can be edited and given to prune \\-\\-plan.\n");
}

#include "workbench/report.h"

#include "base/file.h"
#include "base/memory.h"
#include "plan/plan_csv.h"
#include "workbench/csv.h"
#include "workbench/forecast_record.h"
#include "workbench/report_calibration.h"
#include "workbench/report_column.h"
#include "workbench/report_evaluations.h"
#include <math.h>

/* What model.csv and blocks.csv say of a set of matrices. */
struct sums {
    uint64_t matrices, count, zeros, planned, bytes;
    double sum_squares;
};

static void add_to_sums(struct sums *sums, const struct report_row *row) {
    sums->matrices++;
    sums->count += row->matrix->tensor->count;
    sums->bytes += row->matrix->tensor->bytes;
    sums->planned += row->planned;
    if (row->summary != NULL) {
        sums->zeros += row->summary->zeros;
        sums->sum_squares += row->summary->sum_squares;
    }
}

static double ratio(uint64_t part, uint64_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0;
}

static void add_sums(struct text *output, const struct sums *sums) {
    text_add(output, "%llu,%llu,%llu,", (unsigned long long)sums->matrices, (unsigned long long)sums->count,
             (unsigned long long)sums->zeros);
    csv_add_number(output, ratio(sums->zeros, sums->count));
    text_add(output, ",%llu,", (unsigned long long)sums->planned);
    csv_add_number(output, ratio(sums->planned, sums->count));
    text_add(output, ",%llu,", (unsigned long long)sums->bytes);
    csv_add_number(output, sqrt(sums->sum_squares));
}

static void make_model(struct text *output, struct workbench *workbench, const struct plan *plan) {
    const struct model *model = workbench->model;
    struct sums sums = {0};
    struct plan_totals totals;
    plan_totals(&totals, plan);
    for (size_t i = 0; i < model->matrix_count; i++) {
        struct report_row row = report_row_of(workbench, plan, i);
        add_to_sums(&sums, &row);
    }
    report_table_heading(output, REPORT_MODEL);
    csv_add_string(output, model->name);
    text_add(output, ",");
    csv_add_string(output, model->family_name);
    text_add(output, ",%zu,%llu,%llu,%llu,%.0f,%.0f,%.0f,", model->block_count, (unsigned long long)model->parameters,
             (unsigned long long)model->prunable, (unsigned long long)totals.dense_bytes, totals.compressed_bytes,
             totals.dense_flops, totals.flops);
    add_sums(output, &sums);
    text_add(output, "\n");
}

static void make_blocks(struct text *output, struct workbench *workbench, const struct plan *plan) {
    const struct model *model = workbench->model;
    report_table_heading(output, REPORT_BLOCKS);
    for (size_t b = 0; b < model->block_count; b++) {
        const struct block *block = &model->blocks[b];
        struct sums sums = {0};
        for (size_t i = block->first; i < block->first + block->count; i++) {
            struct report_row row = report_row_of(workbench, plan, i);
            add_to_sums(&sums, &row);
        }
        text_add(output, "%lld,", (long long)block->index);
        add_sums(output, &sums);
        report_calibration_block(output, workbench, b);
        text_add(output, "\n");
    }
}

static void make_matrices(struct text *output, struct workbench *workbench, const struct plan *plan) {
    report_add_heading(output);
    for (size_t i = 0; i < workbench->model->matrix_count; i++) {
        struct report_row row = report_row_of(workbench, plan, i);
        report_add_row(output, &row);
    }
}

static void add_octaves(struct text *output, const struct matrix *matrix, const struct summary *summary) {
    for (int i = 0; i < SUMMARY_OCTAVES; i++) {
        if (summary->octaves[i] == 0)
            continue;
        csv_add_string(output, matrix->name);
        text_add(output, ",%d,%d,%llu\n", SUMMARY_OCTAVE_LOWEST + i, SUMMARY_OCTAVE_LOWEST + i + 1,
                 (unsigned long long)summary->octaves[i]);
    }
}

static void make_histograms(struct text *output, struct workbench *workbench, const struct plan *plan) {
    report_table_heading(output, REPORT_HISTOGRAMS);
    for (size_t i = 0; i < workbench->model->matrix_count; i++) {
        struct report_row row = report_row_of(workbench, plan, i);
        if (row.summary != NULL)
            add_octaves(output, row.matrix, row.summary);
    }
}

static void make_evaluations(struct text *output, struct workbench *workbench, const struct plan *plan) {
    (void)plan;
    report_evaluations(output, workbench);
}

static void make_prune(struct text *output, struct workbench *workbench, const struct plan *plan) {
    (void)plan;
    text_add_bytes(output, text_string(&workbench->prune_table), workbench->prune_table.length);
}

static void make_forecasts(struct text *output, struct workbench *workbench, const struct plan *plan) {
    (void)workbench;
    (void)plan;
    forecast_record_table(output);
}

static void make_plan(struct text *output, struct workbench *workbench, const struct plan *plan) {
    struct target *targets = memory_alloc(workbench->model->matrix_count, sizeof *targets, NULL);
    output->failed = output->failed || targets == NULL;
    for (size_t i = 0; targets != NULL && i < workbench->model->matrix_count; i++)
        targets[i] = *plan_target(plan, i);
    if (targets != NULL)
        plan_csv_format(output, workbench->model, targets);
    memory_free(targets);
}

static bool write_table(const char *folder, const char *name, const struct text *table, struct error *error) {
    struct file_output output;
    char *path = file_join(folder, name, error);
    if (path == NULL)
        return false;
    bool ok = file_output_open(&output, path, error);
    if (ok) {
        (void)fwrite(text_string(table), 1, table->length, output.stream); /* commit finds a short write */
        ok = file_output_commit(&output, error);
    }
    memory_free(path);
    return ok;
}

static bool write_calibration(struct workbench *workbench, const char *folder, bool channels, struct error *error) {
    bool ok = true;
    for (size_t i = 0; ok && workbench->sensitivity != NULL && i < report_calibration_count; i++) {
        const struct report_calibration_table *made = &report_calibration_tables[i];
        if (made->on_request && !channels)
            continue;
        struct text table = {0};
        made->make(&table, workbench);
        ok = table.failed ? error_set(error, ERROR_MEMORY, "no memory for %s", made->file)
                          : write_table(folder, made->file, &table, error);
        text_free(&table);
    }
    return ok;
}

bool report_write(struct workbench *workbench, const struct plan *plan, const char *folder, bool channels,
                  struct error *error) {
    static const struct {
        const char *name;
        void (*make)(struct text *output, struct workbench *workbench, const struct plan *plan);
    } tables[] = {
        {"model.csv", make_model},           {"blocks.csv", make_blocks},           {"matrices.csv", make_matrices},
        {"histograms.csv", make_histograms}, {"evaluations.csv", make_evaluations}, {"plan.csv", make_plan},
        {"prune.csv", make_prune},           {"forecasts.csv", make_forecasts}};
    bool ok = file_make_folders(folder, error);
    for (size_t i = 0; ok && i < sizeof tables / sizeof *tables; i++) {
        struct text table = {0};
        tables[i].make(&table, workbench, plan);
        if (table.failed)
            ok = error_set(error, ERROR_MEMORY, "no memory for %s", tables[i].name);
        else if (table.length > 0) /* else nothing of the kind was done */
            ok = write_table(folder, tables[i].name, &table, error);
        text_free(&table);
    }
    return ok && write_calibration(workbench, folder, channels, error);
}

static void add_stat_row(struct text *output, const struct report_row *row) {
    const struct matrix *matrix = row->matrix;
    const struct summary *summary = row->summary;
    char shape[48];
    char patterns[SUMMARY_PATTERNS_SIZE];
    char block[24] = "-";
    (void)snprintf(shape, sizeof shape, "%lld x %lld", (long long)matrix->rows, (long long)matrix->columns);
    if (matrix->block >= 0)
        (void)snprintf(block, sizeof block, "%lld", (long long)matrix->block);
    text_add(output, "%5s  %-14s %15s  %-7s %12llu %8.3f %%  %-12s %9.3g %9.3g\n", block, matrix->label, shape,
             dtype_info(matrix->tensor->dtype)->label, (unsigned long long)summary->zeros,
             100 * ratio(summary->zeros, summary->count), summary_patterns(patterns, summary), summary->deviation,
             fmax(fabs(summary->minimum), fabs(summary->maximum)));
    if (summary->nan + summary->infinite > 0)
        text_add(output, "       ^ %llu NaN and %llu infinite weights\n", (unsigned long long)summary->nan,
                 (unsigned long long)summary->infinite);
}

void report_stat(struct workbench *workbench, const struct plan *plan, struct text *output) {
    if (workbench->settings.csv) {
        make_matrices(output, workbench, plan);
        return;
    }
    struct sums prunable = {0};
    text_add(output, "block  %-14s %15s  %-7s %12s %10s  %-12s %9s %9s\n", "matrix", "rows x columns", "type", "zeros",
             "sparsity", "patterns", "std", "max |w|");
    for (size_t i = 0; i < workbench->model->matrix_count; i++) {
        struct report_row row = report_row_of(workbench, plan, i);
        if (row.summary != NULL)
            add_stat_row(output, &row);
        if (row.matrix->prunable)
            add_to_sums(&prunable, &row);
    }
    text_add(output, "%llu of %llu prunable weights are zero: %.3f %%\n", (unsigned long long)prunable.zeros,
             (unsigned long long)prunable.count, 100 * ratio(prunable.zeros, prunable.count));
}

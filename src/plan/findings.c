#include "plan/findings.h"

#include "base/memory.h"
#include "calibrate/eigen.h"
#include <math.h>
#include <string.h>

#define OUTLIER_CHANNEL 6 /* times the median channel's RMS */
#define TOP_CHANNELS (sizeof((struct input_sensitivity *)0)->top_channels / sizeof(size_t))

const double findings_levels[FINDINGS_LEVELS] = {0.2, 0.4, 0.6, 0.8};
static const struct pattern half = {PATTERN_N_M, 2, 4};

/* One matrix under work. */
struct study {
    const struct matrix *matrix;
    const struct input_statistics *input;
    const struct findings_options *options;
    struct progress *progress;
    float *weights; /* dense, [rows × columns] */
    float *changed; /* room for the pruned ones, [rows × columns] */
    size_t count;
};

static double per_token(const struct input_statistics *input) {
    return input->tokens > 0 ? 1 / (double)input->tokens : 0;
}

/* ---- energy, curves ---- */

static bool find_curves(struct matrix_sensitivity *out, const struct study *study, struct error *error) {
    const struct matrix *matrix = study->matrix;
    double scale = per_token(study->input);
    out->curves = memory_alloc(CURVE_ORDERS, sizeof *out->curves, error);
    bool ok = out->curves != NULL;
    for (int order = 0; ok && order < CURVE_ORDERS; order++)
        ok = curve_estimate(&out->curves[order], &out->diagonal_energy, (enum curve_order)order, study->weights,
                            study->input->sum_squares, matrix->rows, matrix->columns, error);
    out->diagonal_energy *= scale;
    out->energy = out->diagonal_energy;
    out->exact = study->input->hessian != NULL && study->input->tokens > 0;
    if (!ok || !out->exact)
        return ok;
    ok = hessian_quadratic(&out->energy, study->input->hessian, study->weights, matrix->rows, study->progress, error);
    out->energy *= scale;
    return ok;
}

/* ---- Wanda's scores: sum, median; OWL's outliers ---- */

static void fill_metric(float *metric, const struct study *study) {
    size_t columns = (size_t)study->matrix->columns;
    double scale = per_token(study->input);
    for (size_t i = 0; i < study->count; i++)
        metric[i] = (float)(fabs((double)study->weights[i]) * sqrt(study->input->sum_squares[i % columns] * scale));
}

static void find_metric(struct matrix_sensitivity *out, const struct study *study) {
    float threshold;
    uint64_t ties;
    fill_metric(study->changed, study);
    out->metric_sum = 0;
    for (size_t i = 0; i < study->count; i++)
        out->metric_sum += (double)study->changed[i];
    select_threshold(&threshold, &ties, study->changed, study->count, study->count / 2);
    out->metric_median = (double)threshold;
}

/* mean: of the scores of all prunable matrices of the block. */
static void count_outliers(struct matrix_sensitivity *out, const struct study *study, double mean) {
    fill_metric(study->changed, study);
    memset(out->outliers, 0, sizeof out->outliers);
    for (size_t i = 0; i < study->count; i++)
        for (size_t level = 0; level < SENSITIVITY_OUTLIER_LEVELS; level++)
            if ((double)study->changed[i] > sensitivity_outlier_levels[level] * mean)
                out->outliers[level]++;
}

/* ---- exact errors ---- */

static bool add_point(struct matrix_sensitivity *out, const struct measured_point *point, struct error *error) {
    struct measured_point *points = memory_resize(out->points, out->point_count + 1, sizeof *points, error);
    if (points == NULL)
        return false;
    out->points = points;
    out->points[out->point_count++] = *point;
    return true;
}

/* ‖(W − Ŵ)X‖² per token, relative to the energy, with changed = W − Ŵ. */
static bool exact_error(double *relative, const struct study *study, double energy, struct error *error) {
    double value;
    for (size_t i = 0; i < study->count; i++)
        study->changed[i] = study->weights[i] - study->changed[i];
    if (!hessian_quadratic(&value, study->input->hessian, study->changed, study->matrix->rows, study->progress, error))
        return false;
    *relative = energy > 0 ? value * per_token(study->input) / energy : 0;
    return true;
}

static bool measure_point(struct matrix_sensitivity *out, const struct study *study, size_t method,
                          struct measured_point *point, struct error *error) {
    const struct matrix *matrix = study->matrix;
    const struct method_chain *chain = &study->options->methods[method];
    struct layer layer = {.name = matrix->name,
                          .weights = study->changed,
                          .rows = matrix->rows,
                          .columns = matrix->columns,
                          .input = study->input,
                          .pattern = point->pattern,
                          .sparsity = point->sparsity,
                          .progress = study->progress};
    memcpy(study->changed, study->weights, study->count * sizeof *study->weights);
    memcpy(point->method, study->options->names[method], sizeof point->method);
    if (!method_run(&layer, chain, error) || !exact_error(&point->error, study, out->energy, error))
        return false;
    return add_point(out, point, error);
}

static bool measure_method(struct matrix_sensitivity *out, const struct study *study, size_t method,
                           struct error *error) {
    const struct method_chain *chain = &study->options->methods[method];
    struct pattern pattern = method_pattern(chain, (struct pattern){PATTERN_DEFAULT, 0, 0});
    bool ok = true;
    for (size_t level = 0; ok && level < FINDINGS_LEVELS; level++) {
        struct measured_point point = {.pattern = pattern, .sparsity = findings_levels[level]};
        ok = measure_point(out, study, method, &point, error);
    }
    struct measured_point point = {.pattern = half, .sparsity = 0.5};
    return ok && measure_point(out, study, method, &point, error);
}

static bool measure(struct matrix_sensitivity *out, const struct study *study, struct error *error) {
    bool ok = true;
    for (size_t method = 0; ok && out->exact && study->matrix->prunable && method < study->options->method_count;
         method++)
        ok = measure_method(out, study, method, error) ||
             (error->code != ERROR_CANCELLED && error_prefix(error, "%s", study->options->names[method]));
    return ok;
}

/* ---- a block's matrices ---- */

static uint64_t largest_matrix(const struct model *model, int64_t block) {
    const struct block *matrices = &model->blocks[block];
    uint64_t largest = 0;
    for (size_t i = matrices->first; i < matrices->first + matrices->count; i++)
        if (model->matrices[i].tensor->count > largest)
            largest = model->matrices[i].tensor->count;
    return largest;
}

static uint64_t matrix_work(const struct matrix *matrix, bool full, const struct findings_options *options) {
    uint64_t passes = full ? 1 + options->method_count * (FINDINGS_LEVELS + 1) : 0;
    return matrix->tensor->count * (40 + passes * (uint64_t)matrix->columns);
}

uint64_t findings_work(const struct model *model, int64_t block, bool full, const struct findings_options *options) {
    const struct block *matrices = &model->blocks[block];
    uint64_t work = 0;
    for (size_t i = matrices->first; i < matrices->first + matrices->count; i++)
        work += matrix_work(&model->matrices[i], full, options);
    return work;
}

uint64_t findings_bytes(const struct model *model, int64_t block) {
    return largest_matrix(model, block) * (3 * sizeof(float) + 1); /* dense, pruned, scores, mask */
}

/* Points the study at a matrix and reads it; false when nothing of its input was seen. */
static bool begin_study(struct study *study, const struct gathering *gathering, size_t matrix) {
    const struct gathered_input *input = gathering_input(gathering, matrix);
    if (input == NULL || (input->statistics.tokens == 0 && gathering->model->matrices[matrix].expert < 0))
        return false;
    study->matrix = &gathering->model->matrices[matrix];
    study->input = &input->statistics;
    study->count = (size_t)study->matrix->rows * (size_t)study->matrix->columns;
    matrix_read(study->weights, study->matrix, 0, study->matrix->rows);
    return true;
}

static bool study_matrix(struct matrix_sensitivity *out, struct study *study, const struct gathering *gathering,
                         size_t matrix, struct error *error) {
    if (!progress_continue(study->progress, error))
        return false;
    if (!begin_study(study, gathering, matrix))
        return true;
    if (!find_curves(out, study, error))
        return false;
    find_metric(out, study);
    out->known = true;
    if (!measure(out, study, error))
        return error->code != ERROR_CANCELLED && error_prefix(error, "%s", study->matrix->name);
    progress_add(study->progress, matrix_work(study->matrix, out->exact, study->options));
    return true;
}

static double block_mean(const struct findings *findings, const struct block *block) {
    double sum = 0;
    double count = 0;
    for (size_t i = 0; i < block->count; i++) {
        const struct matrix *matrix = &findings->model->matrices[block->first + i];
        if (!matrix->prunable || !findings->matrices[i].known)
            continue;
        sum += findings->matrices[i].metric_sum;
        count += (double)matrix->tensor->count;
    }
    return count > 0 ? sum / count : 0;
}

static bool study_matrices(struct findings *findings, const struct gathering *gathering, struct study *study,
                           struct error *error) {
    const struct block *block = &findings->model->blocks[findings->block];
    bool ok = true;
    for (size_t i = 0; ok && i < block->count; i++)
        ok = study_matrix(&findings->matrices[i], study, gathering, block->first + i, error);
    double mean = ok ? block_mean(findings, block) : 0;
    for (size_t i = 0; ok && i < block->count; i++)
        if (findings->matrices[i].known && begin_study(study, gathering, block->first + i))
            count_outliers(&findings->matrices[i], study, mean);
    return ok;
}

/* ---- inputs, the block as a whole ---- */

static bool copy_sums(struct input_sensitivity *out, const struct input_statistics *from, struct error *error) {
    size_t columns = (size_t)from->columns;
    out->sum_squares = memory_alloc(columns, sizeof(double), error);
    if (out->sum_squares == NULL)
        return false;
    memcpy(out->sum_squares, from->sum_squares, columns * sizeof(double));
    if (from->sum == NULL)
        return true;
    out->sum = memory_alloc(columns, sizeof(double), error);
    if (out->sum != NULL)
        memcpy(out->sum, from->sum, columns * sizeof(double));
    return out->sum != NULL;
}

static bool find_input(struct input_sensitivity *out, const struct gathered_input *input, int64_t block, bool spectrum,
                       struct error *error) {
    const struct input_statistics *from = &input->statistics;
    double scale = 2 * per_token(from);
    *out = (struct input_sensitivity){.block = block,
                                      .input = input->input,
                                      .columns = from->columns,
                                      .tokens = from->tokens,
                                      .activity = input->activity,
                                      .largest = NAN,
                                      .smallest = NAN};
    if (!copy_sums(out, from, error))
        return false;
    for (int64_t j = 0; j < from->columns; j++)
        out->trace += scale * from->sum_squares[j];
    out->outlier_channels = (double)activity_outliers(out->top_channels, TOP_CHANNELS, from->sum_squares, from->columns,
                                                      OUTLIER_CHANNEL, error);
    out->known = true;
    if (!spectrum || from->hessian == NULL || from->tokens == 0)
        return true;
    bool ok = eigen_extremes(&out->largest, &out->smallest, from->hessian, error);
    out->largest *= scale;
    out->smallest *= scale;
    return ok;
}

static bool find_experts(struct block_sensitivity *out, const struct gathering *gathering, struct error *error) {
    size_t experts = (size_t)gathering->model->architecture.experts.count;
    if (gathering->expert_tokens == NULL)
        return true;
    out->expert_tokens = memory_alloc(experts, sizeof *out->expert_tokens, error);
    out->expert_norm = memory_alloc(experts, sizeof *out->expert_norm, error);
    if (out->expert_tokens == NULL || out->expert_norm == NULL)
        return false;
    for (size_t e = 0; e < experts; e++) {
        uint64_t tokens = gathering->expert_tokens[e];
        out->expert_tokens[e] = tokens;
        out->expert_norm[e] = tokens > 0 ? gathering->expert_norm[e] / (double)tokens : 0;
    }
    return true;
}

static bool find_whole(struct block_sensitivity *out, const struct gathering *gathering, struct error *error) {
    out->influence = gathering->cosine_tokens > 0 ? 1 - gathering->cosine / (double)gathering->cosine_tokens : NAN;
    for (size_t i = 0; i < gathering->input_count; i++)
        if (gathering->inputs[i].hidden)
            activity_merge(&out->hidden, &gathering->inputs[i].activity);
    out->known = true;
    return find_experts(out, gathering, error);
}

static bool find_inputs(struct findings *findings, const struct gathering *gathering, bool spectrum,
                        struct progress *progress, struct error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < gathering->input_count; i++) {
        findings->input_count = i + 1;
        ok = progress_continue(progress, error) &&
             find_input(&findings->inputs[i], &gathering->inputs[i], gathering->block, spectrum, error);
    }
    return ok;
}

bool findings_make(struct findings *findings, const struct gathering *gathering, const struct findings_options *options,
                   struct progress *progress, struct error *error) {
    const struct model *model = gathering->model;
    size_t matrices = model->blocks[gathering->block].count;
    size_t largest = (size_t)largest_matrix(model, gathering->block);
    struct study study = {.options = options, .progress = progress};
    *findings = (struct findings){.model = model, .block = gathering->block};
    findings->matrices = memory_alloc(matrices, sizeof *findings->matrices, error);
    if (findings->matrices != NULL)
        findings->inputs = memory_alloc(gathering->input_count, sizeof *findings->inputs, error);
    if (findings->inputs != NULL)
        study.weights = memory_alloc_aligned(largest, sizeof *study.weights, error);
    if (study.weights != NULL)
        study.changed = memory_alloc_aligned(largest, sizeof *study.changed, error);
    bool ok = findings->matrices != NULL && study.changed != NULL &&
              find_inputs(findings, gathering, options->spectrum, progress, error) &&
              find_whole(&findings->whole, gathering, error) && study_matrices(findings, gathering, &study, error);
    memory_free(study.weights);
    memory_free(study.changed);
    return ok;
}

static void free_input(struct input_sensitivity *input) {
    memory_free(input->sum);
    memory_free(input->sum_squares);
}

static void free_whole(struct block_sensitivity *whole) {
    memory_free(whole->expert_tokens);
    memory_free(whole->expert_norm);
}

void findings_free(struct findings *findings) {
    if (findings->model == NULL)
        return;
    for (size_t i = 0; findings->matrices != NULL && i < findings->model->blocks[findings->block].count; i++) {
        memory_free(findings->matrices[i].curves);
        memory_free(findings->matrices[i].points);
    }
    for (size_t i = 0; i < findings->input_count; i++)
        free_input(&findings->inputs[i]);
    free_whole(&findings->whole);
    memory_free(findings->matrices);
    memory_free(findings->inputs);
    memset(findings, 0, sizeof *findings);
}

/* ---- into the sensitivity ---- */

static void publish_matrix(struct matrix_sensitivity *known, struct matrix_sensitivity *found) {
    found->losses = known->losses;
    found->loss_count = known->loss_count;
    found->slopes = known->slopes;
    found->slope_count = known->slope_count;
    found->hill = known->hill;
    memory_free(known->curves);
    memory_free(known->points);
    *known = *found;
    memset(found, 0, sizeof *found);
}

static void publish_input(struct sensitivity *sensitivity, struct input_sensitivity *found) {
    for (size_t i = 0; i < sensitivity->input_count; i++) {
        struct input_sensitivity *known = &sensitivity->inputs[i];
        if (known->block != found->block || known->input != found->input)
            continue;
        free_input(known);
        *known = *found;
        memset(found, 0, sizeof *found);
        return;
    }
}

void findings_publish(struct sensitivity *sensitivity, struct findings *findings) {
    const struct block *block = &findings->model->blocks[findings->block];
    for (size_t i = 0; i < block->count; i++)
        publish_matrix(&sensitivity->matrices[block->first + i], &findings->matrices[i]);
    for (size_t i = 0; i < findings->input_count; i++)
        publish_input(sensitivity, &findings->inputs[i]);
    free_whole(&sensitivity->blocks[findings->block]);
    sensitivity->blocks[findings->block] = findings->whole;
    memset(&findings->whole, 0, sizeof findings->whole);
    sensitivity->revision++;
}

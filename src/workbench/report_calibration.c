#include "workbench/report_calibration.h"

#include "plan/sensitivity.h"
#include "workbench/csv.h"
#include <math.h>

/* Estimates are given at every fifth of the curve's points and where something was measured. */
#define ESTIMATE_STEP 0.05

struct column_help {
    const char *name, *help;
};

static const struct column_help activation_columns[] = {
    {"name", "the first matrix, in module order, that has this input"},
    {"block", "of that matrix"},
    {"role", "of that matrix"},
    {"inputs", "channels"},
    {"tokens", "that reached it"},
    {"zeros", "share of values that are exactly 0"},
    {"below_1_percent", "share of values below 1 % of the RMS"},
    {"below_10_percent", "share of values below 10 % of the RMS"},
    {"rms", "root mean square of all values"},
    {"maximum", "largest absolute value"},
    {"trace", "tr(H), H = 2/T sum of x x^T"},
    {"largest", "eigenvalue of H"},
    {"smallest", "eigenvalue of H"},
    {"outlier_channels", "channels with at least 6 times the median channel's RMS"},
    {"top_channel", "the largest of them, where there is one"},
    {NULL, NULL}};
static const struct column_help channel_columns[] = {{"name", "as in activations.csv"},
                                                     {"channel", "from 0"},
                                                     {"mean", "of its values"},
                                                     {"rms", "root mean square of its values"},
                                                     {NULL, NULL}};
static const struct column_help sensitivity_columns[] = {
    {"name", "of the matrix"},
    {"method", "that cuts"},
    {"pattern", "that it cuts by"},
    {"sparsity", "of the cut"},
    {"estimated", "relative output error, from the diagonal alone"},
    {"measured", "relative output error by the full Hessian; empty where it was not measured"},
    {NULL, NULL}};
static const struct column_help loss_columns[] = {{"name", "of the matrix that alone was cut"},
                                                  {"method", "that cuts"},
                                                  {"sparsity", "of the cut"},
                                                  {"change", "of the mean negative log-likelihood per token, in nats"},
                                                  {"deviation", "standard error of the change"},
                                                  {NULL, NULL}};
static const struct column_help span_columns[] = {
    {"first", "block that the span begins with"},
    {"last", "block that the span ends with"},
    {"distance", "angular distance of the span's input and output at the windows' last tokens, 0 to 1"},
    {NULL, NULL}};

static const struct column_help expert_columns[] = {
    {"block", "index of the block, from 0"},
    {"expert", "its number, from 0"},
    {"tokens", "how many were routed to it"},
    {"share", "of all routings in the block, 0 to 1"},
    {"output_norm",
     "mean over its tokens of the router's weight times the norm of its output (REAP); empty without tokens"},
    {NULL, NULL},
};

static void add_heading(struct text *output, const struct column_help *columns) {
    for (size_t i = 0; columns[i].name != NULL; i++)
        text_add(output, "%s%s", i > 0 ? "," : "", columns[i].name);
    text_add(output, "\n");
}

static void add_field(struct text *output, double number) {
    text_add(output, ",");
    csv_add_number(output, number);
}

/* The first matrix that has input number `input`. */
static const struct matrix *first_matrix(const struct sensitivity *sensitivity, size_t input) {
    size_t matrix = 0;
    while (sensitivity->input_of[matrix] != input)
        matrix++;
    return &sensitivity->model->matrices[matrix];
}

static void add_activation(struct text *output, const struct matrix *matrix, const struct input_sensitivity *input) {
    const struct activity *activity = &input->activity;
    csv_add_string(output, matrix->name);
    text_add(output, ",%lld,%s,%lld,%llu", (long long)matrix->block, role_name(matrix->role), (long long)input->columns,
             (unsigned long long)input->tokens);
    add_field(output, activity_zero_share(activity));
    add_field(output, activity_small_share(activity, 0.01));
    add_field(output, activity_small_share(activity, 0.1));
    add_field(output, activity_rms(activity));
    add_field(output, (double)activity->maximum);
    add_field(output, input->trace);
    add_field(output, input->largest);
    add_field(output, input->smallest);
    add_field(output, input->outlier_channels);
    if (input->outlier_channels > 0)
        text_add(output, ",%zu\n", input->top_channels[0]);
    else
        text_add(output, ",\n");
}

static void make_activations(struct text *output, struct workbench *workbench) {
    const struct sensitivity *sensitivity = workbench->sensitivity;
    add_heading(output, activation_columns);
    for (size_t i = 0; sensitivity != NULL && i < sensitivity->input_count; i++)
        if (sensitivity->inputs[i].known)
            add_activation(output, first_matrix(sensitivity, i), &sensitivity->inputs[i]);
}

static void add_channels(struct text *output, const struct matrix *matrix, const struct input_sensitivity *input) {
    double tokens = (double)input->tokens;
    for (int64_t j = 0; j < input->columns; j++) {
        csv_add_string(output, matrix->name);
        text_add(output, ",%lld", (long long)j);
        add_field(output, input->sum != NULL ? input->sum[j] / tokens : NAN);
        add_field(output, sqrt(input->sum_squares[j] / tokens));
        text_add(output, "\n");
    }
}

static void make_channels(struct text *output, struct workbench *workbench) {
    const struct sensitivity *sensitivity = workbench->sensitivity;
    add_heading(output, channel_columns);
    for (size_t i = 0; sensitivity != NULL && i < sensitivity->input_count; i++)
        if (sensitivity->inputs[i].known)
            add_channels(output, first_matrix(sensitivity, i), &sensitivity->inputs[i]);
}

static void add_error(struct text *output, const struct matrix *matrix, const struct measured_point *point,
                      double estimated) {
    char pattern[PATTERN_TEXT_SIZE];
    csv_add_string(output, matrix->name);
    text_add(output, ",%s,%s", point->method, pattern_text(pattern, point->pattern));
    add_field(output, point->sparsity);
    add_field(output, estimated);
    add_field(output, point->error);
    text_add(output, "\n");
}

static void add_errors(struct text *output, const struct matrix *matrix, const struct matrix_sensitivity *known) {
    static const struct measured_point orders[CURVE_ORDERS] = {
        {.method = "magnitude", .pattern = {PATTERN_UNSTRUCTURED, 0, 0}, .error = NAN},
        {.method = "obd", .pattern = {PATTERN_UNSTRUCTURED, 0, 0}, .error = NAN},
        {.method = "wanda", .pattern = {PATTERN_ROW, 0, 0}, .error = NAN}};
    for (int order = 0; order < CURVE_ORDERS; order++)
        for (int step = 1; step < 20; step++) {
            struct measured_point point = orders[order];
            point.sparsity = step * ESTIMATE_STEP;
            add_error(output, matrix, &point, curve_at(&known->curves[order], point.sparsity));
        }
    for (size_t i = 0; i < known->point_count; i++) {
        const struct measured_point *point = &known->points[i];
        const struct curve *curve = &known->curves[sensitivity_order(point->method)];
        add_error(output, matrix, point, curve_for(curve, point->pattern, point->sparsity));
    }
}

static void make_sensitivity(struct text *output, struct workbench *workbench) {
    const struct sensitivity *sensitivity = workbench->sensitivity;
    add_heading(output, sensitivity_columns);
    for (size_t i = 0; sensitivity != NULL && i < sensitivity->model->matrix_count; i++)
        if (sensitivity->matrices[i].known)
            add_errors(output, &sensitivity->model->matrices[i], &sensitivity->matrices[i]);
}

static void add_losses(struct text *output, const struct matrix *matrix, const struct matrix_sensitivity *known) {
    for (size_t i = 0; i < known->loss_count; i++) {
        csv_add_string(output, matrix->name);
        text_add(output, ",%s", known->losses[i].method);
        add_field(output, known->losses[i].sparsity);
        add_field(output, known->losses[i].change);
        add_field(output, known->losses[i].deviation);
        text_add(output, "\n");
    }
}

static void make_losses(struct text *output, struct workbench *workbench) {
    const struct sensitivity *sensitivity = workbench->sensitivity;
    add_heading(output, loss_columns);
    for (size_t i = 0; sensitivity != NULL && i < sensitivity->model->matrix_count; i++)
        add_losses(output, &sensitivity->model->matrices[i], &sensitivity->matrices[i]);
}

static void make_spans(struct text *output, struct workbench *workbench) {
    const struct sensitivity *sensitivity = workbench->sensitivity;
    size_t blocks = workbench->model->block_count;
    add_heading(output, span_columns);
    for (size_t first = 0; sensitivity != NULL && first < blocks; first++)
        for (size_t last = first; last < blocks && sensitivity->blocks[last].known; last++) {
            text_add(output, "%zu,%zu", first, last);
            add_field(output, sensitivity->distances[first * blocks + last]);
            text_add(output, "\n");
        }
}

static void add_expert(struct text *output, size_t block, size_t expert, const struct block_sensitivity *known,
                       uint64_t choices) {
    uint64_t tokens = known->expert_tokens[expert];
    text_add(output, "%zu,%zu,%llu", block, expert, (unsigned long long)tokens);
    add_field(output, choices > 0 ? (double)tokens / (double)choices : NAN);
    add_field(output, tokens > 0 ? known->expert_norm[expert] : NAN);
    text_add(output, "\n");
}

static void make_experts(struct text *output, struct workbench *workbench) {
    const struct sensitivity *sensitivity = workbench->sensitivity;
    const struct model *model = workbench->model;
    size_t experts = (size_t)model->architecture.experts.count;
    add_heading(output, expert_columns);
    for (size_t b = 0; sensitivity != NULL && b < model->block_count; b++) {
        const struct block_sensitivity *known = &sensitivity->blocks[b];
        uint64_t choices = 0;
        if (!known->known || known->expert_tokens == NULL)
            continue;
        for (size_t e = 0; e < experts; e++)
            choices += known->expert_tokens[e];
        for (size_t e = 0; choices > 0 && e < experts; e++)
            add_expert(output, b, e, known, choices);
    }
}

void report_calibration_block(struct text *output, struct workbench *workbench, size_t block) {
    const struct sensitivity *sensitivity = workbench->sensitivity;
    bool known = sensitivity != NULL && sensitivity->blocks[block].known;
    add_field(output, known ? sensitivity->blocks[block].influence : NAN);
    add_field(output, known ? activity_zero_share(&sensitivity->blocks[block].hidden) : NAN);
}

const struct report_calibration_table report_calibration_tables[] = {
    {"activations.csv", "one row for each distinct input of matrices", make_activations, false},
    {"channels.csv", "one row for each channel of each distinct input, where asked for", make_channels, true},
    {"sensitivity.csv", "one row for each matrix, method and sparsity", make_sensitivity, false},
    {"losses.csv", "one row for each measured cut of a single matrix", make_losses, false},
    {"spans.csv", "one row for each run of blocks", make_spans, false},
    {"experts.csv", "one row for each expert of each block", make_experts, false},
};
const size_t report_calibration_count = sizeof report_calibration_tables / sizeof *report_calibration_tables;

void report_calibration_manual(struct text *output) {
    static const struct column_help *const columns[] = {activation_columns, channel_columns, sensitivity_columns,
                                                        loss_columns,       span_columns,    expert_columns};
    for (size_t i = 0; i < report_calibration_count; i++) {
        text_add(output, ".SS %s\n%s.\n", report_calibration_tables[i].file, report_calibration_tables[i].help);
        for (const struct column_help *column = columns[i]; column->name != NULL; column++)
            text_add(output, ".TP\n.B %s\n%s\n", column->name, column->help);
    }
}

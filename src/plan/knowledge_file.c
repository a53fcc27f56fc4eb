#include "plan/knowledge_file.h"

#include "base/memory.h"
#include <math.h>
#include <string.h>
#include <xxhash.h>

static const char magic[24] = "secateur calibration 3\n";

/* One walk over all fields serves both directions. */
struct archive {
    struct text *out;  /* writing; NULL: reading */
    const uint8_t *in; /* what is left to read */
    size_t left;
    bool failed; /* too short, impossible, or no memory */
};

static void pass(struct archive *archive, void *data, size_t size) {
    if (archive->failed)
        return;
    if (archive->out != NULL) {
        text_add_bytes(archive->out, data, size);
        return;
    }
    archive->failed = size > archive->left;
    if (archive->failed)
        return;
    memcpy(data, archive->in, size);
    archive->in += size;
    archive->left -= size;
}

#define PASS(archive, field) pass(archive, &(field), sizeof(field))

static void pass_flag(struct archive *archive, bool *flag) {
    uint8_t byte = *flag;
    PASS(archive, byte);
    archive->failed = archive->failed || byte > 1;
    *flag = byte == 1;
}

/* A number that must be the model's own. */
static void pass_expected(struct archive *archive, uint64_t expected) {
    uint64_t value = expected;
    PASS(archive, value);
    archive->failed = archive->failed || value != expected;
}

static void pass_string(struct archive *archive, char *string, size_t size) {
    pass(archive, string, size);
    archive->failed = archive->failed || memchr(string, '\0', size) == NULL;
}

/* An array of count elements, made when reading; NULL stays NULL. */
static void *pass_array(struct archive *archive, void *array, size_t count, size_t size) {
    bool present = array != NULL;
    pass_flag(archive, &present);
    if (!present || archive->failed)
        return array;
    if (archive->out == NULL) {
        archive->failed = count > archive->left / (size > 0 ? size : 1);
        array = archive->failed ? NULL : memory_alloc(count, size, NULL);
        archive->failed = array == NULL;
    }
    if (!archive->failed)
        pass(archive, array, count * size);
    return array;
}

static void pass_pattern(struct archive *archive, struct pattern *pattern) {
    char buffer[PATTERN_TEXT_SIZE];
    PASS(archive, *pattern);
    bool fit = pattern->kind >= PATTERN_DEFAULT && pattern->kind <= PATTERN_WHOLE_COLUMNS;
    if (fit && pattern->kind == PATTERN_N_M)
        fit = pattern->n >= 1 && pattern->n < pattern->m && pattern->m <= 32;
    archive->failed = archive->failed || !fit || pattern_text(buffer, *pattern) == NULL;
}

static void pass_points(struct archive *archive, struct matrix_sensitivity *matrix) {
    uint64_t count = matrix->point_count;
    PASS(archive, count);
    matrix->points = pass_array(archive, matrix->points, (size_t)count, sizeof *matrix->points);
    matrix->point_count = matrix->points != NULL ? (size_t)count : 0;
    if (archive->out != NULL)
        return;
    for (size_t i = 0; !archive->failed && i < matrix->point_count; i++) {
        struct archive none = {.in = (const uint8_t *)&matrix->points[i].pattern,
                               .left = sizeof matrix->points[i].pattern};
        struct pattern pattern;
        pass_pattern(&none, &pattern);
        archive->failed =
            none.failed || memchr(matrix->points[i].method, '\0', sizeof matrix->points[i].method) == NULL;
    }
}

static void pass_losses(struct archive *archive, struct matrix_sensitivity *matrix) {
    uint64_t count = matrix->loss_count;
    PASS(archive, count);
    matrix->losses = pass_array(archive, matrix->losses, (size_t)count, sizeof *matrix->losses);
    matrix->loss_count = matrix->losses != NULL ? (size_t)count : 0;
    for (size_t i = 0; archive->out == NULL && !archive->failed && i < matrix->loss_count; i++)
        archive->failed = memchr(matrix->losses[i].method, '\0', sizeof matrix->losses[i].method) == NULL;
}

static void pass_slopes(struct archive *archive, struct matrix_sensitivity *matrix) {
    uint64_t count = matrix->slope_count;
    PASS(archive, count);
    matrix->slopes = pass_array(archive, matrix->slopes, (size_t)count, sizeof *matrix->slopes);
    matrix->slope_count = matrix->slopes != NULL ? (size_t)count : 0;
    for (size_t i = 0; archive->out == NULL && !archive->failed && i < matrix->slope_count; i++)
        archive->failed = memchr(matrix->slopes[i].method, '\0', sizeof matrix->slopes[i].method) == NULL ||
                          !(matrix->slopes[i].step > 0);
}

static void pass_matrix(struct archive *archive, struct matrix_sensitivity *matrix) {
    pass_flag(archive, &matrix->known);
    pass_flag(archive, &matrix->exact);
    PASS(archive, matrix->energy);
    PASS(archive, matrix->diagonal_energy);
    matrix->curves = pass_array(archive, matrix->curves, CURVE_ORDERS, sizeof *matrix->curves);
    archive->failed = archive->failed || (matrix->known && matrix->curves == NULL);
    pass_points(archive, matrix);
    pass_losses(archive, matrix);
    pass_slopes(archive, matrix);
    PASS(archive, matrix->metric_sum);
    PASS(archive, matrix->metric_median);
    PASS(archive, matrix->outliers);
    PASS(archive, matrix->hill);
}

static void pass_input(struct archive *archive, struct input_sensitivity *input) {
    size_t columns = (size_t)input->columns;
    pass_flag(archive, &input->known);
    pass_expected(archive, (uint64_t)input->columns);
    PASS(archive, input->tokens);
    PASS(archive, input->activity);
    input->sum = pass_array(archive, input->sum, columns, sizeof(double));
    input->sum_squares = pass_array(archive, input->sum_squares, columns, sizeof(double));
    archive->failed = archive->failed || (input->known && input->sum_squares == NULL);
    PASS(archive, input->trace);
    PASS(archive, input->largest);
    PASS(archive, input->smallest);
    PASS(archive, input->outlier_channels);
    PASS(archive, input->top_channels);
    for (size_t i = 0; i < sizeof input->top_channels / sizeof *input->top_channels; i++)
        archive->failed = archive->failed || input->top_channels[i] >= columns;
}

static void pass_block(struct archive *archive, struct block_sensitivity *block, size_t experts) {
    pass_flag(archive, &block->known);
    PASS(archive, block->influence);
    PASS(archive, block->hidden);
    block->expert_tokens = pass_array(archive, block->expert_tokens, experts, sizeof *block->expert_tokens);
    block->expert_norm = pass_array(archive, block->expert_norm, experts, sizeof *block->expert_norm);
}

static void pass_sensitivity(struct archive *archive, struct sensitivity *sensitivity) {
    const struct model *model = sensitivity->model;
    size_t blocks = model->block_count;
    pass_expected(archive, model->matrix_count);
    pass_expected(archive, sensitivity->input_count);
    pass_expected(archive, blocks);
    pass_expected(archive, (uint64_t)model->architecture.experts.count);
    PASS(archive, sensitivity->tokens);
    pass_string(archive, sensitivity->source, sizeof sensitivity->source);
    PASS(archive, sensitivity->corpus_hash);
    PASS(archive, sensitivity->key);
    for (size_t i = 0; !archive->failed && i < model->matrix_count; i++)
        pass_matrix(archive, &sensitivity->matrices[i]);
    for (size_t i = 0; !archive->failed && i < sensitivity->input_count; i++)
        pass_input(archive, &sensitivity->inputs[i]);
    for (size_t i = 0; !archive->failed && i < blocks; i++)
        pass_block(archive, &sensitivity->blocks[i], (size_t)model->architecture.experts.count);
    pass(archive, sensitivity->distances, blocks * blocks * sizeof(double));
}

static void pass_target(struct archive *archive, struct target *target) {
    PASS(archive, target->sparsity);
    pass_pattern(archive, &target->pattern);
    pass_string(archive, target->method, sizeof target->method);
    pass_flag(archive, &target->locked);
    PASS(archive, target->low);
    PASS(archive, target->high);
    archive->failed = archive->failed || !(target->sparsity >= 0 && target->sparsity <= 1);
}

/* When reading, the anchor goes into the forecaster at once, so that it is freed with it. */
static void pass_anchor(struct archive *archive, struct forecaster *forecaster, size_t index) {
    size_t matrices = forecaster->sensitivity->model->matrix_count;
    struct forecast_anchor *anchor = &forecaster->anchors[index];
    if (archive->out == NULL)
        anchor->targets = memory_alloc(matrices, sizeof *anchor->targets, NULL);
    archive->failed = archive->failed || anchor->targets == NULL;
    pass_string(archive, anchor->name, sizeof anchor->name);
    PASS(archive, anchor->change);
    PASS(archive, anchor->deviation);
    PASS(archive, anchor->tokens);
    PASS(archive, anchor->text);
    for (size_t i = 0; !archive->failed && i < matrices; i++)
        pass_target(archive, &anchor->targets[i]);
}

static void pass_forecaster(struct archive *archive, struct forecaster *forecaster) {
    uint64_t count = forecaster->anchor_count;
    pass_string(archive, forecaster->method, sizeof forecaster->method);
    PASS(archive, forecaster->dense_nll);
    PASS(archive, count);
    if (archive->out == NULL && !archive->failed)
        archive->failed = count > archive->left || !forecaster_reserve(forecaster, (size_t)count, NULL);
    for (size_t i = 0; !archive->failed && i < count; i++) {
        forecaster->anchor_count = archive->out == NULL ? i + 1 : forecaster->anchor_count;
        pass_anchor(archive, forecaster, i);
    }
}

/* Writing changes nothing that is passed. */
bool knowledge_pack(struct text *bytes, const struct sensitivity *sensitivity, const struct forecaster *forecaster,
                    struct error *error) {
    struct archive archive = {.out = bytes};
    size_t begin = bytes->length;
    text_add_bytes(bytes, magic, sizeof magic);
    pass_sensitivity(&archive, (struct sensitivity *)sensitivity);
    pass_forecaster(&archive, (struct forecaster *)forecaster);
    if (bytes->failed || archive.failed)
        return error_set(error, ERROR_MEMORY, "no memory for what calibration has found");
    uint64_t hash = XXH3_64bits(bytes->data + begin, bytes->length - begin);
    text_add_bytes(bytes, &hash, sizeof hash);
    return !bytes->failed || error_set(error, ERROR_MEMORY, "no memory for what calibration has found");
}

static bool is_whole(const uint8_t *bytes, size_t size) {
    uint64_t hash;
    if (size < sizeof magic + sizeof hash || memcmp(bytes, magic, sizeof magic) != 0)
        return false;
    memcpy(&hash, bytes + size - sizeof hash, sizeof hash);
    return XXH3_64bits(bytes, size - sizeof hash) == hash;
}

bool knowledge_unpack(struct sensitivity **sensitivity, struct forecaster **forecaster, const struct model *model,
                      const void *bytes, size_t size, struct error *error) {
    if (!is_whole(bytes, size))
        return error_set(error, ERROR_INPUT, "is damaged, or was written by another version");
    struct archive archive = {.in = (const uint8_t *)bytes + sizeof magic,
                              .left = size - sizeof magic - sizeof(uint64_t)};
    *forecaster = NULL;
    *sensitivity = sensitivity_create(model, error);
    if (*sensitivity == NULL)
        return false;
    pass_sensitivity(&archive, *sensitivity);
    if (!archive.failed)
        *forecaster = forecaster_create(*sensitivity, error);
    if (*forecaster != NULL)
        pass_forecaster(&archive, *forecaster);
    if (*forecaster != NULL && !archive.failed && archive.left == 0)
        return true;
    forecaster_free(*forecaster);
    sensitivity_free(*sensitivity);
    return error_set(error, ERROR_INPUT, "does not fit this model");
}

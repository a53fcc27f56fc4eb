#include "plan/interchange.h"

#include "base/memory.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOSSY 5e-4 /* differences of sparsity that are worth a sentence */

static double size_of(const struct matrix *matrix) {
    return (double)matrix->rows * (double)matrix->columns;
}

static bool set_sparsity(struct plan *plan, size_t matrix, double sparsity, struct error *error) {
    struct target target = *plan_target(plan, matrix);
    target.sparsity = sparsity;
    return plan_set(plan, matrix, &target, error);
}

/* Patterns, methods and locks that only our CSV keeps. */
static void note_left_out(struct text *notes, const struct plan *plan, bool patterns) {
    size_t count = 0;
    for (size_t i = 0; i < plan_model(plan)->matrix_count; i++) {
        const struct target *target = plan_target(plan, i);
        count += (patterns && target->pattern.kind != PATTERN_DEFAULT) || target->method[0] != '\0' || target->locked;
    }
    if (count > 0)
        text_add(notes, "the format has no place for the %slocks and methods of %zu matrices\n",
                 patterns ? "patterns, " : "", count);
}

/* ---- one ratio for each block: DLP (JSON, keep), OWL and AlphaPruning (text, sparsity) ---- */

static bool set_block(struct plan *plan, size_t block, double sparsity, struct error *error) {
    const struct model *model = plan_model(plan);
    if (!(sparsity >= 0 && sparsity <= 1))
        return error_set(error, ERROR_INPUT, "the ratio of block %zu gives a sparsity of %g, not one from 0 to 1",
                         block, sparsity);
    for (size_t i = model->blocks[block].first; i < model->blocks[block].first + model->blocks[block].count; i++)
        if (model->matrices[i].prunable && !set_sparsity(plan, i, sparsity, error))
            return false;
    return true;
}

static bool set_blocks(struct plan *plan, const double *sparsities, size_t count, struct error *error) {
    const struct model *model = plan_model(plan);
    if (count != model->block_count)
        return error_set(error, ERROR_INPUT, "the list has %zu ratios, the model %zu blocks", count,
                         model->block_count);
    for (size_t b = 0; b < count; b++)
        if (!set_block(plan, b, sparsities[b], error))
            return false;
    return true;
}

/* The block's mean; a sentence where its matrices differ. */
static double block_sparsity(const struct plan *plan, size_t block, size_t *uneven) {
    const struct model *model = plan_model(plan);
    double gone = 0;
    double all = 0;
    double low = 1;
    double high = 0;
    for (size_t i = model->blocks[block].first; i < model->blocks[block].first + model->blocks[block].count; i++) {
        if (!model->matrices[i].prunable)
            continue;
        double sparsity = plan_target(plan, i)->sparsity;
        gone += sparsity * size_of(&model->matrices[i]);
        all += size_of(&model->matrices[i]);
        low = fmin(low, sparsity);
        high = fmax(high, sparsity);
    }
    *uneven += high - low > LOSSY;
    return all > 0 ? gone / all : 0;
}

static void note_uneven(struct text *notes, size_t uneven) {
    if (uneven > 0)
        text_add(notes,
                 "the format has one ratio for each block: in %zu blocks whose matrices differ it is their mean\n",
                 uneven);
}

static bool read_dlp(struct plan *plan, const char *text, const struct interchange_options *options, struct text *notes,
                     struct error *error) {
    json_error_t fault;
    json_t *list = json_loads(text, 0, &fault);
    size_t count = json_array_size(list);
    double *sparsities = memory_alloc(count, sizeof *sparsities, error);
    bool ok = sparsities != NULL;
    (void)options;
    (void)notes;
    if (!json_is_array(list))
        ok = error_set(error, ERROR_INPUT, "it should be a JSON list of keep ratios, one for each block");
    for (size_t b = 0; ok && b < count; b++) {
        if (!json_is_number(json_array_get(list, b)))
            ok = error_set(error, ERROR_INPUT, "ratio %zu is no number", b + 1);
        else
            sparsities[b] = 1 - json_number_value(json_array_get(list, b));
    }
    ok = ok && set_blocks(plan, sparsities, count, error);
    memory_free(sparsities);
    json_decref(list);
    return ok;
}

static bool write_dlp(struct text *output, const struct plan *plan, const struct interchange_options *options,
                      struct text *notes, struct error *error) {
    size_t uneven = 0;
    (void)options;
    (void)error;
    for (size_t b = 0; b < plan_model(plan)->block_count; b++)
        text_add(output, "%s%.9g", b > 0 ? ", " : "[", 1 - block_sparsity(plan, b, &uneven));
    text_add(output, "]\n");
    note_uneven(notes, uneven);
    note_left_out(notes, plan, true);
    return true;
}

static bool read_ratios(struct plan *plan, const char *text, const struct interchange_options *options,
                        struct text *notes, struct error *error) {
    size_t blocks = plan_model(plan)->block_count;
    double *sparsities = memory_alloc(blocks + 1, sizeof *sparsities, error);
    size_t count = 0;
    bool ok = sparsities != NULL;
    (void)options;
    (void)notes;
    for (const char *at = text + strspn(text, " \t\r\n,[]"); ok && *at != '\0' && count <= blocks;) {
        char *end;
        sparsities[count++] = strtod(at, &end);
        if (end == at)
            ok = error_set(error, ERROR_INPUT, "\"%.20s\" is no number: it should be a list of sparsities", at);
        at = end + strspn(end, " \t\r\n,[]");
    }
    ok = ok && set_blocks(plan, sparsities, count, error);
    memory_free(sparsities);
    return ok;
}

static bool write_ratios(struct text *output, const struct plan *plan, const struct interchange_options *options,
                         struct text *notes, struct error *error) {
    size_t uneven = 0;
    (void)options;
    (void)error;
    for (size_t b = 0; b < plan_model(plan)->block_count; b++)
        text_add(output, "%.9g\n", block_sparsity(plan, b, &uneven));
    note_uneven(notes, uneven);
    note_left_out(notes, plan, true);
    return true;
}

/* ---- EvoPress: "module: level", sparsity = S + level × step / weights ---- */

static bool check_base(const struct interchange_options *options, struct error *error) {
    return !isnan(options->sparsity) ||
           error_set(error, ERROR_USAGE, "EvoPress files do not hold the sparsity of level 0: give sparsity=");
}

static bool read_level(struct plan *plan, const char *line, size_t length, const struct interchange_options *options,
                       struct error *error) {
    const struct model *model = plan_model(plan);
    const char *colon = memchr(line, ':', length);
    char *name = memory_copy_bytes(line, colon != NULL ? (size_t)(colon - line) : length, error);
    if (name == NULL)
        return false;
    const struct matrix *matrix = model_matrix(model, name);
    bool ok = colon != NULL && matrix != NULL;
    if (!ok)
        (void)error_set(error, ERROR_INPUT, "\"%.*s\" should be a module of the model, a colon and a level",
                        (int)length, line);
    if (ok) {
        double sparsity = options->sparsity + strtod(colon + 1, NULL) * options->step / size_of(matrix);
        ok = set_sparsity(plan, (size_t)(matrix - model->matrices), fmin(fmax(sparsity, 0), 1), error);
    }
    memory_free(name);
    return ok;
}

static bool read_evopress(struct plan *plan, const char *text, const struct interchange_options *options,
                          struct text *notes, struct error *error) {
    (void)notes;
    if (!check_base(options, error))
        return false;
    for (size_t number = 1; *text != '\0'; number++) {
        size_t length = strcspn(text, "\n");
        if (strspn(text, " \t\r") < length && !read_level(plan, text, length, options, error))
            return error_prefix(error, "line %zu", number);
        text += length + (text[length] == '\n');
    }
    return true;
}

static bool write_evopress(struct text *output, const struct plan *plan, const struct interchange_options *options,
                           struct text *notes, struct error *error) {
    const struct model *model = plan_model(plan);
    size_t rounded = 0;
    if (!check_base(options, error))
        return false;
    for (size_t i = 0; i < model->matrix_count; i++) {
        const struct matrix *matrix = &model->matrices[i];
        if (!matrix->prunable)
            continue;
        double level = (plan_target(plan, i)->sparsity - options->sparsity) * size_of(matrix) / options->step;
        rounded += fabs(level - round(level)) * options->step / size_of(matrix) > LOSSY;
        text_add(output, "%s: %.0f\n", matrix->module, round(level) + 0.0);
    }
    if (rounded > 0)
        text_add(notes, "%zu matrices were rounded to whole levels of %g weights\n", rounded, options->step);
    note_left_out(notes, plan, true);
    return true;
}

/* ---- llm-compressor: one modifier, a list in module order; its N:M counts what goes ---- */

static struct pattern recipe_pattern(const struct plan *plan, size_t *others) {
    struct pattern pattern = {PATTERN_DEFAULT, 0, 0};
    for (size_t i = 0; i < plan_model(plan)->matrix_count; i++) {
        struct pattern own = plan_target(plan, i)->pattern;
        if (plan_target(plan, i)->sparsity == 0)
            continue;
        if (pattern.kind == PATTERN_DEFAULT)
            pattern = own;
        *others += own.kind != pattern.kind || own.n != pattern.n || own.m != pattern.m;
    }
    return pattern;
}

static bool write_recipe(struct text *output, const struct plan *plan, const struct interchange_options *options,
                         struct text *notes, struct error *error) {
    const struct model *model = plan_model(plan);
    size_t others = 0;
    size_t count = 0;
    struct pattern pattern = recipe_pattern(plan, &others);
    (void)options;
    if (others > 0)
        return error_set(error, ERROR_USAGE,
                         "llm-compressor has one mask structure for all matrices; this plan has several");
    text_add(output, "pruning_stage:\n  pruning_modifiers:\n    SparseGPTModifier:\n      sparsity: [");
    for (size_t i = 0; i < model->matrix_count; i++)
        if (plan_target(plan, i)->sparsity > 0)
            text_add(output, "%s%.9g", count++ > 0 ? ", " : "", plan_target(plan, i)->sparsity);
    bool groups = pattern.kind == PATTERN_N_M;
    text_add(output, "]\n      mask_structure: \"%d:%d\"\n      targets: [", groups ? pattern.m - pattern.n : 0,
             groups ? pattern.m : 0);
    count = 0;
    for (size_t i = 0; i < model->matrix_count; i++)
        if (plan_target(plan, i)->sparsity > 0)
            text_add(output, "%s\"%s\"", count++ > 0 ? ", " : "", model->matrices[i].module);
    text_add(output, "]\n      ignore: [\"re:.*lm_head\"]\n");
    if (pattern.kind != PATTERN_DEFAULT && pattern.kind != PATTERN_UNSTRUCTURED && !groups)
        text_add(notes, "of the patterns, llm-compressor knows only N:M: the recipe is unstructured\n");
    note_left_out(notes, plan, false);
    return true;
}

const struct interchange interchange_table[] = {
    {"evopress", "EvoPress: \"module: level\" lines; needs sparsity= of level 0", read_evopress, write_evopress},
    {"dlp", "DLP: a JSON list of keep ratios, one for each block", read_dlp, write_dlp},
    {"ratios", "OWL, AlphaPruning: sparsities, one for each block", read_ratios, write_ratios},
    {"llm-compressor", "a recipe with one modifier and a list in module order (writing only)", NULL, write_recipe},
};
#define COUNT (sizeof interchange_table / sizeof *interchange_table)

const struct interchange *interchange_find(const char *name) {
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(interchange_table[i].name, name) == 0)
            return &interchange_table[i];
    return NULL;
}

const char *const *interchange_names(void) {
    static const char *names[COUNT + 1];
    for (size_t i = 0; i < COUNT; i++)
        names[i] = interchange_table[i].name;
    return names;
}

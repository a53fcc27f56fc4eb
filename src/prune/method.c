#include "prune/method.h"

#include "base/memory.h"
#include "base/text.h"
#include "prune/score_methods.h"
#include "prune/solver_methods.h"
#include "prune/sparsegpt.h"
#include <math.h>
#include <string.h>

#define KIND(kind) (1U << (kind))
#define WITHIN_ROWS (KIND(PATTERN_ROW) | KIND(PATTERN_N_M))
#define GROUPS (KIND(PATTERN_TILE) | KIND(PATTERN_WHOLE_ROWS) | KIND(PATTERN_WHOLE_COLUMNS))
#define ALL (WITHIN_ROWS | GROUPS | KIND(PATTERN_UNSTRUCTURED) | KIND(PATTERN_COLUMN_BLOCK))

const struct method method_table[] = {
    {.name = "magnitude",
     .help = "smallest |w| of the dense matrix",
     .source = "Janowsky 1989; Han et al. 2015",
     .needs = METHOD_NEEDS_NOTHING,
     .group = {PATTERN_UNSTRUCTURED, 0, 0},
     .patterns = ALL,
     .chooses = true,
     .prune = magnitude_prune},
    {.name = "obd",
     .help = "smallest H_jj w^2 / 2: loss with a diagonal Hessian",
     .source = "LeCun, Denker, Solla 1989",
     .needs = METHOD_NEEDS_DIAGONAL,
     .group = {PATTERN_UNSTRUCTURED, 0, 0},
     .patterns = ALL,
     .chooses = true,
     .prune = obd_prune},
    {.name = "wanda",
     .help = "smallest |w| times the norm of its input, per row",
     .source = "Sun et al. 2023, arXiv 2306.11695",
     .needs = METHOD_NEEDS_DIAGONAL,
     .group = {PATTERN_ROW, 0, 0},
     .patterns = ALL,
     .chooses = true,
     .prune = wanda_prune},
    {.name = "ria",
     .help = "smallest share of its row and column, times the root of its input's norm",
     .source = "Zhang et al. 2024, ICLR (Plug-and-Play)",
     .needs = METHOD_NEEDS_DIAGONAL,
     .group = {PATTERN_UNSTRUCTURED, 0, 0},
     .patterns = ALL,
     .chooses = true,
     .prune = ria_prune},
    {.name = "rowwise",
     .help = "wanda's order, every row its own sparsity by exact row errors",
     .source = "after Xu et al. 2024 (BESA), arXiv 2402.16880",
     .needs = METHOD_NEEDS_HESSIAN,
     .group = {PATTERN_UNSTRUCTURED, 0, 0},
     .patterns = KIND(PATTERN_UNSTRUCTURED),
     .does = "gives every row its own sparsity",
     .suits = "unstructured",
     .chooses = true,
     .prune = rowwise_prune},
    {.name = "sparsegpt",
     .help = "optimal brain surgeon, column by column; kept weights take up the error",
     .source = "Frantar, Alistarh 2023, arXiv 2301.00774",
     .needs = METHOD_NEEDS_HESSIAN,
     .group = {PATTERN_COLUMN_BLOCK, 128, 0},
     .patterns = ALL,
     .repairs = true,
     .chooses = true,
     .refines = true,
     .prune = sparsegpt_prune},
    {.name = "alps",
     .help = "ADMM finds the mask, conjugate gradients the weights",
     .source = "Meng et al. 2024, arXiv 2406.07831",
     .needs = METHOD_NEEDS_HESSIAN,
     .group = {PATTERN_UNSTRUCTURED, 0, 0},
     .patterns = ALL,
     .repairs = true,
     .chooses = true,
     .prune = alps_prune},
    {.name = "admm-fast",
     .help = "twenty ADMM iterations with one factorisation",
     .source = "Boza 2024, arXiv 2401.02938",
     .needs = METHOD_NEEDS_HESSIAN,
     .group = {PATTERN_UNSTRUCTURED, 0, 0},
     .patterns = ALL,
     .repairs = true,
     .chooses = true,
     .prune = admm_fast_prune},
    {.name = "lasso",
     .help = "L1-regularised layer problem, each weight's penalty inverse to its dense size, debiased",
     .source = "Tibshirani 1996; Zou 2006 (adaptive); Beck, Teboulle 2009 (FISTA)",
     .needs = METHOD_NEEDS_HESSIAN,
     .group = {PATTERN_UNSTRUCTURED, 0, 0},
     .patterns = ALL,
     .repairs = true,
     .chooses = true,
     .prune = lasso_prune},
    {.name = "group-lasso",
     .help = "tiles, rows or columns as groups, debiased",
     .source = "Yuan, Lin 2006",
     .needs = METHOD_NEEDS_HESSIAN,
     .group = {PATTERN_WHOLE_COLUMNS, 0, 0},
     .patterns = GROUPS,
     .does = "removes whole groups",
     .suits = "tile:RxC, rows and cols",
     .repairs = true,
     .chooses = true,
     .prune = group_lasso_prune},
    {.name = "iht",
     .help = "iterative hard thresholding, debiased",
     .source = "Blumensath, Davies 2009",
     .needs = METHOD_NEEDS_HESSIAN,
     .group = {PATTERN_UNSTRUCTURED, 0, 0},
     .patterns = ALL,
     .repairs = true,
     .chooses = true,
     .prune = iht_prune},
    {.name = "dsnot",
     .help = "swaps weights in and out of a mask until the expected output fits, while the output error falls",
     .source = "Zhang et al. 2023, arXiv 2310.08915",
     .needs = METHOD_NEEDS_HESSIAN,
     .group = {PATTERN_ROW, 0, 0},
     .patterns = WITHIN_ROWS | KIND(PATTERN_UNSTRUCTURED),
     .does = "swaps single weights within a row",
     .suits = "unstructured, row and N:M",
     .refines = true,
     .prune = dsnot_prune},
    {.name = "repair",
     .help = "the best weights for a given mask: least squares",
     .source = "reference: Meng et al. 2024, section 3.2",
     .needs = METHOD_NEEDS_HESSIAN,
     .group = {PATTERN_UNSTRUCTURED, 0, 0},
     .patterns = ALL,
     .repairs = true,
     .refines = true,
     .prune = repair_prune},
};

const size_t method_count = sizeof method_table / sizeof *method_table;

const struct method *method_find(const char *name) {
    for (size_t i = 0; i < method_count; i++)
        if (strcmp(method_table[i].name, name) == 0)
            return &method_table[i];
    return NULL;
}

const char *const *method_names(void) {
    static const char *names[sizeof method_table / sizeof *method_table + 1];
    for (size_t i = 0; i < method_count; i++)
        names[i] = method_table[i].name;
    return names;
}

static bool unknown_method(const char *name, struct error *error) {
    const char *nearest = method_table[0].name;
    struct text list = {0};
    for (size_t i = 0; i < method_count; i++) {
        if (text_distance(name, method_table[i].name) < text_distance(name, nearest))
            nearest = method_table[i].name;
        text_add(&list, "%s%s", i > 0 ? ", " : "", method_table[i].name);
    }
    if (text_distance(name, nearest) <= 2)
        (void)error_set(error, ERROR_USAGE, "there is no method \"%s\"; did you mean \"%s\"?", name, nearest);
    else
        (void)error_set(error, ERROR_USAGE, "there is no method \"%s\"; there are %s", name, text_string(&list));
    text_free(&list);
    return false;
}

static bool add_step(struct method_chain *chain, const char *name, struct error *error) {
    const struct method *method = method_find(name);
    if (method == NULL)
        return unknown_method(name, error);
    if (chain->count == METHOD_CHAIN_STEPS)
        return error_set(error, ERROR_USAGE, "at most %d methods can be joined by '+'", METHOD_CHAIN_STEPS);
    if (chain->count == 0 && !method->chooses)
        return error_set(error, ERROR_USAGE,
                         "%s works on a mask that another method has chosen: write magnitude+%s or wanda+%s", name,
                         name, name);
    if (chain->count > 0 && !method->refines)
        return error_set(error, ERROR_USAGE, "%s chooses its own mask, so it cannot stand behind '+'", name);
    chain->steps[chain->count++] = method;
    return true;
}

bool method_parse(struct method_chain *chain, const char *text, struct error *error) {
    memset(chain, 0, sizeof *chain);
    char *copy = memory_copy_string(text, error);
    bool ok = copy != NULL;
    for (char *name = copy; ok && name != NULL;) {
        char *plus = strchr(name, '+');
        if (plus != NULL)
            *plus = '\0';
        ok = add_step(chain, name, error);
        name = plus != NULL ? plus + 1 : NULL;
    }
    memory_free(copy);
    return ok;
}

enum method_need method_needs(const struct method_chain *chain) {
    enum method_need most = METHOD_NEEDS_NOTHING;
    for (size_t i = 0; i < chain->count; i++)
        if (chain->steps[i]->needs > most)
            most = chain->steps[i]->needs;
    return most;
}

bool method_repairs(const struct method_chain *chain) {
    for (size_t i = 0; i < chain->count; i++)
        if (chain->steps[i]->repairs)
            return true;
    return false;
}

struct pattern method_pattern(const struct method_chain *chain, struct pattern pattern) {
    return pattern.kind == PATTERN_DEFAULT ? chain->steps[0]->group : pattern;
}

bool method_accepts(const struct method_chain *chain, struct pattern pattern, struct error *error) {
    struct pattern used = method_pattern(chain, pattern);
    for (size_t i = 0; i < chain->count; i++) {
        const struct method *method = chain->steps[i];
        if (method->patterns & KIND(used.kind))
            continue;
        char name[PATTERN_TEXT_SIZE];
        return error_set(error, ERROR_USAGE, "%s %s, which the pattern %s does not allow; it works with %s",
                         method->name, method->does, pattern_text(name, used), method->suits);
    }
    return true;
}

static bool weights_are_finite(const struct layer *layer) {
    size_t count = (size_t)layer->rows * (size_t)layer->columns;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(layer->weights[i]))
            return false;
    return true;
}

/* The mask of what a step has cut, and the dense weights back in place for the next one. */
static void pass_on(struct layer *layer, uint8_t *mask, const float *dense) {
    size_t count = (size_t)layer->rows * (size_t)layer->columns;
    for (size_t i = 0; i < count; i++)
        mask[i] = layer->weights[i] == 0;
    memcpy(layer->weights, dense, count * sizeof(float));
    layer->fixed_mask = mask;
}

static bool run_steps(struct layer *layer, const struct method_chain *chain, struct error *error) {
    size_t count = (size_t)layer->rows * (size_t)layer->columns;
    uint8_t *mask = memory_alloc(count, 1, error);
    float *dense = memory_alloc_aligned(count, sizeof *dense, error);
    bool ok = mask != NULL && dense != NULL;
    if (ok)
        memcpy(dense, layer->weights, count * sizeof *dense);
    for (size_t i = 0; ok && i < chain->count; i++) {
        if (i > 0)
            pass_on(layer, mask, dense);
        ok = chain->steps[i]->prune(layer, error);
    }
    layer->fixed_mask = NULL;
    memory_free(mask);
    memory_free(dense);
    return ok;
}

/* Refuses what the chain cannot work from, and notes what is unusual about the inputs. */
static bool check_data(struct layer *layer, const struct method_chain *chain, struct error *error) {
    enum method_need need = method_needs(chain);
    if (!weights_are_finite(layer))
        return error_set(error, ERROR_INPUT, "the weights hold NaN or Inf, so there is no order to prune by");
    if (need == METHOD_NEEDS_NOTHING)
        return true;
    if (layer->input == NULL)
        return error_set(error, ERROR_USAGE, "%s needs calibration data", chain->steps[0]->name);
    if (need == METHOD_NEEDS_HESSIAN && layer->input->hessian == NULL)
        return error_set(error, ERROR_USAGE, "%s needs the full Hessian, so a calibration text", chain->steps[0]->name);
    return layer_check_input(layer, need == METHOD_NEEDS_HESSIAN, error);
}

bool method_run(struct layer *layer, const struct method_chain *chain, struct error *error) {
    memset(&layer->report, 0, sizeof layer->report);
    if (!check_data(layer, chain, error))
        return false;
    bool rounds = layer->options.bits > 0;
    if (pattern_count(layer->pattern, layer->rows, layer->columns, layer->sparsity) == 0 && !rounds)
        return true;
    if (chain->count == 1)
        return chain->steps[0]->prune(layer, error);
    return run_steps(layer, chain, error);
}

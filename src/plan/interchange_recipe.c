/* Recipes of llm-compressor, written. Sparsities of a list pair with the matched modules in the model's own order, not
 * in that of the targets; so the targets are exact names in that order. One modifier only: of several of the same type
 * some versions skip all but the last. */
#include "plan/interchange_state.h"

#include "prune/method.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Whether the target takes part in the recipe. */
static bool listed(const struct exchange *exchange, size_t matrix) {
    return exchange->model->matrices[matrix].prunable && exchange->targets[matrix].sparsity > 0;
}

static bool is_n_m(struct pattern pattern) {
    return pattern.kind == PATTERN_N_M;
}

/* The one mask structure for all: ERROR_USAGE where the plan has several. */
static bool find_structure(struct pattern *structure, const struct exchange *exchange, struct error *error) {
    const struct matrix *first = NULL;
    size_t shapes = 0;
    *structure = (struct pattern){.kind = PATTERN_UNSTRUCTURED};
    for (size_t i = 0; i < exchange->model->matrix_count; i++) {
        if (!listed(exchange, i))
            continue;
        struct pattern pattern = plan_pattern(exchange->plan, i);
        shapes += pattern.kind != PATTERN_UNSTRUCTURED && !is_n_m(pattern);
        if (!is_n_m(pattern))
            pattern = (struct pattern){.kind = PATTERN_UNSTRUCTURED};
        if (first == NULL)
            *structure = pattern;
        else if (!pattern_equal(*structure, pattern)) {
            char a[PATTERN_TEXT_SIZE], b[PATTERN_TEXT_SIZE];
            return error_set(error, ERROR_USAGE,
                             "a recipe has one mask_structure for all: %s is %s, %s is %s; give all the same pattern, "
                             "or export them apart",
                             first->module, pattern_text(a, *structure), exchange->model->matrices[i].module,
                             pattern_text(b, pattern));
        }
        first = first == NULL ? &exchange->model->matrices[i] : first;
    }
    if (shapes > 0)
        text_add(exchange->remarks,
                 "left out of %zu matrices: patterns per row and other shapes; the recipe says "
                 "unstructured\n",
                 shapes);
    return first != NULL || error_set(error, ERROR_USAGE, "the plan prunes nothing; there is nothing to export");
}

/* Wanda where all that are pruned name it, else SparseGPT. */
static const char *find_modifier(const struct exchange *exchange) {
    size_t pruned = 0, wanda = 0, sparsegpt = 0, unnamed = 0;
    for (size_t i = 0; i < exchange->model->matrix_count; i++) {
        const char *method = exchange->targets[i].method;
        if (!listed(exchange, i))
            continue;
        pruned++;
        wanda += strcmp(method, "wanda") == 0;
        sparsegpt += strcmp(method, "sparsegpt") == 0;
        unnamed += method[0] == '\0';
    }
    const char *name = wanda > 0 && wanda + unnamed == pruned ? "WandaPruningModifier" : "SparseGPTModifier";
    size_t other = wanda > 0 && wanda + unnamed == pruned ? 0 : pruned - sparsegpt - unnamed;
    if (other > 0)
        text_add(exchange->remarks, "%zu matrices have methods that the recipe has not; it says %s for all\n", other,
                 name);
    return name;
}

/* YAML 1.1 takes 1e-05 for a string: always with a decimal point and without an exponent. */
static void add_decimal(struct text *text, double value) {
    struct text shortest = {0};
    text_add_exact(&shortest, value);
    if (strchr(text_string(&shortest), 'e') != NULL)
        text_add(text, "%.20f", value);
    else
        text_add(text, "%s%s", text_string(&shortest), strchr(text_string(&shortest), '.') == NULL ? ".0" : "");
    text_free(&shortest);
}

static void add_sparsities(struct text *text, const struct exchange *exchange) {
    bool first = true;
    for (size_t i = 0; i < exchange->model->matrix_count; i++) {
        if (!listed(exchange, i))
            continue;
        text_add(text, first ? "[" : ", ");
        add_decimal(text, exchange->targets[i].sparsity);
        first = false;
    }
    text_add(text, "]\n");
}

bool exchange_write_recipe(struct exchange *exchange, struct error *error) {
    struct text text = {0};
    struct pattern structure;
    if (!find_structure(&structure, exchange, error))
        return false;
    bool groups = is_n_m(structure);
    text_add(&text, "pruning_stage:\n  pruning_modifiers:\n    %s:\n      sparsity: ", find_modifier(exchange));
    add_sparsities(&text, exchange);
    text_add(&text, "      mask_structure: \"%d:%d\"%s\n", groups ? structure.m - structure.n : 0,
             groups ? structure.m : 0, groups ? " # pruned of every" : "");
    text_add(&text, "      targets:\n");
    for (size_t i = 0; i < exchange->model->matrix_count; i++)
        if (listed(exchange, i))
            text_add(&text, "        - \"%s\"\n", exchange->model->matrices[i].module);
    bool ok = exchange_write(exchange, &text, error);
    text_free(&text);
    exchange_remark_losses(exchange, false, false);
    return ok;
}

/* EvoPress (IST-DASLab/EvoPress, evo_prune_search.py): levels of equal parameter steps around one sparsity. The file
 * says neither the sparsity nor the step. */
#include "plan/interchange_state.h"

#include "base/memory.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LEVEL_MAXIMUM 1000000

static bool check_options(const struct exchange *exchange, bool sparsity, struct error *error) {
    if (!(exchange->options.step >= 1))
        return error_set(error, ERROR_USAGE,
                         "EvoPress's levels are steps of so many weights each, which the file does not say: give step= "
                         "(EvoPress's default is 1000000)");
    return !sparsity || !isnan(exchange->options.sparsity) ||
           error_set(error, ERROR_USAGE, "the file does not say the sparsity of level 0: give sparsity=");
}

static const struct matrix *find_module(const struct model *model, const char *name) {
    for (size_t i = 0; i < model->matrix_count; i++)
        if (strcmp(model->matrices[i].module, name) == 0)
            return &model->matrices[i];
    return NULL;
}

static bool take_level(struct exchange *exchange, size_t *seen, const char *name, const char *value, size_t line,
                       struct error *error) {
    const struct matrix *matrix = find_module(exchange->model, name);
    int64_t level;
    if (matrix == NULL || matrix->weight->prunable == PRUNABLE_NO)
        return exchange_fail(exchange, line, error, "this model has no prunable matrix \"%.100s\"", name);
    size_t index = (size_t)(matrix - exchange->model->matrices);
    if (seen[index] > 0)
        return exchange_fail(exchange, line, error, "%.100s stands on line %zu already", name, seen[index]);
    if (!text_parse_integer(&level, value, -LEVEL_MAXIMUM, LEVEL_MAXIMUM, "the level", error))
        return exchange_fail(exchange, line, error, "\"%.40s\" is no level; a level is a whole number", value);
    double sparsity =
        exchange->options.sparsity + (double)level * exchange->options.step / (double)matrix->tensor->count;
    if (sparsity < 0 || sparsity > 1)
        return exchange_fail(
            exchange, line, error,
            "level %lld of %.100s would be a sparsity of %g; is step=%.0f what the file was made with?",
            (long long)level, name, sparsity, exchange->options.step);
    exchange->targets[index].sparsity = sparsity;
    seen[index] = line;
    return true;
}

static bool take_line(struct exchange *exchange, size_t *seen, char *line, size_t number, struct error *error) {
    char *colon = strrchr(line, ':');
    if (*line == '\0')
        return true;
    if (colon == NULL)
        return exchange_fail(exchange, number, error, "\"%.60s\" is not \"layer: level\"", line);
    *colon = '\0';
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    return take_level(exchange, seen, line + strspn(line, " \t"), value, number, error);
}

static bool check_complete(const struct exchange *exchange, const size_t *seen, struct error *error) {
    for (size_t i = 0; i < exchange->model->matrix_count; i++)
        if (exchange->model->matrices[i].prunable && seen[i] == 0)
            return error_set(error, ERROR_INPUT, "%s: the file ends without a line for %s", exchange->path,
                             exchange->model->matrices[i].module);
    return true;
}

bool exchange_read_evopress(struct exchange *exchange, struct error *error) {
    struct exchange_text text;
    if (!check_options(exchange, true, error) || !exchange_text_open(&text, exchange, error))
        return false;
    size_t *seen = memory_alloc(exchange->model->matrix_count, sizeof *seen, error);
    bool ok = seen != NULL;
    for (char *line; ok && (line = exchange_text_line(&text)) != NULL;)
        ok = take_line(exchange, seen, line, text.line, error);
    ok = ok && check_complete(exchange, seen, error);
    memory_free(seen);
    exchange_text_close(&text);
    return ok;
}

bool exchange_write_evopress(struct exchange *exchange, struct error *error) {
    struct text text = {0};
    struct plan_totals totals;
    if (!check_options(exchange, false, error))
        return false;
    plan_totals(&totals, exchange->plan);
    double sparsity = isnan(exchange->options.sparsity) ? totals.sparsity : exchange->options.sparsity;
    double farthest = 0;
    for (size_t i = 0; i < exchange->model->matrix_count; i++) {
        const struct matrix *matrix = &exchange->model->matrices[i];
        if (!matrix->prunable)
            continue;
        double steps =
            (exchange->targets[i].sparsity - sparsity) * (double)matrix->tensor->count / exchange->options.step;
        farthest = fmax(farthest, fabs(steps - round(steps)));
        text_add(&text, "%s: %.0f\n", matrix->module, round(steps) + 0.0);
    }
    bool ok = exchange_write(exchange, &text, error);
    text_free(&text);
    text_add(exchange->remarks,
             "read it with sparsity %.10g and a step of %.0f weights; matrices are up to %.0f weights "
             "from the plan, since levels are whole steps\n",
             sparsity, exchange->options.step, farthest * exchange->options.step);
    exchange_remark_losses(exchange, true, true);
    return ok;
}

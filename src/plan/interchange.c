#include "plan/interchange_state.h"

#include "base/memory.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct format {
    const char *name;
    bool (*read)(struct exchange *exchange, struct error *error);
    bool (*write)(struct exchange *exchange, struct error *error);
} formats[] = {
    {"evopress", exchange_read_evopress, exchange_write_evopress},
    {"dlp", exchange_read_dlp, exchange_write_dlp},
    {"owl", exchange_read_densities, exchange_write_densities},
    {"alphapruning", exchange_read_sparsities, exchange_write_sparsities},
    {"llm-compressor", exchange_read_recipe, exchange_write_recipe},
};
#define FORMAT_COUNT (sizeof formats / sizeof *formats)

const char *const *interchange_names(void) {
    static const char *names[FORMAT_COUNT + 1];
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        names[i] = formats[i].name;
    return names;
}

static const struct format *find_format(const char *name, struct error *error) {
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    (void)error_set(error, ERROR_USAGE,
                    "there is no format \"%s\"; known are evopress, dlp, owl, alphapruning, "
                    "llm-compressor",
                    name);
    return NULL;
}

/* ---- shared by the formats ---- */

bool exchange_text_open(struct exchange_text *text, const struct exchange *exchange, struct error *error) {
    size_t size;
    *text = (struct exchange_text){.bytes = file_read(exchange->path, EXCHANGE_FILE_MAXIMUM, &size, error)};
    if (text->bytes == NULL)
        return false;
    text->next = text->bytes;
    if (memchr(text->bytes, '\0', size) == NULL)
        return true;
    exchange_text_close(text);
    return error_set(error, ERROR_INPUT, "%s is not text: it has NUL bytes", exchange->path);
}

void exchange_text_close(struct exchange_text *text) {
    memory_free(text->bytes);
    text->bytes = NULL;
}

char *exchange_text_line(struct exchange_text *text) {
    if (*text->next == '\0')
        return NULL;
    char *line = text->next;
    size_t length = strcspn(line, "\n");
    text->next = line + length + (line[length] == '\n');
    while (length > 0 && strchr(" \t\r", line[length - 1]) != NULL)
        length--;
    line[length] = '\0';
    text->line++;
    return line;
}

bool exchange_write(const struct exchange *exchange, const struct text *text, struct error *error) {
    struct file_output output;
    if (text->failed)
        return error_set(error, ERROR_MEMORY, "no memory for %s", exchange->path);
    if (!file_output_open(&output, exchange->path, error))
        return false;
    (void)fwrite(text_string(text), 1, text->length, output.stream);
    return file_output_commit(&output, error);
}

bool exchange_fail(const struct exchange *exchange, size_t line, struct error *error, const char *format, ...) {
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return error_set(error, ERROR_INPUT, "%s, line %zu: %s", exchange->path, line, sentence);
}

bool exchange_check_share(const struct exchange *exchange, double value, const char *what, const char *where,
                          struct error *error) {
    return (value >= 0 && value <= 1) ||
           error_set(error, ERROR_INPUT, "%s, %s: %g is no %s; it must lie between 0 and 1", exchange->path, where,
                     value, what);
}

double exchange_block_sparsity(const struct exchange *exchange, size_t block, bool *uneven) {
    const struct block *all = &exchange->model->blocks[block];
    double gone = 0, size = 0, first = NAN;
    for (size_t i = all->first; i < all->first + all->count; i++) {
        const struct matrix *matrix = &exchange->model->matrices[i];
        if (!matrix->prunable)
            continue;
        double sparsity = exchange->targets[i].sparsity;
        first = isnan(first) ? sparsity : first;
        *uneven |= sparsity != first;
        gone += sparsity * (double)matrix->tensor->count;
        size += (double)matrix->tensor->count;
    }
    return *uneven && size > 0 ? gone / size : isnan(first) ? 0 : first;
}

/* Counts what one remark is about. */
struct losses {
    size_t patterns, methods, locks, bounds, outside;
};

static void count_losses(struct losses *losses, const struct exchange *exchange) {
    for (size_t i = 0; i < exchange->model->matrix_count; i++) {
        const struct target *target = &exchange->targets[i];
        enum pattern_kind kind = target->pattern.kind;
        losses->patterns += target->sparsity > 0 && kind != PATTERN_DEFAULT && kind != PATTERN_UNSTRUCTURED;
        losses->methods += target->method[0] != '\0';
        losses->locks += target->locked;
        losses->bounds += target->low > 0 || target->high < 1;
        losses->outside += target->sparsity > 0 && !exchange->model->matrices[i].prunable;
    }
}

void exchange_remark_losses(const struct exchange *exchange, bool patterns, bool methods) {
    struct losses losses = {0};
    count_losses(&losses, exchange);
    const struct {
        size_t count;
        const char *what;
    } remarks[] = {
        {patterns ? losses.patterns : 0, "patterns of their own: the file holds sparsities only"},
        {methods ? losses.methods : 0, "methods of their own"},
        {losses.locks, "locks"},
        {losses.bounds, "bounds"},
        {losses.outside, "targets outside the blocks' linear layers, pruned by name"},
    };
    for (size_t i = 0; i < sizeof remarks / sizeof *remarks; i++)
        if (remarks[i].count > 0)
            text_add(exchange->remarks, "left out of %zu matrices: %s\n", remarks[i].count, remarks[i].what);
}

/* ---- import and export ---- */

/* Locked matrices keep what they have; so do method, lock and bounds of all. */
static bool take_targets(struct plan *plan, const struct exchange *exchange, struct error *error) {
    size_t kept = 0;
    for (size_t i = 0; i < exchange->model->matrix_count; i++) {
        const struct matrix *matrix = &exchange->model->matrices[i];
        struct target target = *plan_target(plan, i);
        if (!matrix->prunable && target.sparsity == exchange->targets[i].sparsity)
            continue;
        target.sparsity = exchange->targets[i].sparsity;
        target.pattern = exchange->targets[i].pattern;
        if (target_equal(&target, plan_target(plan, i)))
            continue;
        kept += target.locked;
        if (!target.locked && !plan_set(plan, i, &target, error))
            return error_prefix(error, "%s", matrix->name);
    }
    if (kept > 0)
        text_add(exchange->remarks, "%zu locked matrices keep their targets\n", kept);
    return true;
}

static bool set_plan(struct plan *plan, const struct exchange *exchange, const char *format, struct error *error) {
    char name[160];
    (void)snprintf(name, sizeof name, "import %s %s", format, exchange->path);
    if (!plan_begin(plan, name, error))
        return false;
    bool ok = take_targets(plan, exchange, error);
    if (!ok)
        plan_rollback(plan);
    plan_end(plan);
    return ok;
}

static bool start_exchange(struct exchange *exchange, const struct plan *plan, const char *path,
                           const struct interchange_options *options, struct text *remarks, struct error *error) {
    const struct model *model = plan_model(plan);
    *exchange = (struct exchange){.model = model,
                                  .plan = plan,
                                  .path = path,
                                  .options = *options,
                                  .remarks = remarks,
                                  .targets = memory_alloc(model->matrix_count, sizeof(struct target), error)};
    return exchange->targets != NULL;
}

bool interchange_import(struct plan *plan, const char *format, const char *path,
                        const struct interchange_options *options, struct text *remarks, struct error *error) {
    struct exchange exchange;
    const struct format *row = find_format(format, error);
    if (row == NULL || !start_exchange(&exchange, plan, path, options, remarks, error))
        return false;
    for (size_t i = 0; i < exchange.model->matrix_count; i++)
        exchange.targets[i] = plan_default_target();
    bool ok = row->read(&exchange, error) && set_plan(plan, &exchange, format, error);
    memory_free(exchange.targets);
    return ok;
}

bool interchange_export(const struct plan *plan, const char *format, const char *path,
                        const struct interchange_options *options, struct text *remarks, struct error *error) {
    struct exchange exchange;
    const struct format *row = find_format(format, error);
    if (row == NULL || !start_exchange(&exchange, plan, path, options, remarks, error))
        return false;
    for (size_t i = 0; i < exchange.model->matrix_count; i++)
        exchange.targets[i] = *plan_target(plan, i);
    bool ok = row->write(&exchange, error);
    memory_free(exchange.targets);
    return ok;
}

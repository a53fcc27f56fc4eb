/* Lists of one number for each block or matrix: DLP's JSON, and the ratio lists of OWL and AlphaPruning. */
#include "plan/interchange_state.h"

#include "base/memory.h"
#include "base/npy.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAXIMUM ((size_t)1 << 20)

struct list {
    double *values;
    size_t count, capacity;
};

static bool add_value(struct list *list, double value, struct error *error) {
    if (!memory_grow(&list->values, &list->capacity, list->count, sizeof *list->values, error))
        return false;
    list->values[list->count++] = value;
    return true;
}

static size_t prunable_count(const struct model *model) {
    size_t count = 0;
    for (size_t i = 0; i < model->matrix_count; i++)
        count += model->matrices[i].prunable;
    return count;
}

/* ---- numbers to targets ---- */

/* The list's numbers are the shares that go, or that stay when `kept`. */
static bool take_list(struct exchange *exchange, const struct list *list, bool kept, bool blocks_only,
                      struct error *error) {
    const struct model *model = exchange->model;
    size_t matrices = prunable_count(model);
    bool by_block = list->count == model->block_count;
    if (!by_block && (blocks_only || list->count != matrices))
        return error_set(error, ERROR_INPUT, "%s has %zu numbers; %s has %zu blocks and %zu prunable matrices",
                         exchange->path, list->count, model->name, model->block_count, matrices);
    if (list->values == NULL)
        return error_set(error, ERROR_INPUT, "%s has no numbers", exchange->path);
    for (size_t i = 0, next = 0; i < model->matrix_count; i++) {
        const struct matrix *matrix = &model->matrices[i];
        if (!matrix->prunable || (by_block && matrix->block == MODEL_NO_BLOCK))
            continue;
        size_t place = by_block ? (size_t)matrix->block : next++;
        char where[40];
        (void)snprintf(where, sizeof where, "value %zu", place + 1);
        double value = list->values[place];
        if (!exchange_check_share(exchange, value, kept ? "share of weights to keep" : "sparsity", where, error))
            return false;
        exchange->targets[i].sparsity = kept ? 1 - value : value;
    }
    return true;
}

/* ---- DLP ---- */

static bool json_values(struct list *list, const struct exchange *exchange, const json_t *array, struct error *error) {
    if (!json_is_array(array))
        return error_set(error, ERROR_INPUT, "%s must be a JSON list of numbers, one for each block", exchange->path);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *value = json_array_get(array, i);
        if (!json_is_number(value))
            return error_set(error, ERROR_INPUT, "%s, value %zu: not a number", exchange->path, i + 1);
        if (!add_value(list, json_number_value(value), error))
            return false;
    }
    return true;
}

bool exchange_read_dlp(struct exchange *exchange, struct error *error) {
    struct list list = {0};
    json_error_t fault;
    size_t size;
    char *bytes = file_read(exchange->path, EXCHANGE_FILE_MAXIMUM, &size, error);
    if (bytes == NULL)
        return false;
    json_t *array = json_loadb(bytes, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &fault);
    memory_free(bytes);
    if (array == NULL)
        return error_set(error, ERROR_INPUT, "%s, line %d: not valid JSON: %s", exchange->path, fault.line, fault.text);
    bool ok = json_values(&list, exchange, array, error) && take_list(exchange, &list, true, true, error);
    json_decref(array);
    memory_free(list.values);
    return ok;
}

static bool list_blocks(struct list *list, size_t *uneven, const struct exchange *exchange, bool kept,
                        struct error *error) {
    *uneven = 0;
    for (size_t i = 0; i < exchange->model->block_count; i++) {
        bool differ = false;
        double sparsity = exchange_block_sparsity(exchange, i, &differ);
        *uneven += differ;
        if (!add_value(list, kept ? 1 - sparsity : sparsity, error))
            return false;
    }
    return true;
}

bool exchange_write_dlp(struct exchange *exchange, struct error *error) {
    struct list list = {0};
    struct text text = {0};
    size_t uneven;
    bool ok = list_blocks(&list, &uneven, exchange, true, error);
    for (size_t i = 0; ok && i < list.count; i++) {
        text_add(&text, "%s", i == 0 ? "[" : ", ");
        text_add_exact(&text, list.values[i]);
    }
    text_add(&text, "]\n");
    ok = ok && exchange_write(exchange, &text, error);
    if (ok && uneven > 0)
        text_add(exchange->remarks,
                 "%zu blocks have matrices of different sparsities; the file holds each block's mean\n", uneven);
    exchange_remark_losses(exchange, true, true);
    text_free(&text);
    memory_free(list.values);
    return ok;
}

/* ---- OWL and AlphaPruning ---- */

static bool npy_values(struct list *list, const struct exchange *exchange, struct error *error) {
    struct npy npy;
    if (!npy_open(&npy, exchange->path, error))
        return false;
    bool ok =
        (npy.kind == 'f' && npy.count <= LIST_MAXIMUM) ||
        error_set(error, ERROR_INPUT, "%s must hold at most %zu floating-point numbers", exchange->path, LIST_MAXIMUM);
    for (size_t i = 0; ok && i < npy.count; i++) {
        float narrow;
        double value;
        npy_copy_floats(&narrow, &npy, i, 1);
        value = narrow;
        if (npy.bytes == sizeof value) /* f64: the floats above would lose half of the digits */
            memcpy(&value, npy.data + i * sizeof value, sizeof value);
        ok = add_value(list, value, error);
    }
    npy_close(&npy);
    return ok;
}

/* Numbers between blanks, commas and brackets, as Python prints a list. */
static bool line_values(struct list *list, const struct exchange *exchange, char *line, size_t number,
                        struct error *error) {
    static const char between[] = " \t,;[]()";
    for (line += strspn(line, between); *line != '\0' && *line != '#'; line += strspn(line, between)) {
        size_t length = strcspn(line, between);
        char word[64];
        double value;
        (void)snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word - 1), line);
        if (length >= sizeof word || !text_parse_number(&value, word, "a ratio", error))
            return exchange_fail(exchange, number, error, "\"%s\" is not a number", word);
        if (list->count == LIST_MAXIMUM)
            return exchange_fail(exchange, number, error, "more than %zu numbers", LIST_MAXIMUM);
        if (!add_value(list, value, error))
            return false;
        line += length;
    }
    return true;
}

static bool text_values(struct list *list, const struct exchange *exchange, struct error *error) {
    struct exchange_text text;
    if (!exchange_text_open(&text, exchange, error))
        return false;
    bool ok = true;
    for (char *line; ok && (line = exchange_text_line(&text)) != NULL;)
        ok = line_values(list, exchange, line, text.line, error);
    exchange_text_close(&text);
    return ok;
}

static bool read_list(struct exchange *exchange, bool kept, struct error *error) {
    struct list list = {0};
    bool npy = text_ends(exchange->path, ".npy");
    bool ok = (npy ? npy_values(&list, exchange, error) : text_values(&list, exchange, error)) &&
              take_list(exchange, &list, kept, false, error);
    memory_free(list.values);
    return ok;
}

bool exchange_read_densities(struct exchange *exchange, struct error *error) {
    return read_list(exchange, true, error);
}

bool exchange_read_sparsities(struct exchange *exchange, struct error *error) {
    if (read_list(exchange, false, error))
        return true;
    if (text_ends(exchange->path, ".npy") && error != NULL && strstr(error->text, "is no sparsity") != NULL)
        (void)error_prefix(error, "AlphaPruning's own .npy files hold Hill exponents, not sparsities (allocate alpha "
                                  "works from those)");
    return false;
}

static bool list_matrices(struct list *list, const struct exchange *exchange, bool kept, struct error *error) {
    list->count = 0;
    for (size_t i = 0; i < exchange->model->matrix_count; i++) {
        double sparsity = exchange->targets[i].sparsity;
        if (exchange->model->matrices[i].prunable && !add_value(list, kept ? 1 - sparsity : sparsity, error))
            return false;
    }
    return true;
}

static bool write_npy(const struct exchange *exchange, const struct list *list, struct error *error) {
    struct npy_writer writer;
    if (!npy_writer_open(&writer, exchange->path, "<f8", &list->count, 1, error))
        return false;
    if (npy_writer_add(&writer, list->values, list->count, error))
        return npy_writer_commit(&writer, error);
    npy_writer_abort(&writer);
    return false;
}

static bool write_lines(const struct exchange *exchange, const struct list *list, struct error *error) {
    struct text text = {0};
    for (size_t i = 0; i < list->count; i++) {
        text_add_exact(&text, list->values[i]);
        text_add(&text, "\n");
    }
    bool ok = exchange_write(exchange, &text, error);
    text_free(&text);
    return ok;
}

/* One number for each block where matrices of a block agree, else one for each matrix. */
static bool write_list(struct exchange *exchange, bool kept, struct error *error) {
    struct list list = {0};
    size_t uneven;
    bool ok = list_blocks(&list, &uneven, exchange, kept, error) &&
              (uneven == 0 || list_matrices(&list, exchange, kept, error)) &&
              (text_ends(exchange->path, ".npy") ? write_npy : write_lines)(exchange, &list, error);
    if (ok)
        text_add(exchange->remarks, "one %s for each %s\n", kept ? "share to keep" : "sparsity",
                 uneven > 0 ? "matrix" : "block");
    exchange_remark_losses(exchange, true, true);
    memory_free(list.values);
    return ok;
}

bool exchange_write_densities(struct exchange *exchange, struct error *error) {
    return write_list(exchange, true, error);
}

bool exchange_write_sparsities(struct exchange *exchange, struct error *error) {
    return write_list(exchange, false, error);
}

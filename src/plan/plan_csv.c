#include "plan/plan_csv.h"

#include "base/memory.h"
#include "prune/method.h"
#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAXIMUM ((size_t)64 << 20)
#define COLUMNS_MAXIMUM 64

/* ---- the columns that mean something ---- */

struct row {
    size_t matrix;
    struct target target;
};

/* Stricter than what is typed: among fractions a bare 1.2 is more likely a slip than 1.2 %. */
static bool read_fraction(double *fraction, const char *text, struct error *error) {
    char *end;
    double value = strtod(text, &end);
    if (1 < value && value < 2 && end[strspn(end, " ")] == '\0')
        return error_set(error, ERROR_INPUT, "%s is outside 0 to 1; so small a percentage needs its sign: %s%%", text,
                         text);
    return text_parse_fraction(fraction, text, error);
}

static bool read_sparsity(struct row *row, const char *text, struct error *error) {
    return read_fraction(&row->target.sparsity, text, error);
}

static bool read_pattern(struct row *row, const char *text, struct error *error) {
    return text[0] == '\0' || pattern_parse(&row->target.pattern, text, error);
}

static bool read_method(struct row *row, const char *text, struct error *error) {
    struct method_chain chain;
    if (text[0] == '\0')
        return true;
    if (strlen(text) >= sizeof row->target.method)
        return error_set(error, ERROR_INPUT, "the method's name has more than %zu letters",
                         sizeof row->target.method - 1);
    (void)snprintf(row->target.method, sizeof row->target.method, "%s", text);
    return method_parse(&chain, text, error);
}

static bool read_locked(struct row *row, const char *text, struct error *error) {
    static const struct {
        const char *word;
        bool locked;
    } words[] = {{"", false},   {"no", false},  {"false", false}, {"FALSE", false}, {"0", false},
                 {"yes", true}, {"true", true}, {"TRUE", true},   {"1", true}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].word, text) != 0)
            continue;
        row->target.locked = words[i].locked;
        return true;
    }
    return error_set(error, ERROR_INPUT, "\"%s\" is neither yes nor no", text);
}

static bool read_low(struct row *row, const char *text, struct error *error) {
    return text[0] == '\0' || read_fraction(&row->target.low, text, error);
}

static bool read_high(struct row *row, const char *text, struct error *error) {
    return text[0] == '\0' || read_fraction(&row->target.high, text, error);
}

/* The name comes first: the rest of a row is about it. */
static const struct {
    const char *name;
    bool required;
    bool (*read)(struct row *row, const char *text, struct error *error); /* NULL: the name, looked up elsewhere */
} columns[] = {
    {"name", true, NULL},           {"sparsity", true, read_sparsity}, {"pattern", false, read_pattern},
    {"method", false, read_method}, {"locked", false, read_locked},    {"low", false, read_low},
    {"high", false, read_high},
};
#define COLUMN_COUNT (sizeof columns / sizeof *columns)

/* ---- writing ---- */

static void add_name(struct text *text, const char *name) {
    if (strpbrk(name, ",\"\r\n ") == NULL) {
        text_add(text, "%s", name);
        return;
    }
    text_add(text, "\"");
    for (; *name != '\0'; name++)
        text_add(text, *name == '"' ? "\"\"" : "%c", *name);
    text_add(text, "\"");
}

static void add_row(struct text *text, const char *name, const struct target *target) {
    char pattern[PATTERN_TEXT_SIZE];
    add_name(text, name);
    text_add(text, ",");
    text_add_exact(text, target->sparsity);
    text_add(text, ",%s,%s,%s,", pattern_text(pattern, target->pattern), target->method, target->locked ? "yes" : "no");
    text_add_exact(text, target->low);
    text_add(text, ",");
    text_add_exact(text, target->high);
    text_add(text, "\n");
}

void plan_csv_format(struct text *text, const struct model *model, const struct target *targets) {
    struct target untouched = plan_default_target();
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        text_add(text, "%s%s", columns[i].name, i + 1 < COLUMN_COUNT ? "," : "\n");
    for (size_t i = 0; i < model->matrix_count; i++)
        if (model->matrices[i].prunable || !target_equal(&targets[i], &untouched))
            add_row(text, model->matrices[i].name, &targets[i]);
}

static bool write_text(const char *path, const struct text *text, struct error *error) {
    struct file_output output;
    if (text->failed)
        return error_set(error, ERROR_MEMORY, "no memory for the plan as CSV");
    if (!file_output_open(&output, path, error))
        return false;
    (void)fwrite(text_string(text), 1, text->length, output.stream);
    return file_output_commit(&output, error);
}

static struct target *copy_targets(const struct plan *plan, struct error *error) {
    size_t count = plan_model(plan)->matrix_count;
    struct target *targets = memory_alloc(count, sizeof *targets, error);
    for (size_t i = 0; targets != NULL && i < count; i++)
        targets[i] = *plan_target(plan, i);
    return targets;
}

bool plan_csv_write(const struct plan *plan, const char *path, struct error *error) {
    struct text text = {0};
    struct target *targets = copy_targets(plan, error);
    if (targets == NULL)
        return false;
    plan_csv_format(&text, plan_model(plan), targets);
    bool ok = write_text(path, &text, error);
    text_free(&text);
    memory_free(targets);
    return ok;
}

/* ---- reading ---- */

struct reader {
    const struct model *model;
    const char *source;
    struct target *targets;
    size_t *seen_on;                /* per matrix: the line of its row; 0: none yet */
    const struct matrix **by_name;  /* sorted */
    struct text fields;             /* of the current row, each with its NUL */
    size_t starts[COLUMNS_MAXIMUM]; /* of the fields in it */
    size_t field_count, line;       /* line: of the file, from 1 */
    size_t position[COLUMN_COUNT];  /* column of the file; SIZE_MAX: not there */
    size_t header_count;            /* columns of the file; 0: no header yet */
    struct error *error;
    bool failed;
};

static const char *field(const struct reader *reader, size_t column) {
    return text_string(&reader->fields) + reader->starts[column];
}

static void fail_row(struct reader *reader) {
    (void)error_prefix(reader->error, "%s, line %zu", reader->source, reader->line);
    if (reader->error != NULL && reader->error->code == ERROR_USAGE)
        reader->error->code = ERROR_INPUT;
    reader->failed = true;
}

static void fail_field(struct reader *reader, size_t column, const char *name) {
    (void)error_prefix(reader->error, "column %zu (%s)", column + 1, name);
    fail_row(reader);
}

static int compare_names(const void *a, const void *b) {
    return strcmp((*(const struct matrix *const *)a)->name, (*(const struct matrix *const *)b)->name);
}

static const struct matrix *find_matrix(const struct reader *reader, const char *name) {
    struct matrix wanted = {.name = name};
    const struct matrix *key = &wanted;
    const struct matrix **found =
        bsearch(&key, reader->by_name, reader->model->matrix_count, sizeof key, compare_names);
    return found != NULL ? *found : NULL;
}

static bool check_name(struct reader *reader, const struct matrix *matrix, const char *name) {
    size_t earlier = matrix != NULL ? reader->seen_on[matrix - reader->model->matrices] : 0;
    if (matrix == NULL)
        (void)error_set(reader->error, ERROR_INPUT, "this model has no weight matrix \"%s\"", name);
    else if (matrix->weight->prunable == PRUNABLE_NO)
        (void)error_set(reader->error, ERROR_INPUT, "%s is never pruned: %s", name,
                        matrix->reason != NULL ? matrix->reason : "it is not a weight matrix");
    else if (earlier != 0)
        (void)error_set(reader->error, ERROR_INPUT, "%s stands on line %zu already", name, earlier);
    else
        return true;
    fail_field(reader, reader->position[0], columns[0].name);
    return false;
}

static bool read_fields(struct reader *reader, struct row *row) {
    for (size_t i = 1; i < COLUMN_COUNT; i++) {
        size_t column = reader->position[i];
        if (column == SIZE_MAX || columns[i].read(row, field(reader, column), reader->error))
            continue;
        fail_field(reader, column, columns[i].name);
        return false;
    }
    if (row->target.low <= row->target.high)
        return true;
    (void)error_set(reader->error, ERROR_INPUT, "the lower bound %g is above the upper bound %g", row->target.low,
                    row->target.high);
    fail_field(reader, reader->position[5] != SIZE_MAX ? reader->position[5] : reader->position[6], "low");
    return false;
}

static void take_row(struct reader *reader) {
    const char *name = field(reader, reader->position[0]);
    const struct matrix *matrix = find_matrix(reader, name);
    if (!check_name(reader, matrix, name))
        return;
    struct row row = {.matrix = (size_t)(matrix - reader->model->matrices), .target = plan_default_target()};
    if (!read_fields(reader, &row))
        return;
    reader->targets[row.matrix] = row.target;
    reader->seen_on[row.matrix] = reader->line;
}

static bool place_column(struct reader *reader, size_t column) {
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (strcmp(columns[i].name, field(reader, column)) != 0)
            continue;
        if (reader->position[i] != SIZE_MAX) {
            (void)error_set(reader->error, ERROR_INPUT, "there are two columns of this name");
            fail_field(reader, column, columns[i].name);
            return false;
        }
        reader->position[i] = column;
    }
    return true;
}

static void take_header(struct reader *reader) {
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        reader->position[i] = SIZE_MAX;
    reader->header_count = reader->field_count;
    for (size_t column = 0; column < reader->field_count; column++)
        if (!place_column(reader, column))
            return;
    const char *separator = reader->field_count == 1 && strchr(field(reader, 0), ';') != NULL    ? ";"
                            : reader->field_count == 1 && strchr(field(reader, 0), '\t') != NULL ? "a tab"
                                                                                                 : NULL;
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (!columns[i].required || reader->position[i] != SIZE_MAX)
            continue;
        if (separator != NULL)
            (void)error_set(reader->error, ERROR_INPUT,
                            "columns are separated by %s; export it with commas, and with a decimal point", separator);
        else
            (void)error_set(reader->error, ERROR_INPUT,
                            "the header has no column \"%s\"; it should be name,sparsity,pattern,method,locked",
                            columns[i].name);
        fail_row(reader);
        return;
    }
}

static bool row_is_empty(const struct reader *reader) {
    for (size_t i = 0; i < reader->field_count; i++)
        if (field(reader, i)[0] != '\0')
            return false;
    return true;
}

static void on_field(void *bytes, size_t length, void *context) {
    struct reader *reader = context;
    if (reader->failed)
        return;
    if (reader->field_count == COLUMNS_MAXIMUM || memchr(bytes, '\0', length) != NULL) {
        (void)error_set(reader->error, ERROR_INPUT, "%s",
                        reader->field_count == COLUMNS_MAXIMUM ? "more than 64 columns" : "a NUL byte");
        fail_row(reader);
        return;
    }
    reader->starts[reader->field_count++] = reader->fields.length;
    text_add_bytes(&reader->fields, bytes, length);
    text_add_bytes(&reader->fields, "", 1);
    if (reader->fields.failed) {
        (void)error_set(reader->error, ERROR_MEMORY, "no memory for a row");
        fail_row(reader);
    }
}

static void on_row(int byte, void *context) {
    struct reader *reader = context;
    (void)byte;
    if (!reader->failed && !row_is_empty(reader)) {
        if (reader->header_count == 0)
            take_header(reader);
        else if (reader->field_count != reader->header_count) {
            (void)error_set(reader->error, ERROR_INPUT, "%zu columns where the header has %zu", reader->field_count,
                            reader->header_count);
            fail_row(reader);
        } else
            take_row(reader);
    }
    reader->field_count = 0;
    text_clear(&reader->fields);
}

static size_t line_length(const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (bytes[i] == '\n' || (bytes[i] == '\r' && (i + 1 == length || bytes[i + 1] != '\n')))
            return i + 1;
    return length;
}

static void fail_quotes(struct reader *reader) {
    (void)error_set(reader->error, ERROR_INPUT, "a quotation mark is out of place or not closed");
    fail_row(reader);
}

/* Line by line, so that errors know where they are. */
static void parse_lines(struct reader *reader, const char *bytes, size_t length) {
    struct csv_parser parser;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        (void)error_set(reader->error, ERROR_MEMORY, "no memory for the CSV parser");
        reader->failed = true;
        return;
    }
    while (length > 0 && !reader->failed) {
        size_t line = line_length(bytes, length);
        reader->line++;
        if (csv_parse(&parser, bytes, line, on_field, on_row, reader) != line && !reader->failed)
            fail_quotes(reader);
        bytes += line;
        length -= line;
    }
    if (!reader->failed && csv_fini(&parser, on_field, on_row, reader) != 0 && !reader->failed)
        fail_quotes(reader);
    csv_free(&parser);
}

static void check_complete(struct reader *reader) {
    if (reader->header_count == 0) {
        (void)error_set(reader->error, ERROR_INPUT, "%s is empty; a plan begins with a header of column names",
                        reader->source);
        reader->failed = true;
    }
    for (size_t i = 0; !reader->failed && i < reader->model->matrix_count; i++) {
        if (!reader->model->matrices[i].prunable || reader->seen_on[i] != 0)
            continue;
        (void)error_set(reader->error, ERROR_INPUT, "%s, line %zu: the file ends without a row for %s", reader->source,
                        reader->line, reader->model->matrices[i].name);
        reader->failed = true;
    }
}

static bool skip_mark(const char **bytes, size_t *length, const char *source, struct error *error) {
    if (*length >= 2 && (memcmp(*bytes, "\xff\xfe", 2) == 0 || memcmp(*bytes, "\xfe\xff", 2) == 0))
        return error_set(error, ERROR_INPUT, "%s, line 1: the text is UTF-16; save it as CSV in UTF-8", source);
    if (*length >= 3 && memcmp(*bytes, "\xef\xbb\xbf", 3) == 0) {
        *bytes += 3;
        *length -= 3;
    }
    return true;
}

bool plan_csv_parse(struct target *targets, const struct model *model, const char *bytes, size_t length,
                    const char *source, struct error *error) {
    struct reader reader = {.model = model, .source = source, .targets = targets, .error = error};
    if (!skip_mark(&bytes, &length, source, error))
        return false;
    reader.seen_on = memory_alloc(model->matrix_count, sizeof *reader.seen_on, error);
    reader.by_name = memory_alloc(model->matrix_count, sizeof(struct matrix *), error);
    bool ok = reader.seen_on != NULL && reader.by_name != NULL;
    for (size_t i = 0; ok && i < model->matrix_count; i++) {
        reader.by_name[i] = &model->matrices[i];
        targets[i] = plan_default_target();
    }
    if (ok) {
        qsort((void *)reader.by_name, model->matrix_count, sizeof(struct matrix *), compare_names);
        parse_lines(&reader, bytes, length);
        if (!reader.failed)
            check_complete(&reader);
    }
    text_free(&reader.fields);
    memory_free(reader.seen_on);
    memory_free((void *)reader.by_name);
    return ok && !reader.failed;
}

static bool set_all(struct plan *plan, const struct target *targets, const char *path, struct error *error) {
    char name[160];
    (void)snprintf(name, sizeof name, "load %s", path);
    if (!plan_begin(plan, name, error))
        return false;
    for (size_t i = 0; i < plan_model(plan)->matrix_count; i++) {
        if (!plan_set(plan, i, &targets[i], error)) {
            plan_rollback(plan);
            return false;
        }
    }
    plan_end(plan);
    return true;
}

bool plan_csv_read(struct plan *plan, const char *path, struct error *error) {
    size_t length;
    char *bytes = file_read(path, FILE_MAXIMUM, &length, error);
    struct target *targets = memory_alloc(plan_model(plan)->matrix_count, sizeof *targets, error);
    bool ok = bytes != NULL && targets != NULL &&
              plan_csv_parse(targets, plan_model(plan), bytes, length, path, error) &&
              set_all(plan, targets, path, error);
    memory_free(bytes);
    memory_free(targets);
    return ok;
}

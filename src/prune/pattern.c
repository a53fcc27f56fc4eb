#include "prune/pattern.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATTERN_LARGEST_GROUP 32

/* How a kind is written. Forms with numbers have them where the %d stand. */
static const struct form {
    enum pattern_kind kind;
    const char *text;
    int numbers;
} forms[] = {
    {PATTERN_DEFAULT, "default", 0},
    {PATTERN_UNSTRUCTURED, "unstructured", 0},
    {PATTERN_ROW, "row", 0},
    {PATTERN_COLUMN_BLOCK, "columns:", 1},
    {PATTERN_N_M, "", 2},
    {PATTERN_TILE, "tile:", 2},
    {PATTERN_WHOLE_ROWS, "rows", 0},
    {PATTERN_WHOLE_COLUMNS, "cols", 0},
};
#define FORM_COUNT (sizeof forms / sizeof forms[0])

/* A positive decimal number; what follows it is left in *string. */
static bool take_number(int *number, const char **string) {
    char *end;
    if (**string < '1' || **string > '9')
        return false;
    long value = strtol(*string, &end, 10);
    if (value > 1 << 30)
        return false;
    *number = (int)value;
    *string = end;
    return true;
}

static bool take_form(struct pattern *pattern, const struct form *form, const char *string) {
    size_t length = strlen(form->text);
    char between = form->kind == PATTERN_TILE ? 'x' : ':';
    struct pattern found = {.kind = form->kind};
    if (strncmp(string, form->text, length) != 0)
        return false;
    string += length;
    if (form->numbers > 0 && !take_number(&found.n, &string))
        return false;
    if (form->numbers > 1 && (*string++ != between || !take_number(&found.m, &string)))
        return false;
    *pattern = found;
    return *string == '\0';
}

bool pattern_parse(struct pattern *pattern, const char *string, struct error *error) {
    for (size_t i = 0; i < FORM_COUNT; i++) {
        struct pattern found;
        if (!take_form(&found, &forms[i], string))
            continue;
        if (found.kind == PATTERN_N_M && (found.n >= found.m || found.m > PATTERN_LARGEST_GROUP))
            return error_set(error, ERROR_USAGE,
                             "pattern \"%s\": N:M keeps N of every M, so N must be below M and M at most %d", string,
                             PATTERN_LARGEST_GROUP);
        *pattern = found;
        return true;
    }
    return error_set(error, ERROR_USAGE,
                     "\"%s\" is no pattern: use unstructured, row, N:M (keep N of every M, as 2:4), columns:N, "
                     "tile:RxC, rows, cols or default",
                     string);
}

const char *pattern_text(char buffer[PATTERN_TEXT_SIZE], struct pattern pattern) {
    const struct form *form = forms;
    while (form->kind != pattern.kind)
        form++;
    const char *between = form->numbers < 2 ? "" : form->kind == PATTERN_TILE ? "x" : ":";
    int length = snprintf(buffer, PATTERN_TEXT_SIZE, "%s", form->text);
    if (form->numbers > 0)
        length += snprintf(buffer + length, PATTERN_TEXT_SIZE - (size_t)length, "%d%s", pattern.n, between);
    if (form->numbers > 1)
        (void)snprintf(buffer + length, PATTERN_TEXT_SIZE - (size_t)length, "%d", pattern.m);
    return buffer;
}

bool pattern_equal(struct pattern a, struct pattern b) {
    for (const struct form *form = forms; form < forms + FORM_COUNT; form++)
        if (form->kind == a.kind)
            return a.kind == b.kind && (form->numbers < 1 || a.n == b.n) && (form->numbers < 2 || a.m == b.m);
    return false;
}

static uint64_t share(uint64_t group, double sparsity) {
    double k = floor(sparsity * (double)group + 0.5);
    return k <= 0 ? 0 : k >= (double)group ? group : (uint64_t)k;
}

static uint64_t kept_of_group(struct pattern pattern, uint64_t length) {
    uint64_t n = (uint64_t)pattern.n, m = (uint64_t)pattern.m;
    return (n * length + m - 1) / m;
}

static uint64_t count_n_m(struct pattern pattern, uint64_t columns) {
    uint64_t m = (uint64_t)pattern.m, last = columns % m;
    return columns / m * (m - (uint64_t)pattern.n) + last - kept_of_group(pattern, last);
}

static uint64_t whole_tiles(struct pattern pattern, int64_t rows, int64_t columns, double sparsity) {
    uint64_t tiles = (uint64_t)(rows / pattern.n) * (uint64_t)(columns / pattern.m);
    double wanted = floor(sparsity * (double)rows * (double)columns / ((double)pattern.n * (double)pattern.m) + 0.5);
    return wanted >= (double)tiles ? tiles : (uint64_t)wanted;
}

static uint64_t count_column_blocks(struct pattern pattern, uint64_t rows, uint64_t columns, double sparsity) {
    uint64_t n = (uint64_t)pattern.n;
    return columns / n * share(rows * n, sparsity) + share(rows * (columns % n), sparsity);
}

uint64_t pattern_count(struct pattern pattern, int64_t rows, int64_t columns, double sparsity) {
    uint64_t r = (uint64_t)rows, c = (uint64_t)columns;
    switch (pattern.kind) {
    case PATTERN_ROW:
        return r * share(c, sparsity);
    case PATTERN_COLUMN_BLOCK:
        return count_column_blocks(pattern, r, c, sparsity);
    case PATTERN_N_M:
        return sparsity > 0 ? r * count_n_m(pattern, c) : 0;
    case PATTERN_TILE:
        return whole_tiles(pattern, rows, columns, sparsity) * (uint64_t)pattern.n * (uint64_t)pattern.m;
    case PATTERN_WHOLE_ROWS:
        return share(r, sparsity) * c;
    case PATTERN_WHOLE_COLUMNS:
        return share(c, sparsity) * r;
    default:
        return share(r * c, sparsity);
    }
}

uint64_t pattern_step(struct pattern pattern, int64_t rows, int64_t columns) {
    switch (pattern.kind) {
    case PATTERN_ROW:
        return (uint64_t)rows;
    case PATTERN_COLUMN_BLOCK:
        return ((uint64_t)columns + (uint64_t)pattern.n - 1) / (uint64_t)pattern.n;
    case PATTERN_N_M:
        return pattern_count(pattern, rows, columns, 1);
    case PATTERN_TILE:
        return (uint64_t)pattern.n * (uint64_t)pattern.m;
    case PATTERN_WHOLE_ROWS:
        return (uint64_t)columns;
    case PATTERN_WHOLE_COLUMNS:
        return (uint64_t)rows;
    default:
        return 1;
    }
}

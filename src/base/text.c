#include "base/text.h"

#include "base/memory.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static bool reserve(struct text *text, size_t extra) {
    size_t needed;
    if (text->failed || !memory_add(&needed, text->length, extra) || !memory_add(&needed, needed, 1)) {
        text->failed = true;
        return false;
    }
    if (needed <= text->capacity)
        return true;
    size_t capacity = text->capacity * 2 > needed ? text->capacity * 2 : needed + 64;
    char *data = memory_resize(text->data, capacity, 1, NULL);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_add_bytes(struct text *text, const void *bytes, size_t length) {
    if (!reserve(text, length))
        return;
    if (length > 0)
        memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        text->failed = true;
    else if (reserve(text, (size_t)length)) {
        (void)vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void text_add_exact(struct text *text, double value) {
    char buffer[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(buffer, sizeof buffer, "%.*g", digits, value);
        if (strtod(buffer, NULL) == value)
            break;
    }
    text_add(text, "%s", buffer);
}

void text_clear(struct text *text) {
    text->length = 0;
    if (text->data != NULL)
        text->data[0] = '\0';
}

void text_free(struct text *text) {
    memory_free(text->data);
    memset(text, 0, sizeof *text);
}

const char *text_string(const struct text *text) {
    return text->data != NULL ? text->data : "";
}

const char *text_count(char buffer[TEXT_NUMBER_SIZE], double count) {
    static const char *const units[] = {"", " k", " M", " G", " T", " P"};
    size_t unit = 0;
    while (fabs(count) >= 999.995 && unit < 5) {
        count /= 1000;
        unit++;
    }
    (void)snprintf(buffer, TEXT_NUMBER_SIZE, unit == 0 ? "%.0f%s" : "%.2f%s", count, units[unit]);
    return buffer;
}

const char *text_bytes(char buffer[TEXT_NUMBER_SIZE], double bytes) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    while (fabs(bytes) >= 999.95 && unit < 5) {
        bytes /= 1000;
        unit++;
    }
    (void)snprintf(buffer, TEXT_NUMBER_SIZE, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return buffer;
}

const char *text_duration(char buffer[TEXT_NUMBER_SIZE], double seconds) {
    long whole = seconds < 0 || !isfinite(seconds) ? 0 : (long)(seconds + 0.5);
    if (whole >= 3600)
        (void)snprintf(buffer, TEXT_NUMBER_SIZE, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        (void)snprintf(buffer, TEXT_NUMBER_SIZE, "%02ld:%02ld", whole / 60, whole % 60);
    return buffer;
}

static const char *skip_blanks(const char *string) {
    while (isspace((unsigned char)*string))
        string++;
    return string;
}

/* strtod without its hexadecimal, infinite and locale-dependent forms. */
static bool parse_decimal(double *value, const char *string, const char **rest) {
    char *end;
    string = skip_blanks(string);
    const char *digit = string + (*string == '-' || *string == '+');
    if (!isdigit((unsigned char)*digit) && *digit != '.')
        return false;
    if (digit[0] == '0' && (digit[1] == 'x' || digit[1] == 'X'))
        return false;
    *value = strtod(string, &end);
    *rest = end;
    return end != string && isfinite(*value);
}

bool text_parse_fraction(double *fraction, const char *string, struct error *error) {
    double value;
    const char *rest;
    if (!parse_decimal(&value, string, &rest))
        return error_set(error, ERROR_USAGE, "\"%s\" is not a sparsity; write a fraction (0.5) or a percentage (50%%)",
                         string);
    rest = skip_blanks(rest);
    bool percent = *rest == '%';
    rest = skip_blanks(rest + percent);
    if (*rest != '\0')
        return error_set(error, ERROR_USAGE, "\"%s\" is not a sparsity: \"%s\" behind the number", string, rest);
    if (percent || value > 1)
        value /= 100;
    if (value < 0 || value > 1)
        return error_set(error, ERROR_USAGE, "a sparsity of %s is outside 0 to 100%%", string);
    *fraction = value;
    return true;
}

static bool byte_unit(double *factor, const char *unit) {
    static const char letters[] = "kmgtp";
    *factor = 1;
    if (*unit == '\0' || strcmp(unit, "b") == 0 || strcmp(unit, "B") == 0)
        return true;
    const char *letter = strchr(letters, tolower((unsigned char)*unit));
    if (letter == NULL)
        return false;
    bool binary = unit[1] == 'i' || unit[1] == 'I';
    *factor = pow(binary ? 1024 : 1000, (double)(letter - letters + 1));
    unit += 1 + binary;
    return *unit == '\0' || ((*unit == 'b' || *unit == 'B') && unit[1] == '\0');
}

bool text_parse_bytes(uint64_t *bytes, const char *string, struct error *error) {
    double value;
    double factor;
    const char *rest;
    if (!parse_decimal(&value, string, &rest) || value < 0 || !byte_unit(&factor, skip_blanks(rest)))
        return error_set(error, ERROR_USAGE, "\"%s\" is not a number of bytes; write 3500000000, 3.5G or 512MiB",
                         string);
    if (value * factor >= 9e18)
        return error_set(error, ERROR_USAGE, "%s is more bytes than any machine has", string);
    *bytes = (uint64_t)(value * factor);
    return true;
}

bool text_parse_integer(int64_t *value, const char *string, int64_t low, int64_t high, const char *what,
                        struct error *error) {
    char *end;
    errno = 0;
    long long number = strtoll(string, &end, 10);
    if (end == string || *skip_blanks(end) != '\0')
        return error_set(error, ERROR_USAGE, "%s must be a whole number, not \"%s\"", what, string);
    if (errno == ERANGE || number < low || number > high)
        return error_set(error, ERROR_USAGE, "%s must be from %lld to %lld, not %s", what, (long long)low,
                         (long long)high, string);
    *value = number;
    return true;
}

bool text_parse_number(double *value, const char *string, const char *what, struct error *error) {
    const char *rest;
    if (parse_decimal(value, string, &rest) && *skip_blanks(rest) == '\0')
        return true;
    return error_set(error, ERROR_USAGE, "%s must be a number, not \"%s\"", what, string);
}

/* One code point: its bytes and its columns. An invalid byte is one byte wide and takes one column. */
static size_t decode(const char *string, size_t *columns) {
    utf8proc_int32_t point;
    utf8proc_ssize_t bytes = utf8proc_iterate((const utf8proc_uint8_t *)string, -1, &point);
    *columns = 1;
    if (bytes <= 0)
        return 1;
    int width = utf8proc_charwidth(point);
    *columns = width > 0 ? (size_t)width : 0;
    return (size_t)bytes;
}

size_t text_columns(const char *string) {
    size_t total = 0;
    size_t columns;
    for (; *string != '\0'; total += columns)
        string += decode(string, &columns);
    return total;
}

size_t text_fit(const char *string, size_t limit) {
    size_t used = 0;
    size_t columns;
    const char *at = string;
    while (*at != '\0') {
        size_t bytes = decode(at, &columns);
        if (used + columns > limit)
            break;
        used += columns;
        at += bytes;
    }
    return (size_t)(at - string);
}

static bool in_set(const char **pattern, char byte) {
    const char *at = *pattern + 1;
    bool negate = *at == '!' || *at == '^';
    bool found = false;
    at += negate;
    for (bool first = true; *at != '\0' && (*at != ']' || first); first = false, at++) {
        if (at[1] == '-' && at[2] != ']' && at[2] != '\0') {
            found =
                found || ((unsigned char)at[0] <= (unsigned char)byte && (unsigned char)byte <= (unsigned char)at[2]);
            at += 2;
        } else
            found = found || *at == byte;
    }
    if (*at != ']')
        return false;
    *pattern = at + 1;
    return found != negate;
}

static const char *brace_end(const char *at) {
    int depth = 0;
    for (; *at != '\0'; at++) {
        depth += *at == '{';
        depth -= *at == '}';
        if (depth == 0)
            return at;
    }
    return NULL;
}

/* Tries each alternative of {a,b} by matching it with the rest of the pattern behind it. */
static bool glob_braces(const char *pattern, const char *name) {
    const char *end = brace_end(pattern);
    if (end == NULL)
        return false;
    const char *start = pattern + 1;
    int depth = 0;
    for (const char *at = start; at <= end; at++) {
        if (depth == 0 && (*at == ',' || at == end)) {
            struct text whole = {0};
            text_add(&whole, "%.*s%s", (int)(at - start), start, end + 1);
            bool matched = !whole.failed && text_glob(text_string(&whole), name);
            text_free(&whole);
            if (matched)
                return true;
            start = at + 1;
        }
        depth += *at == '{';
        depth -= *at == '}';
    }
    return false;
}

bool text_glob(const char *pattern, const char *name) {
    for (; *pattern != '\0'; name++) {
        if (*pattern == '{')
            return glob_braces(pattern, name);
        if (*pattern == '*') {
            while (*pattern == '*')
                pattern++;
            for (;; name++) {
                if (text_glob(pattern, name))
                    return true;
                if (*name == '\0')
                    return false;
            }
        }
        if (*name == '\0')
            return false;
        if (*pattern == '[') {
            if (!in_set(&pattern, *name))
                return false;
        } else if (*pattern == '?' || *pattern == *name)
            pattern++;
        else
            return false;
    }
    return *name == '\0';
}

size_t text_distance(const char *a, const char *b) {
    size_t row[65];
    size_t width = strlen(b);
    if (width > 64 || strlen(a) > 64)
        return SIZE_MAX;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t shorter = row[j] < row[j - 1] ? row[j] : row[j - 1];
            row[j] = substituted < shorter + 1 ? substituted : shorter + 1;
        }
    }
    return row[width];
}

bool text_starts(const char *string, const char *prefix) {
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *string, const char *suffix) {
    size_t length = strlen(string);
    size_t tail = strlen(suffix);
    return length >= tail && strcmp(string + length - tail, suffix) == 0;
}

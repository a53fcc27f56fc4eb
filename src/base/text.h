/* Text: a string that grows, numbers as people read and type them, and widths in terminal columns. */
#ifndef SECATEUR_TEXT_H
#define SECATEUR_TEXT_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

/* A string that grows. Start from {0}. A failed allocation sets `failed` and later additions do nothing: check once, at
 * the end. */
struct text {
    char *data; /* NUL-terminated once anything was added; NULL before */
    size_t length, capacity;
    bool failed;
};
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(struct text *text, const void *bytes, size_t length);
/* The shortest decimal that reads back as the same value. */
void text_add_exact(struct text *text, double value);
void text_clear(struct text *text);
void text_free(struct text *text);
const char *text_string(const struct text *text); /* "" when empty */

/* Numbers for people, into buffer: "16.78 M" (powers of 1000), "8.3 GB" (powers of 1000, as disks count), "09:36" or
 * "1:02:03". */
#define TEXT_NUMBER_SIZE 32
const char *text_count(char buffer[TEXT_NUMBER_SIZE], double count);
const char *text_bytes(char buffer[TEXT_NUMBER_SIZE], double bytes);
const char *text_duration(char buffer[TEXT_NUMBER_SIZE], double seconds);

/* A sparsity as people type it, as a fraction: "0.6", "60%", "60" are 0.6; "1" is 1 (all), "1%" is 0.01. Error outside
 * [0, 1]. */
bool text_parse_fraction(double *fraction, const char *string, struct error *error);
/* "4096", "3.5G", "512MiB", "2 GB". */
bool text_parse_bytes(uint64_t *bytes, const char *string, struct error *error);
/* A whole number in [low, high], nothing behind it. `what` names it in the error. */
bool text_parse_integer(int64_t *value, const char *string, int64_t low, int64_t high, const char *what,
                        struct error *error);
bool text_parse_number(double *value, const char *string, const char *what, struct error *error);

/* Columns that a UTF-8 string takes in a terminal; invalid bytes count one each. Independent of the locale. */
size_t text_columns(const char *string);
/* Bytes of the longest prefix that fits in `columns`. */
size_t text_fit(const char *string, size_t columns);

/* Shell-style matching of a whole name: '*' any run (dots included), '?' one byte, [abc] [a-z] one of a set, {a,b}
 * alternatives. */
bool text_glob(const char *pattern, const char *name);

/* Edit distance, for "did you mean". */
size_t text_distance(const char *a, const char *b);

bool text_starts(const char *string, const char *prefix);
bool text_ends(const char *string, const char *suffix);

#endif

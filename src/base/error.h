/* Errors as values: a code and one sentence.
 *
 * A function that can fail returns bool (or NULL) and fills a `struct error`. The sentence names the file, the tensor
 * and the value at fault, and what would have been right. Nothing below main.c exits or prints. */
#ifndef SECATEUR_ERROR_H
#define SECATEUR_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_NONE = 0,
    ERROR_FAILURE,   /* the work failed: disk full, numeric failure, system call */
    ERROR_USAGE,     /* what the user typed is wrong */
    ERROR_INPUT,     /* a file's contents are wrong */
    ERROR_CANCELLED, /* stopped on request; what is finished is kept */
    ERROR_MEMORY,    /* an allocation failed or a memory limit does not suffice */
};

struct error {
    enum error_code code;
    char text[1024];
};

/* Fills error (which may be NULL) and returns false, so that `return error_set(...)` is the usual form. */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the sentence of an error that is already set. Returns false. */
bool error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As error_set, with ": " and the meaning of errno at the end. */
bool error_set_errno(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Clang's analyser looks at one file at a time; this tells it what the three above return. */
#ifdef __clang_analyzer__
#define error_set(...) (error_set(__VA_ARGS__), false)
#define error_prefix(...) (error_prefix(__VA_ARGS__), false)
#define error_set_errno(...) (error_set_errno(__VA_ARGS__), false)
#endif

/* The process's exit status for an error: 0 ok, 1 failure, 2 usage, 3 bad input file, 4 cancelled with partial result.
 */
int error_exit_status(const struct error *error);

#endif

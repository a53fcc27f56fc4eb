/* Words and values of a command line: shared by running, completion and help. */
#ifndef SECATEUR_COMMAND_PARSE_H
#define SECATEUR_COMMAND_PARSE_H

#include "workbench/command.h"

struct word {
    char *text;        /* without quotes and backslashes */
    size_t begin, end; /* the bytes of the line that it came from */
};

struct words {
    struct word *list;
    size_t count, capacity;
    bool open; /* the last word ends inside a quotation */
};

/* Splits a line as a shell does: blanks separate, '…' and "…" hold together, backslash takes the next byte as it is, a
 * leading ~/ is the home folder, # at the start of a word begins a comment. Free with words_free, on failure too. */
bool words_split(struct words *words, const char *line, struct error *error);
void words_free(struct words *words);

/* What was parsed; values point into words and rest. */
struct parsed {
    struct value *values;
    char *rest; /* an ARGUMENT_REST put together from a subcommand's words */
};

/* Fills one value for each argument of the command from words[first..]. line: the text they came from (for
 * ARGUMENT_REST), or NULL for a subcommand's words, where options are --name value. Free with parsed_free. */
bool parsed_fill(struct parsed *parsed, const struct command *command, const char *line, const struct words *words,
                 size_t first, struct error *error);
void parsed_free(struct parsed *parsed);

/* The argument of that name, or NULL. */
const struct argument *argument_find(const struct command *command, const char *name, size_t length);

/* A choice's names, NULL-terminated. */
const char *const *argument_choices(const struct argument *argument);

/* Patterns that are offered where one can be typed; N, M and sizes are examples. NULL-terminated. */
extern const char *const pattern_examples[];

/* Whether a subcommand's word is an option: "--x", "-o", but not "-", "-5". */
bool word_is_option(const char *word);

/* "FILE", "N": what stands for a value in usage lines. */
const char *argument_placeholder(const struct argument *argument);

#endif

/* One command language with three faces: keys, the ":" prompt and scripts, and the command line.
 *
 * A row of the table declares a command: name, arguments, help, completion, handler. From it come parsing, error
 * messages, tab completion, the help screen, the manual page, shell completion and --help. A command line is words,
 * split as a shell splits them (quotes, backslash): positional arguments in order, and name=value for the rest; a flag
 * is name or name=yes|no. The subcommand form `secateur prune MODEL OUT --method wanda` is the same row, with MODEL
 * opened first and --name value for name=value. */
#ifndef SECATEUR_COMMAND_H
#define SECATEUR_COMMAND_H

#include "base/error.h"
#include "base/text.h"
#include <stddef.h>
#include <stdint.h>

struct workbench;

enum argument_kind {
    ARGUMENT_TEXT,
    ARGUMENT_REST, /* everything that is left, as typed (last positional only) */
    ARGUMENT_FLAG,
    ARGUMENT_INTEGER,
    ARGUMENT_NUMBER,
    ARGUMENT_FRACTION, /* a sparsity: 0.5, 50%, 50; with a sign in front where the row says `relative` */
    ARGUMENT_BYTES,
    ARGUMENT_PATH,
    ARGUMENT_FOLDER,
    ARGUMENT_SELECTOR, /* plan/selector.h */
    ARGUMENT_PATTERN,
    ARGUMENT_CHOICE, /* one of `choices` */
};

struct argument {
    const char *name; /* "sparsity": :prune sparsity=0.5, --sparsity 0.5 */
    enum argument_kind kind;
    bool positional, required, relative;
    const char *fallback;             /* the default, as text; NULL: absent */
    const char *const *choices;       /* ARGUMENT_CHOICE: NULL-terminated; or NULL and `list`.
                                         ARGUMENT_PATTERN: words that are taken as well */
    const char *const *(*list)(void); /* names from another table (methods, strategies, views); TEXT: offered only */
    int64_t low, high;                /* ARGUMENT_INTEGER: bounds when high > low */
    const char *help;                 /* one line, with the unit */
    char letter;                      /* also -o VALUE on the command line; 0: none */
};

/* What a handler receives: one value for each row of the command's arguments, in their order. */
struct value {
    bool given;       /* typed by the user (not the default) */
    const char *text; /* as typed or the default; NULL when absent */
    double number;    /* NUMBER, FRACTION */
    int64_t integer;  /* INTEGER, BYTES; CHOICE: its index; FLAG: 0 or 1 */
    int sign;         /* relative FRACTION: -1, +1, or 0 for absolute */
};

enum command_flags {
    COMMAND_EDIT = 1,       /* changes the plan: one undo group, written to the log that can be replayed */
    COMMAND_JOB = 2,        /* starts background work; scripts and subcommands wait for it */
    COMMAND_SCREEN = 4,     /* needs the terminal (cursor, view, fold): refused elsewhere with a sentence */
    COMMAND_SUBCOMMAND = 8, /* exists as `secateur NAME MODEL ...` too */
    COMMAND_NO_MODEL = 16,  /* as a subcommand it opens no model itself */
    COMMAND_RECORD = 32,    /* no undo group of its own, but what replaying the log needs: undo, tags */
};

struct command {
    const char *name;
    const char *shortcut; /* "q" for quit; NULL */
    const char *help;     /* one line */
    const char *details;  /* a paragraph for the manual; NULL */
    const struct argument *arguments;
    size_t argument_count;
    unsigned flags;
    /* Runs in the screen's thread and returns at once (long work becomes a job). Text for the user goes to output. */
    bool (*run)(struct workbench *workbench, const struct value *values, struct text *output, struct error *error);
};

/* Tables are registered once at start: the workbench's own, then the screen's. A later row takes the place of an
 * earlier one of the same name: with a terminal, "help" opens a view. */
void command_register(const struct command *table, size_t count);
const struct command *command_find(const char *name); /* by name or shortcut; NULL */
const struct command *command_at(size_t index);       /* all of them, in order; NULL behind the last */

/* Parses and runs one line. Unknown names get "did you mean". Edits are wrapped in an undo group named by the line. */
bool command_run(struct workbench *workbench, const char *line, struct text *output, struct error *error);

/* The same from a subcommand's words (argv behind the name and MODEL): --name value, --name=value, --flag, and
 * positionals. */
bool command_run_words(struct workbench *workbench, const struct command *command, char **words, size_t count,
                       struct text *output, struct error *error);

/* The index of the first of a subcommand's words that is no option (MODEL), or count. */
size_t command_first_positional(const struct command *command, char **words, size_t count);

/* False with ERROR_USAGE: no such command, and what does it here under another name or is spelt nearly so. */
bool command_unknown(const char *typed, struct error *error);

/* The known name nearest to a mistyped one, NULL when none is near; for "did you mean". */
const char *command_nearest(const char *typed, const char *const *names);

/* Completions of the last word of `line`, NULL-terminated in new memory (free each and the array); NULL when there are
 * none. */
char **command_complete(struct workbench *workbench, const char *line);

/* A usage line made from the row: "prune OUT [sparsity=F] [method=NAME] ...". */
void command_usage(struct text *output, const struct command *command, bool subcommand);

#endif

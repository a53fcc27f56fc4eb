/* The program's own command line: the options that every face understands, in one table. */
#ifndef SECATEUR_INVOCATION_H
#define SECATEUR_INVOCATION_H

#include "workbench/workbench.h"

struct invocation {
    struct settings settings;
    const char *script;
    bool help, version, manual, completion;
    char **words; /* what is left: MODEL, or a subcommand and its words */
    size_t count;
};

struct general_option {
    const char *name;
    const char *value; /* placeholder; NULL: a flag */
    const char *help;
    bool (*set)(struct invocation *invocation, const char *value, struct error *error);
    bool hidden; /* for the build: in no help */
};
extern const struct general_option general_options[];
extern const size_t general_option_count;

/* Takes the general options out of words, wherever they stand before "--"; the rest stays in words. */
bool invocation_read(struct invocation *invocation, char **words, size_t count, struct error *error);

#endif

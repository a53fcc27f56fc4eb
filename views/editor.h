/* A line editor that is fed bytes: GNU Readline (editor_readline.c), or a plain one (editor_plain.c). */
#ifndef SECATEUR_EDITOR_H
#define SECATEUR_EDITOR_H

#include "views/prompt.h"

struct editor {
    void (*start)(prompt_complete *complete, void *context, const char *history); /* history: a path, or NULL */
    void (*stop)(void);
    void (*open)(const char *initial);
    void (*close)(void);
    bool (*feed)(int byte); /* true when Return was pressed: line() is complete */
    const char *(*line)(void);
    size_t (*point)(void); /* bytes in front of the cursor */
    void (*remember)(const char *line);
    const char *(*choices)(void);
};

extern const struct editor editor;

#endif

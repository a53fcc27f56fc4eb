/* The golden screens: looks that all are kept in, and comparing. SECATEUR_SCREENS=write makes them anew. */
#ifndef SECATEUR_GOLDEN_SCREEN_H
#define SECATEUR_GOLDEN_SCREEN_H

#include "tests/term/pty.h"

struct look {
    const char *name;
    int rows, columns;
    const char *const *environment;
};
#define LOOKS 5
extern const struct look looks[LOOKS];

/* Compares the screen with tests/screens/<view>-<look>.txt. Numbers may differ in what rounding on another processor
 * does to them. */
void golden_screen_check(struct pty *pty, const char *view, const char *look);

/* The run view, tests/screens/run-<look>.txt: what time, load and memory were at the moment is left out of it. */
void golden_screen_check_run(struct pty *pty, const char *look);

#endif

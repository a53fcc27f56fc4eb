/* The program on its sample model in a pseudo-terminal, with a home of its own. */
#ifndef SECATEUR_TEST_PROGRAM_H
#define SECATEUR_TEST_PROGRAM_H

#include "tests/term/pty.h"

#define MODEL ABS_TOP_SRCDIR "/samples/model"

extern char home[64];
extern const char *const color[], *const light[], *const ascii[]; /* environments, NULL-terminated */

/* A home for each run, so that no session and no history is carried over. */
void fresh_home(void);
void remove_home(void);
/* The binary: SECATEUR_BIN, or that of this build. */
const char *binary(void);
/* Fails the test when the program's screen does not come. */
void start(struct pty *pty, int rows, int columns, const char *const *environment);
void start_model(struct pty *pty, const char *model, int rows, int columns, const char *const *environment);
void assert_clean(struct pty *pty, const char *what);

#endif

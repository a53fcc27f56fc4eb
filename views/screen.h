/* The terminal face: the poll() loop, the stack of views, and what all views share (movement, search, filter, prompt,
 * mouse, message line). */
#ifndef SECATEUR_SCREEN_H
#define SECATEUR_SCREEN_H

#include "workbench/workbench.h"

/* Runs the terminal until the user quits; the terminal is then as it was found. Standard input and output must be
 * terminals. False when the terminal cannot be used (unknown TERM, no memory); nothing has been written to it then. */
bool screen_run(struct workbench *workbench, struct error *error);

/* Registers the screen's own commands (view, sort, fold, ...), so that help, completion and the manual know them even
 * where no terminal is attached. Call it once, before the first command runs. */
void screen_register_commands(void);

#endif

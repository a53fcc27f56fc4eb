/* The part of the terminal that must work inside signal handlers: only write, tcsetattr, raise and alarm. */
#ifndef SECATEUR_TERMINAL_SIGNAL_H
#define SECATEUR_TERMINAL_SIGNAL_H

#include "base/error.h"
#include <stddef.h>
#include <termios.h>

/* Remembers the terminal's settings and installs the handlers; `restore` are the bytes that undo the screen. */
bool signals_start(const struct termios *found, const char *restore, size_t length, struct error *error);
void signals_stop(void);
int signals_descriptor(void);
/* The signal that asked for the end (SIGHUP, SIGTERM), or 0. */
int signals_fatal(void);
void signals_last_words(const char *words);

#endif

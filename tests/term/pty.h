/* Runs the real program in a pseudo-terminal with libvterm as its screen. */
#ifndef SECATEUR_TEST_PTY_H
#define SECATEUR_TEST_PTY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>
#include <vterm.h>

struct pty {
    int master, slave; /* slave kept open, so that its settings can be read after the program has ended */
    pid_t child;
    VTerm *vterm;
    VTermScreen *screen;
    int rows, columns;
    bool alternate, mouse, cursor_visible;
    int cursor_row, cursor_column;
    size_t bytes, high_bytes, color_sequences; /* seen in the output so far */
    int sgr_state;
    struct termios before;
    int status; /* of waitpid, once it has ended */
    bool ended;
};

/* environment: "NAME=VALUE" strings, NULL-terminated, on top of a clean one whose HOME is `home`. */
bool pty_start(struct pty *pty, const char *home, int rows, int columns, const char *const *environment,
               const char *const *arguments);
void pty_stop(struct pty *pty); /* kills what still runs */
void pty_send(struct pty *pty, const char *keys);
/* Reads until nothing came for `quiet` ms, at most `limit` ms in all. False when the program has ended. */
bool pty_settle(struct pty *pty, int quiet, int limit);
bool pty_wait_end(struct pty *pty, int limit); /* reads until it ends */
/* Waits until the screen holds a text. */
bool pty_wait_text(struct pty *pty, const char *text, int limit);
void pty_resize(struct pty *pty, int rows, int columns);
/* The screen as text, lines without trailing blanks; caller frees. attributes: a second part with one letter per cell
 * for what is not plain. */
char *pty_text(struct pty *pty, bool attributes);
/* Reads until the cursor stands on a row. False when it does not within `limit` ms. */
bool pty_wait_cursor(struct pty *pty, int row, int limit);
/* Reads until what the row says is no longer `text`. */
bool pty_wait_change(struct pty *pty, int row, const char *text, int limit);
/* A row as text; caller frees. */
char *pty_row(struct pty *pty, int row);
/* Processor ticks of the program and how often its first thread gave up the processor to wait. */
unsigned long pty_ticks(const struct pty *pty, unsigned long *waits);
bool pty_terminal_is_clean(struct pty *pty, const char **fault);
double pty_clock(void);

#endif

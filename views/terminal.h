/* The terminal itself: entering and leaving it, signals, colours, and copying a grid of cells to it. Whatever kills the
 * program, the terminal is left as it was found and the parent sees the true wait status. */
#ifndef SECATEUR_TERMINAL_H
#define SECATEUR_TERMINAL_H

#include "views/draw.h"

/* What the signal pipe brings, one byte each. */
enum terminal_event {
    TERMINAL_RESIZED = 'r',
    TERMINAL_SUSPEND = 'z',   /* somebody sent SIGTSTP */
    TERMINAL_HANG_UP = 'h',   /* SIGHUP or SIGTERM: save within two seconds, then terminal_die */
    TERMINAL_CONTINUED = 'c', /* SIGCONT after a stop that could not be caught */
};

/* Enters the screen. False when the terminal cannot do it; then nothing has been changed. */
bool terminal_start(struct error *error);
/* Leaves the screen: everything as it was found. */
void terminal_stop(void);
int terminal_descriptor(void); /* readable when a terminal_event waits */
bool terminal_take_event(enum terminal_event *event);
/* After HANG_UP: restores and dies by the signal that came. */
void terminal_die(void) __attribute__((noreturn));
/* Stops the process as Ctrl-Z does; returns when it is continued, with the screen entered again. */
void terminal_suspend(void);
/* Takes over the size the terminal has now. */
void terminal_measure(int *height, int *width);

/* What a crash tells on standard error after the terminal is restored, e.g. where the work is saved. Copied. */
void terminal_set_last_words(const char *words);

void terminal_set_mouse(bool on);
int terminal_colors(void); /* 256, 8 or 0 */
bool terminal_set_theme(const char *theme, struct error *error);
const char *terminal_theme(void);

/* Copies the rows that differ from what is shown, puts the cursor there and writes it all out. */
bool terminal_show(const struct grid *grid, int cursor_row, int cursor_column, struct error *error);
void terminal_redraw(void); /* the next show writes everything, as after garbage on the screen */

/* The next key: -1 when none waits. raw: bytes as they come (for the prompt), no function keys. */
int terminal_key(bool raw);
/* Whether more input comes within this time. */
bool terminal_key_waits(int milliseconds);

struct terminal_mouse {
    int row, column;
    bool pressed, dragged, released, wheel_up, wheel_down, twice;
};
bool terminal_take_mouse(struct terminal_mouse *mouse);

#endif

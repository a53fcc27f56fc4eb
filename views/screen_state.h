/* What the files of the screen share. */
#ifndef SECATEUR_SCREEN_STATE_H
#define SECATEUR_SCREEN_STATE_H

#include "views/screen.h"
#include "views/terminal.h"
#include "views/view.h"

enum { SCREEN_VIEWS = 16, SCREEN_STACK = 16, SCREEN_MINIMUM_WIDTH = 40, SCREEN_MINIMUM_HEIGHT = 12 };

/* What the open prompt is for. */
enum prompt_purpose { PROMPT_COMMAND, PROMPT_SEARCH, PROMPT_FILTER, PROMPT_QUIT, PROMPT_INTERRUPT, PROMPT_RESTORE };

struct screen {
    struct workbench *workbench;
    struct grid grid;
    const struct glyphs *glyphs;
    struct view views[SCREEN_VIEWS];   /* opened ones, in the order of view_table */
    size_t stack[SCREEN_STACK], depth; /* indices of views; the last is shown */
    char message[512];
    bool message_is_error;
    char search[128], filter[128];
    enum prompt_purpose purpose;
    bool mouse, dirty, job_failed_shown, save_failed, paused;
    uint64_t plan_revision, knowledge; /* of the last refresh */
    double drawn;                      /* when */
    struct canvas view_canvas;         /* of the last frame, for the mouse */
};

struct view *screen_view(struct screen *screen);
bool screen_show_view(struct screen *screen, const char *name, struct error *error);
bool screen_back(struct screen *screen); /* false at the first view */
void screen_refresh_views(struct screen *screen, struct error *error);
void screen_message(struct screen *screen, bool is_error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Runs a command line as typed or bound: "here" is the row's selector, `set OPTION VALUE` an option. What it says goes
 * to the message line, or to the output view when it is longer. */
void screen_execute(struct screen *screen, const char *line);
/* "here", "block-here" and "column-here" replaced; false when the row has no selector. */
bool screen_expand(struct screen *screen, struct text *expanded, const char *line, struct error *error);

/* screen_input.c */
void screen_read_keys(struct screen *screen);
void screen_open_prompt(struct screen *screen, enum prompt_purpose purpose, const char *initial);
bool screen_find(struct screen *screen, int direction, bool from_next);

/* screen_draw.c */
bool screen_draw(struct screen *screen, struct error *error);

/* option.c: what `set NAME VALUE` changes, one row each. */
struct option {
    const char *name, *values, *help;
    bool (*set)(struct screen *screen, const char *value, struct error *error);
    const char *(*get)(const struct screen *screen);
};
extern const struct option option_table[]; /* ends with a row without a name */
const struct option *option_find(const char *name);
bool option_set(struct screen *screen, const char *name, const char *value, struct error *error);
/* Completions of "set OPTION VALUE" added to those that the commands offer (NULL: none); new memory, as theirs. */
char **option_complete(char **found, const char *line);
/* Reads $XDG_CONFIG_HOME/secateur/config; problems go to the message line, the good lines count. */
void options_read(struct screen *screen);

#endif

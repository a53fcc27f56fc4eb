/* The line at the bottom where the user types: ":" commands, "/" search, "\" filter, "=" a value, "?" a yes-or-no
 * question. Keys are fed one byte at a time, so the rest of the program goes on meanwhile. */
#ifndef SECATEUR_PROMPT_H
#define SECATEUR_PROMPT_H

#include "base/error.h"
#include "base/text.h"

enum prompt_state { PROMPT_CLOSED, PROMPT_OPEN, PROMPT_DONE, PROMPT_CANCELLED };

/* Completions of the last word of a line, NULL-terminated, in new memory; NULL: none. */
typedef char **prompt_complete(void *context, const char *line);

/* Loads the history ($XDG_STATE_HOME/secateur/history); a history that cannot be read is an empty one. */
void prompt_start(prompt_complete *complete, void *context);
void prompt_stop(void); /* saves the history */

/* Opens the prompt with a label in front and a text to begin with. keep: the line joins the history. */
void prompt_open(const char *label, const char *initial, bool keep);
void prompt_close(void);
enum prompt_state prompt_state(void);
/* One byte as the terminal sent it. PROMPT_DONE: prompt_line has the line and the prompt is closed. */
enum prompt_state prompt_feed(int byte);

const char *prompt_label(void);
const char *prompt_line(void);
/* Columns in front of the cursor, without the label. */
size_t prompt_cursor(void);
/* What Tab found, in one line; "" when there is nothing to choose. */
const char *prompt_choices(void);

#endif

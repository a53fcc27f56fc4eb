#include "views/prompt.h"
#include "base/file.h"
#include "base/memory.h"
#include "views/editor.h"
#include <stdio.h>
#include <string.h>

static struct {
    enum prompt_state state;
    char label[64];
    char line[4096]; /* the finished line */
    bool keep;
    char *history;
} prompt;

void prompt_start(prompt_complete *complete, void *context) {
    char *folder = file_xdg_folder("STATE", NULL);
    if (folder && file_make_folders(folder, NULL))
        prompt.history = file_join(folder, "history", NULL);
    memory_free(folder);
    editor.start(complete, context, prompt.history);
}

void prompt_stop(void) {
    prompt_close();
    editor.stop();
    memory_free(prompt.history);
    prompt.history = NULL;
}

void prompt_open(const char *label, const char *initial, bool keep) {
    prompt_close();
    snprintf(prompt.label, sizeof prompt.label, "%s", label);
    prompt.keep = keep;
    prompt.state = PROMPT_OPEN;
    editor.open(initial);
}

void prompt_close(void) {
    if (prompt.state == PROMPT_OPEN)
        editor.close();
    prompt.state = PROMPT_CLOSED;
}

enum prompt_state prompt_state(void) {
    return prompt.state;
}

enum prompt_state prompt_feed(int byte) {
    enum { CONTROL_C = 3, CONTROL_G = 7, BACKSPACE = 8, DELETE = 127 };
    bool erase_nothing = (byte == BACKSPACE || byte == DELETE) && !*editor.line();
    if (byte == CONTROL_C || byte == CONTROL_G || erase_nothing) {
        prompt_close();
        return PROMPT_CANCELLED;
    }
    if (!editor.feed(byte))
        return PROMPT_OPEN;
    snprintf(prompt.line, sizeof prompt.line, "%s", editor.line());
    if (prompt.keep && *prompt.line)
        editor.remember(prompt.line);
    prompt_close();
    return PROMPT_DONE;
}

const char *prompt_label(void) {
    return prompt.label;
}

const char *prompt_line(void) {
    return prompt.state == PROMPT_OPEN ? editor.line() : prompt.line;
}

size_t prompt_cursor(void) {
    char before[4096];
    snprintf(before, sizeof before, "%.*s", (int)editor.point(), editor.line());
    return text_columns(before);
}

const char *prompt_choices(void) {
    return prompt.state == PROMPT_OPEN ? editor.choices() : "";
}

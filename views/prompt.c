#include "views/prompt.h"
#include "base/file.h"
#include "base/memory.h"
#include "views/editor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static struct {
    enum prompt_state state;
    char label[64];
    char line[4096]; /* the finished line */
    bool keep;
    char *history;
    char pending[4]; /* of a character that is not whole yet */
    size_t pending_count;
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
    prompt.pending_count = 0;
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

/* How many bytes a character takes that begins with this one; 0: none begins so. */
static size_t character_bytes(unsigned char first) {
    return first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

/* Whether `pending` is a whole character after this byte. Bytes that make none are dropped: readline's movements never
 * come back from a line that holds such. Where a character is a byte, all of them are whole. */
static bool completes(int byte) {
    if (MB_CUR_MAX == 1 || (unsigned char)byte < 0x80) {
        prompt.pending[0] = (char)byte;
        prompt.pending_count = 1;
        return true;
    }
    bool continues = ((unsigned char)byte & 0xc0) == 0x80;
    if (!continues || prompt.pending_count == 0 || prompt.pending_count >= sizeof prompt.pending)
        prompt.pending_count = 0;
    if (prompt.pending_count == 0 && character_bytes((unsigned char)byte) == 0)
        return false;
    prompt.pending[prompt.pending_count++] = (char)byte;
    size_t wanted = character_bytes((unsigned char)prompt.pending[0]);
    utf8proc_int32_t character;
    return prompt.pending_count == wanted &&
           utf8proc_iterate((const utf8proc_uint8_t *)prompt.pending, (utf8proc_ssize_t)wanted, &character) > 0;
}

/* Whether the line is finished. */
static bool feed_character(int byte) {
    bool done = false;
    if (!completes(byte))
        return false;
    for (size_t i = 0; i < prompt.pending_count && !done; i++)
        done = editor.feed((unsigned char)prompt.pending[i]);
    prompt.pending_count = 0;
    return done;
}

enum prompt_state prompt_feed(int byte) {
    enum { CONTROL_C = 3, CONTROL_G = 7, BACKSPACE = 8, DELETE = 127 };
    bool erase_nothing = (byte == BACKSPACE || byte == DELETE) && !*editor.line();
    if (byte == CONTROL_C || byte == CONTROL_G || erase_nothing) {
        prompt_close();
        return PROMPT_CANCELLED;
    }
    if (!feed_character(byte))
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

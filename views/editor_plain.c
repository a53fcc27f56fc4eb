/* The prompt's editor where GNU Readline is not wanted: insert, erase, move, history, completion. */
#include "config.h"
#ifndef HAVE_READLINE
#include "base/file.h"
#include "base/memory.h"
#include "views/editor.h"
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 4096, HISTORY_LINES = 1000 };
enum { KEY_NONE, KEY_LEFT, KEY_RIGHT, KEY_UP, KEY_DOWN, KEY_HOME, KEY_END };

static struct {
    char line[LINE_BYTES];
    size_t length, point;
    char *history[HISTORY_LINES];
    size_t history_count, history_at;
    struct text choices;
    prompt_complete *complete;
    void *context;
    const char *path;
    int escape; /* bytes seen of an escape sequence */
} state;

static void forget_oldest(void) {
    memory_free(state.history[0]);
    memmove(state.history, state.history + 1, (HISTORY_LINES - 1) * sizeof *state.history);
    state.history_count--;
}

static void remember(const char *line) {
    if (state.history_count > 0 && !strcmp(state.history[state.history_count - 1], line))
        return;
    if (state.history_count == HISTORY_LINES)
        forget_oldest();
    char *copy = memory_copy_string(line, NULL);
    if (copy)
        state.history[state.history_count++] = copy;
}

static void start(prompt_complete *complete, void *context, const char *history) {
    state.complete = complete;
    state.context = context;
    state.path = history;
    char *lines = history ? file_read(history, 1 << 20, NULL, NULL) : NULL;
    for (char *line = lines; line && *line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        remember(line);
        line = end ? end + 1 : NULL;
    }
    memory_free(lines);
}

static void stop(void) {
    struct file_output output;
    bool open = state.path && file_output_open(&output, state.path, NULL);
    for (size_t i = 0; i < state.history_count; i++) {
        if (open)
            fprintf(output.stream, "%s\n", state.history[i]);
        memory_free(state.history[i]);
    }
    if (open)
        (void)file_output_commit(&output, NULL);
    state.history_count = 0;
    text_free(&state.choices);
}

static void set_line(const char *text) {
    snprintf(state.line, sizeof state.line, "%s", text);
    state.length = state.point = strlen(state.line);
}

static void open_line(const char *initial) {
    set_line(initial);
    state.history_at = state.history_count;
    state.escape = 0;
    text_clear(&state.choices);
}

static void close_line(void) {
    text_clear(&state.choices);
}

static bool inside_character(size_t at) {
    return at < state.length && ((unsigned char)state.line[at] & 0xc0) == 0x80;
}

static size_t before(size_t at) {
    if (at > 0)
        at--;
    while (at > 0 && inside_character(at))
        at--;
    return at;
}

static size_t behind(size_t at) {
    if (at < state.length)
        at++;
    while (inside_character(at))
        at++;
    return at;
}

static void insert(const char *bytes, size_t count) {
    if (state.length + count >= sizeof state.line)
        return;
    memmove(state.line + state.point + count, state.line + state.point, state.length - state.point + 1);
    memcpy(state.line + state.point, bytes, count);
    state.point += count;
    state.length += count;
}

static void erase(size_t from, size_t to) {
    memmove(state.line + from, state.line + to, state.length - to + 1);
    state.length -= to - from;
    state.point = from;
}

static void walk_history(bool older) {
    if (older ? state.history_at == 0 : state.history_at >= state.history_count)
        return;
    state.history_at += older ? (size_t)-1 : 1;
    set_line(state.history_at < state.history_count ? state.history[state.history_at] : "");
}

static size_t common_prefix(char **matches) {
    size_t length = strlen(matches[0]);
    for (size_t i = 1; matches[i]; i++)
        for (size_t j = 0; j < length; j++)
            if (matches[i][j] != matches[0][j])
                length = j;
    return length;
}

static void complete(void) {
    char **matches = state.complete ? state.complete(state.context, state.line) : NULL;
    if (!matches || !matches[0]) {
        memory_free(matches);
        return;
    }
    char *blank = strrchr(state.line, ' ');
    size_t word = blank ? (size_t)(blank - state.line) + 1 : 0, length = common_prefix(matches);
    erase(word, state.length);
    insert(matches[0], length);
    bool open = length > 0 && (matches[0][length - 1] == '=' || matches[0][length - 1] == '/');
    if (!matches[1] && !open) /* a whole word */
        insert(" ", 1);
    text_clear(&state.choices);
    for (size_t i = 0; matches[1] && matches[i]; i++)
        text_add(&state.choices, "%s%s", i ? "  " : "", matches[i]);
    for (size_t i = 0; matches[i]; i++)
        memory_free(matches[i]);
    memory_free(matches);
}

static void move_to(int key) {
    switch (key) {
    case KEY_LEFT:
        state.point = before(state.point);
        break;
    case KEY_RIGHT:
        state.point = behind(state.point);
        break;
    case KEY_HOME:
        state.point = 0;
        break;
    case KEY_END:
        state.point = state.length;
        break;
    default:
        walk_history(key == KEY_UP);
    }
}

/* ESC [ A and ESC O A. */
static void feed_escape(int byte) {
    static const char finals[] = "DCABHF";
    const char *found = byte > 0 ? strchr(finals, byte) : NULL;
    if (state.escape == 1 && (byte == '[' || byte == 'O')) {
        state.escape = 2;
        return;
    }
    state.escape = 0;
    if (found)
        move_to(KEY_LEFT + (int)(found - finals));
}

static bool feed_control(int byte) {
    enum { CONTROL_A = 1, CONTROL_D = 4, CONTROL_E = 5, CONTROL_K = 11, CONTROL_U = 21, ESCAPE = 27, DELETE = 127 };
    if (byte == '\r' || byte == '\n')
        return true;
    if (byte == '\t')
        complete();
    else if (byte == ESCAPE)
        state.escape = 1;
    else if (byte == CONTROL_A || byte == CONTROL_E)
        move_to(byte == CONTROL_A ? KEY_HOME : KEY_END);
    else if (byte == CONTROL_D)
        erase(state.point, behind(state.point));
    else if (byte == CONTROL_K)
        erase(state.point, state.length);
    else if (byte == CONTROL_U)
        erase(0, state.point);
    else if (byte == '\b' || byte == DELETE)
        erase(before(state.point), state.point);
    return false;
}

static bool feed(int byte) {
    text_clear(&state.choices);
    if (state.escape)
        feed_escape(byte);
    else if (byte < ' ' || byte == 127)
        return feed_control(byte);
    else
        insert(&(char){(char)byte}, 1);
    return false;
}

static const char *line(void) {
    return state.line;
}

static size_t point(void) {
    return state.point;
}

static const char *choices(void) {
    return text_string(&state.choices);
}

const struct editor editor = {start, stop, open_line, close_line, feed, line, point, remember, choices};
#else
extern int editor_plain_is_not_built;
#endif

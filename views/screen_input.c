/* Keys, the prompt's lines, search, and the mouse: all of them end as command lines. */
#include "views/keymap.h"
#include "views/prompt.h"
#include "views/screen_state.h"
#include <curses.h>
#include <stdio.h>
#include <string.h>

enum { ESCAPE = 27, ESCAPE_MILLISECONDS = 25 };

/* ---- prompt ---- */

static const char *const labels[] = {[PROMPT_COMMAND] = ":",
                                     [PROMPT_SEARCH] = "/",
                                     [PROMPT_FILTER] = "show only: ",
                                     [PROMPT_QUIT] = "Leave and stop the running job? y/n ",
                                     [PROMPT_RESTORE] = "Earlier work was found: y restores it, n starts afresh: ",
                                     [PROMPT_INTERRUPT] = "The job: p pause, c cancel, anything else goes on: "};

void screen_open_prompt(struct screen *screen, enum prompt_purpose purpose, const char *initial) {
    screen->purpose = purpose;
    screen->message[0] = '\0';
    prompt_open(labels[purpose], initial, purpose == PROMPT_COMMAND);
    screen->dirty = true;
}

static void finish_prompt(struct screen *screen, const char *line) {
    char command[160];
    switch (screen->purpose) {
    case PROMPT_COMMAND:
        if (*line)
            screen_execute(screen, line);
        return;
    case PROMPT_SEARCH:
        snprintf(command, sizeof command, "search %s", line);
        break;
    case PROMPT_FILTER:
        snprintf(command, sizeof command, "filter %s", line);
        break;
    case PROMPT_QUIT:
    case PROMPT_INTERRUPT:
    case PROMPT_RESTORE:
        return;
    }
    screen_execute(screen, command);
}

/* Questions are answered by one key; any other key leaves things as they are. */
static const struct {
    enum prompt_purpose purpose;
    int key;
    const char *command;
} answers[] = {
    {PROMPT_QUIT, 'y', "quit yes"},           {PROMPT_INTERRUPT, 'p', "pause"},
    {PROMPT_INTERRUPT, 'c', "cancel"},        {PROMPT_RESTORE, 'y', "session restore"},
    {PROMPT_RESTORE, 'n', "session discard"},
};

static bool answer_question(struct screen *screen, int byte) {
    enum prompt_purpose purpose = screen->purpose;
    if (purpose != PROMPT_QUIT && purpose != PROMPT_INTERRUPT && purpose != PROMPT_RESTORE)
        return false;
    prompt_close();
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (answers[i].purpose == purpose && answers[i].key == byte)
            screen_execute(screen, answers[i].command);
    return true;
}

static void feed_prompt(struct screen *screen, int byte) {
    screen->dirty = true;
    if (answer_question(screen, byte))
        return;
    bool alone = byte == ESCAPE && !terminal_key_waits(ESCAPE_MILLISECONDS);
    if (alone)
        prompt_close();
    else if (prompt_feed(byte) == PROMPT_DONE)
        finish_prompt(screen, prompt_line());
}

/* ---- search ---- */

bool screen_find(struct screen *screen, int direction, bool from_next) {
    struct view *view = screen_view(screen);
    struct text text = {0};
    bool found = false;
    for (size_t i = from_next ? 1 : 0; view->ops->row_text && i < view->rows + 1 && !found && view->rows > 0; i++) {
        size_t row = (view->cursor + (direction > 0 ? i : view->rows * 2 - i)) % view->rows;
        text_clear(&text);
        found = view->ops->row_text(view, row, &text) && view_matches(text_string(&text), screen->search);
        if (found)
            view->cursor = row;
    }
    text_free(&text);
    return found;
}

/* ---- mouse ---- */

static void click(struct screen *screen, const struct terminal_mouse *mouse) {
    struct view *view = screen_view(screen);
    const struct canvas *canvas = &screen->view_canvas;
    struct view_mouse inside = {mouse->row - canvas->row, mouse->column - canvas->column, mouse->dragged, mouse->twice};
    struct text command = {0};
    if (inside.row < 0 || inside.row >= canvas->height || inside.column >= canvas->width)
        return;
    size_t row = view->top + (size_t)(inside.row - view->list_row);
    bool on_row = inside.row >= view->list_row && inside.row < view->list_row + view->list_height && row < view->rows;
    if (on_row && !mouse->dragged)
        view->cursor = row;
    if (view->ops->mouse)
        view->ops->mouse(view, &inside, &command);
    if (command.length > 0)
        screen_execute(screen, text_string(&command));
    text_free(&command);
}

static void take_mouse(struct screen *screen) {
    struct terminal_mouse mouse;
    if (!terminal_take_mouse(&mouse))
        return;
    if (mouse.wheel_up || mouse.wheel_down)
        screen_execute(screen, mouse.wheel_up ? "move up 3" : "move down 3");
    else if (mouse.pressed || mouse.dragged || mouse.twice)
        click(screen, &mouse);
    screen->dirty = true;
}

/* ---- keys ---- */

static void take_key(struct screen *screen, int key) {
    char name[KEY_NAME_SIZE];
    keymap_name(name, key);
    const char *command = keymap_command(screen_view(screen)->ops->name, name);
    screen->message[0] = '\0';
    screen->message_is_error = false;
    screen->dirty = true;
    if (command)
        screen_execute(screen, command);
    else if (name[0])
        screen_message(screen, false, "the key %s is not bound; ? shows those that are", name);
}

void screen_read_keys(struct screen *screen) {
    for (;;) {
        bool typing = prompt_state() == PROMPT_OPEN;
        int key = terminal_key(typing);
        if (key < 0 || screen->workbench->quit)
            return;
        if (key == KEY_RESIZE)
            screen->dirty = true;
        else if (typing && key < 256)
            feed_prompt(screen, key);
        else if (key == KEY_MOUSE)
            take_mouse(screen);
        else if (!typing)
            take_key(screen, key);
    }
}

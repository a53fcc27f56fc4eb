#include "views/terminal.h"
#include "base/memory.h"
#include "views/terminal_signal.h"
#include <curses.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>
#include <utf8proc.h>

enum { PAIRS = 255 };

static struct {
    SCREEN *screen;
    struct grid shown; /* what the terminal holds */
    char theme[16];
    int colors;
    bool mouse, raw;
    short pairs[PAIRS][2];
    short pair_count;
} terminal;

/* ---- restoring ---- */

static char *restore_end;
static char restore_buffer[512];

static int restore_put(int byte) {
    if (restore_end < restore_buffer + sizeof restore_buffer)
        *restore_end++ = (char)byte;
    return byte;
}

static void restore_add(const char *capability) {
    char *sequence = tigetstr(capability);
    if (sequence && (intptr_t)sequence != -1)
        (void)tputs(sequence, 1, restore_put);
}

/* The bytes that undo what curses and the mouse switched on, made while it is safe to make them. */
static size_t build_restore(void) {
    static const char *const before[] = {"sgr0", "op", "cnorm", "rmkx"};
    restore_end = restore_buffer;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        restore_add(before[i]);
    char *mouse = tigetstr("kmous");
    if (mouse && (intptr_t)mouse != -1)
        for (const char *off = "\033[?1006l\033[?1003l\033[?1002l\033[?1000l"; *off; off++)
            (void)restore_put(*off);
    restore_add("rmcup");
    return (size_t)(restore_end - restore_buffer);
}

static void enter_modes(void) {
    (void)raw();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)set_escdelay(25);
    (void)mouseinterval(0);
    terminal.raw = false;
}

bool terminal_start(struct error *error) {
    struct termios found;
    const char *name = getenv("TERM");
    if (tcgetattr(STDIN_FILENO, &found) != 0)
        return error_set_errno(error, ERROR_USAGE, "standard input is not a terminal");
    int status = 0;
    if (setupterm(NULL, STDOUT_FILENO, &status) != OK)
        return error_set(error, ERROR_USAGE, "the terminal type \"%s\" (TERM) is not known here", name ? name : "");
    size_t restore = build_restore();
    (void)del_curterm(cur_term); /* newterm makes its own */
    if (!signals_start(&found, restore_buffer, restore, error))
        return false;
    /* curses leaves our SIGTSTP, SIGINT and SIGTERM alone because they are not at their defaults */
    terminal.screen = newterm(NULL, stdout, stdin);
    if (!terminal.screen) {
        signals_stop();
        return error_set(error, ERROR_USAGE, "the terminal type \"%s\" (TERM) cannot show a screen", name ? name : "");
    }
    enter_modes();
    terminal_set_mouse(true);
    return terminal_set_theme("auto", error);
}

void terminal_stop(void) {
    terminal_set_mouse(false);
    (void)endwin();
    delscreen(terminal.screen);
    signals_stop();
    grid_free(&terminal.shown);
}

void terminal_die(void) {
    int number = signals_fatal();
    terminal_stop();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
    _exit(128 + number);
}

void terminal_set_last_words(const char *words) {
    signals_last_words(words);
}

/* ---- events ---- */

int terminal_descriptor(void) {
    return signals_descriptor();
}

bool terminal_take_event(enum terminal_event *event) {
    char byte = 0;
    if (read(signals_descriptor(), &byte, 1) != 1)
        return false;
    *event = (enum terminal_event)byte;
    return true;
}

void terminal_suspend(void) {
    struct sigaction normal = {.sa_handler = SIG_DFL}, ours;
    bool mouse = terminal.mouse;
    terminal_set_mouse(false);
    (void)endwin();
    (void)sigaction(SIGTSTP, &normal, &ours);
    (void)raise(SIGTSTP);
    (void)sigaction(SIGTSTP, &ours, NULL);
    enter_modes();
    terminal_set_mouse(mouse);
    terminal_redraw();
}

void terminal_measure(int *height, int *width) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0 &&
        (size.ws_row != LINES || size.ws_col != COLS))
        (void)resize_term(size.ws_row,
                          size.ws_col); /* resizeterm also queues KEY_RESIZE, which a prompt can get for ever */
    *height = LINES;
    *width = COLS;
}

/* ---- looks ---- */

int terminal_colors(void) {
    return terminal.colors;
}

const char *terminal_theme(void) {
    return terminal.theme;
}

static void start_colors(void) {
    if (terminal.colors > 0 || !has_colors() || start_color() != OK)
        return;
    (void)use_default_colors();
    terminal.colors = COLORS >= 256 && COLOR_PAIRS > PAIRS ? 256 : 8;
}

static bool theme_exists(const char *theme) {
    for (size_t i = 0; theme_names[i]; i++)
        if (!strcmp(theme_names[i], theme))
            return true;
    return false;
}

bool terminal_set_theme(const char *theme, struct error *error) {
    if (!strcmp(theme, "auto"))
        theme = theme_detect(has_colors() ? 8 : 0);
    if (!theme_exists(theme))
        return error_set(error, ERROR_USAGE, "there is no theme \"%s\"; there are auto, dark, light, mono and contrast",
                         theme);
    strncpy(terminal.theme, theme, sizeof terminal.theme - 1);
    if (strcmp(theme, "mono"))
        start_colors();
    terminal_redraw();
    return true;
}

static short pair_of(short foreground, short background) {
    if (terminal.colors == 0 || (foreground < 0 && background < 0))
        return 0;
    for (short i = 0; i < terminal.pair_count; i++)
        if (terminal.pairs[i][0] == foreground && terminal.pairs[i][1] == background)
            return (short)(i + 1);
    if (terminal.pair_count >= PAIRS || terminal.pair_count + 1 >= COLOR_PAIRS)
        return 0;
    terminal.pairs[terminal.pair_count][0] = foreground;
    terminal.pairs[terminal.pair_count][1] = background;
    (void)init_pair((short)(terminal.pair_count + 1), foreground, background);
    return ++terminal.pair_count;
}

static void set_style(const struct cell *cell) {
    struct theme_style style = theme_style(terminal.theme, terminal.colors, cell->paint, cell->selected);
    attr_t attributes = (style.bold ? A_BOLD : 0) | (style.dim ? A_DIM : 0) | (style.reverse ? A_REVERSE : 0) |
                        (style.underline ? A_UNDERLINE : 0);
    (void)attr_set(attributes, pair_of(style.foreground, style.background), NULL);
}

/* ---- output ---- */

static size_t decode(wchar_t *wide, size_t size, const char *string) {
    size_t count = 0;
    while (*string && count + 1 < size) {
        utf8proc_int32_t codepoint = 0;
        utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)string, -1, &codepoint);
        if (length <= 0)
            break;
        wide[count++] = (wchar_t)codepoint;
        string += length;
    }
    wide[count] = L'\0';
    return count;
}

static bool same_style(const struct cell *a, const struct cell *b) {
    return a->paint == b->paint && a->selected == b->selected;
}

static void show_row(const struct cell *cells, int row, int width) {
    (void)move(row, 0);
    for (int column = 0; column < width;) {
        wchar_t run[512];
        size_t length = 0;
        int begin = column;
        for (; column < width && same_style(&cells[begin], &cells[column]) && length + 16 < 512; column++)
            length += decode(run + length, 512 - length, cells[column].text);
        set_style(&cells[begin]);
        (void)mvaddnwstr(row, begin, run, (int)length);
    }
}

bool terminal_show(const struct grid *grid, int cursor_row, int cursor_column, struct error *error) {
    bool all = terminal.shown.width != grid->width || terminal.shown.height != grid->height;
    if (all && !grid_resize(&terminal.shown, grid->height, grid->width, error))
        return false;
    if (all)
        (void)clearok(curscr, TRUE);
    size_t row_bytes = (size_t)grid->width * sizeof *grid->cells;
    for (int row = 0; row < grid->height; row++) {
        const struct cell *cells = grid->cells + (size_t)row * (size_t)grid->width;
        struct cell *shown = terminal.shown.cells + (size_t)row * (size_t)grid->width;
        if (!all && !memcmp(cells, shown, row_bytes))
            continue;
        show_row(cells, row, grid->width);
        memcpy(shown, cells, row_bytes);
    }
    (void)move(cursor_row, cursor_column);
    (void)refresh();
    return true;
}

void terminal_redraw(void) {
    grid_free(&terminal.shown);
}

/* ---- input ---- */

void terminal_set_mouse(bool on) {
    terminal.mouse = on;
    (void)mousemask(on ? ALL_MOUSE_EVENTS | REPORT_MOUSE_POSITION : 0, NULL);
    /* curses asks for clicks only; dragging needs reports of motion while a button is down */
    char *mouse = tigetstr("kmous");
    if (mouse && (intptr_t)mouse != -1) {
        (void)putp(on ? "\033[?1002h" : "\033[?1002l");
        (void)fflush(stdout);
    }
}

int terminal_key(bool raw) {
    if (raw != terminal.raw)
        (void)keypad(stdscr, !raw);
    terminal.raw = raw;
    int key = getch();
    return key == ERR ? -1 : key;
}

bool terminal_key_waits(int milliseconds) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, milliseconds) > 0;
}

bool terminal_take_mouse(struct terminal_mouse *mouse) {
    MEVENT event;
    if (getmouse(&event) != OK)
        return false;
    *mouse = (struct terminal_mouse){
        .row = event.y,
        .column = event.x,
        .pressed = event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED),
        .released = event.bstate & BUTTON1_RELEASED,
        .dragged = event.bstate & REPORT_MOUSE_POSITION,
        .wheel_up = event.bstate & BUTTON4_PRESSED,
        .wheel_down = event.bstate & BUTTON5_PRESSED,
        .twice = event.bstate & BUTTON1_DOUBLE_CLICKED,
    };
    return true;
}

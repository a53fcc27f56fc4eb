#include "tests/term/pty.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double pty_clock(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int set_property(VTermProp property, VTermValue *value, void *user) {
    struct pty *pty = user;
    if (property == VTERM_PROP_ALTSCREEN)
        pty->alternate = value->boolean;
    if (property == VTERM_PROP_MOUSE)
        pty->mouse = value->number != VTERM_PROP_MOUSE_NONE;
    if (property == VTERM_PROP_CURSORVISIBLE)
        pty->cursor_visible = value->boolean;
    return 1;
}

static int move_cursor(VTermPos to, VTermPos from, int visible, void *user) {
    struct pty *pty = user;
    (void)from;
    (void)visible;
    pty->cursor_row = to.row;
    pty->cursor_column = to.col;
    return 1;
}

static const VTermScreenCallbacks callbacks = {.settermprop = set_property, .movecursor = move_cursor};

static void make_screen(struct pty *pty, int rows, int columns) {
    pty->vterm = vterm_new(rows, columns);
    vterm_set_utf8(pty->vterm, 1);
    pty->screen = vterm_obtain_screen(pty->vterm);
    vterm_screen_set_callbacks(pty->screen, &callbacks, pty);
    vterm_screen_enable_altscreen(pty->screen, 1);
    vterm_screen_reset(pty->screen, 1);
    pty->cursor_visible = true;
}

static bool open_pair(struct pty *pty, int rows, int columns) {
    pty->master = posix_openpt(O_RDWR | O_NOCTTY);
    if (pty->master < 0 || grantpt(pty->master) != 0 || unlockpt(pty->master) != 0)
        return false;
    pty->slave = open(ptsname(pty->master), O_RDWR | O_NOCTTY);
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    return pty->slave >= 0 && ioctl(pty->slave, TIOCSWINSZ, &size) == 0 && tcgetattr(pty->slave, &pty->before) == 0;
}

/* In the child: the slave becomes the controlling terminal. */
static void become_program(struct pty *pty, char **environment, const char *const *arguments) {
    (void)setsid();
    (void)ioctl(pty->slave, TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++)
        (void)dup2(pty->slave, i);
    (void)close(pty->master);
    if (pty->slave > 2)
        (void)close(pty->slave);
    (void)execve(arguments[0], (char *const *)(uintptr_t)arguments, environment);
    _exit(127);
}

bool pty_start(struct pty *pty, const char *home, int rows, int columns, const char *const *environment,
               const char *const *arguments) {
    char home_text[512], *all[32];
    size_t count = 0;
    memset(pty, 0, sizeof *pty);
    pty->rows = rows;
    pty->columns = columns;
    if (!open_pair(pty, rows, columns))
        return false;
    make_screen(pty, rows, columns);
    (void)snprintf(home_text, sizeof home_text, "HOME=%s", home);
    all[count++] = home_text;
    all[count++] = (char *)(uintptr_t) "PATH=/usr/bin:/bin";
    all[count++] = (char *)(uintptr_t) "LSAN_OPTIONS=suppressions=" ABS_TOP_SRCDIR "/tests/term/lsan.supp";
    for (size_t i = 0; environment[i] && count < 29; i++)
        all[count++] = (char *)(uintptr_t)environment[i];
    char sanitizer[512];
    if (getenv("ASAN_OPTIONS")) { /* where a sanitized build is to write what it finds */
        (void)snprintf(sanitizer, sizeof sanitizer, "ASAN_OPTIONS=%s", getenv("ASAN_OPTIONS"));
        all[count++] = sanitizer;
    }
    all[count] = NULL;
    pty->child = fork();
    if (pty->child == 0)
        become_program(pty, all, arguments);
    return pty->child > 0;
}

/* Counts SGR sequences that set a colour, so that NO_COLOR can be held to its word. */
static void watch_colors(struct pty *pty, const char *bytes, size_t count) {
    static char sequence[64];
    static size_t length;
    for (size_t i = 0; i < count; i++) {
        pty->high_bytes += (unsigned char)bytes[i] > 127;
        if (bytes[i] == '\033')
            length = 0;
        if (length + 1 < sizeof sequence)
            sequence[length++] = bytes[i];
        if (bytes[i] != 'm' || length < 3 || sequence[1] != '[')
            continue;
        sequence[length - 1] = '\0';
        if (strspn(sequence + 2, "0123456789;") != length - 3)
            continue;
        for (char *at = sequence + 2; *at; at += strcspn(at, ";"), at += *at == ';') {
            long code = strtol(at, NULL, 10);
            pty->color_sequences += (code >= 30 && code <= 38) || (code >= 40 && code <= 48) || code >= 90;
        }
        length = 0;
    }
    pty->bytes += count;
}

static bool take_output(struct pty *pty, int wait) {
    char buffer[65536];
    struct pollfd input = {.fd = pty->master, .events = POLLIN};
    if (poll(&input, 1, wait) <= 0)
        return false;
    ssize_t count = read(pty->master, buffer, sizeof buffer);
    if (count <= 0)
        return false;
    watch_colors(pty, buffer, (size_t)count);
    (void)vterm_input_write(pty->vterm, buffer, (size_t)count);
    return true;
}

static bool ended(struct pty *pty) {
    if (!pty->ended && waitpid(pty->child, &pty->status, WNOHANG) == pty->child)
        pty->ended = true;
    return pty->ended;
}

bool pty_settle(struct pty *pty, int quiet, int limit) {
    double end = pty_clock() + limit / 1000.0;
    while (pty_clock() < end && take_output(pty, quiet))
        ;
    return !ended(pty);
}

bool pty_wait_end(struct pty *pty, int limit) {
    double end = pty_clock() + limit / 1000.0;
    while (!ended(pty) && pty_clock() < end)
        (void)take_output(pty, 20);
    while (take_output(pty, 20))
        ;
    return pty->ended;
}

bool pty_wait_text(struct pty *pty, const char *text, int limit) {
    double end = pty_clock() + limit / 1000.0;
    do {
        char *screen = pty_text(pty, false);
        bool found = strstr(screen, text) != NULL;
        free(screen);
        if (found)
            return true;
        (void)take_output(pty, 20);
    } while (pty_clock() < end && !ended(pty));
    return false;
}

void pty_stop(struct pty *pty) {
    if (pty->child > 0 && !ended(pty)) {
        (void)kill(pty->child, SIGKILL);
        (void)waitpid(pty->child, &pty->status, 0);
    }
    if (pty->vterm)
        vterm_free(pty->vterm);
    (void)close(pty->master);
    (void)close(pty->slave);
}

void pty_send(struct pty *pty, const char *keys) {
    size_t length = strlen(keys);
    while (length > 0) {
        ssize_t written = write(pty->master, keys, length);
        if (written <= 0)
            return;
        keys += written;
        length -= (size_t)written;
    }
}

void pty_resize(struct pty *pty, int rows, int columns) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    vterm_set_size(pty->vterm, rows, columns);
    pty->rows = rows;
    pty->columns = columns;
    (void)ioctl(pty->master, TIOCSWINSZ, &size);
}

static size_t add_utf8(char *to, uint32_t codepoint) {
    if (codepoint < 0x80) {
        to[0] = (char)codepoint;
        return 1;
    }
    if (codepoint < 0x800) {
        to[0] = (char)(0xc0 | codepoint >> 6);
        to[1] = (char)(0x80 | (codepoint & 63));
        return 2;
    }
    to[0] = (char)(0xe0 | codepoint >> 12);
    to[1] = (char)(0x80 | (codepoint >> 6 & 63));
    to[2] = (char)(0x80 | (codepoint & 63));
    return 3;
}

/* b bold, r reverse, u underlined; a letter for each of the colours that were met, in their order; "." plain. */
static char look(const VTermScreenCell *cell, VTermColor *colors, size_t *count) {
    if (cell->attrs.reverse)
        return 'r';
    if (!VTERM_COLOR_IS_DEFAULT_FG(&cell->fg) || !VTERM_COLOR_IS_DEFAULT_BG(&cell->bg)) {
        for (size_t i = 0; i < *count; i++)
            if (vterm_color_is_equal(&colors[2 * i], &cell->fg) && vterm_color_is_equal(&colors[2 * i + 1], &cell->bg))
                return (char)('A' + (int)i);
        if (*count < 26) {
            colors[2 * *count] = cell->fg;
            colors[2 * *count + 1] = cell->bg;
            return (char)('A' + (int)(*count)++);
        }
    }
    return cell->attrs.bold ? 'b' : cell->attrs.underline ? 'u' : '.';
}

char *pty_text(struct pty *pty, bool attributes) {
    size_t room = (size_t)(pty->rows * (pty->columns * 20 + 2)) * 2 + 8, length = 0, colors = 0;
    VTermColor seen[52];
    char *text = malloc(room);
    for (int pass = 0; text && pass < (attributes ? 2 : 1); pass++) {
        for (int row = 0; row < pty->rows; row++) {
            size_t start = length;
            for (int column = 0; column < pty->columns; column++) {
                VTermScreenCell cell;
                (void)vterm_screen_get_cell(pty->screen, (VTermPos){row, column}, &cell);
                if (pass == 1)
                    text[length++] = look(&cell, seen, &colors);
                else if (cell.chars[0] == 0)
                    text[length++] = ' ';
                for (int i = 0;
                     pass == 0 && i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] && cell.chars[i] != UINT32_MAX; i++)
                    length += add_utf8(text + length, cell.chars[i]);
            }
            while (length > start && text[length - 1] == (pass ? '.' : ' '))
                length--;
            text[length++] = '\n';
        }
    }
    if (text)
        text[length] = '\0';
    return text;
}

bool pty_terminal_is_clean(struct pty *pty, const char **fault) {
    struct termios after;
    *fault = pty->alternate                                            ? "still on the alternate screen"
             : pty->mouse                                              ? "mouse reports are still on"
             : !pty->cursor_visible                                    ? "the cursor is hidden"
             : tcgetattr(pty->slave, &after) != 0                      ? "the terminal's settings cannot be read"
             : after.c_lflag != pty->before.c_lflag                    ? "local modes differ"
             : after.c_iflag != pty->before.c_iflag                    ? "input modes differ"
             : after.c_oflag != pty->before.c_oflag                    ? "output modes differ"
             : memcmp(after.c_cc, pty->before.c_cc, sizeof after.c_cc) ? "control characters differ"
                                                                       : NULL;
    return *fault == NULL;
}

/* ---- exact moments ---- */

bool pty_wait_cursor(struct pty *pty, int row, int limit) {
    double end = pty_clock() + limit / 1000.0;
    while (pty->cursor_row != row && pty_clock() < end)
        (void)take_output(pty, 1);
    return pty->cursor_row == row;
}

char *pty_row(struct pty *pty, int row) {
    size_t length = 0;
    char *text = malloc((size_t)pty->columns * VTERM_MAX_CHARS_PER_CELL * 3 + 1);
    for (int column = 0; text && column < pty->columns; column++) {
        VTermScreenCell cell;
        (void)vterm_screen_get_cell(pty->screen, (VTermPos){row, column}, &cell);
        if (cell.chars[0] == 0)
            text[length++] = ' ';
        for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] && cell.chars[i] != UINT32_MAX; i++)
            length += add_utf8(text + length, cell.chars[i]);
    }
    if (text)
        text[length] = '\0';
    return text;
}

bool pty_wait_change(struct pty *pty, int row, const char *text, int limit) {
    double end = pty_clock() + limit / 1000.0;
    for (;;) {
        char *now = pty_row(pty, row);
        bool changed = now && strcmp(now, text) != 0;
        free(now);
        if (changed || pty_clock() >= end)
            return changed;
        (void)take_output(pty, 1);
    }
}

unsigned long pty_ticks(const struct pty *pty, unsigned long *waits) {
    char path[64], line[512];
    unsigned long user = 0, system_time = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pty->child);
    FILE *file = fopen(path, "r");
    if (file && fgets(line, sizeof line, file))
        (void)sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                     &system_time);
    if (file)
        (void)fclose(file);
    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)pty->child);
    file = fopen(path, "r");
    *waits = 0;
    while (file && fgets(line, sizeof line, file))
        (void)sscanf(line, "voluntary_ctxt_switches: %lu", waits);
    if (file)
        (void)fclose(file);
    return user + system_time;
}

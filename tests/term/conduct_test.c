/* The real program in a real pseudo-terminal: every size, random keys, stopping, strange terminals, the mouse, the
 * configuration file, strange names. SECATEUR_SIZES=all, SECATEUR_MONKEY_SECONDS and SECATEUR_MONKEY_SEED make more of
 * it; SECATEUR_TEST names the only test to run. */
#include "tests/term/program.h"
#include "views/view.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void show_view(struct pty *pty, const char *name) {
    char line[64];
    (void)snprintf(line, sizeof line, ":view %s\r", name);
    pty_send(pty, line);
    (void)pty_settle(pty, 30, 1000);
}

static void quit(struct pty *pty, const char *what) {
    pty_send(pty, "Q");
    if (!pty_wait_end(pty, 5000))
        fail_msg("after %s Q does not end it; the screen is\n%s", what, pty_text(pty, false));
    assert_true(WIFEXITED(pty->status) && WEXITSTATUS(pty->status) == 0);
    assert_clean(pty, what);
    pty_stop(pty);
    remove_home();
}

/* ---- sizes ---- */

static const int some_heights[] = {1, 2, 5, 11, 12, 13, 24, 60, 200},
                 all_heights[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                  13, 14, 15, 16, 17, 20, 24, 30, 50, 60, 99, 200};
static const int some_widths[] = {1, 10, 39, 40, 41, 80, 100, 200, 500},
                 all_widths[] = {1,  2,  3,  5,  9,  20, 38,  39,  40,  41,  42,  43,  45,  50,  55,
                                 60, 65, 70, 79, 80, 81, 100, 120, 132, 160, 199, 200, 201, 300, 500};

struct sizes {
    const int *heights, *widths;
    size_t height_count, width_count;
};

/* The corner cells can be read after each size, the program lives, and the cursor is on the screen. */
static void try_sizes(struct pty *pty, const struct sizes *sizes, const char *view) {
    for (size_t i = 0; i < sizes->height_count; i++)
        for (size_t j = i % 2; j<sizes->width_count; j += sizes->height_count> 9 ? 1 : 2) {
            pty_resize(pty, sizes->heights[i], sizes->widths[j]);
            if (!pty_settle(pty, 6, 1000))
                fail_msg("%s at %dx%d ended the program", view, sizes->heights[i], sizes->widths[j]);
            assert_in_range(pty->cursor_row, 0, sizes->heights[i] - 1);
            assert_in_range(pty->cursor_column, 0, sizes->widths[j] - 1);
        }
    pty_resize(pty, 30, 100);
    (void)pty_settle(pty, 30, 1000);
}

static void test_every_size_in_every_view(void **state) {
    const char *all = getenv("SECATEUR_SIZES");
    struct sizes sizes = {some_heights, some_widths, 9, 9};
    struct pty pty;
    (void)state;
    if (all && !strcmp(all, "all"))
        sizes = (struct sizes){all_heights, all_widths, sizeof all_heights / sizeof *all_heights,
                               sizeof all_widths / sizeof *all_widths};
    fresh_home();
    start(&pty, 30, 100, color);
    for (size_t i = 0; view_table[i]; i++) {
        show_view(&pty, view_table[i]->name);
        try_sizes(&pty, &sizes, view_table[i]->name);
        pty_send(&pty, ":set 4-");
        try_sizes(&pty, &sizes, "the prompt");
        pty_send(&pty, "\003");
        (void)pty_settle(&pty, 30, 1000);
    }
    quit(&pty, "resizing");
}

/* More sizes than curses can queue, while the prompt takes bytes as they come. */
static void test_many_sizes_under_the_prompt(void **state) {
    (void)state;
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, color);
    pty_send(&pty, ":set 4-");
    for (int i = 0; i < 400; i++) {
        pty_resize(&pty, 24 + i % 2, 80 + i % 3);
        (void)pty_settle(&pty, 3, 30);
    }
    pty_send(&pty, "\003");
    (void)pty_settle(&pty, 100, 2000);
    quit(&pty, "many sizes");
}

/* ---- random keys ---- */

static uint32_t random_state = 1;

static uint32_t pick(uint32_t bound) {
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % bound;
}

/* Mostly keys, now and then a view, a size, a click, or a sequence of bytes that means nothing. */
static void random_input(struct pty *pty) {
    static const char keys[] =
        "jkhlHLgG\004\025\t1234567890=4\r5\r: \t\033/q\r nN\\\rtTUzbu\022<>Ic+-*xyorvsKagdm[]\014?A\003";
    static const char *const odd[] = {"\033[",    "\033[<0;5;9M", "\033[M !!", "\033[A\033[D",
                                      "\xff\xfe", "\xe2\x96",     "\033O"};
    char text[64] = {0};
    uint32_t kind = pick(64), views = 0;
    while (view_table[views])
        views++;
    if (kind == 0)
        (void)snprintf(text, sizeof text, "\003:view %s\r", view_table[pick(views)]->name);
    else if (kind == 1)
        pty_resize(pty, 1 + (int)pick(70), 1 + (int)pick(220));
    else if (kind == 2)
        (void)snprintf(text, sizeof text, "%s", odd[pick(sizeof odd / sizeof *odd)]);
    else
        text[0] = keys[pick(sizeof keys - 1)];
    pty_send(pty, text);
}

/* Whether the terminal's settings are those from before the program, whatever the emulator was told. */
static bool settings_given_back(const struct pty *pty) {
    struct termios now;
    return tcgetattr(pty->slave, &now) == 0 && now.c_lflag == pty->before.c_lflag;
}

/* q at the first view ends the program. A ^C that comes once the settings were given back is the terminal's to act on:
 * the kernel sends SIGINT and throws away what was written but not read yet beyond 4 KiB, the way back from the
 * alternate screen with it, and no program can keep it from that. */
static bool left_by_keys(const struct pty *pty) {
    if (WIFEXITED(pty->status))
        return WEXITSTATUS(pty->status) == 0;
    return WIFSIGNALED(pty->status) && WTERMSIG(pty->status) == SIGINT && settings_given_back(pty);
}

static void test_random_keys(void **state) {
    const char *seconds = getenv("SECATEUR_MONKEY_SECONDS"), *seed = getenv("SECATEUR_MONKEY_SEED");
    struct pty pty;
    (void)state;
    random_state = seed ? (uint32_t)strtoul(seed, NULL, 10) : 1;
    double end = pty_clock() + (seconds ? strtod(seconds, NULL) : 5);
    fresh_home();
    start(&pty, 30, 100, color);
    while (pty_clock() < end) {
        random_input(&pty);
        if (pick(8) != 0 || pty_settle(&pty, 4, 200))
            continue;
        if (!left_by_keys(&pty)) {
            const char *fault = NULL;
            char *text = pty_text(&pty, false);
            (void)pty_terminal_is_clean(&pty, &fault);
            fail_msg("random keys ended the program with status %#x, %s:\n%s", (unsigned)pty.status,
                     fault ? fault : "terminal clean", text);
        }
        pty_stop(&pty); /* q at the first view */
        start(&pty, 30, 100, color);
    }
    assert_true(pty_settle(&pty, 200, 3000) || left_by_keys(&pty));
    pty_stop(&pty);
    remove_home();
}

/* ---- stopping ---- */

/* A shell gives the program a process group of its own in a session that has a leader: only so can it be stopped. */
static void test_stop_resize_and_go_on(void **state) {
    static const char *const environment[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", "PS1=$ ", NULL};
    static const char *const shell[] = {"/bin/bash", "--norc", "--noprofile", "--noediting", "-i", NULL};
    struct pty pty;
    char line[1024];
    (void)state;
    fresh_home();
    assert_true(pty_start(&pty, home, 30, 100, environment, shell));
    (void)snprintf(line, sizeof line, "%s %s; echo status $?\r", binary(), MODEL);
    (void)pty_settle(&pty, 300, 3000);
    pty_send(&pty, line);
    assert_true(pty_wait_text(&pty, "43 matrices", 5000));
    (void)pty_settle(&pty, 300, 3000);
    assert_true(pty.alternate && pty.mouse);
    pty_send(&pty, "\032");
    assert_true(pty_wait_text(&pty, "Stopped", 5000));
    assert_true(!pty.alternate && !pty.mouse && pty.cursor_visible);
    pty_resize(&pty, 20, 70);
    pty_send(&pty, "fg\r");
    assert_true(pty_wait_text(&pty, "43 matrices", 5000));
    (void)pty_settle(&pty, 300, 3000);
    char *bottom = pty_row(&pty, 18);
    assert_non_null(strstr(bottom, "? help"));
    free(bottom);
    assert_true(pty.alternate && pty.mouse);
    pty_send(&pty, "Q");
    assert_true(pty_wait_text(&pty, "status 0", 5000) || pty_wait_text(&pty, "status 1", 10));
    assert_true(!pty.alternate && !pty.mouse && pty.cursor_visible);
    pty_stop(&pty);
    remove_home();
}

/* ---- terminals and files that are none ---- */

static int run_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run_shell(const char *format, ...) {
    char command[2048];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_without_a_terminal(void **state) {
    (void)state;
    fresh_home();
    assert_int_equal(run_shell("HOME=%s '%s' '%s' </dev/null >%s/out 2>%s/errors", home, binary(), MODEL, home, home),
                     0);
    assert_int_equal(run_shell("grep -q blocks %s/out", home), 0);
    assert_int_equal(run_shell("grep -q \"$(printf '\\033')\" %s/out %s/errors", home, home), 1);
    assert_int_equal(run_shell("echo | HOME=%s '%s' '%s' | grep -q \"$(printf '\\033')\"", home, binary(), MODEL), 1);
    remove_home();
}

/* A terminal that cannot show a screen gets text, and no escape sequence. */
static void check_plain_terminal(const char *term) {
    struct pty pty;
    char setting[64];
    const char *environment[] = {setting, "LC_ALL=C.UTF-8", NULL}, *arguments[] = {binary(), MODEL, NULL};
    (void)snprintf(setting, sizeof setting, "TERM=%s", term);
    fresh_home();
    assert_true(pty_start(&pty, home, 30, 200, environment, arguments));
    assert_true(pty_wait_end(&pty, 5000));
    assert_true(WIFEXITED(pty.status));
    assert_true(WEXITSTATUS(pty.status) == 0 || WEXITSTATUS(pty.status) == 2);
    assert_int_equal(pty.color_sequences, 0);
    assert_false(pty.alternate);
    assert_clean(&pty, term);
    pty_stop(&pty);
    remove_home();
}

static void test_terminals_without_a_screen(void **state) {
    (void)state;
    check_plain_terminal("dumb");
    check_plain_terminal("nosuch-terminal");
}

/* ---- mouse ---- */

static void send_mouse(struct pty *pty, int button, int row, int column, bool press) {
    char text[48];
    (void)snprintf(text, sizeof text, "\033[<%d;%d;%d%c", button, column + 1, row + 1, press ? 'M' : 'm');
    pty_send(pty, text);
    (void)pty_settle(pty, 60, 1000);
}

static int find_column(struct pty *pty, int row, const char *what) {
    char *text = pty_row(pty, row), *at = strstr(text, what);
    int column = 0;
    for (const char *c = text; at && c < at; c++)
        column += ((unsigned char)*c & 0xc0) != 0x80;
    free(text);
    return at ? column : -1;
}

static bool mouse_after_a_while(struct pty *pty, bool wanted) {
    for (int i = 0; i < 50 && pty->mouse != wanted; i++)
        (void)pty_settle(pty, 100, 100);
    return pty->mouse;
}

static void test_mouse(void **state) {
    struct pty pty;
    (void)state;
    fresh_home();
    start(&pty, 30, 100, color);
    int first = pty.cursor_row;
    send_mouse(&pty, 0, first + 2, 6, true);
    send_mouse(&pty, 0, first + 2, 6, false);
    assert_int_equal(pty.cursor_row, first + 2);
    send_mouse(&pty, 65, first, 6, true); /* wheel down: three rows */
    assert_int_equal(pty.cursor_row, first + 5);
    int slider = find_column(&pty, first, "●");
    assert_true(slider > 0);
    send_mouse(&pty, 0, first, slider + 9, true);
    send_mouse(&pty, 0, first, slider + 9, false);
    assert_int_not_equal(find_column(&pty, first, "●"), slider);
    pty_send(&pty, ":set mouse off\r");
    assert_false(mouse_after_a_while(&pty, false));
    pty_send(&pty, ":set mouse on\r");
    assert_true(mouse_after_a_while(&pty, true));
    quit(&pty, "the mouse");
}

static void test_mouse_moves_the_threshold(void **state) {
    struct pty pty;
    (void)state;
    fresh_home();
    start(&pty, 30, 100, color);
    show_view(&pty, "weights");
    char *before = pty_row(&pty, 1);
    send_mouse(&pty, 0, 12, 30, true);
    send_mouse(&pty, 32, 12, 40, true);
    send_mouse(&pty, 0, 12, 40, false);
    char *after = pty_row(&pty, 1);
    assert_string_not_equal(before, after);
    free(before);
    free(after);
    quit(&pty, "dragging");
}

/* ---- configuration ---- */

static void write_configuration(const char *text) {
    char path[128];
    assert_int_equal(run_shell("mkdir -p %s/.config/secateur", home), 0);
    (void)snprintf(path, sizeof path, "%s/.config/secateur/config", home);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void test_configuration(void **state) {
    struct pty pty;
    (void)state;
    fresh_home();
    write_configuration("# mine\nset mouse off\nset glyphs ascii\nbind overview J move down 3\n");
    start(&pty, 30, 100, color);
    assert_false(pty.mouse);
    assert_int_equal(pty.high_bytes, 0);
    int first = pty.cursor_row;
    pty_send(&pty, "J");
    (void)pty_settle(&pty, 100, 1000);
    assert_int_equal(pty.cursor_row, first + 3);
    quit(&pty, "a configuration");
}

/* Options of :set and their values are completed, beside the selectors. */
/* Bytes that are no characters, in the line that readline edits, and then vi's movements: dropped before they are
 * there, for readline would look for the end of such a word for ever. What is a character stays. */
static void test_odd_bytes_in_the_prompt(void **state) {
    (void)state;
    struct pty pty;
    char path[128];
    fresh_home();
    (void)snprintf(path, sizeof path, "%s/.inputrc", home);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("set editing-mode vi\n", file);
    (void)fclose(file);
    start(&pty, 30, 100, color);
    pty_send(&pty, ":ab \xe2\x96\xff\xc0zu \xe2\x96");
    (void)pty_settle(&pty, 200, 3000);
    pty_send(&pty, "\033");
    (void)pty_settle(&pty, 200, 3000);
    pty_send(&pty, "0eee\\3=");
    (void)pty_settle(&pty, 200, 3000);
    pty_send(&pty, "\003:gr\xc3\xbc\xc3\x9f\r");
    assert_true(pty_wait_text(&pty, "gr\xc3\xbc\xc3\x9f", 3000));
    quit(&pty, "odd bytes");
}

/* Enter is Enter, after an Escape as well: it does not turn vi's keys on, as it would of itself. */
static void test_escape_and_enter_in_the_prompt(void **state) {
    (void)state;
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, color);
    pty_send(&pty, ":nosuch\033\r");
    assert_true(pty_wait_text(&pty, "there is no command \"nosuch\"", 3000));
    quit(&pty, "Escape and Enter");
}

static void test_options_are_completed(void **state) {
    (void)state;
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, color);
    pty_send(&pty, ":set the\tcon\t\r:set theme\r");
    assert_true(pty_wait_text(&pty, "theme is contrast", 5000));
    pty_send(&pty, ":set mou\tof\t\r:set mouse\r");
    assert_true(pty_wait_text(&pty, "mouse is off", 5000));
    assert_false(pty.mouse);
    pty_send(&pty, ":set mlp\t30\r"); /* selectors are still offered beside them: "mlp.* " */
    assert_true(pty_wait_text(&pty, "18 matrices; total", 5000));
    quit(&pty, "completing options");
}

static void test_faulty_configuration_is_named(void **state) {
    struct pty pty;
    (void)state;
    fresh_home();
    write_configuration("set mouse off\nset colour blue\n");
    start(&pty, 30, 100, color);
    assert_true(pty_wait_text(&pty, "line 2", 2000));
    assert_false(pty.mouse);
    quit(&pty, "a faulty configuration");
}

/* ---- names ---- */

/* Wide and combining characters move nothing that stands right of them. */
static void test_wide_and_combining_names(void **state) {
    static const char *const names[] = {"\xe6\xa8\xa1\xe5\x9e\x8b-\xe5\xa4\xa7", "re\xcc\x81sume\xcc\x81", "tab\there",
                                        "bad\xff\xfename"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct pty pty;
        char path[192];
        fresh_home();
        (void)snprintf(path, sizeof path, "%s/%s", home, names[i]);
        assert_int_equal(symlink(MODEL, path), 0);
        start_model(&pty, path, 30, 100, color);
        VTermScreenCell cell;
        (void)vterm_screen_get_cell(pty.screen, (VTermPos){0, 91}, &cell); /* "overview" at the right edge */
        assert_int_equal(cell.chars[0], 'o');
        (void)vterm_screen_get_cell(pty.screen, (VTermPos){0, 98}, &cell);
        assert_int_equal(cell.chars[0], 'w');
        quit(&pty, names[i]);
    }
}

/* A model that fits on the screen shows its matrices at once. */
static void test_small_models_open_unfolded(void **state) {
    const char *shared = getenv("SECATEUR_SHARED");
    char path[4096];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/golden/gpt2", shared ? shared : ABS_TOP_SRCDIR "/../shared");
    if (access(path, R_OK) != 0)
        skip();
    struct pty pty;
    fresh_home();
    start_model(&pty, path, 30, 100, color);
    assert_true(pty_wait_text(&pty, "fc2", 2000));
    quit(&pty, "a small model");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_sizes_under_the_prompt),
        cmocka_unit_test(test_every_size_in_every_view),
        cmocka_unit_test(test_random_keys),
        cmocka_unit_test(test_stop_resize_and_go_on),
        cmocka_unit_test(test_without_a_terminal),
        cmocka_unit_test(test_terminals_without_a_screen),
        cmocka_unit_test(test_mouse),
        cmocka_unit_test(test_mouse_moves_the_threshold),
        cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_odd_bytes_in_the_prompt),
        cmocka_unit_test(test_escape_and_enter_in_the_prompt),
        cmocka_unit_test(test_options_are_completed),
        cmocka_unit_test(test_faulty_configuration_is_named),
        cmocka_unit_test(test_wide_and_combining_names),
        cmocka_unit_test(test_small_models_open_unfolded),
    };
    if (getenv("SECATEUR_TEST"))
        cmocka_set_test_filter(getenv("SECATEUR_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

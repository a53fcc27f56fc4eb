/* The real program in a real pseudo-terminal: golden screens, signals, conduct. SECATEUR_SCREENS=write makes the golden
 * screens anew. */
#include "tests/term/pty.h"
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

#define MODEL ABS_TOP_SRCDIR "/samples/model"
#define SCREENS ABS_TOP_SRCDIR "/tests/screens"

static char home[64];
static unsigned home_count;

/* A home of its own for each run, so that no session and no history is carried over. */
static void fresh_home(void) {
    (void)snprintf(home, sizeof home, "/tmp/secateur-term-%ld-%u", (long)getpid(), home_count++);
    assert_int_equal(mkdir(home, 0700), 0);
}

static void remove_home(void) {
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", home);
    (void)!system(command);
}

static const char *binary(void) {
    const char *named = getenv("SECATEUR_BIN");
    return named ? named : ABS_TOP_BUILDDIR "/secateur";
}

static const char *const color[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", NULL};
static const char *const light[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", "COLORFGBG=0;15", NULL};
static const char *const ascii[] = {"TERM=vt100", "LC_ALL=C", NULL};

static void start(struct pty *pty, int rows, int columns, const char *const *environment) {
    const char *arguments[] = {binary(), MODEL, NULL};
    assert_true(pty_start(pty, home, rows, columns, environment, arguments));
    assert_true(pty_wait_text(pty, "secateur", 5000));
    (void)pty_settle(pty, 400, 5000);
}

/* ---- golden screens ---- */

static const struct {
    const char *name, *keys;
} shots[] = {
    {"overview", "jj j\033[C\033[CLLLt"},
    {"weights", "j jjjjj=47\r2"},
    {"run", "3"},
    {"help", "?"},
};

static const struct {
    const char *name;
    int rows, columns;
    const char *const *environment;
} looks[] = {
    {"80x24-ascii", 24, 80, ascii},  {"100x30-dark", 30, 100, color},  {"100x30-light", 30, 100, light},
    {"200x60-dark", 60, 200, color}, {"200x60-light", 60, 200, light},
};

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    if (file && text)
        (void)!fread(text, 1, (1 << 20) - 1, file);
    if (file)
        (void)fclose(file);
    return text;
}

static void compare_with_golden(const char *name, const char *text) {
    char path[512];
    (void)snprintf(path, sizeof path, SCREENS "/%s.txt", name);
    const char *mode = getenv("SECATEUR_SCREENS");
    if (mode && !strcmp(mode, "write")) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        (void)fputs(text, file);
        (void)fclose(file);
        return;
    }
    char *golden = read_file(path);
    if (strcmp(golden, text) != 0)
        print_message("%s differs; it is now:\n%s", path, text);
    assert_string_equal(golden, text);
    free(golden);
}

/* The figures of a machine and a moment are no part of a golden screen. */
static void check_shot(size_t look, size_t shot) {
    struct pty pty;
    char name[64];
    fresh_home();
    start(&pty, looks[look].rows, looks[look].columns, looks[look].environment);
    if (!strcmp(shots[shot].name, "run"))
        assert_true(pty_wait_text(&pty, "sparsity", 5000));
    pty_send(&pty, shots[shot].keys);
    (void)pty_settle(&pty, 300, 5000);
    char *text = pty_text(&pty, true);
    (void)snprintf(name, sizeof name, "%s-%s", shots[shot].name, looks[look].name);
    compare_with_golden(name, text);
    free(text);
    pty_stop(&pty);
    remove_home();
}

static void test_golden_screens(void **state) {
    (void)state;
    for (size_t look = 0; look < sizeof looks / sizeof *looks; look++)
        for (size_t shot = 0; shot < sizeof shots / sizeof *shots; shot++)
            if (strcmp(shots[shot].name, "run") != 0) /* it shows times and memory */
                check_shot(look, shot);
}

/* ---- leaving ---- */

static void assert_clean(struct pty *pty, const char *what) {
    const char *fault = NULL;
    if (!pty_terminal_is_clean(pty, &fault))
        fail_msg("after %s: %s", what, fault);
}

static void test_quit_key_leaves_the_terminal_as_found(void **state) {
    (void)state;
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, color);
    assert_true(pty.alternate);
    pty_send(&pty, "q");
    assert_true(pty_wait_end(&pty, 5000));
    assert_true(WIFEXITED(pty.status) && WEXITSTATUS(pty.status) == 0);
    assert_clean(&pty, "q");
    pty_stop(&pty);
    remove_home();
}

static void test_signals_leave_the_terminal_as_found(void **state) {
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct pty pty;
        fresh_home();
        start(&pty, 30, 100, color);
        assert_true(pty.alternate && pty.mouse);
        assert_int_equal(kill(pty.child, signals[i]), 0);
        assert_true(pty_wait_end(&pty, 5000));
        assert_true(WIFSIGNALED(pty.status));
        assert_int_equal(WTERMSIG(pty.status), signals[i]);
        assert_clean(&pty, strsignal(signals[i]));
        pty_stop(&pty);
        remove_home();
    }
}

static void test_hang_up_saves_the_work(void **state) {
    (void)state;
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, color);
    pty_send(&pty, "L");
    (void)pty_settle(&pty, 100, 2000);
    assert_int_equal(kill(pty.child, SIGHUP), 0);
    assert_true(pty_wait_end(&pty, 5000));
    pty_stop(&pty);
    const char *arguments[] = {binary(), MODEL, NULL};
    assert_true(pty_start(&pty, home, 30, 100, color, arguments));
    assert_true(pty_wait_text(&pty, "Earlier work was found", 5000));
    pty_send(&pty, "y");
    assert_true(pty_wait_text(&pty, "5.0", 5000));
    pty_stop(&pty);
    remove_home();
}

/* The program is alone in its session here, so the kernel does not let it stop; all else of the way is the same. */
static void test_suspend_key_and_resize(void **state) {
    (void)state;
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, color);
    pty_send(&pty, "\032");
    pty_resize(&pty, 24, 80);
    (void)pty_settle(&pty, 300, 3000);
    assert_true(pty.alternate && pty.mouse);
    pty_send(&pty, "j");
    (void)pty_settle(&pty, 200, 2000);
    assert_true(pty_wait_text(&pty, "secateur", 3000));
    pty_send(&pty, "Q");
    assert_true(pty_wait_end(&pty, 5000));
    assert_clean(&pty, "Ctrl-Z and Q");
    pty_stop(&pty);
    remove_home();
}

/* ---- conduct ---- */

static void test_idle_costs_nothing(void **state) {
    (void)state;
    struct pty pty;
    unsigned long wakes = 0, wakes_after = 0;
    fresh_home();
    start(&pty, 30, 100, color);
    (void)pty_settle(&pty, 1500, 6000);
    unsigned long ticks = pty_ticks(&pty, &wakes);
    assert_true(pty_settle(&pty, 4000, 4000));
    assert_int_equal(pty_ticks(&pty, &wakes_after), ticks);
    assert_int_equal(wakes_after, wakes);
    pty_stop(&pty);
    remove_home();
}

static void check_environment(const char *const *environment, bool colored, bool beyond_ascii) {
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, environment);
    pty_send(&pty, "j jLL\r");
    (void)pty_settle(&pty, 200, 3000);
    pty_send(&pty, "q?");
    (void)pty_settle(&pty, 200, 3000);
    if ((pty.color_sequences > 0) != colored || (pty.high_bytes > 0) != beyond_ascii)
        fail_msg("%s %s: %zu colour sequences, %zu bytes beyond ASCII", environment[0], environment[1],
                 pty.color_sequences, pty.high_bytes);
    pty_send(&pty, "Q");
    assert_true(pty_wait_end(&pty, 5000));
    assert_true(WIFEXITED(pty.status) && WEXITSTATUS(pty.status) == 0);
    pty_stop(&pty);
    remove_home();
}

static void test_environments(void **state) {
    (void)state;
    static const char *const no_color[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=1", NULL};
    static const char *const empty[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=", NULL};
    static const char *const c[] = {"TERM=xterm-256color", "LC_ALL=C", NULL};
    static const char *const console[] = {"TERM=linux", "LC_ALL=C.UTF-8", NULL};
    check_environment(color, true, true);
    check_environment(no_color, false, true);
    check_environment(empty, true, true);
    check_environment(c, true, false);
    check_environment(ascii, false, false);
    check_environment(console, true, true);
}

static void test_cursor_stands_on_the_active_row(void **state) {
    (void)state;
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, color);
    int first = pty.cursor_row;
    pty_send(&pty, "jjj");
    (void)pty_settle(&pty, 200, 2000);
    assert_int_equal(pty.cursor_row, first + 3);
    pty_stop(&pty);
    remove_home();
}

static void test_every_size(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1},   {2, 5},   {5, 10},  {3, 200},  {50, 20},  {12, 40},   {11, 40},
                                   {12, 39}, {13, 41}, {24, 80}, {30, 100}, {60, 200}, {200, 500}, {24, 80}};
    static const char *const views[] = {"1", "2", "2r", "r3", "?", "1:set al"};
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, color);
    for (size_t view = 0; view < sizeof views / sizeof *views; view++) {
        pty_send(&pty, views[view]);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            pty_resize(&pty, sizes[i][0], sizes[i][1]);
            assert_true(pty_settle(&pty, 40, 1000));
        }
    }
    pty_send(&pty, "\003Q");
    assert_true(pty_wait_end(&pty, 5000));
    assert_clean(&pty, "resizing");
    pty_stop(&pty);
    remove_home();
}

/* q at the first view ends the program; a ^C that comes after the terminal was given back is the terminal's to act on.
 */
static bool left_by_keys(const struct pty *pty) {
    if (WIFEXITED(pty->status))
        return WEXITSTATUS(pty->status) == 0;
    return WIFSIGNALED(pty->status) && WTERMSIG(pty->status) == SIGINT && !pty->alternate;
}

/* SECATEUR_MONKEY_SECONDS and SECATEUR_MONKEY_SEED change how long and which. */
static void test_random_keys(void **state) {
    (void)state;
    static const char keys[] = "jkhlHLgG\004\025\t123=4\r5\r: \t\033/q\r nN\\\rtTUzbu\022<>Ic+-*xyor\014?A\033\003";
    const char *seconds = getenv("SECATEUR_MONKEY_SECONDS"), *seed = getenv("SECATEUR_MONKEY_SEED");
    uint32_t random = seed ? (uint32_t)strtoul(seed, NULL, 10) : 1;
    double end = pty_clock() + (seconds ? strtod(seconds, NULL) : 4);
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, color);
    while (pty_clock() < end) {
        char key[2] = {0};
        random = random * 1664525u + 1013904223u;
        key[0] = keys[(random >> 8) % (sizeof keys - 1)];
        pty_send(&pty, key);
        if ((random >> 24) % 16 == 0 && !pty_settle(&pty, 5, 200)) {
            if (left_by_keys(&pty)) {
                pty_stop(&pty);
                start(&pty, 30, 100, color);
                continue;
            }
            fail_msg("random keys ended the program with status %#x", (unsigned)pty.status);
        }
    }
    assert_true(pty_settle(&pty, 200, 3000) || left_by_keys(&pty));
    pty_stop(&pty);
    remove_home();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_screens),
        cmocka_unit_test(test_quit_key_leaves_the_terminal_as_found),
        cmocka_unit_test(test_signals_leave_the_terminal_as_found),
        cmocka_unit_test(test_hang_up_saves_the_work),
        cmocka_unit_test(test_suspend_key_and_resize),
        cmocka_unit_test(test_idle_costs_nothing),
        cmocka_unit_test(test_environments),
        cmocka_unit_test(test_cursor_stands_on_the_active_row),
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_random_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

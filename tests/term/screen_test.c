/* The real program in a real pseudo-terminal: golden screens, signals, conduct. SECATEUR_SCREENS=write makes the golden
 * screens anew. */
#include "tests/term/golden_screen.h"
#include "tests/term/program.h"
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

/* ---- golden screens ---- */

static const struct {
    const char *name, *keys;
} shots[] = {
    {"overview", "jj j\033[C\033[CLLLt"},
    {"weights", "j jjjjj=47\r2"},
    {"help", "?"},
};

static void check_shot(size_t look, size_t shot) {
    struct pty pty;
    fresh_home();
    start(&pty, looks[look].rows, looks[look].columns, looks[look].environment);
    pty_send(&pty, shots[shot].keys);
    (void)pty_settle(&pty, 300, 5000);
    golden_screen_check(&pty, shots[shot].name, looks[look].name);
    pty_stop(&pty);
    remove_home();
}

static void test_golden_screens(void **state) {
    (void)state;
    for (size_t look = 0; look < LOOKS; look++)
        for (size_t shot = 0; shot < sizeof shots / sizeof *shots; shot++)
            check_shot(look, shot);
}

/* ---- leaving ---- */

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
    if (!WIFEXITED(pty.status) || WEXITSTATUS(pty.status) != 0)
        fail_msg("%s %s: status %#x", environment[0], environment[1], (unsigned)pty.status);
    pty_stop(&pty);
    remove_home();
}

static void test_environments(void **state) {
    (void)state;
    static const char *const no_color[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=1", NULL};
    static const char *const empty[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=", NULL};
    static const char *const c[] = {"TERM=xterm-256color", "LC_ALL=C", NULL};
    /* curses loads libgpm here, which leaks ten bytes of its own */
    static const char *const console[] = {"TERM=linux", "LC_ALL=C.UTF-8", "ASAN_OPTIONS=detect_leaks=0", NULL};
    check_environment(color, true, true);
    check_environment(no_color, false, true);
    check_environment(empty, true, true);
    check_environment(c, true, false);
    check_environment(ascii, false, false);
    check_environment(console, true, false); /* its fonts have neither braille nor eighths of blocks */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_screens),
        cmocka_unit_test(test_quit_key_leaves_the_terminal_as_found),
        cmocka_unit_test(test_signals_leave_the_terminal_as_found),
        cmocka_unit_test(test_hang_up_saves_the_work),
        cmocka_unit_test(test_idle_costs_nothing),
        cmocka_unit_test(test_environments),
        cmocka_unit_test(test_cursor_stands_on_the_active_row),
    };
    if (getenv("SECATEUR_TEST"))
        cmocka_set_test_filter(getenv("SECATEUR_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/term/program.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

char home[64];
const char *const color[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", NULL};
const char *const light[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", "COLORFGBG=0;15", NULL};
const char *const ascii[] = {"TERM=vt100", "LC_ALL=C", NULL};

void fresh_home(void) {
    static unsigned count;
    (void)snprintf(home, sizeof home, "/tmp/secateur-term-%08ld-%03u", (long)getpid(), count++);
    assert_int_equal(mkdir(home, 0700), 0);
}

void remove_home(void) {
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", home);
    (void)!system(command);
}

const char *binary(void) {
    const char *named = getenv("SECATEUR_BIN");
    return named ? named : ABS_TOP_BUILDDIR "/secateur";
}

void start_model(struct pty *pty, const char *model, int rows, int columns, const char *const *environment) {
    const char *arguments[] = {binary(), model, NULL};
    assert_true(pty_start(pty, home, rows, columns, environment, arguments));
    assert_true(pty_wait_text(pty, "secateur", 5000));
    (void)pty_settle(pty, 400, 5000);
}

void start(struct pty *pty, int rows, int columns, const char *const *environment) {
    start_model(pty, MODEL, rows, columns, environment);
}

void assert_clean(struct pty *pty, const char *what) {
    const char *fault = NULL;
    if (!pty_terminal_is_clean(pty, &fault))
        fail_msg("after %s: %s", what, fault);
}

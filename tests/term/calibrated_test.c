/* Golden screens of the views that show what calibration, measuring and evaluation have found: one run of the program
 * for each look goes through all of them. */
#include "tests/term/golden_screen.h"
#include "tests/term/program.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TEXT ABS_TOP_SRCDIR "/samples/model/stories.txt"
#define FEW " windows=4 length=48"
#define EXACT " compute=f32\r" /* the same on every processor */
#define RUN_TARGET "golden-run"
#define LIMIT 30000 /* milliseconds; machines that do more at once are slow */

/* What is typed, and the beginning of what is shown when it is done. */
static const struct {
    const char *keys, *shows;
} preparation[] = {
    {":calibrate " TEXT FEW EXACT, "calibrated on"},
    {":measure " TEXT FEW "\r", "measured: "}, /* the forecast shows while it goes on */
    {":eval " TEXT FEW EXACT, "output"},
    {":view overview\r:snapshot save dense\r", ""},
    {":set all 60\r:snapshot save uniform\r", "60.00"},
    {":set 0.* 40\r:set 3.v 75\r:set *.down 65\r:snapshot save by-hand\r", ""},
    {":set 5.up 50 pattern=2:4\r", "50"},
};

static const struct {
    const char *view, *keys;
} shots[] = {
    {"calibrated-overview", "1g jt"},
    {"activations", "3gjjjjjjjjjj"},
    {"channels", "\r"},
    {"sensitivity", "\r4gg:move top\rjjj"},
    {"sensitivity-overlay", "oy"},
    {"sensitivity-grid", "oyg"},
    {"heatmap", "g5gjjj\033OC\033OCt"},
    {"heatmap-sparsity", "vvvvvs"},
    {"compare", "sv:compare uniform\rgn"},
    {"compare-matrices", " "},
    {"plans", " 7g j"},
    {"pareto", "p"},
    {"evaluations", "8"},
};

static void prepare(struct pty *pty) {
    for (size_t i = 0; i < sizeof preparation / sizeof *preparation; i++) {
        pty_send(pty, preparation[i].keys);
        if (*preparation[i].shows && !pty_wait_text(pty, preparation[i].shows, LIMIT))
            fail_msg("\"%s\" does not show after %s; the screen is\n%s", preparation[i].shows, preparation[i].keys,
                     pty_text(pty, false));
        (void)pty_settle(pty, 300, LIMIT);
    }
}

/* A whole run, as it stands when it is done. The target lies in the working folder: its name is in the title. */
static void check_run(struct pty *pty, const char *look) {
    const char *keys =
        ":prune " RUN_TARGET " force method=wanda compat=reference calibrate=" TEXT FEW "\r"; /* in f32 */
    pty_send(pty, keys);
    if (!pty_wait_text(pty, "results", LIMIT))
        fail_msg("the run does not end; the screen is\n%s", pty_text(pty, false));
    pty_send(pty, "9g");
    (void)pty_settle(pty, 700, 5000); /* longer than the view samples the load */
    golden_screen_check_run(pty, look);
    assert_int_equal(system("rm -r " RUN_TARGET), 0);
}

static void test_golden_screens(void **state) {
    (void)state;
    for (size_t look = 0; look < LOOKS; look++) {
        struct pty pty;
        fresh_home();
        start(&pty, looks[look].rows, looks[look].columns, looks[look].environment);
        prepare(&pty);
        for (size_t shot = 0; shot < sizeof shots / sizeof *shots; shot++) {
            pty_send(&pty, shots[shot].keys);
            (void)pty_settle(&pty, 250, 5000);
            golden_screen_check(&pty, shots[shot].view, looks[look].name);
        }
        check_run(&pty, looks[look].name);
        pty_stop(&pty);
        remove_home();
    }
}

/* In every view: at every size, with the cursor on the active row, leaving nothing behind. */
static void test_every_size(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {5, 10}, {12, 40}, {13, 41}, {24, 80}, {60, 200}, {200, 500}, {30, 100}};
    static const char *const views[] = {"3", "\r", "4", "o", "g", "5", "v", "6", " ", "7", "p", "8"};
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, color);
    prepare(&pty);
    for (size_t view = 0; view < sizeof views / sizeof *views; view++) {
        pty_send(&pty, views[view]);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            pty_resize(&pty, sizes[i][0], sizes[i][1]);
            assert_true(pty_settle(&pty, 40, 2000));
        }
    }
    pty_send(&pty, "Q");
    assert_true(pty_wait_end(&pty, 5000));
    assert_clean(&pty, "resizing");
    pty_stop(&pty);
    remove_home();
}

static void check_cursor_moves(struct pty *pty, const char *view, const char *key, int rows, bool across) {
    pty_send(pty, view);
    (void)pty_settle(pty, 250, 5000);
    int row = pty->cursor_row, column = pty->cursor_column;
    pty_send(pty, key);
    (void)pty_settle(pty, 250, 5000);
    if (pty->cursor_row != row + rows || (pty->cursor_column != column) != across)
        fail_msg("after %s in %s the cursor went from %d, %d to %d, %d", key, view, row, column, pty->cursor_row,
                 pty->cursor_column);
}

static void test_cursor_stands_on_the_active_cell(void **state) {
    (void)state;
    struct pty pty;
    fresh_home();
    start(&pty, 30, 100, color);
    prepare(&pty);
    check_cursor_moves(&pty, "3g", "jj", 2, false);
    check_cursor_moves(&pty, "5g", "j", 1, false);
    check_cursor_moves(&pty, "5", "\033OC", 0, true);
    check_cursor_moves(&pty, "6g", "j", 1, false);
    check_cursor_moves(&pty, "7g", "j", 1, false);
    check_cursor_moves(&pty, "4:move top\rgj", "j", 0, true);
    pty_stop(&pty);
    remove_home();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_screens),
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_cursor_stands_on_the_active_cell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

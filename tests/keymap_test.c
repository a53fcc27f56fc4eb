/* Every key is bound to a command that exists, and every key in the table has a name that a terminal can send. */
#include "views/keymap.h"
#include "views/screen.h"
#include "views/view.h"
#include "workbench/commands.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void test_bindings_run_known_commands(void **state) {
    (void)state;
    for (size_t i = 0; keymap_at(i); i++) {
        char name[64] = "";
        (void)sscanf(keymap_at(i)->command, "%63s", name);
        if (!command_find(name))
            fail_msg("key %s of %s runs \"%s\", which is no command", keymap_at(i)->key, keymap_at(i)->view, name);
        assert_true(keymap_key_exists(keymap_at(i)->key));
        assert_true(!strcmp(keymap_at(i)->view, "all") || view_find(keymap_at(i)->view));
    }
}

static void test_own_bindings_go_first_and_can_switch_off(void **state) {
    struct error error = {0};
    (void)state;
    assert_string_equal(keymap_command("overview", "j"), "move down");
    assert_true(keymap_bind("overview", "j", "move up", &error));
    assert_string_equal(keymap_command("overview", "j"), "move up");
    assert_string_equal(keymap_command("weights", "j"), "move down");
    assert_true(keymap_bind("all", "Q", "", &error));
    assert_null(keymap_command("overview", "Q"));
    assert_false(keymap_bind("all", "no-such-key", "quit", &error));
    keymap_reset();
    assert_string_equal(keymap_command("overview", "j"), "move down");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bindings_run_known_commands),
        cmocka_unit_test(test_own_bindings_go_first_and_can_switch_off),
    };
    commands_register();
    screen_register_commands();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

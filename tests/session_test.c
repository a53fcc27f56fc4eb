/* What is kept of a session: found again, copied when the model is open twice, set aside when damaged; and a log that
 * makes the same plan again. */
#include "base/file.h"
#include "base/memory.h"
#include "made_model.h"
#include "workbench/commands.h"
#include "workbench/session.h"
#include "workbench/workbench.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char state_folder[64];

static int make_state_folder(void **state) {
    (void)state;
    (void)snprintf(state_folder, sizeof state_folder, "/tmp/secateur-session-XXXXXX");
    commands_register();
    return mkdtemp(state_folder) == NULL || setenv("XDG_STATE_HOME", state_folder, 1) != 0;
}

static int remove_state_folder(void **state) {
    struct error error = {0};
    (void)state;
    return !file_remove_tree(state_folder, &error);
}

/* A workbench without jobs. */
static struct workbench bench(struct model *model, bool keep) {
    struct error error = {0};
    struct workbench workbench = {.model = model, .plan = plan_create(model, &error)};
    workbench.session = session_open(model, keep, &error);
    assert_non_null(workbench.plan);
    assert_non_null(workbench.session);
    return workbench;
}

static void clear(struct workbench *workbench) {
    session_close(workbench->session);
    plan_free(workbench->plan);
}

static bool type(struct workbench *workbench, const char *line) {
    struct text output = {0};
    struct error error = {0};
    bool ok = command_run(workbench, line, &output, &error);
    text_free(&output);
    return ok;
}

/* All that undo covers: tags stay as they are. */
static void assert_same_targets(const struct plan *a, const struct plan *b) {
    double budget_a;
    double budget_b;
    assert_int_equal(plan_budget(a, &budget_a), plan_budget(b, &budget_b));
    assert_true(budget_a == budget_b);
    for (size_t i = 0; i < plan_model(a)->matrix_count; i++)
        assert_true(target_equal(plan_target(a, i), plan_target(b, i)));
}

static void assert_same_plan(const struct plan *a, const struct plan *b) {
    assert_same_targets(a, b);
    for (size_t i = 0; i < plan_model(a)->matrix_count; i++)
        assert_int_equal(plan_tagged(a, i), plan_tagged(b, i));
}

static void work_is_found_again(void **state) {
    (void)state;
    struct error error = {0};
    struct text text = {0};
    int wait;
    struct model *model = made_model_create(3, made_llama, 7, 0);
    struct workbench first = bench(model, true);
    assert_string_equal(session_note(first.session), "");
    assert_false(session_found(first.session, NULL));
    assert_true(type(&first, "set mlp.* 60"));
    assert_true(type(&first, "budget now"));
    assert_true(type(&first, "tag 1.q"));
    assert_true(type(&first, "snapshot save before"));
    assert_true(type(&first, "set 1.q 33.3"));
    assert_true(session_touch(first.session, first.plan, &wait, &error));
    assert_int_equal(wait, -1);
    assert_true(type(&first, "lock 2"));
    assert_true(session_touch(first.session, first.plan, &wait, &error));
    assert_true(wait > 0 && wait <= 1001);
    assert_true(session_save(first.session, first.plan, &error));
    struct workbench second = bench(model, true); /* while the first is open */
    assert_non_null(strstr(session_note(second.session), "open in another"));
    assert_string_not_equal(session_path(first.session), session_path(second.session));
    assert_true(session_found(second.session, &text));
    assert_non_null(strstr(text_string(&text), "6 commands, 1 snapshots"));
    assert_true(session_restore(second.session, second.plan, &error));
    assert_same_plan(first.plan, second.plan);
    assert_true(plan_snapshot_restore(second.plan, "before", &error));
    assert_true(session_save(second.session, second.plan, &error));
    clear(&second);
    clear(&first);
    struct workbench third = bench(model, true);
    assert_string_equal(session_note(third.session), "");
    assert_true(session_found(third.session, NULL));
    assert_true(type(&third, "set 0.q 10"));
    assert_true(session_save(third.session, third.plan, &error)); /* writes nothing over what was found */
    assert_true(session_discard(third.session, &error));
    assert_false(file_exists(session_path(third.session)));
    clear(&third);
    text_free(&text);
    made_model_free(model);
}

static void damaged_work_is_set_aside(void **state) {
    (void)state;
    static const char *const contents[] = {"",
                                           "{",
                                           "[]",
                                           "{\"version\": 2}",
                                           "{\"version\": 1, \"saved\": 1, \"budget\": null, \"plan\": \"name\"}",
                                           "{\"version\": 1, \"saved\": 1, \"budget\": 7, \"plan\": 3}"};
    struct model *model = made_model_create(2, made_llama, 7, 0);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        struct workbench workbench = bench(model, true);
        char path[256];
        char aside[300];
        (void)snprintf(path, sizeof path, "%s", session_path(workbench.session));
        (void)snprintf(aside, sizeof aside, "%s.damaged", path);
        clear(&workbench);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        (void)fputs(contents[i], file);
        (void)fclose(file);
        workbench = bench(model, true);
        assert_non_null(strstr(session_note(workbench.session), "damaged"));
        assert_false(session_found(workbench.session, NULL));
        assert_true(file_exists(aside));
        assert_false(file_exists(path));
        clear(&workbench);
    }
    made_model_free(model);
}

static uint64_t random_state = 88172645463325252u;

static unsigned pick(unsigned bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 11) % bound);
}

static void random_line(char *line, size_t size) {
    static const char *const selectors[] = {"0.q", "1.*", "mlp.*", "2.down", "*.o", "tagged", "1-2.up", "unlocked"};
    static const char *const patterns[] = {"unstructured", "row", "2:4", "cols", "default"};
    static const char *const simple[] = {"undo",
                                         "redo",
                                         "undo 3",
                                         "budget now",
                                         "budget off",
                                         "budget 55%",
                                         "tag 1.up",
                                         "untag sparsity>40",
                                         "tag sparsity>60",
                                         "apply +3%",
                                         "apply 20%",
                                         "unlock all",
                                         "snapshot save a",
                                         "snapshot restore a"};
    const char *selector = selectors[pick(8)];
    switch (pick(7)) {
    case 0:
    case 1:
        (void)snprintf(line, size, "set %s %u.%u%%", selector, pick(100), pick(10));
        break;
    case 2:
        (void)snprintf(line, size, "set %s %c%u%%", selector, pick(2) ? '+' : '-', 1 + pick(9));
        break;
    case 3:
        (void)snprintf(line, size, "pattern %s %s", selector, patterns[pick(5)]);
        break;
    case 4:
        (void)snprintf(line, size, pick(2) ? "lock %s toggle" : "bounds %s 10%% 90%%", selector);
        break;
    default:
        (void)snprintf(line, size, "%s", simple[pick(sizeof simple / sizeof *simple)]);
        break;
    }
}

static void the_log_makes_the_same_plan(void **state) {
    (void)state;
    char line[80];
    char path[128];
    struct error error = {0};
    struct model *model = made_model_create(3, made_llama, 7, 0);
    struct workbench typed = bench(model, false);
    struct workbench start = bench(model, false);
    while (session_log_count(typed.session) < 10000) { /* what is refused is not logged */
        random_line(line, sizeof line);
        (void)type(&typed, line);
    }
    (void)snprintf(path, sizeof path, "%s/log", state_folder);
    assert_true(session_log_write(typed.session, path, &error));
    struct workbench replayed = bench(model, false);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '#' && !type(&replayed, line))
            fail_msg("\"%s\" fails when replayed", line);
    }
    (void)fclose(file);
    assert_same_plan(typed.plan, replayed.plan);
    while (plan_undo(typed.plan, NULL, 0))
        ;
    assert_same_targets(typed.plan, start.plan);
    clear(&typed);
    clear(&start);
    clear(&replayed);
    made_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_found_again),
        cmocka_unit_test(damaged_work_is_set_aside),
        cmocka_unit_test(the_log_makes_the_same_plan),
    };
    return cmocka_run_group_tests(tests, make_state_folder, remove_state_folder);
}

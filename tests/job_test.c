/* The worker: order, precedence of the user's jobs, cancelling, errors, log, and that finish() runs exactly once. */
#include "workbench/job.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct note {
    char order[64];
};

struct probe {
    struct note *note;
    char letter;
    struct jobs *jobs;
    _Atomic bool *release; /* runs until set; NULL: at once */
    _Atomic int runs;
    int finished;
    bool ok;
    bool fail;
    struct error error;
};

static void nap(void) {
    struct timespec pause = {0, 1000000};
    (void)nanosleep(&pause, NULL);
}

static bool run_probe(void *context, struct progress *progress, struct error *error) {
    struct probe *probe = context;
    probe->runs++;
    atomic_store(&progress->total, 10);
    while (probe->release != NULL && !atomic_load(probe->release)) {
        if (!progress_continue(progress, error))
            return false;
        nap();
    }
    progress_add(progress, 10);
    size_t length = strlen(probe->note->order);
    probe->note->order[length] = probe->letter;
    if (probe->jobs != NULL)
        job_log(probe->jobs, "ran %c", probe->letter);
    return probe->fail ? error_set(error, ERROR_FAILURE, "%c failed", probe->letter) : true;
}

static void finish_probe(void *context, bool ok, const struct error *error) {
    struct probe *probe = context;
    probe->finished++;
    probe->ok = ok;
    if (!ok)
        probe->error = *error;
}

static void start(struct jobs *jobs, struct probe *probe, bool background) {
    struct job_work work = {
        .name = "probe", .background = background, .run = run_probe, .finish = finish_probe, .context = probe};
    struct error error = {0};
    (void)snprintf(work.title, sizeof work.title, "probe %c", probe->letter);
    assert_true(jobs_start(jobs, &work, &error));
}

static struct jobs *create(void) {
    struct error error = {0};
    struct jobs *jobs = jobs_create(&error);
    assert_non_null(jobs);
    return jobs;
}

static void jobs_run_in_order_and_finish_once(void **state) {
    (void)state;
    struct jobs *jobs = create();
    struct note note = {""};
    struct probe probes[3] = {{.note = &note, .letter = 'a', .jobs = jobs},
                              {.note = &note, .letter = 'b', .jobs = jobs},
                              {.note = &note, .letter = 'c', .jobs = jobs}};
    for (size_t i = 0; i < 3; i++)
        start(jobs, &probes[i], false);
    struct error error = {0};
    assert_true(jobs_wait(jobs, &error));
    assert_string_equal(note.order, "abc");
    for (size_t i = 0; i < 3; i++)
        assert_true(probes[i].finished == 1 && probes[i].ok);
    char line[64];
    assert_int_equal(job_log_lines(jobs), 3);
    assert_true(job_log_line(jobs, 2, line, sizeof line));
    assert_string_equal(line, "ran c");
    assert_false(job_log_line(jobs, 3, line, sizeof line));
    struct job_status status;
    assert_true(jobs_status(jobs, &status));
    assert_int_equal(status.state, JOB_DONE);
    assert_true(status.fraction >= 1);
    assert_string_equal(status.title, "probe c");
    jobs_free(jobs);
}

static void wait_until_running(struct probe *probe) {
    while (atomic_load(&probe->runs) == 0)
        nap();
}

static void background_work_gives_way_and_comes_back(void **state) {
    (void)state;
    struct jobs *jobs = create();
    struct note note = {""};
    _Atomic bool release = false;
    struct probe scan = {.note = &note, .letter = 's', .release = &release};
    struct probe user = {.note = &note, .letter = 'u'};
    start(jobs, &scan, true);
    wait_until_running(&scan);
    assert_false(jobs_busy(jobs));
    start(jobs, &user, false);
    while (!user.finished) {
        nap();
        (void)jobs_collect(jobs);
    }
    assert_int_equal(scan.finished, 0);
    atomic_store(&release, true);
    struct error error = {0};
    assert_true(jobs_wait(jobs, &error));
    assert_string_equal(note.order, "us");
    assert_int_equal(scan.runs, 2);
    assert_true(scan.finished == 1 && scan.ok);
    jobs_free(jobs);
}

static void cancel_is_acknowledged_at_once(void **state) {
    (void)state;
    struct jobs *jobs = create();
    struct note note = {""};
    _Atomic bool release = false;
    struct probe probe = {.note = &note, .letter = 'x', .release = &release};
    start(jobs, &probe, false);
    wait_until_running(&probe);
    struct job_status status;
    jobs_pause(jobs, true);
    assert_true(jobs_status(jobs, &status) && status.paused);
    jobs_cancel(jobs);
    (void)jobs_status(jobs, &status);
    assert_true(status.cancelling || status.state == JOB_CANCELLED);
    struct error error = {0};
    assert_false(jobs_wait(jobs, &error));
    assert_int_equal(error.code, ERROR_CANCELLED);
    assert_string_equal(note.order, "");
    jobs_free(jobs);
}

static void the_first_error_is_given(void **state) {
    (void)state;
    struct jobs *jobs = create();
    struct note note = {""};
    struct probe first = {.note = &note, .letter = 'f', .fail = true};
    struct probe second = {.note = &note, .letter = 'g', .fail = true};
    start(jobs, &first, false);
    start(jobs, &second, false);
    struct error error = {0};
    assert_false(jobs_wait(jobs, &error));
    assert_string_equal(error.text, "f failed");
    assert_string_equal(first.error.text, "f failed");
    assert_string_equal(second.error.text, "g failed");
    jobs_free(jobs);
}

static void an_interrupt_cancels_what_is_waited_for(void **state) {
    (void)state;
    struct jobs *jobs = create();
    struct note note = {""};
    _Atomic bool release = false;
    struct probe probe = {.note = &note, .letter = 'i', .release = &release};
    start(jobs, &probe, false);
    wait_until_running(&probe);
    jobs_interrupt(jobs);
    struct error error = {0};
    assert_false(jobs_wait(jobs, &error));
    assert_int_equal(error.code, ERROR_CANCELLED);
    jobs_free(jobs);
}

static void closing_cancels_and_still_finishes(void **state) {
    (void)state;
    struct jobs *jobs = create();
    struct note note = {""};
    _Atomic bool release = false;
    struct probe running = {.note = &note, .letter = 'r', .release = &release};
    struct probe waiting = {.note = &note, .letter = 'w'};
    start(jobs, &running, false);
    wait_until_running(&running);
    start(jobs, &waiting, false);
    jobs_free(jobs);
    assert_true(running.finished == 1 && !running.ok);
    assert_true(waiting.finished == 1 && !waiting.ok && waiting.runs == 0);
}

static void the_descriptor_tells_of_the_end(void **state) {
    (void)state;
    struct jobs *jobs = create();
    struct note note = {""};
    struct probe probe = {.note = &note, .letter = 'p'};
    start(jobs, &probe, false);
    while (!probe.finished) {
        struct pollfd ready = {.fd = jobs_descriptor(jobs), .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 5000), 1);
        (void)jobs_collect(jobs);
    }
    struct pollfd idle = {.fd = jobs_descriptor(jobs), .events = POLLIN};
    assert_int_equal(poll(&idle, 1, 50), 0);
    jobs_free(jobs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_in_order_and_finish_once),
        cmocka_unit_test(background_work_gives_way_and_comes_back),
        cmocka_unit_test(cancel_is_acknowledged_at_once),
        cmocka_unit_test(the_first_error_is_given),
        cmocka_unit_test(an_interrupt_cancels_what_is_waited_for),
        cmocka_unit_test(closing_cancels_and_still_finishes),
        cmocka_unit_test(the_descriptor_tells_of_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

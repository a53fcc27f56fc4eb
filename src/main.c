/* Picks a face: terminal, subcommand, script. Nothing below this file prints or exits. */
#include "config.h"

#include "views/screen.h"
#include "workbench/command_help.h"
#include "workbench/command_parse.h"
#include "workbench/commands.h"
#include "workbench/invocation.h"
#include "workbench/manual.h"
#include "workbench/scan.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- signals without the screen: cancel what runs, then die of the signal ---- */

static struct jobs *interrupted_jobs;
static volatile sig_atomic_t caught;

static void on_signal(int number) {
    int saved = errno;
    caught = number;
    jobs_interrupt(interrupted_jobs);
    errno = saved;
}

/* The second signal kills at once. */
static void catch_signals(struct workbench *workbench) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    interrupted_jobs = workbench->jobs;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old;
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &action, NULL);
    }
}

static void release_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old;
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == on_signal)
            (void)signal(numbers[i], SIG_DFL);
    }
}

/* ---- progress without the screen: one line on standard error, where that is a terminal ---- */

static bool progress_shown;

static void clear_progress(void) {
    if (progress_shown)
        (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    progress_shown = false;
}

static void report_progress(void *context, const struct job_status *status) {
    (void)context;
    clear_progress();
    if (status->state != JOB_RUNNING)
        return;
    char left[TEXT_NUMBER_SIZE];
    (void)fprintf(stderr, "%.60s: %.0f %%  %.40s", status->title, 100 * (status->fraction > 0 ? status->fraction : 0),
                  status->stage);
    if (status->seconds_left >= 0)
        (void)fprintf(stderr, "  %s left", text_duration(left, status->seconds_left));
    (void)fflush(stderr);
    progress_shown = true;
}

static bool terminal_understands(int descriptor) {
    const char *term = getenv("TERM");
    return isatty(descriptor) && term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

/* ---- output ---- */

static int fail(const struct error *error) {
    (void)fprintf(stderr, "secateur: %s\n", error->text);
    return error_exit_status(error);
}

static int print(struct text *output) {
    bool whole = !output->failed && fwrite(text_string(output), 1, output->length, stdout) == output->length;
    whole = fflush(stdout) == 0 && whole;
    text_free(output);
    if (!whole)
        (void)fprintf(stderr, "secateur: the output could not be written: %s\n", strerror(errno));
    return whole ? 0 : 1;
}

/* ---- faces ---- */

static struct workbench *open_model(const struct invocation *invocation, const char *path, struct error *error) {
    struct workbench *workbench = workbench_open(path, &invocation->settings, error);
    if (workbench == NULL)
        return NULL;
    catch_signals(workbench);
    if (terminal_understands(STDERR_FILENO))
        jobs_set_reporter(workbench->jobs, report_progress, NULL);
    return workbench;
}

/* Prints what there is, also before a failure; then dies of a caught signal or gives the status. */
static int conclude(struct workbench *workbench, struct text *output, bool ok, const struct error *error) {
    clear_progress();
    int status = print(output);
    if (!ok)
        status = fail(error);
    release_signals();
    workbench_close(workbench);
    if (caught != 0)
        (void)raise(caught);
    return status;
}

static int refuse_without_model(const struct command *command) {
    struct text usage = {0};
    struct error error = {0};
    command_usage(&usage, command, true);
    (void)error_set(&error, ERROR_USAGE, "%s needs a MODEL; usage: secateur %s", command->name, text_string(&usage));
    text_free(&usage);
    return fail(&error);
}

static int run_subcommand(const struct invocation *invocation, const struct command *command) {
    struct error error = {0};
    struct text output = {0};
    char **words = invocation->words + 1;
    size_t count = invocation->count - 1;
    struct workbench *workbench = NULL;
    if ((command->flags & COMMAND_NO_MODEL) == 0) {
        size_t model = command_first_positional(command, words, count);
        if (model == count)
            return refuse_without_model(command);
        workbench = open_model(invocation, words[model], &error);
        if (workbench == NULL)
            return fail(&error);
        memmove(words + model, words + model + 1, (--count - model) * sizeof *words);
    }
    bool ok = command_run_words(workbench, command, words, count, &output, &error);
    return conclude(workbench, &output, ok, &error);
}

static int run_script(const struct invocation *invocation) {
    struct error error = {0};
    struct text output = {0};
    struct workbench *workbench = open_model(invocation, invocation->words[0], &error);
    if (workbench == NULL)
        return fail(&error);
    bool ok = workbench_script(workbench, invocation->script, &output, &error);
    return conclude(workbench, &output, ok, &error);
}

static int print_overview(const struct invocation *invocation) {
    struct error error = {0};
    struct text output = {0};
    struct workbench *workbench = open_model(invocation, invocation->words[0], &error);
    if (workbench == NULL)
        return fail(&error);
    workbench_overview(workbench, &output);
    return conclude(workbench, &output, true, &error);
}

/* The screen looks after the signals and the progress itself. */
static int run_terminal(struct invocation *invocation) {
    struct error error = {0};
    invocation->settings.interactive = true;
    struct workbench *workbench = workbench_open(invocation->words[0], &invocation->settings, &error);
    bool ok = workbench != NULL && scan_start(workbench, &error) && screen_run(workbench, &error);
    workbench_close(workbench);
    return ok ? 0 : fail(&error);
}

static int run_model(struct invocation *invocation) {
    struct error error = {0};
    if (invocation->count == 0)
        (void)error_set(&error, ERROR_USAGE, "no MODEL given; usage: secateur [MODEL], or secateur --help");
    else if (word_is_option(invocation->words[0]))
        (void)error_set(&error, ERROR_USAGE, "there is no option %s; secateur --help lists them", invocation->words[0]);
    else if (invocation->count > 1)
        (void)error_set(&error, ERROR_USAGE,
                        "\"%s\" is no command and \"%s\" one word too many; secateur --help lists "
                        "the commands",
                        invocation->words[0], invocation->words[1]);
    if (error.code != ERROR_NONE)
        return fail(&error);
    if (invocation->script != NULL)
        return run_script(invocation);
    bool terminal = isatty(STDIN_FILENO) && terminal_understands(STDOUT_FILENO) && !invocation->settings.csv;
    return terminal ? run_terminal(invocation) : print_overview(invocation);
}

static int print_manual(void (*make)(struct text *output)) {
    struct text output = {0};
    make(&output);
    return print(&output);
}

static int print_help(const struct command *command) {
    if (command == NULL)
        return print_manual(manual_help);
    struct text output = {0};
    command_describe(&output, command, true);
    return print(&output);
}

static void print_version(struct text *output) {
    text_add(output, "secateur " VERSION "\n");
}

int main(int count, char **words) {
    struct invocation invocation;
    struct error error = {0};
    commands_register();
    screen_register_commands();
    if (!invocation_read(&invocation, words + 1, (size_t)(count > 0 ? count - 1 : 0), &error))
        return fail(&error);
    const struct command *command = invocation.count > 0 ? command_find(invocation.words[0]) : NULL;
    if (command != NULL && (command->flags & COMMAND_SUBCOMMAND) == 0)
        command = NULL;
    if (invocation.version)
        return print_manual(print_version);
    if (invocation.help)
        return print_help(command);
    if (invocation.manual)
        return print_manual(manual_page);
    if (invocation.completion)
        return print_manual(manual_completion);
    return command != NULL ? run_subcommand(&invocation, command) : run_model(&invocation);
}

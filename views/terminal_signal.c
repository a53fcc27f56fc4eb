#include "views/terminal_signal.h"
#include "views/terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { SAVE_SECONDS = 2 };
static const int deadly[] = {SIGINT, SIGQUIT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
static const int polite[] = {SIGHUP, SIGTERM};
static const int passing[] = {SIGWINCH, SIGTSTP, SIGCONT};

static struct termios termios_found;
static char restore_bytes[512], last_words[1024];
static size_t restore_length, last_words_length;
static volatile sig_atomic_t fatal_signal, active;
static int pipe_ends[2] = {-1, -1};

static void write_fully(int descriptor, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(descriptor, bytes, length);
        if (written < 0 && errno != EINTR)
            return;
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
}

static void restore(void) {
    if (!active)
        return;
    active = 0;
    write_fully(STDOUT_FILENO, restore_bytes, restore_length);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &termios_found);
}

/* SA_RESETHAND has put the default action back, so raising it again ends the process with the true status. SIGALRM is
 * the end of the time for saving: the signal that started that time is the true one. */
static void handle_deadly(int number) {
    int saved = errno;
    restore();
    bool crash = number != SIGINT && number != SIGALRM && number != SIGQUIT;
    if (crash)
        write_fully(STDERR_FILENO, last_words, last_words_length);
    errno = saved;
    int truth = number == SIGALRM && fatal_signal ? fatal_signal : number;
    if (truth != number)
        (void)signal(truth, SIG_DFL);
    (void)raise(truth);
}

static void notify(char event) {
    int saved = errno;
    (void)!write(pipe_ends[1], &event, 1);
    errno = saved;
}

static void handle_polite(int number) {
    if (fatal_signal) {
        handle_deadly(number);
        return;
    }
    fatal_signal = number;
    (void)alarm(SAVE_SECONDS);
    notify(TERMINAL_HANG_UP);
}

static void handle_passing(int number) {
    notify(number == SIGWINCH ? TERMINAL_RESIZED : number == SIGTSTP ? TERMINAL_SUSPEND : TERMINAL_CONTINUED);
}

static void install(const int *numbers, size_t count, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < count; i++)
        (void)sigaction(numbers[i], &action, NULL);
}

#define INSTALL(list, handler, flags) install(list, sizeof(list) / sizeof *(list), handler, flags)

static bool open_pipe(struct error *error) {
    if (pipe(pipe_ends) != 0)
        return error_set_errno(error, ERROR_FAILURE, "a pipe for signals cannot be made");
    for (int i = 0; i < 2; i++) {
        (void)fcntl(pipe_ends[i], F_SETFL, O_NONBLOCK);
        (void)fcntl(pipe_ends[i], F_SETFD, FD_CLOEXEC);
    }
    return true;
}

bool signals_start(const struct termios *found, const char *bytes, size_t length, struct error *error) {
    if (length > sizeof restore_bytes)
        return error_set(error, ERROR_FAILURE, "the terminal's restore sequences take %zu bytes, at most %zu are kept",
                         length, sizeof restore_bytes);
    if (!open_pipe(error))
        return false;
    termios_found = *found;
    memcpy(restore_bytes, bytes, length);
    restore_length = length;
    active = 1;
    INSTALL(deadly, handle_deadly, (int)(SA_RESETHAND | SA_NODEFER));
    INSTALL(polite, handle_polite, 0);
    INSTALL(passing, handle_passing, 0);
    return true;
}

void signals_stop(void) {
    restore();
    (void)alarm(0);
    INSTALL(deadly, SIG_DFL, 0);
    INSTALL(polite, SIG_DFL, 0);
    INSTALL(passing, SIG_DFL, 0);
    for (int i = 0; i < 2; i++) {
        (void)close(pipe_ends[i]);
        pipe_ends[i] = -1;
    }
}

int signals_descriptor(void) {
    return pipe_ends[0];
}

int signals_fatal(void) {
    return fatal_signal;
}

void signals_last_words(const char *words) {
    size_t length = strlen(words);
    last_words_length = length < sizeof last_words ? length : sizeof last_words;
    memcpy(last_words, words, last_words_length);
}

/* The loop: waits for keys, the worker and signals, lets commands change things, and draws once. */
#include "views/screen.h"
#include "base/memory.h"
#include "views/keymap.h"
#include "views/prompt.h"
#include "views/screen_state.h"
#include "workbench/session.h"
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* While a job runs the screen is drawn at most this often for its sake. */
#define JOB_FRAME_SECONDS 0.05

void screen_message(struct screen *screen, bool is_error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(screen->message, sizeof screen->message, format, arguments);
    va_end(arguments);
    screen->message_is_error = is_error;
    screen->dirty = true;
}

/* ---- views ---- */

struct view *screen_view(struct screen *screen) {
    return &screen->views[screen->stack[screen->depth - 1]];
}

static bool open_view(struct screen *screen, size_t index, struct error *error) {
    struct view *view = &screen->views[index];
    if (view->ops)
        return true;
    const struct view_ops *ops = view_table[index];
    *view = (struct view){.workbench = screen->workbench, .filter = ""};
    view->state = memory_alloc(1, ops->state_size > 0 ? ops->state_size : 1, error);
    if (!view->state)
        return false;
    view->ops = ops;
    return !ops->open || ops->open(view, error);
}

static void close_views(struct screen *screen) {
    for (size_t i = 0; i < SCREEN_VIEWS; i++) {
        struct view *view = &screen->views[i];
        if (view->ops && view->ops->close)
            view->ops->close(view);
        memory_free(view->state);
    }
}

static bool refresh_view(struct view *view, struct error *error) {
    return !view->ops->refresh || view->ops->refresh(view, error);
}

/* A view that is already below in the stack is brought back by leaving what was above it. */
static void push_view(struct screen *screen, size_t index) {
    for (size_t i = 0; i < screen->depth; i++) {
        if (screen->stack[i] == index) {
            screen->depth = i + 1;
            return;
        }
    }
    if (screen->depth < SCREEN_STACK)
        screen->stack[screen->depth++] = index;
}

bool screen_show_view(struct screen *screen, const char *name, struct error *error) {
    struct text here = {0};
    size_t index = 0;
    while (view_table[index] && strcmp(view_table[index]->name, name) != 0)
        index++;
    if (!view_table[index])
        return error_set(error, ERROR_USAGE, "there is no view \"%s\"", name);
    if (screen->depth > 0) {
        struct view *from = screen_view(screen);
        if (from->ops->row_selector && from->cursor < from->rows)
            (void)from->ops->row_selector(from, from->cursor, &here);
    }
    bool ok = open_view(screen, index, error) && refresh_view(&screen->views[index], error);
    if (ok) {
        push_view(screen, index);
        (void)view_go(&screen->views[index], text_string(&here));
        screen_view(screen)->filter = screen->filter;
    }
    text_free(&here);
    return ok;
}

bool screen_back(struct screen *screen) {
    if (screen->depth < 2)
        return false;
    screen->depth--;
    return true;
}

/* Rebuilds rows where the plan, what is known, or the filter has changed; the cursor stays on its row. */
void screen_refresh_views(struct screen *screen, struct error *error) {
    struct view *view = screen_view(screen);
    struct text here = {0};
    bool named =
        view->ops->row_selector && view->cursor < view->rows && view->ops->row_selector(view, view->cursor, &here);
    view->filter = screen->filter;
    (void)refresh_view(view, error);
    if (named)
        (void)view_go(view, text_string(&here));
    text_free(&here);
    screen->plan_revision = plan_revision(screen->workbench->plan);
    screen->dirty = true;
}

/* ---- commands ---- */

static bool is_word(const char *at, const char *line, const char *word) {
    size_t length = strlen(word);
    return !strncmp(at, word, length) && at > line && at[-1] == ' ' && (at[length] == ' ' || at[length] == '\0');
}

/* What "here" stands for in a command: the row "5.q", its block "5.*", the same matrix of every block "*.q". */
enum here { HERE_ROW, HERE_BLOCK, HERE_COLUMN, HERE_COUNT };
static const char *const here_words[] = {"here", "block-here", "column-here"};

static bool add_here(struct screen *screen, struct text *expanded, enum here here, struct error *error) {
    struct view *view = screen_view(screen);
    struct text selector = {0};
    bool known =
        view->ops->row_selector && view->cursor < view->rows && view->ops->row_selector(view, view->cursor, &selector);
    size_t length = strcspn(text_string(&selector), ".");
    bool in_block = length > 0 && strspn(text_string(&selector), "0123456789") == length;
    if (!known)
        error_set(error, ERROR_USAGE, "\"here\" means a row, and there is none in the %s view", view->ops->name);
    else if (here == HERE_BLOCK && in_block)
        text_add(expanded, "%.*s.*", (int)length, text_string(&selector));
    else if (here == HERE_COLUMN && in_block)
        text_add(expanded, "*%s", text_string(&selector) + length);
    else
        text_add(expanded, "%s", text_string(&selector));
    text_free(&selector);
    return known;
}

bool screen_expand(struct screen *screen, struct text *expanded, const char *line, struct error *error) {
    for (const char *at = line; *at;) {
        enum here here = HERE_ROW;
        while (here < HERE_COUNT && !is_word(at, line, here_words[here]))
            here++;
        if (here == HERE_COUNT) {
            text_add_bytes(expanded, at++, 1);
            continue;
        }
        if (!add_here(screen, expanded, here, error))
            return false;
        at += strlen(here_words[here]);
    }
    return true;
}

/* `set theme dark` is the option; any other `set` is the plan's. */
static bool set_option(struct screen *screen, const char *line, bool *ok, struct error *error) {
    char name[32] = "", value[64] = "";
    if (sscanf(line, "set %31s %63s", name, value) < 1 || !option_find(name))
        return false;
    *ok = option_set(screen, name, value, error);
    return true;
}

/* A few short lines become one message, so that a command like allocate does not cover the view it was typed in. */
static bool show_joined(struct screen *screen, const char *lines) {
    struct text joined = {0};
    for (const char *at = lines; *at; at++)
        if (*at == '\n')
            text_add(&joined, " · ");
        else
            text_add_bytes(&joined, at, 1);
    bool fits = !joined.failed && joined.length < sizeof screen->message &&
                (int)text_columns(text_string(&joined)) < screen->grid.width - 1;
    if (fits)
        screen_message(screen, false, "%s", text_string(&joined));
    text_free(&joined);
    return fits;
}

static void show_output(struct screen *screen, struct text *output, const char *line) {
    size_t length = output->length;
    while (length > 0 && output->data[length - 1] == '\n')
        output->data[--length] = '\0';
    if (length == 0)
        return;
    if (!strchr(output->data, '\n') && length < sizeof screen->message) {
        screen_message(screen, false, "%s", output->data);
        return;
    }
    if (show_joined(screen, output->data))
        return;
    output_show(output, line);
    struct error error = {0};
    if (!screen_show_view(screen, "output", &error))
        screen_message(screen, true, "%s", error.text);
}

void screen_execute(struct screen *screen, const char *line) {
    struct error error = {0};
    struct text expanded = {0}, output = {0};
    bool ok = screen_expand(screen, &expanded, line, &error);
    if (ok && !set_option(screen, line, &ok, &error))
        ok = command_run(screen->workbench, text_string(&expanded), &output, &error);
    if (ok)
        show_output(screen, &output, line);
    else
        screen_message(screen, true, "%s", error.text);
    text_free(&expanded);
    text_free(&output);
    screen->dirty = true;
    if (plan_revision(screen->workbench->plan) != screen->plan_revision)
        screen_refresh_views(screen, NULL);
}

/* ---- the loop ---- */

static void report_job(struct screen *screen) {
    struct job_status status;
    struct text results = {0};
    workbench_take_results(screen->workbench, &results);
    show_output(screen, &results, "results");
    text_free(&results);
    if (!jobs_status(screen->workbench->jobs, &status))
        return;
    bool failed = status.state == JOB_FAILED;
    if (failed && !screen->job_failed_shown)
        screen_message(screen, true, "%s", status.error.text);
    screen->job_failed_shown = failed;
}

static void collect_jobs(struct screen *screen) {
    if (!jobs_collect(screen->workbench->jobs))
        return;
    report_job(screen);
    pthread_mutex_lock(&screen->workbench->mutex);
    uint64_t knowledge = screen->workbench->knowledge;
    pthread_mutex_unlock(&screen->workbench->mutex);
    if (knowledge != screen->knowledge)
        screen_refresh_views(screen, NULL);
    screen->knowledge = knowledge;
    screen->dirty = true;
}

static void hang_up(struct screen *screen) {
    jobs_cancel(screen->workbench->jobs);
    (void)session_save(screen->workbench->session, screen->workbench->plan, NULL);
    prompt_stop();
    terminal_die();
}

static void take_events(struct screen *screen) {
    enum terminal_event event;
    while (terminal_take_event(&event)) {
        if (event == TERMINAL_HANG_UP)
            hang_up(screen);
        if (event == TERMINAL_SUSPEND)
            terminal_suspend();
        if (event == TERMINAL_CONTINUED)
            terminal_redraw();
        screen->dirty = true;
    }
}

/* How long poll() may sleep: for ever, unless a frame for a job or a save of the session waits for its turn. */
static int sleep_milliseconds(struct screen *screen) {
    struct error error = {0};
    int save = -1;
    if (!session_touch(screen->workbench->session, screen->workbench->plan, &save, &error) && !screen->save_failed) {
        screen->save_failed = true;
        screen_message(screen, true, "%s", error.text);
    }
    if (!screen->dirty)
        return save;
    double left = JOB_FRAME_SECONDS - (progress_clock() - screen->drawn);
    int frame = left > 0 ? (int)(left * 1000) + 1 : 0;
    return save >= 0 && save < frame ? save : frame;
}

static bool wait_and_react(struct screen *screen, bool *typed) {
    struct pollfd inputs[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                              {.fd = terminal_descriptor(), .events = POLLIN},
                              {.fd = jobs_descriptor(screen->workbench->jobs), .events = POLLIN}};
    int ready = poll(inputs, 3, sleep_milliseconds(screen));
    if (ready < 0 && errno != EINTR)
        return false;
    *typed = ready > 0 && (inputs[0].revents || inputs[1].revents);
    if (ready <= 0)
        return true;
    if (inputs[0].revents & (POLLHUP | POLLERR | POLLNVAL) && !(inputs[0].revents & POLLIN))
        return false;
    if (inputs[1].revents)
        take_events(screen);
    if (inputs[0].revents)
        screen_read_keys(screen);
    if (inputs[2].revents)
        collect_jobs(screen);
    return true;
}

static bool loop(struct screen *screen, struct error *error) {
    bool typed = true;
    while (!screen->workbench->quit) {
        bool due = progress_clock() - screen->drawn >= JOB_FRAME_SECONDS;
        if (screen->dirty && (typed || due)) {
            screen->dirty = false;
            if (!screen_draw(screen, error))
                return false;
            screen->drawn = progress_clock();
        }
        if (!wait_and_react(screen, &typed))
            return true;
    }
    return true;
}

static char **complete(void *context, const char *line) {
    return option_complete(command_complete(context, line), line);
}

/* What a crash says, and what there is to say about earlier work. */
static void greet(struct screen *screen) {
    struct session *session = screen->workbench->session;
    struct text words = {0};
    text_add(&words, "secateur stopped unexpectedly. ");
    if (session_path(session))
        text_add(&words, "The work is saved in %s and offered when the model is opened again.", session_path(session));
    text_add(&words, "\n");
    terminal_set_last_words(text_string(&words));
    text_free(&words);
    if (*session_note(session))
        screen_message(screen, true, "%s", session_note(session));
    if (session_found(session, NULL))
        screen_open_prompt(screen, PROMPT_RESTORE, "");
}

static bool prepare(struct screen *screen, struct error *error) {
    prompt_start(complete, screen->workbench);
    options_read(screen);
    if (!screen_show_view(screen, "overview", error))
        return false;
    screen_refresh_views(screen, error);
    greet(screen);
    return true;
}

bool screen_run(struct workbench *workbench, struct error *error) {
    struct screen *screen = memory_alloc(1, sizeof *screen, error);
    if (!screen)
        return false;
    (void)setlocale(LC_CTYPE, "");
    screen->workbench = workbench;
    screen->glyphs = glyphs_detect();
    screen->mouse = screen->dirty = true;
    bool ok = terminal_start(error);
    if (ok) {
        workbench->screen = screen;
        ok = prepare(screen, error) && loop(screen, error);
        workbench->screen = NULL;
        prompt_stop();
        terminal_stop();
        ok = session_save(workbench->session, workbench->plan, error) && ok;
    }
    close_views(screen);
    keymap_reset();
    grid_free(&screen->grid);
    memory_free(screen);
    return ok;
}

/* The prompt's editor through GNU Readline's callback interface: it never reads or writes the terminal itself. */
#include "config.h"
#ifdef HAVE_READLINE
#include "base/file.h"
#include "base/memory.h"
#include "views/editor.h"
#include <stdio.h>
#include <readline/readline.h>
#include <readline/history.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HISTORY_LINES = 1000 };

static struct {
    int byte; /* the one being fed; EOF once taken */
    bool done;
    char *line; /* finished */
    struct text choices;
    prompt_complete *complete;
    void *context;
    const char *history;
    FILE *sink, *silence; /* where readline may write, and read: nothing ever comes */
    int silent_pipe[2];
} state;

static int take_byte(FILE *stream) {
    (void)stream;
    int byte = state.byte;
    state.byte = EOF;
    return byte;
}

static void draw_nothing(void) {
}

static void line_finished(char *line) {
    free(state.line);
    state.line = line;
    state.done = true;
    rl_callback_handler_remove();
}

/* Readline asks for one match after the other; the last call returns NULL. It frees them with free(). */
static char *next_match(const char *word, int again) {
    static char **matches;
    static size_t index;
    (void)word;
    if (!again) {
        index = 0;
        matches = state.complete ? state.complete(state.context, rl_line_buffer) : NULL;
    }
    char *match = matches && matches[index] ? strdup(matches[index]) : NULL;
    if (matches && matches[index])
        memory_free(matches[index++]);
    if (!match) {
        memory_free(matches);
        matches = NULL;
    }
    return match;
}

static char **find_matches(const char *word, int start, int end) {
    (void)start;
    (void)end;
    rl_attempted_completion_over = 1;
    char **matches = rl_completion_matches(word, next_match);
    size_t length = matches ? strlen(matches[0]) : 0;
    bool open = length > 0 && (matches[0][length - 1] == '=' || matches[0][length - 1] == '/');
    rl_completion_append_character = open ? '\0' : ' ';
    return matches;
}

static void list_matches(char **matches, int count, int longest) {
    (void)longest;
    text_clear(&state.choices);
    for (int i = 1; i <= count; i++)
        text_add(&state.choices, "%s%s", i > 1 ? "  " : "", matches[i]);
}

/* Readline looks for typed-ahead input on its stream by itself; what is there belongs to the screen's loop. */
static void open_streams(void) {
    state.sink = fopen("/dev/null", "w");
    if (pipe(state.silent_pipe) == 0)
        state.silence = fdopen(state.silent_pipe[0], "r");
}

static void close_streams(void) {
    if (state.sink)
        (void)fclose(state.sink);
    if (!state.silence)
        return;
    (void)fclose(state.silence);
    (void)close(state.silent_pipe[1]);
}

static void start(prompt_complete *complete, void *context, const char *history) {
    state.complete = complete;
    state.context = context;
    state.history = history;
    open_streams();
    rl_readline_name = "secateur";
    rl_outstream = state.sink;
    rl_instream = state.silence;
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
    rl_prep_term_function = NULL;
    rl_deprep_term_function = NULL;
    rl_getc_function = take_byte;
    rl_redisplay_function = draw_nothing;
    rl_attempted_completion_function = find_matches;
    rl_completion_display_matches_hook = list_matches;
    rl_completer_word_break_characters = " ";
    rl_completion_query_items = -1;
    rl_variable_bind("bell-style", "none");
    rl_variable_bind("enable-bracketed-paste", "off");
    rl_variable_bind("show-all-if-ambiguous", "on");
    rl_variable_bind("revert-all-at-newline", "on"); /* old lines stay as they were typed, whatever was made of them */
    rl_variable_bind("keyseq-timeout", "0");         /* bytes come one by one: never ask the terminal for more */
    /* Escape and Enter would silently turn vi's keys on; who wants these says so in inputrc. */
    (void)rl_bind_key_in_map('\r', rl_newline, emacs_meta_keymap);
    (void)rl_bind_key_in_map('\n', rl_newline, emacs_meta_keymap);
    using_history();
    stifle_history(HISTORY_LINES);
    if (history)
        (void)read_history(history);
}

static void stop(void) {
    if (state.history)
        (void)write_history(state.history);
    clear_history();
    free(state.line);
    state.line = NULL;
    text_free(&state.choices);
    close_streams();
}

static void open_line(const char *initial) {
    state.done = false;
    free(state.line);
    state.line = NULL;
    text_clear(&state.choices);
    rl_callback_handler_install("", line_finished);
    rl_insert_text(initial);
}

static void close_line(void) {
    if (state.done)
        return;
    rl_callback_sigcleanup();
    rl_free_line_state(); /* else the history entry at hand keeps a list of changes that is freed here */
    rl_replace_line("", 1);
    rl_callback_handler_remove();
}

static bool feed(int byte) {
    state.byte = byte;
    if (byte != '\t')
        text_clear(&state.choices);
    rl_callback_read_char();
    return state.done;
}

static const char *line(void) {
    if (state.done)
        return state.line ? state.line : "";
    return rl_line_buffer ? rl_line_buffer : "";
}

static size_t point(void) {
    return state.done ? 0 : (size_t)rl_point;
}

static void remember(const char *text) {
    HIST_ENTRY *last = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
    if (!last || strcmp(last->line, text) != 0)
        add_history(text);
}

static const char *choices(void) {
    return text_string(&state.choices);
}

const struct editor editor = {start, stop, open_line, close_line, feed, line, point, remember, choices};
#else
extern int editor_readline_is_not_built;
#endif

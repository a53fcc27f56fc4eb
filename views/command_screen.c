/* Commands that need the screen: moving, searching, views, options, leaving. */
#include "base/file.h"
#include "views/keymap.h"
#include "views/prompt.h"
#include "views/screen_state.h"
#include "workbench/session.h"
#include <stdio.h>
#include <string.h>

static struct screen *screen_of(struct workbench *workbench) {
    return workbench->screen;
}

#define HANDLER(name)                                                                                                  \
    static bool name(struct workbench *workbench, const struct value *values, struct text *output, struct error *error)
#define UNUSED (void)workbench, (void)values, (void)output, (void)error

/* ---- views ---- */

static const char *const *view_names(void) {
    static const char *names[SCREEN_VIEWS + 3];
    size_t count = 0;
    for (; view_table[count]; count++)
        names[count] = view_table[count]->name;
    names[count++] = "next";
    names[count] = "previous";
    return names;
}

/* The first views are those that Tab goes round; help and output are beside them. */
static const char *neighbour(struct screen *screen, bool next) {
    enum { ROUND = 9 };
    size_t at = screen->stack[screen->depth - 1];
    if (at >= ROUND)
        return view_table[0]->name;
    return view_table[(at + (next ? 1 : ROUND - 1)) % ROUND]->name;
}

HANDLER(run_show_view) {
    UNUSED;
    struct screen *screen = screen_of(workbench);
    const char *name = values[0].text;
    bool next = !strcmp(name, "next");
    return screen_show_view(screen, next || !strcmp(name, "previous") ? neighbour(screen, next) : name, error);
}

HANDLER(run_quit) {
    UNUSED;
    struct screen *screen = screen_of(workbench);
    if (screen && !values[0].integer && jobs_busy(workbench->jobs))
        screen_open_prompt(screen, PROMPT_QUIT, "");
    else
        workbench->quit = true;
    return true;
}

HANDLER(run_back) {
    struct screen *screen = screen_of(workbench);
    if (screen_back(screen))
        screen_refresh_views(screen, error);
    else if (values[0].integer)
        return run_quit(workbench, &(struct value){0}, output, error);
    return true;
}

/* What a view does itself, or a sentence that it does not. */
static bool forward(struct workbench *workbench, const char *verb, const char *argument, struct error *error) {
    struct view *view = screen_view(screen_of(workbench));
    enum view_answer answer = VIEW_UNKNOWN;
    if (view->ops->command)
        answer = view->ops->command(view, verb, argument ? argument : "", error);
    if (answer == VIEW_UNKNOWN)
        return error_set(error, ERROR_USAGE, "%s means nothing in the %s view", verb, view->ops->name);
    return answer == VIEW_DONE;
}

#define FORWARD(name, verb)                                                                                            \
    HANDLER(name) {                                                                                                    \
        (void)output;                                                                                                  \
        return forward(workbench, verb, values[0].text, error);                                                        \
    }
FORWARD(run_fold, "fold")
FORWARD(run_sort, "sort")
FORWARD(run_columns, "columns")
FORWARD(run_cut, "cut")
FORWARD(run_axis, "axis")
FORWARD(run_overlay, "overlay")
FORWARD(run_norms, "norms")
FORWARD(run_channels, "channels")
FORWARD(run_swap, "swap")
FORWARD(run_difference, "difference")
FORWARD(run_take, "take")
FORWARD(run_differences, "differences")
FORWARD(run_value, "value")
FORWARD(run_column, "column")
FORWARD(run_grid, "grid")
FORWARD(run_knee, "knee")
FORWARD(run_step, "step")

HANDLER(run_compare) {
    (void)output;
    return screen_show_view(screen_of(workbench), "compare", error) &&
           forward(workbench, "against", values[0].text, error);
}

/* ---- moving and finding ---- */

static const char *const moves[] = {"down",    "up",  "page-down", "page-up", "half-down",
                                    "half-up", "top", "bottom",    NULL};

HANDLER(run_move) {
    UNUSED;
    struct view *view = screen_view(screen_of(workbench));
    int64_t times = values[1].given ? values[1].integer : 1, page = view->list_height > 1 ? view->list_height : 1;
    int64_t last = (int64_t)view->rows - 1;
    int64_t steps[] = {1, -1, page, -page, (page + 1) / 2, -(page + 1) / 2, -last - 1, last + 1};
    int64_t to = (int64_t)view->cursor + steps[values[0].integer] * times;
    view->cursor = (size_t)(to > last ? (last > 0 ? last : 0) : to < 0 ? 0 : to);
    return true;
}

static bool search(struct screen *screen, int direction, bool from_next, struct error *error) {
    if (!*screen->search)
        return error_set(error, ERROR_USAGE, "nothing has been searched for yet; / does");
    if (screen_find(screen, direction, from_next))
        return true;
    return error_set(error, ERROR_USAGE, "no row here holds \"%s\"", screen->search);
}

HANDLER(run_search) {
    (void)output;
    struct screen *screen = screen_of(workbench);
    if (values[0].text && *values[0].text)
        snprintf(screen->search, sizeof screen->search, "%s", values[0].text);
    return search(screen, 1, false, error);
}

HANDLER(run_search_next) {
    UNUSED;
    return search(screen_of(workbench), 1, true, error);
}

HANDLER(run_search_previous) {
    UNUSED;
    return search(screen_of(workbench), -1, true, error);
}

HANDLER(run_filter) {
    UNUSED;
    struct screen *screen = screen_of(workbench);
    snprintf(screen->filter, sizeof screen->filter, "%s", values[0].text ? values[0].text : "");
    screen_refresh_views(screen, error);
    if (*screen->filter && screen_view(screen)->rows == 0)
        screen_message(screen, false, "no row holds \"%s\"; \\ and Return show all again", screen->filter);
    return true;
}

/* ---- the prompt ---- */

HANDLER(run_prompt) {
    (void)output;
    struct screen *screen = screen_of(workbench);
    struct text initial = {0};
    bool ok = screen_expand(screen, &initial, values[0].text ? values[0].text : "", error);
    if (ok)
        text_add(&initial, "%s", values[0].text ? " " : "");
    if (ok)
        screen_open_prompt(screen, PROMPT_COMMAND, text_string(&initial));
    text_free(&initial);
    return ok;
}

HANDLER(run_find) {
    UNUSED;
    screen_open_prompt(screen_of(workbench), PROMPT_SEARCH, "");
    return true;
}

HANDLER(run_hide) {
    UNUSED;
    screen_open_prompt(screen_of(workbench), PROMPT_FILTER, screen_of(workbench)->filter);
    return true;
}

HANDLER(run_interrupt) {
    UNUSED;
    if (jobs_busy(workbench->jobs))
        screen_open_prompt(screen_of(workbench), PROMPT_INTERRUPT, "");
    else
        screen_message(screen_of(workbench), false, "nothing is running; Q leaves the program");
    return true;
}

/* ---- the program ---- */

static const char *const *option_names(void) {
    static const char *names[16];
    size_t count = 0;
    for (; count < 15 && option_table[count].name; count++)
        names[count] = option_table[count].name;
    return names;
}

HANDLER(run_option) {
    (void)output;
    return option_set(screen_of(workbench), values[0].text, values[1].text ? values[1].text : "", error);
}

HANDLER(run_bind) {
    (void)output;
    (void)workbench;
    if (strcmp(values[0].text, "all") != 0 && !view_find(values[0].text))
        return error_set(error, ERROR_USAGE, "there is no view \"%s\"", values[0].text);
    return keymap_bind(values[0].text, values[1].text, values[2].text ? values[2].text : "", error);
}

HANDLER(run_pause) {
    (void)values;
    struct screen *screen = screen_of(workbench);
    if (!jobs_busy(workbench->jobs))
        return error_set(error, ERROR_USAGE, "nothing is running that could be paused");
    screen->paused = !screen->paused;
    jobs_pause(workbench->jobs, screen->paused);
    text_add(output, "%s", screen->paused ? "paused; p goes on" : "going on");
    return true;
}

HANDLER(run_cancel) {
    (void)values;
    if (!jobs_busy(workbench->jobs))
        return error_set(error, ERROR_USAGE, "nothing is running that could be cancelled");
    screen_of(workbench)->paused = false;
    jobs_pause(workbench->jobs, false);
    jobs_cancel(workbench->jobs);
    text_add(output, "stopping; what is finished is kept");
    return true;
}

static const char *const session_actions[] = {"restore", "discard", NULL};

HANDLER(run_session) {
    if (!session_found(workbench->session, NULL))
        return error_set(error, ERROR_USAGE, "there is no earlier work on this model to %s", values[0].text);
    bool restore = values[0].integer == 0;
    bool ok = restore ? session_restore(workbench->session, workbench->plan, error)
                      : session_discard(workbench->session, error);
    if (ok)
        text_add(output, "%s",
                 restore ? "the earlier work is back; u takes it away again"
                         : "started afresh; the earlier work is kept until the next time");
    return ok;
}

HANDLER(run_redraw) {
    UNUSED;
    terminal_redraw();
    return true;
}

HANDLER(run_suspend) {
    UNUSED;
    terminal_suspend();
    return true;
}

HANDLER(run_save_display) {
    struct screen *screen = screen_of(workbench);
    struct text text = {0};
    struct file_output file;
    screen->dirty = false;
    bool ok = screen_draw(screen, error) && file_output_open(&file, values[0].text, error);
    if (!ok)
        return false;
    grid_text(&text, &screen->grid);
    fwrite(text_string(&text), 1, text.length, file.stream);
    ok = file_output_commit(&file, error);
    if (ok)
        text_add(output, "the screen is saved in %s", values[0].text);
    text_free(&text);
    return ok;
}

static const struct argument view_arguments[] = {{.name = "name",
                                                  .kind = ARGUMENT_CHOICE,
                                                  .positional = true,
                                                  .required = true,
                                                  .list = view_names,
                                                  .help = "the view to show"}};
static const struct argument move_arguments[] = {
    {.name = "direction",
     .kind = ARGUMENT_CHOICE,
     .positional = true,
     .required = true,
     .choices = moves,
     .help = "where to"},
    {.name = "times", .kind = ARGUMENT_INTEGER, .positional = true, .low = 1, .high = 1000000, .help = "how often"}};
static const struct argument back_arguments[] = {{.name = "leave",
                                                  .kind = ARGUMENT_FLAG,
                                                  .positional = true,
                                                  .fallback = "yes",
                                                  .help = "whether to leave the program at the first view"}};
static const struct argument quit_arguments[] = {{.name = "now",
                                                  .kind = ARGUMENT_FLAG,
                                                  .positional = true,
                                                  .fallback = "no",
                                                  .help = "without asking, even while a job runs"}};
static const struct argument session_arguments[] = {{.name = "action",
                                                     .kind = ARGUMENT_CHOICE,
                                                     .positional = true,
                                                     .required = true,
                                                     .choices = session_actions,
                                                     .help = "what to do with it"}};
static const struct argument what_argument[] = {
    {.name = "what", .kind = ARGUMENT_REST, .positional = true, .help = "what to do"}};
static const struct argument text_argument[] = {
    {.name = "text", .kind = ARGUMENT_REST, .positional = true, .help = "part of a row's text, in any case"}};
static const struct argument line_argument[] = {
    {.name = "line", .kind = ARGUMENT_REST, .positional = true, .help = "what stands in the prompt already"}};
static const struct argument option_arguments[] = {
    {.name = "name",
     .kind = ARGUMENT_CHOICE,
     .positional = true,
     .required = true,
     .list = option_names,
     .help = "the option"},
    {.name = "value", .kind = ARGUMENT_TEXT, .positional = true, .help = "its value; without it the option is shown"}};
static const struct argument bind_arguments[] = {
    {.name = "view", .kind = ARGUMENT_TEXT, .positional = true, .required = true, .help = "a view, or all"},
    {.name = "key", .kind = ARGUMENT_TEXT, .positional = true, .required = true, .help = "j, ^D, f5, space, S-left"},
    {.name = "line", .kind = ARGUMENT_REST, .positional = true, .help = "the command line; none switches the key off"}};
static const struct argument file_argument[] = {
    {.name = "file", .kind = ARGUMENT_PATH, .positional = true, .required = true, .help = "the text file to write"}};

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define WITH(list) list, COUNT(list)

static const struct command commands[] = {
    {"view", NULL, "show a view", NULL, WITH(view_arguments), COMMAND_SCREEN, run_show_view},
    {"back", NULL, "back to the view before", NULL, WITH(back_arguments), COMMAND_SCREEN, run_back},
    {"quit", "q", "leave the program, or end the script", NULL, WITH(quit_arguments), 0, run_quit},
    {"move", NULL, "move the cursor", NULL, WITH(move_arguments), COMMAND_SCREEN, run_move},
    {"fold", NULL, "fold blocks: toggle, open, close or all", NULL, WITH(what_argument), COMMAND_SCREEN, run_fold},
    {"sort", NULL, "sort by a column: its name, next, previous, invert or none", NULL, WITH(what_argument),
     COMMAND_SCREEN, run_sort},
    {"columns", NULL, "show or hide columns by name; all shows all", NULL, WITH(what_argument), COMMAND_SCREEN,
     run_columns},
    {"cut", NULL, "move the threshold by cells: -1, +5", NULL, WITH(what_argument), COMMAND_SCREEN, run_cut},
    {"axis", NULL, "change an axis of the histogram: x or y", NULL, WITH(what_argument), COMMAND_SCREEN, run_axis},
    {"overlay", NULL, "lay a histogram over the one shown: a block or matrix, or none", NULL, WITH(what_argument),
     COMMAND_SCREEN, run_overlay},
    {"norms", NULL, "sorted norms of rows or columns, and back", NULL, WITH(what_argument), COMMAND_SCREEN, run_norms},
    {"channels", NULL, "the channels of an input by size, and back", NULL, WITH(what_argument), COMMAND_SCREEN,
     run_channels},
    {"grid", NULL, "the curves of all matrices, and back", NULL, WITH(what_argument), COMMAND_SCREEN, run_grid},
    {"knee", NULL, "set the row's sparsity to where its curve bends most", NULL, WITH(what_argument), COMMAND_SCREEN,
     run_knee},
    {"step", NULL, "go on to the same matrix of another block: next or previous", NULL, WITH(what_argument),
     COMMAND_SCREEN, run_step},
    {"value", NULL, "what the heat map shows: error, marginal, activation, trace, outliers, sparsity or next", NULL,
     WITH(what_argument), COMMAND_SCREEN, run_value},
    {"column", NULL, "go to a column of the heat map: left, right or its name", NULL, WITH(what_argument),
     COMMAND_SCREEN, run_column},
    {"compare", NULL, "compare the plan with a snapshot, a plan file, model (its zeros) or dense", NULL,
     WITH(what_argument), COMMAND_SCREEN, run_compare},
    {"swap", NULL, "change the sides of the comparison", NULL, WITH(what_argument), COMMAND_SCREEN, run_swap},
    {"difference", NULL, "go to the next or previous row that differs", NULL, WITH(what_argument), COMMAND_SCREEN,
     run_difference},
    {"take", NULL, "take the other plan's targets for the row", NULL, WITH(what_argument), COMMAND_SCREEN, run_take},
    {"differences", NULL, "write the comparison as CSV", NULL, WITH(what_argument), COMMAND_SCREEN, run_differences},
    {"search", NULL, "go to the next row that holds a text", NULL, WITH(text_argument), COMMAND_SCREEN, run_search},
    {"search-next", NULL, "the next match", NULL, NULL, 0, COMMAND_SCREEN, run_search_next},
    {"search-previous", NULL, "the match before", NULL, NULL, 0, COMMAND_SCREEN, run_search_previous},
    {"filter", NULL, "show only rows that hold a text; without one, all", NULL, WITH(text_argument), COMMAND_SCREEN,
     run_filter},
    {"prompt", NULL, "open the prompt for a command", NULL, WITH(line_argument), COMMAND_SCREEN, run_prompt},
    {"find", NULL, "open the prompt for a search", NULL, NULL, 0, COMMAND_SCREEN, run_find},
    {"hide", NULL, "open the prompt for a filter", NULL, NULL, 0, COMMAND_SCREEN, run_hide},
    {"interrupt", NULL, "ask what to do with the running job", NULL, NULL, 0, COMMAND_SCREEN, run_interrupt},
    {"option", NULL, "show or change an option of the screen; `set NAME VALUE` does the same", NULL,
     WITH(option_arguments), COMMAND_SCREEN, run_option},
    {"bind", NULL, "bind a key to a command line", NULL, WITH(bind_arguments), COMMAND_SCREEN, run_bind},
    {"pause", NULL, "pause the running job, or let it go on", NULL, NULL, 0, COMMAND_SCREEN, run_pause},
    {"cancel", NULL, "stop the running job; what is finished is kept", NULL, NULL, 0, COMMAND_SCREEN, run_cancel},
    {"session", NULL, "bring back or set aside the earlier work on this model", NULL, WITH(session_arguments),
     COMMAND_SCREEN, run_session},
    {"redraw", NULL, "draw the screen again", NULL, NULL, 0, COMMAND_SCREEN, run_redraw},
    {"suspend", NULL, "stop the program; the shell's fg goes on", NULL, NULL, 0, COMMAND_SCREEN, run_suspend},
    {"save-display", NULL, "write the screen to a text file", NULL, WITH(file_argument), COMMAND_SCREEN,
     run_save_display},
};

void screen_register_commands(void) {
    command_register(commands, COUNT(commands));
}

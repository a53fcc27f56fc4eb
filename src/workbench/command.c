#include "workbench/command.h"

#include "base/memory.h"
#include "workbench/command_parse.h"
#include "workbench/session.h"
#include "workbench/workbench.h"
#include <string.h>

#define TABLES_MAXIMUM 32

static struct {
    const struct command *rows;
    size_t count;
} tables[TABLES_MAXIMUM];
static size_t table_count;

void command_register(const struct command *table, size_t count) {
    if (table_count < TABLES_MAXIMUM) {
        tables[table_count].rows = table;
        tables[table_count].count = count;
        table_count++;
    }
}

static bool answers_to(const struct command *command, const char *name) {
    return strcmp(command->name, name) == 0 || (command->shortcut != NULL && strcmp(command->shortcut, name) == 0);
}

const struct command *command_find(const char *name) {
    for (size_t t = table_count; t-- > 0;)
        for (size_t i = 0; i < tables[t].count; i++)
            if (answers_to(&tables[t].rows[i], name))
                return &tables[t].rows[i];
    return NULL;
}

const struct command *command_at(size_t index) {
    for (size_t t = 0; t < table_count; t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            const struct command *command = &tables[t].rows[i];
            if (command_find(command->name) == command && index-- == 0)
                return command;
        }
    }
    return NULL;
}

const char *command_nearest(const char *typed, const char *const *names) {
    const char *nearest = NULL;
    size_t best = strlen(typed) < 4 ? 2 : 3; /* one slip in a short word, two in a longer one */
    for (; *names != NULL; names++) {
        size_t distance = text_distance(typed, *names);
        if (distance < best && distance < strlen(*names)) {
            best = distance;
            nearest = *names;
        }
    }
    return nearest;
}

/* What people who come from other programs type, and what does that here. */
static const struct {
    const char *typed, *meant;
} elsewhere[] = {
    {"save", "\"write FILE\" keeps the plan as CSV"},
    {"export", "\"prune OUT\" writes the pruned model, \"report DIR\" the tables"},
    {"wq", "the work is saved as it changes; \"quit\" leaves"},
    {"wq!", "the work is saved as it changes; \"quit\" leaves"},
    {"exit", "\"quit\" leaves"},
    {"q!", "\"quit\" leaves"},
    {"e", "\"load FILE\" takes a plan; a model is opened by \"secateur MODEL\""},
    {"open", "\"load FILE\" takes a plan; a model is opened by \"secateur MODEL\""},
    {"sparsity", "\"set all 50\" sets it"},
    {"ls", "\"overview\" lists blocks and matrices"},
    {"run", "\"prune OUT\" prunes into a new folder"},
    {"ppl", "\"eval TEXT\" measures perplexity"},
    {"perplexity", "\"eval TEXT\" measures it"},
};

bool command_unknown(const char *typed, struct error *error) {
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        if (!strcmp(typed, elsewhere[i].typed))
            return error_set(error, ERROR_USAGE, "there is no command \"%s\"; %s", typed, elsewhere[i].meant);
    const char *names[256] = {NULL};
    for (size_t i = 0; i < 255 && command_at(i) != NULL; i++)
        names[i] = command_at(i)->name;
    const char *nearest = command_nearest(typed, names);
    if (nearest != NULL)
        return error_set(error, ERROR_USAGE, "there is no command \"%s\"; did you mean \"%s\"?", typed, nearest);
    return error_set(error, ERROR_USAGE, "there is no command \"%s\"; \"help\" lists them", typed);
}

/* Waits where nobody watches, and hands over what the jobs had to say. */
static bool finish_jobs(struct workbench *workbench, struct text *output, struct error *error) {
    bool ok = jobs_wait(workbench->jobs, error);
    workbench_take_results(workbench, output);
    return ok;
}

static bool run_parsed(struct workbench *workbench, const struct command *command, const struct value *values,
                       const char *line, struct text *output, struct error *error) {
    if ((command->flags & COMMAND_SCREEN) != 0 && (workbench == NULL || workbench->screen == NULL))
        return error_set(error, ERROR_USAGE,
                         "%s needs the terminal; it means nothing in a script or on the command line", command->name);
    bool edit = (command->flags & COMMAND_EDIT) != 0 && workbench != NULL;
    if (edit && !plan_begin(workbench->plan, line, error))
        return false;
    bool ok = command->run(workbench, values, output, error);
    if (edit && ok)
        plan_end(workbench->plan);
    else if (edit)
        plan_rollback(workbench->plan);
    if (ok && workbench != NULL && (command->flags & (COMMAND_EDIT | COMMAND_RECORD)) != 0)
        session_record(workbench->session, line);
    if (ok && workbench != NULL && (command->flags & COMMAND_JOB) != 0 && !workbench->settings.interactive)
        ok = finish_jobs(workbench, output, error);
    return ok;
}

static bool parse_and_run(struct workbench *workbench, const char *line, const struct words *words, struct text *output,
                          struct error *error) {
    const struct command *command = command_find(words->list[0].text);
    if (command == NULL)
        return command_unknown(words->list[0].text, error);
    struct parsed parsed;
    bool ok = parsed_fill(&parsed, command, line, words, 1, error) &&
              run_parsed(workbench, command, parsed.values, line, output, error);
    parsed_free(&parsed);
    return ok;
}

bool command_run(struct workbench *workbench, const char *line, struct text *output, struct error *error) {
    struct words words;
    char *trimmed = NULL; /* without the comment: it names the undo group and stands in the log */
    bool ok = words_split(&words, line, error);
    if (ok && words.open)
        ok = error_set(error, ERROR_USAGE, "a quotation mark is not closed: %s", line);
    else if (ok && words.count > 0) {
        trimmed = memory_copy_bytes(line, words.list[words.count - 1].end, error);
        ok = trimmed != NULL && parse_and_run(workbench, trimmed, &words, output, error);
    }
    memory_free(trimmed);
    words_free(&words);
    return ok;
}

bool command_run_words(struct workbench *workbench, const struct command *command, char **list, size_t count,
                       struct text *output, struct error *error) {
    struct words words = {0};
    struct parsed parsed = {0};
    words.list = memory_alloc(count, sizeof *words.list, error);
    if (words.list == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        words.list[words.count++].text = list[i];
    bool ok = parsed_fill(&parsed, command, NULL, &words, 0, error) &&
              run_parsed(workbench, command, parsed.values, command->name, output, error);
    parsed_free(&parsed);
    memory_free(words.list);
    return ok;
}

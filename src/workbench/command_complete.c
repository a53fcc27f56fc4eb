#include "base/file.h"
#include "base/memory.h"
#include "workbench/command_parse.h"
#include "workbench/workbench.h"
#include <stdio.h>
#include <string.h>

/* Candidates for the word that is being typed. */
struct candidates {
    struct workbench *workbench;
    const char *prefix; /* "method=" in front of each candidate */
    const char *typed;  /* what they must begin with, behind the prefix */
    char **list;
    size_t count, capacity;
    bool failed;
};

static bool known(const struct candidates *candidates, const char *whole) {
    for (size_t i = 0; i < candidates->count; i++)
        if (strcmp(candidates->list[i], whole) == 0)
            return true;
    return false;
}

static void offer(struct candidates *candidates, const char *name) {
    if (candidates->failed || !text_starts(name, candidates->typed))
        return;
    struct text whole = {0};
    text_add(&whole, "%s%s", candidates->prefix, name);
    bool room = memory_grow(&candidates->list, &candidates->capacity, candidates->count + 1, sizeof(char *), NULL);
    candidates->failed = whole.failed || !room;
    if (candidates->failed || known(candidates, text_string(&whole)))
        text_free(&whole);
    else
        candidates->list[candidates->count++] = whole.data;
}

static void offer_names(struct candidates *candidates, const struct argument *argument) {
    if (argument->choices == NULL && argument->list == NULL)
        return;
    const char *const *names = argument_choices(argument);
    for (size_t i = 0; names[i] != NULL; i++)
        offer(candidates, names[i]);
}

static void offer_flag(struct candidates *candidates, const struct argument *argument) {
    (void)argument;
    offer(candidates, "yes");
    offer(candidates, "no");
}

static void offer_patterns(struct candidates *candidates, const struct argument *argument) {
    for (size_t i = 0; pattern_examples[i] != NULL; i++)
        offer(candidates, pattern_examples[i]);
    for (size_t i = 0; argument->choices != NULL && argument->choices[i] != NULL; i++)
        offer(candidates, argument->choices[i]);
}

static void offer_selectors(struct candidates *candidates, const struct argument *argument) {
    static const char *const groups[] = {"all", "tagged", "locked", "unlocked", "attn.*", "mlp.*"};
    (void)argument;
    if (candidates->workbench == NULL)
        return;
    const struct model *model = candidates->workbench->model;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        offer(candidates, groups[i]);
    for (size_t i = 0; i < model->matrix_count; i++) {
        const struct matrix *matrix = &model->matrices[i];
        char text[160];
        if (matrix->block < 0)
            (void)snprintf(text, sizeof text, "%s", matrix->name);
        else {
            (void)snprintf(text, sizeof text, "*.%s", matrix->label);
            offer(candidates, text);
            (void)snprintf(text, sizeof text, "%lld.%s", (long long)matrix->block, matrix->label);
        }
        offer(candidates, text);
    }
}

/* A path as it must be typed: blanks, quotes and backslashes escaped. */
static void add_escaped(struct text *text, const char *path) {
    for (; *path != '\0'; path++) {
        if (strchr(" \t'\"\\#", *path) != NULL)
            text_add(text, "\\");
        text_add_bytes(text, path, 1);
    }
}

static void offer_entry(struct candidates *candidates, const char *folder, const char *shown, const char *name,
                        bool folders_only) {
    struct text path = {0};
    struct text whole = {0};
    text_add(&path, "%s/%s", folder, name);
    bool is_folder = !path.failed && file_is_folder(text_string(&path));
    add_escaped(&whole, shown);
    add_escaped(&whole, name);
    text_add(&whole, "%s", is_folder ? "/" : "");
    if (!whole.failed && (is_folder || !folders_only))
        offer(candidates, text_string(&whole));
    text_free(&path);
    text_free(&whole);
}

/* The entries of the folder that the typed path is in; hidden ones only when asked for. */
static void offer_paths(struct candidates *candidates, const struct argument *argument) {
    const char *typed = candidates->typed;
    const char *slash = strrchr(typed, '/');
    struct text shown = {0};
    text_add_bytes(&shown, typed, slash != NULL ? (size_t)(slash - typed) + 1 : 0);
    const char *start = slash != NULL ? slash + 1 : typed;
    char **names;
    size_t count;
    struct text escaped = {0};
    add_escaped(&escaped, typed);
    candidates->typed = text_string(&escaped);
    if (!shown.failed && file_list(&names, &count, shown.length > 0 ? text_string(&shown) : ".", NULL)) {
        for (size_t i = 0; i < count; i++)
            if (text_starts(names[i], start) && (names[i][0] != '.' || start[0] == '.'))
                offer_entry(candidates, shown.length > 0 ? text_string(&shown) : ".", text_string(&shown), names[i],
                            argument->kind == ARGUMENT_FOLDER);
        file_list_free(names, count);
    }
    candidates->typed = typed;
    text_free(&escaped);
    text_free(&shown);
}

/* By argument_kind; NULL: nothing can be offered. */
static void (*const offers[])(struct candidates *candidates, const struct argument *argument) = {
    [ARGUMENT_TEXT] = offer_names,   [ARGUMENT_FLAG] = offer_flag,          [ARGUMENT_PATH] = offer_paths,
    [ARGUMENT_FOLDER] = offer_paths, [ARGUMENT_SELECTOR] = offer_selectors, [ARGUMENT_PATTERN] = offer_patterns,
    [ARGUMENT_CHOICE] = offer_names,
};

static void offer_values(struct candidates *candidates, const struct argument *argument) {
    if (offers[argument->kind] != NULL)
        offers[argument->kind](candidates, argument);
}

static void offer_commands(struct candidates *candidates) {
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)) != NULL; i++)
        offer(candidates, command->name);
}

static void offer_options(struct candidates *candidates, const struct command *command) {
    for (size_t i = 0; i < command->argument_count; i++) {
        const struct argument *argument = &command->arguments[i];
        char text[80];
        (void)snprintf(text, sizeof text, "%s%s", argument->name, argument->kind == ARGUMENT_FLAG ? "" : "=");
        if (!argument->positional)
            offer(candidates, text);
    }
}

/* The positional argument that the word behind `count` complete ones would be. */
static const struct argument *positional_at(const struct command *command, const struct words *words, size_t count) {
    size_t place = 0;
    for (size_t i = 1; i < count; i++)
        place += strchr(words->list[i].text, '=') == NULL;
    for (size_t i = 0; i < command->argument_count; i++)
        if (command->arguments[i].positional && place-- == 0)
            return &command->arguments[i];
    return NULL;
}

static void offer_arguments(struct candidates *candidates, const struct words *words, size_t count) {
    const struct command *command = command_find(words->list[0].text);
    if (command == NULL)
        return;
    const char *equals = strchr(candidates->typed, '=');
    const struct argument *named =
        equals != NULL ? argument_find(command, candidates->typed, (size_t)(equals - candidates->typed)) : NULL;
    if (named != NULL) {
        char prefix[80];
        (void)snprintf(prefix, sizeof prefix, "%s=", named->name);
        candidates->prefix = prefix;
        candidates->typed = equals + 1;
        offer_values(candidates, named);
        candidates->prefix = "";
        return;
    }
    const struct argument *positional = positional_at(command, words, count);
    if (positional != NULL)
        offer_values(candidates, positional);
    offer_options(candidates, command);
}

char **command_complete(struct workbench *workbench, const char *line) {
    struct words words;
    struct candidates candidates = {.workbench = workbench, .prefix = "", .typed = ""};
    if (words_split(&words, line, NULL)) {
        bool typing = words.count > 0 && words.list[words.count - 1].end == strlen(line);
        size_t complete = words.count - (typing ? 1 : 0);
        if (typing)
            candidates.typed = words.list[complete].text;
        if (complete == 0)
            offer_commands(&candidates);
        else
            offer_arguments(&candidates, &words, complete);
    }
    words_free(&words);
    if (candidates.count == 0) {
        memory_free(candidates.list);
        return NULL;
    }
    candidates.list[candidates.count] = NULL;
    return candidates.list;
}

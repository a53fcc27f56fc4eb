/* Everything that tells people about commands is made here from the table: usage lines, help, the manual page, shell
 * completion. */
#include "workbench/command_help.h"

#include "workbench/command_parse.h"
#include <ctype.h>
#include <string.h>

static void add_upper(struct text *output, const char *name) {
    for (; *name != '\0'; name++) {
        char byte = (char)toupper((unsigned char)*name);
        text_add_bytes(output, &byte, 1);
    }
}

static void add_placeholder(struct text *output, const struct argument *argument) {
    if (argument->kind != ARGUMENT_CHOICE || argument->choices == NULL) {
        text_add(output, "%s", argument_placeholder(argument));
        return;
    }
    for (size_t i = 0; argument->choices[i] != NULL; i++)
        text_add(output, "%s%s", i > 0 ? "|" : "", argument->choices[i]);
}

static void add_option(struct text *output, const struct argument *argument, bool subcommand) {
    bool flag = argument->kind == ARGUMENT_FLAG;
    if (subcommand && argument->letter != 0)
        text_add(output, "-%c", argument->letter);
    else
        text_add(output, "%s%s", subcommand ? "--" : "", argument->name);
    if (flag)
        return;
    text_add(output, "%s", subcommand ? " " : "=");
    add_placeholder(output, argument);
}

static void add_argument(struct text *output, const struct argument *argument, bool subcommand) {
    text_add(output, argument->required ? " " : " [");
    if (!argument->positional)
        add_option(output, argument, subcommand);
    else {
        add_upper(output, argument->name);
        if (argument->kind == ARGUMENT_REST)
            text_add(output, "...");
    }
    if (!argument->required)
        text_add(output, "]");
}

void command_usage(struct text *output, const struct command *command, bool subcommand) {
    text_add(output, "%s", command->name);
    if (subcommand && (command->flags & COMMAND_NO_MODEL) == 0)
        text_add(output, " MODEL");
    for (int positional = 1; positional >= 0; positional--)
        for (size_t i = 0; i < command->argument_count; i++)
            if (command->arguments[i].positional == (positional == 1))
                add_argument(output, &command->arguments[i], subcommand);
}

static void describe_argument(struct text *output, const struct argument *argument, bool subcommand) {
    struct text left = {0};
    if (argument->positional)
        add_upper(&left, argument->name);
    else
        add_option(&left, argument, subcommand);
    text_add(output, "  %-28s %s", text_string(&left), argument->help);
    if (argument->list != NULL) {
        const char *const *names = argument->list();
        for (size_t i = 0; names[i] != NULL; i++)
            text_add(output, "%s%s", i == 0 ? ": " : ", ", names[i]);
    }
    if (argument->fallback != NULL && argument->fallback[0] != '\0')
        text_add(output, " (%s unless given)", argument->fallback);
    text_add(output, "\n");
    text_free(&left);
}

void command_describe(struct text *output, const struct command *command, bool subcommand) {
    text_add(output, "Usage: %s", subcommand ? "secateur " : "");
    command_usage(output, command, subcommand);
    text_add(output, "\n\n%s\n", command->help);
    if (command->shortcut != NULL && !subcommand)
        text_add(output, "Short: %s\n", command->shortcut);
    if (command->argument_count > 0)
        text_add(output, "\n");
    for (size_t i = 0; i < command->argument_count; i++)
        describe_argument(output, &command->arguments[i], subcommand);
    if (command->details != NULL)
        text_add(output, "\n%s\n", command->details);
}

void command_list(struct text *output, unsigned flags) {
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)) != NULL; i++)
        if ((command->flags & flags) == flags)
            text_add(output, "  %-14s %s\n", command->name, command->help);
}

void command_list_subcommands(struct text *output) {
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        if ((command->flags & COMMAND_SUBCOMMAND) == 0)
            continue;
        text_add(output, "  secateur ");
        command_usage(output, command, true);
        text_add(output, "\n      %s\n", command->help);
    }
}

/* ---- troff ---- */

/* Text as troff wants it: no line begins with a control character, backslashes and hyphens are literal. */
static void add_troff(struct text *output, const char *string) {
    for (const char *at = string; *at != '\0'; at++) {
        bool start = at == string || at[-1] == '\n';
        if (start && (*at == '.' || *at == '\''))
            text_add(output, "\\&");
        if (*at == '\\')
            text_add(output, "\\e");
        else if (*at == '-')
            text_add(output, "\\-");
        else
            text_add_bytes(output, at, 1);
    }
}

static void manual_argument(struct text *output, const struct argument *argument, bool subcommand) {
    struct text line = {0};
    text_add(output, ".TP\n.B ");
    if (argument->positional)
        add_upper(&line, argument->name);
    else
        add_option(&line, argument, subcommand);
    add_troff(output, text_string(&line));
    text_clear(&line);
    text_add(&line, "%s", argument->help);
    if (argument->fallback != NULL && argument->fallback[0] != '\0')
        text_add(&line, " (%s unless given)", argument->fallback);
    text_add(output, "\n");
    add_troff(output, text_string(&line));
    text_add(output, "\n");
    text_free(&line);
}

void command_manual(struct text *output, const struct command *command, bool subcommand) {
    struct text usage = {0};
    command_usage(&usage, command, subcommand);
    text_add(output, ".SS ");
    add_troff(output, text_string(&usage));
    text_add(output, "\n");
    add_troff(output, command->help);
    text_add(output, ".\n");
    if (command->details != NULL) {
        text_add(output, ".PP\n");
        add_troff(output, command->details);
        text_add(output, "\n");
    }
    for (size_t i = 0; i < command->argument_count; i++)
        manual_argument(output, &command->arguments[i], subcommand);
    text_free(&usage);
}

/* ---- bash ---- */

/* What is positional can be named as well; that is worth offering where the value is one of a few or a sparsity. */
static bool named_in_bash(const struct argument *argument) {
    return !argument->positional || argument->kind == ARGUMENT_CHOICE || argument->kind == ARGUMENT_FRACTION;
}

void command_bash_words(struct text *output, const struct command *command) {
    for (size_t i = 0; i < command->argument_count; i++)
        if (named_in_bash(&command->arguments[i]))
            text_add(output, " --%s", command->arguments[i].name);
}

static void bash_names(struct text *output, const char *const *names) {
    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        text_add(output, " %s", names[i]);
}

static void bash_choices(struct text *output, const struct command *command, const struct argument *argument) {
    bool pattern = argument->kind == ARGUMENT_PATTERN;
    bool names = argument->choices != NULL || argument->list != NULL;
    if (!named_in_bash(argument) || (!pattern && !names))
        return;
    text_add(output, "    %s:--%s) words=\"", command->name, argument->name);
    if (pattern)
        bash_names(output, pattern_examples);
    if (names)
        bash_names(output, argument_choices(argument));
    text_add(output, "\" ;;\n");
}

void command_bash_choices(struct text *output, const struct command *command) {
    for (size_t i = 0; i < command->argument_count; i++)
        bash_choices(output, command, &command->arguments[i]);
}

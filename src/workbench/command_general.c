/* Commands about the program itself. */
#include "workbench/command_help.h"
#include "workbench/commands.h"
#include "workbench/workbench.h"

static bool run_help(struct workbench *workbench, const struct value *values, struct text *output,
                     struct error *error) {
    const char *name = values[0].text;
    if (name == NULL) {
        command_list(output, 0);
        return true;
    }
    const struct command *command = command_find(name);
    if (command == NULL)
        return command_unknown(name, error);
    command_describe(output, command, workbench == NULL && (command->flags & COMMAND_SUBCOMMAND) != 0);
    return true;
}

static bool run_quit(struct workbench *workbench, const struct value *values, struct text *output,
                     struct error *error) {
    (void)values;
    (void)output;
    (void)error;
    workbench->quit = true;
    return true;
}

static bool run_overview(struct workbench *workbench, const struct value *values, struct text *output,
                         struct error *error) {
    (void)values;
    (void)error;
    workbench_overview(workbench, output);
    return true;
}

static const struct argument help_arguments[] = {
    {.name = "command",
     .kind = ARGUMENT_TEXT,
     .positional = true,
     .help = "the command to explain; all are listed without it"},
};

const struct command general_commands[] = {
    {"help", NULL, "explain a command, or list them all", NULL, help_arguments, 1,
     COMMAND_SUBCOMMAND | COMMAND_NO_MODEL, run_help},
    {"quit", "q", "end the script or leave the program", NULL, NULL, 0, 0, run_quit},
    {"overview", NULL, "print every block and matrix with its shape, type and target", NULL, NULL, 0,
     COMMAND_SUBCOMMAND, run_overview},
};
const size_t general_command_count = sizeof general_commands / sizeof *general_commands;

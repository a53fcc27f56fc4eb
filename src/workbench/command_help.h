/* Help, manual page and shell completion, made from the command table. */
#ifndef SECATEUR_COMMAND_HELP_H
#define SECATEUR_COMMAND_HELP_H

#include "workbench/command.h"

/* Usage, help line, every argument with its default, and the details. */
void command_describe(struct text *output, const struct command *command, bool subcommand);

/* One line for each command that has all of these flags. */
void command_list(struct text *output, unsigned flags);

/* Usage and help line of each subcommand. */
void command_list_subcommands(struct text *output);

/* A section of the manual page. */
void command_manual(struct text *output, const struct command *command, bool subcommand);

/* For bash completion: " --name" of each option; and one case branch for each option that takes one of a few names. */
void command_bash_words(struct text *output, const struct command *command);
void command_bash_choices(struct text *output, const struct command *command);

#endif

/* All tables of commands below the screen. */
#ifndef SECATEUR_COMMANDS_H
#define SECATEUR_COMMANDS_H

#include "workbench/command.h"

/* Registers them; once, at start. */
void commands_register(void);

extern const struct command general_commands[]; /* command_general.c: help, quit, overview */
extern const size_t general_command_count;
extern const struct command model_commands[]; /* command_model.c: stat, report */
extern const size_t model_command_count;
extern const struct command calibrate_commands[]; /* command_calibrate.c: calibrate */
extern const size_t calibrate_command_count;
extern const struct command measure_commands[]; /* command_measure.c: measure, forecast */
extern const size_t measure_command_count;
extern const struct command spectrum_commands[]; /* command_spectrum.c: spectrum */
extern const size_t spectrum_command_count;
extern const struct command prune_commands[]; /* command_prune.c: prune */
extern const size_t prune_command_count;
extern const struct command command_plan_table[]; /* command_plan.c: set, budget, undo, load, ... */
extern const size_t command_plan_count;
extern const struct command command_tags_table[]; /* command_tags.c: tag, untag, apply, lock, unlock */
extern const size_t command_tags_count;
extern const struct command allocate_commands[]; /* command_allocate.c: allocate, suggest */
extern const size_t allocate_command_count;
extern const struct command improve_commands[]; /* command_improve.c: improve */
extern const size_t improve_command_count;
extern const struct command interchange_commands[]; /* command_interchange.c: import, export-plan */
extern const size_t interchange_command_count;
extern const struct command eval_commands[]; /* command_eval.c: eval */
extern const size_t eval_command_count;
extern const struct command generate_commands[]; /* command_generate.c: generate */
extern const size_t generate_command_count;
extern const struct command tokenize_commands[]; /* command_tokenize.c */
extern const size_t tokenize_command_count;

#endif

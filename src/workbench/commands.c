#include "workbench/commands.h"

void commands_register(void) {
    command_register(general_commands, general_command_count);
    command_register(model_commands, model_command_count);
    command_register(calibrate_commands, calibrate_command_count);
    command_register(measure_commands, measure_command_count);
    command_register(spectrum_commands, spectrum_command_count);
    command_register(prune_commands, prune_command_count);
    command_register(command_plan_table, command_plan_count);
    command_register(command_tags_table, command_tags_count);
    command_register(allocate_commands, allocate_command_count);
    command_register(improve_commands, improve_command_count);
    command_register(interchange_commands, interchange_command_count);
    command_register(eval_commands, eval_command_count);
    command_register(generate_commands, generate_command_count);
    command_register(tokenize_commands, tokenize_command_count);
}

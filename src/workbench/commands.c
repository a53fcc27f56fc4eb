#include "workbench/commands.h"

void commands_register(void) {
    command_register(general_commands, general_command_count);
}

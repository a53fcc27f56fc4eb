libsecateur_a_SOURCES += \
  src/workbench/command.c src/workbench/command.h \
  src/workbench/command_complete.c \
  src/workbench/command_general.c \
  src/workbench/command_help.c src/workbench/command_help.h \
  src/workbench/command_parse.c src/workbench/command_parse.h \
  src/workbench/commands.c src/workbench/commands.h \
  src/workbench/csv.c src/workbench/csv.h \
  src/workbench/invocation.c src/workbench/invocation.h \
  src/workbench/job.c src/workbench/job.h \
  src/workbench/overview.c \
  src/workbench/scan.h \
  src/workbench/workbench.c src/workbench/workbench.h

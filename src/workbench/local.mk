libsecateur_a_SOURCES += \
  src/workbench/command.c src/workbench/command.h \
  src/workbench/command_complete.c \
  src/workbench/command_help.c src/workbench/command_help.h \
  src/workbench/command_parse.c src/workbench/command_parse.h \
  src/workbench/job.c src/workbench/job.h \
  src/workbench/workbench.h

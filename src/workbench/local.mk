libsecateur_a_SOURCES += \
  src/workbench/command.h \
  src/workbench/job.h \
  src/workbench/workbench.h

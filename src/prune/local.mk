libsecateur_a_SOURCES += \
  src/prune/pattern.h

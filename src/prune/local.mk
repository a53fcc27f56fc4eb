libsecateur_a_SOURCES += \
  src/prune/layer.h \
  src/prune/method.h \
  src/prune/pattern.h

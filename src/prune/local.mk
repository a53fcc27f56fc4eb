libsecateur_a_SOURCES += \
  src/prune/factor.c src/prune/factor.h \
  src/prune/layer.h \
  src/prune/method.h \
  src/prune/pattern.h \
  src/prune/sparsegpt.c src/prune/sparsegpt.h \
  src/prune/sparsegpt_panel.c src/prune/sparsegpt_panel.h

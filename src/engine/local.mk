libsecateur_a_SOURCES += \
  src/engine/engine.h \
  src/engine/evaluate.h \
  src/engine/gemm.h \
  src/engine/generate.h \
  src/engine/loss.h \
  src/engine/position.h \
  src/engine/stream.h

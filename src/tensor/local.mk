libsecateur_a_SOURCES += \
  src/tensor/dtype.c src/tensor/dtype.h \
  src/tensor/summary.h \
  src/tensor/tensor.h

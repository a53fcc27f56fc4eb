libsecateur_a_SOURCES += \
  src/tensor/dtype.c src/tensor/dtype.h \
  src/tensor/magnitudes.c src/tensor/magnitudes.h \
  src/tensor/summary.c src/tensor/summary.h \
  src/tensor/tensor.h

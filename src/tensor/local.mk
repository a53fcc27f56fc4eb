libsecateur_a_SOURCES += \
  src/tensor/basics.c src/tensor/basics.h \
  src/tensor/dtype.c src/tensor/dtype.h \
  src/tensor/half_scan.c src/tensor/half_scan.h \
  src/tensor/magnitudes.c src/tensor/magnitudes.h \
  src/tensor/pass.c src/tensor/pass.h \
  src/tensor/summary.c src/tensor/summary.h \
  src/tensor/tensor.h

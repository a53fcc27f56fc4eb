libsecateur_a_SOURCES += \
  src/tensor/dtype.h \
  src/tensor/tensor.h

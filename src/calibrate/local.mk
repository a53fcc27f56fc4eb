libsecateur_a_SOURCES += \
  src/calibrate/hessian.h \
  src/calibrate/input.h

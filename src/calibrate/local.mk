libsecateur_a_SOURCES += \
  src/calibrate/activity.c src/calibrate/activity.h \
  src/calibrate/calibrate.c src/calibrate/calibrate.h \
  src/calibrate/eigen.c src/calibrate/eigen.h \
  src/calibrate/hessian.c src/calibrate/hessian.h \
  src/calibrate/input.c src/calibrate/input.h

libsecateur_a_SOURCES += \
  src/base/error.c src/base/error.h \
  src/base/file.c src/base/file.h \
  src/base/memory.c src/base/memory.h \
  src/base/npy.c src/base/npy.h \
  src/base/parallel.c src/base/parallel.h \
  src/base/progress.c src/base/progress.h \
  src/base/text.c src/base/text.h

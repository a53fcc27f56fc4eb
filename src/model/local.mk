libsecateur_a_SOURCES += \
  src/model/architecture.h \
  src/model/model.h

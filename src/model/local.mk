libsecateur_a_SOURCES += \
  src/model/architecture.h \
  src/model/corpus.h \
  src/model/model.h \
  src/model/tokenizer.h

libsecateur_a_SOURCES += \
  src/model/architecture.h \
  src/model/arrange.c \
  src/model/arrange.h \
  src/model/buffer.c \
  src/model/buffer.h \
  src/model/config.c \
  src/model/config.h \
  src/model/config_families.c \
  src/model/config_keys.c \
  src/model/config_position.c \
  src/model/corpus.h \
  src/model/families.c \
  src/model/family.c \
  src/model/family.h \
  src/model/family_tensors.c \
  src/model/family_tensors.h \
  src/model/guess.c \
  src/model/model.c \
  src/model/model.h \
  src/model/place.c \
  src/model/place.h \
  src/model/role.c \
  src/model/role.h \
  src/model/shape_check.c \
  src/model/shape_check.h \
  src/model/tokenizer.h

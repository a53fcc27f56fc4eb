libsecateur_a_SOURCES += \
  src/checkpoint/checkpoint.c src/checkpoint/checkpoint.h \
  src/checkpoint/json_file.c src/checkpoint/json_file.h \
  src/checkpoint/safetensors.c src/checkpoint/safetensors.h

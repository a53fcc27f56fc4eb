libsecateur_a_SOURCES += \
  src/checkpoint/checkpoint.c src/checkpoint/checkpoint.h \
  src/checkpoint/imatrix.c src/checkpoint/imatrix.h src/checkpoint/imatrix_state.h \
  src/checkpoint/imatrix_gguf.c src/checkpoint/imatrix_legacy.c \
  src/checkpoint/json_file.c src/checkpoint/json_file.h \
  src/checkpoint/safetensors.c src/checkpoint/safetensors.h \
  src/checkpoint/safetensors_write.c src/checkpoint/safetensors_write.h \
  src/checkpoint/writer.c src/checkpoint/writer.h src/checkpoint/writer_state.h \
  src/checkpoint/writer_folder.c src/checkpoint/writer_target.c src/checkpoint/writer_verify.c

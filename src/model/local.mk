libsecateur_a_SOURCES += \
  src/model/added_token.c src/model/added_token.h \
  src/model/architecture.h \
  src/model/arrange.c src/model/arrange.h \
  src/model/bpe.c \
  src/model/buffer.c src/model/buffer.h \
  src/model/config.c src/model/config.h \
  src/model/config_families.c \
  src/model/config_keys.c \
  src/model/config_position.c \
  src/model/corpus.c src/model/corpus.h \
  src/model/families.c \
  src/model/family.c src/model/family.h \
  src/model/family_tensors.c src/model/family_tensors.h \
  src/model/guess.c \
  src/model/model.c src/model/model.h \
  src/model/normalizer.c src/model/normalizer.h \
  src/model/place.c src/model/place.h \
  src/model/pre_tokenizer.c src/model/pre_tokenizer.h \
  src/model/role.c src/model/role.h \
  src/model/sentencepiece.c \
  src/model/shape_check.c src/model/shape_check.h \
  src/model/source.c src/model/source.h \
  src/model/token_decoder.c src/model/token_decoder.h \
  src/model/token_map.c src/model/token_map.h \
  src/model/token_model.c src/model/token_model.h \
  src/model/token_text.c src/model/token_text.h \
  src/model/tokenizer.c src/model/tokenizer.h \
  src/model/tokenizer_json.c \
  src/model/tokenizer_parts.h \
  src/model/tokenizer_vocabulary.c \
  src/model/unigram.c

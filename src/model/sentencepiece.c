/* tokenizer.model: SentencePiece's ModelProto (sentencepiece_model.proto), of type BPE or Unigram. */
#include "base/file.h"
#include "base/memory.h"
#include "model/tokenizer_parts.h"
#include <stdlib.h>
#include <string.h>

enum piece_type { PIECE_NORMAL = 1, PIECE_UNKNOWN, PIECE_CONTROL, PIECE_USER_DEFINED, PIECE_UNUSED, PIECE_BYTE };
enum model_type { MODEL_UNIGRAM = 1, MODEL_BPE = 2 };

struct piece {
    const char *text; /* in the mapped file */
    size_t length;
    float score;
    uint64_t type;
};

struct proto {
    struct piece *pieces;
    size_t count, capacity;
    uint64_t model_type, byte_fallback, suffix_blanks;
    uint64_t add_prefix, remove_extra_blanks, escape_blanks;
    size_t charsmap; /* bytes */
};

/* One field of a message: a number, or bytes[size]. */
struct field {
    uint64_t number, value;
    const uint8_t *bytes;
    size_t size;
};

struct cursor {
    const uint8_t *at, *end;
};

static bool read_varint(uint64_t *value, struct cursor *cursor) {
    *value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
        uint8_t byte = *cursor->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool read_fixed(uint64_t *value, struct cursor *cursor, size_t size) {
    if ((size_t)(cursor->end - cursor->at) < size)
        return false;
    *value = 0;
    for (size_t i = 0; i < size; i++)
        *value |= (uint64_t)*cursor->at++ << (8 * i);
    return true;
}

/* Wire types 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
static bool read_field(struct field *field, struct cursor *cursor) {
    uint64_t key;
    *field = (struct field){0};
    if (!read_varint(&key, cursor))
        return false;
    field->number = key >> 3;
    if ((key & 7) == 0)
        return read_varint(&field->value, cursor);
    if ((key & 7) == 1 || (key & 7) == 5)
        return read_fixed(&field->value, cursor, (key & 7) == 1 ? 8 : 4);
    if ((key & 7) != 2 || !read_varint(&field->value, cursor) || field->value > (uint64_t)(cursor->end - cursor->at))
        return false;
    field->bytes = cursor->at;
    field->size = (size_t)field->value;
    cursor->at += field->size;
    return true;
}

static bool read_piece(struct proto *proto, const struct field *message, struct error *error) {
    struct cursor cursor = {message->bytes, message->bytes + message->size};
    struct piece piece = {.type = PIECE_NORMAL, .text = ""};
    while (cursor.at < cursor.end) {
        struct field field;
        if (!read_field(&field, &cursor))
            return error_set(error, ERROR_INPUT, "piece %zu is damaged", proto->count);
        if (field.number == 1 && field.bytes != NULL) {
            piece.text = (const char *)field.bytes;
            piece.length = field.size;
        } else if (field.number == 2) {
            uint32_t bits = (uint32_t)field.value;
            memcpy(&piece.score, &bits, sizeof bits);
        } else if (field.number == 3)
            piece.type = field.value;
    }
    if (!memory_grow(&proto->pieces, &proto->capacity, proto->count, sizeof *proto->pieces, error))
        return false;
    proto->pieces[proto->count++] = piece;
    return true;
}

static bool read_trainer(struct proto *proto, const struct field *message, struct error *error) {
    struct cursor cursor = {message->bytes, message->bytes + message->size};
    while (cursor.at < cursor.end) {
        struct field field;
        if (!read_field(&field, &cursor))
            return error_set(error, ERROR_INPUT, "its trainer_spec is damaged");
        if (field.number == 3)
            proto->model_type = field.value;
        else if (field.number == 24)
            proto->suffix_blanks = field.value;
        else if (field.number == 35)
            proto->byte_fallback = field.value;
    }
    return true;
}

static bool read_normalizer(struct proto *proto, const struct field *message, struct error *error) {
    struct cursor cursor = {message->bytes, message->bytes + message->size};
    while (cursor.at < cursor.end) {
        struct field field;
        if (!read_field(&field, &cursor))
            return error_set(error, ERROR_INPUT, "its normalizer_spec is damaged");
        if (field.number == 2)
            proto->charsmap = field.size;
        else if (field.number == 3)
            proto->add_prefix = field.value;
        else if (field.number == 4)
            proto->remove_extra_blanks = field.value;
        else if (field.number == 5)
            proto->escape_blanks = field.value;
    }
    return true;
}

static const struct {
    uint64_t number;
    bool (*read)(struct proto *, const struct field *, struct error *);
} messages[] = {{1, read_piece}, {2, read_trainer}, {3, read_normalizer}};

static bool read_proto(struct proto *proto, const struct file_map *map, struct error *error) {
    struct cursor cursor = {map->data, map->data + map->size};
    while (cursor.at < cursor.end) {
        struct field field;
        if (!read_field(&field, &cursor))
            return error_set(error, ERROR_INPUT, "it is not a SentencePiece model, or damaged");
        for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
            if (messages[i].number == field.number && field.bytes != NULL && !messages[i].read(proto, &field, error))
                return false;
    }
    return true;
}

static bool check_proto(const struct proto *proto, struct error *error) {
    if (proto->count == 0)
        return error_set(error, ERROR_INPUT, "it is not a SentencePiece model: it has no pieces");
    if (proto->model_type != MODEL_BPE && proto->model_type != MODEL_UNIGRAM)
        return error_set(error, ERROR_INPUT, "its model type %llu is not known (1 Unigram and 2 BPE are)",
                         (unsigned long long)proto->model_type);
    if (proto->charsmap > 0)
        return error_set(error, ERROR_INPUT,
                         "its normaliser (a precompiled character map) is not supported; use the "
                         "model's tokenizer.json");
    if (proto->suffix_blanks != 0 || proto->escape_blanks == 0)
        return error_set(error, ERROR_INPUT, "its treatment of blanks (%s) is not supported",
                         proto->suffix_blanks != 0 ? "treat_whitespace_as_suffix" : "escape_whitespaces off");
    return true;
}

static bool fill_vocabulary(struct token_model *model, const struct proto *proto, struct error *error) {
    model->unknown = -1;
    model->fuse_unknown = true;
    model->byte_fallback = proto->byte_fallback != 0;
    model->scores = memory_alloc(proto->count, sizeof *model->scores, error);
    if (model->scores == NULL)
        return false;
    for (size_t i = 0; i < proto->count; i++) {
        const struct piece *piece = &proto->pieces[i];
        if (utf8_valid_prefix(piece->text, piece->length) != piece->length || piece->length == 0)
            return error_set(error, ERROR_INPUT, "piece %zu is empty or not UTF-8", i);
        char *text = memory_copy_bytes(piece->text, piece->length, error); /* with a NUL, for error sentences */
        bool ok = text != NULL && vocabulary_add(&model->vocabulary, text, piece->length, (int64_t)i, error);
        memory_free(text);
        if (!ok)
            return false;
        model->scores[i] = (double)piece->score;
        if (piece->type == PIECE_UNKNOWN)
            model->unknown = (int32_t)i;
    }
    return true;
}

struct ranked_piece {
    float score;
    int32_t id;
};

static int compare_ranked(const void *a, const void *b) {
    const struct ranked_piece *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* SentencePiece merges any two neighbours whose joined text is a piece, that of the highest score first. */
static bool add_merges_of(struct token_model *model, int32_t id, uint32_t rank, struct error *error) {
    struct vocabulary_token token = model->vocabulary.tokens[id];
    uint32_t character;
    for (size_t at = utf8_decode(&character, token.text, token.length); at < token.length;
         at += utf8_decode(&character, token.text + at, token.length - at)) {
        int32_t left = vocabulary_find(&model->vocabulary, token.text, at);
        int32_t right = vocabulary_find(&model->vocabulary, token.text + at, token.length - at);
        if (left >= 0 && right >= 0 && !bpe_add_merge(model, left, right, rank, error))
            return false;
    }
    return true;
}

static bool build_merges(struct token_model *model, const struct proto *proto, struct error *error) {
    struct ranked_piece *ranked = memory_alloc(proto->count, sizeof *ranked, error);
    if (ranked == NULL)
        return false;
    size_t count = 0;
    for (size_t i = 0; i < proto->count; i++)
        if (proto->pieces[i].type == PIECE_NORMAL)
            ranked[count++] = (struct ranked_piece){proto->pieces[i].score, (int32_t)i};
    qsort(ranked, count, sizeof *ranked, compare_ranked);
    bool ok = true;
    uint32_t rank = 0;
    for (size_t i = 0; ok && i < count; i++) {
        rank = i > 0 && ranked[i].score < ranked[i - 1].score ? (uint32_t)i : rank; /* equal scores: leftmost first */
        ok = add_merges_of(model, ranked[i].id, rank, error);
    }
    memory_free(ranked);
    return ok && bpe_finish(model, error);
}

static bool put_special_pieces(struct tokenizer *tokenizer, const struct proto *proto, struct error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < proto->count; i++) {
        const struct piece *piece = &proto->pieces[i];
        bool special = piece->type == PIECE_CONTROL || piece->type == PIECE_UNKNOWN;
        if (special || piece->type == PIECE_USER_DEFINED)
            ok = tokenizer_put_added(tokenizer, piece->text, piece->length, (int64_t)i, special, error);
    }
    return ok;
}

/* What SentencePiece does by itself, as the parts of a tokenizer.json: blanks become U+2581, one goes in front. */
static const char extra_blanks[] =
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"},{\"type\":\"Strip\"},";
static const char parts_format[] =
    "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[%s%s{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
    "\"content\":\"\xe2\x96\x81\"}]},\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\","
    "\"pattern\":"
    "{\"String\":\"\xe2\x96\x81\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}%s]}}";

static bool load_parts(struct tokenizer *tokenizer, const struct proto *proto, struct error *error) {
    struct text text = {0};
    text_add(&text, parts_format, proto->remove_extra_blanks ? extra_blanks : "",
             proto->add_prefix ? "{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81\"}," : "",
             proto->add_prefix ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}" : "");
    json_t *parts = text.failed ? NULL : json_loads(text_string(&text), 0, NULL);
    bool ok = parts != NULL ? tokenizer_load_parts(tokenizer, parts, error)
                            : error_set(error, ERROR_MEMORY, "out of memory for a tokenizer");
    json_decref(parts);
    text_free(&text);
    return ok;
}

/* The conventional names, which config may replace; BOS goes in front unless tokenizer_config.json says otherwise. */
static bool set_ends(struct tokenizer *tokenizer, const json_t *config, struct error *error) {
    tokenizer->bos = tokenizer_find(tokenizer, "<s>", 3);
    tokenizer->eos = tokenizer_find(tokenizer, "</s>", 4);
    if (tokenizer->bos < 0)
        tokenizer->bos = tokenizer_find(tokenizer, "<bos>", 5);
    if (tokenizer->eos < 0)
        tokenizer->eos = tokenizer_find(tokenizer, "<eos>", 5);
    return tokenizer->bos < 0 || !json_flag(config, "add_bos_token", true) ||
           token_ids_add(&tokenizer->before, (int32_t)tokenizer->bos, error);
}

bool tokenizer_load_sentencepiece(struct tokenizer *tokenizer, const char *path, const json_t *config,
                                  struct error *error) {
    struct proto proto = {.model_type = MODEL_UNIGRAM, .add_prefix = 1, .remove_extra_blanks = 1, .escape_blanks = 1};
    struct file_map map;
    if (!file_map_open(&map, path, error))
        return false;
    bool ok = read_proto(&proto, &map, error) && check_proto(&proto, error) &&
              fill_vocabulary(&tokenizer->model, &proto, error) &&
              (proto.model_type == MODEL_BPE ? build_merges(&tokenizer->model, &proto, error)
                                             : unigram_finish(&tokenizer->model, error)) &&
              load_parts(tokenizer, &proto, error) && put_special_pieces(tokenizer, &proto, error) &&
              set_ends(tokenizer, config, error);
    ok = ok || error_prefix(error, "%s", path);
    memory_free(proto.pieces);
    file_map_close(&map);
    return ok;
}

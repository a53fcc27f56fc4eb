#include "model/token_decoder.h"

#include "base/memory.h"
#include <string.h>

#define NESTING_LIMIT 16

struct decoder_step {
    bool (*apply)(struct pieces *out, const struct pieces *in, const struct decoder_step *step,
                  struct pattern_scratch *scratch, struct error *error);
    struct pattern pattern;
    char *content;
    size_t start, stop; /* Strip: how many to take off; Metaspace: start = drop the first token's */
};

/* A token whose characters are all of the byte-level alphabet stands for bytes, any other for itself. */
static void add_bytes_of(struct text *out, const char *token, size_t length) {
    size_t before = out->length;
    for (size_t at = 0; at < length;) {
        uint32_t character;
        at += utf8_decode(&character, token + at, length - at);
        int byte = byte_level_byte(character);
        if (byte < 0) {
            out->length = before;
            text_add_bytes(out, token, length);
            return;
        }
        char single = (char)byte;
        text_add_bytes(out, &single, 1);
    }
}

static bool apply_byte_level(struct pieces *out, const struct pieces *in, const struct decoder_step *step,
                             struct pattern_scratch *scratch, struct error *error) {
    (void)step;
    (void)scratch;
    struct text bytes = {0};
    for (size_t i = 0; i < in->count; i++) {
        size_t length;
        const char *token = pieces_get(&length, in, i);
        add_bytes_of(&bytes, token, length);
    }
    (void)utf8_repair(&out->text, text_string(&bytes), bytes.length);
    bool ok = !bytes.failed || error_set(error, ERROR_MEMORY, "out of memory for a text");
    text_free(&bytes);
    return ok && pieces_end(out, error);
}

static int hex_digit(char digit) {
    static const char digits[] = "0123456789ABCDEF";
    const char *at = digit != '\0' ? strchr(digits, digit) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* The byte that "<0xAB>" stands for; -1 for any other token. */
static int fallback_byte(const char *token, size_t length) {
    if (length != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>')
        return -1;
    int high = hex_digit(token[3]), low = hex_digit(token[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* A run of byte tokens is their text where that is valid UTF-8; otherwise each byte is U+FFFD. */
static bool flush_bytes(struct pieces *out, struct text *run, struct error *error) {
    if (run->length == 0)
        return true;
    if (utf8_valid_prefix(run->data, run->length) == run->length)
        text_add_bytes(&out->text, run->data, run->length);
    else
        for (size_t i = 0; i < run->length; i++)
            text_add_bytes(&out->text, "\xef\xbf\xbd", 3);
    text_clear(run);
    return pieces_end(out, error);
}

static bool apply_byte_fallback(struct pieces *out, const struct pieces *in, const struct decoder_step *step,
                                struct pattern_scratch *scratch, struct error *error) {
    (void)step;
    (void)scratch;
    struct text run = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < in->count; i++) {
        size_t length;
        const char *token = pieces_get(&length, in, i);
        int byte = fallback_byte(token, length);
        char single = (char)byte;
        if (byte >= 0)
            text_add_bytes(&run, &single, 1);
        else
            ok = flush_bytes(out, &run, error) && pieces_add(out, token, length, error);
    }
    ok = ok && flush_bytes(out, &run, error);
    if (run.failed)
        ok = error_set(error, ERROR_MEMORY, "out of memory for a text");
    text_free(&run);
    return ok;
}

static bool apply_fuse(struct pieces *out, const struct pieces *in, const struct decoder_step *step,
                       struct pattern_scratch *scratch, struct error *error) {
    (void)step;
    (void)scratch;
    return pieces_add(out, text_string(&in->text), in->text.length, error);
}

static bool apply_replace(struct pieces *out, const struct pieces *in, const struct decoder_step *step,
                          struct pattern_scratch *scratch, struct error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < in->count; i++) {
        size_t length;
        const char *token = pieces_get(&length, in, i);
        ok = text_add_replaced(&out->text, &step->pattern, scratch, step->content, token, length, error) &&
             pieces_end(out, error);
    }
    return ok;
}

static bool apply_strip(struct pieces *out, const struct pieces *in, const struct decoder_step *step,
                        struct pattern_scratch *scratch, struct error *error) {
    (void)scratch;
    size_t unit = strlen(step->content);
    bool ok = true;
    for (size_t i = 0; ok && i < in->count; i++) {
        size_t length;
        const char *token = pieces_get(&length, in, i);
        for (size_t n = 0; n < step->start && length >= unit && memcmp(token, step->content, unit) == 0; n++) {
            token += unit;
            length -= unit;
        }
        for (size_t n = 0; n < step->stop && length >= unit; n++)
            length -= memcmp(token + length - unit, step->content, unit) == 0 ? unit : 0;
        ok = pieces_add(out, token, length, error);
    }
    return ok;
}

static bool apply_metaspace(struct pieces *out, const struct pieces *in, const struct decoder_step *step,
                            struct pattern_scratch *scratch, struct error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < in->count; i++) {
        size_t length;
        const char *token = pieces_get(&length, in, i);
        const char *blank = i == 0 && step->start > 0 ? "" : " ";
        ok = text_add_replaced(&out->text, &step->pattern, scratch, blank, token, length, error) &&
             pieces_end(out, error);
    }
    return ok;
}

static bool load_content(struct decoder_step *step, const json_t *json, struct error *error) {
    const char *content;
    if (!json_need_string(&content, json, "content", error))
        return false;
    step->content = memory_copy_string(content, error);
    return step->content != NULL;
}

static bool load_nothing(struct decoder_step *step, const json_t *json, struct error *error) {
    (void)step;
    (void)json;
    (void)error;
    return true;
}

static bool load_replace(struct decoder_step *step, const json_t *json, struct error *error) {
    return pattern_load(&step->pattern, json_object_get(json, "pattern"), error) && load_content(step, json, error);
}

static bool load_strip(struct decoder_step *step, const json_t *json, struct error *error) {
    json_int_t start = json_integer_value(json_object_get(json, "start"));
    json_int_t stop = json_integer_value(json_object_get(json, "stop"));
    if (start < 0 || stop < 0)
        return error_set(error, ERROR_INPUT, "its start and stop must not be negative");
    step->start = (size_t)start;
    step->stop = (size_t)stop;
    return load_content(step, json, error) &&
           (step->content[0] != '\0' || error_set(error, ERROR_INPUT, "its content is empty"));
}

static bool load_metaspace(struct decoder_step *step, const json_t *json, struct error *error) {
    const char *replacement;
    const char *scheme = json_string_value(json_object_get(json, "prepend_scheme"));
    bool prefixed = scheme != NULL ? strcmp(scheme, "never") != 0 : json_flag(json, "add_prefix_space", true);
    step->start = prefixed ? 1 : 0;
    return json_need_string(&replacement, json, "replacement", error) &&
           pattern_compile(&step->pattern, replacement, strlen(replacement), true, error);
}

static const struct {
    const char *type;
    bool (*apply)(struct pieces *, const struct pieces *, const struct decoder_step *, struct pattern_scratch *,
                  struct error *);
    bool (*load)(struct decoder_step *, const json_t *, struct error *);
} kinds[] = {
    {"ByteLevel", apply_byte_level, load_nothing},
    {"ByteFallback", apply_byte_fallback, load_nothing},
    {"Fuse", apply_fuse, load_nothing},
    {"Replace", apply_replace, load_replace},
    {"Strip", apply_strip, load_strip},
    {"Metaspace", apply_metaspace, load_metaspace},
};

static bool load_step(struct token_decoder *decoder, const json_t *json, struct error *error) {
    const char *type = json_type_name(json);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].type, type) != 0)
            continue;
        if (!memory_grow(&decoder->steps, &decoder->capacity, decoder->count, sizeof *decoder->steps, error))
            return false;
        struct decoder_step *step = &decoder->steps[decoder->count++];
        *step = (struct decoder_step){.apply = kinds[i].apply};
        return kinds[i].load(step, json, error) || error_prefix(error, "decoder %s", type);
    }
    return error_set(error, ERROR_INPUT, "the decoder \"%s\" is not known", type);
}

static bool load_nested(struct token_decoder *decoder, const json_t *json, int depth, struct error *error) {
    if (json == NULL || json_is_null(json))
        return true;
    if (strcmp(json_type_name(json), "Sequence") != 0)
        return load_step(decoder, json, error);
    const json_t *list = json_object_get(json, "decoders");
    if (!json_is_array(list) || depth == NESTING_LIMIT)
        return error_set(error, ERROR_INPUT, "a decoder Sequence without a list \"decoders\", or nested too deep");
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(list); i++)
        ok = load_nested(decoder, json_array_get(list, i), depth + 1, error);
    return ok;
}

bool token_decoder_load(struct token_decoder *decoder, const json_t *json, struct error *error) {
    return load_nested(decoder, json, 0, error);
}

void token_decoder_free(struct token_decoder *decoder) {
    for (size_t i = 0; i < decoder->count; i++) {
        pattern_free(&decoder->steps[i].pattern);
        memory_free(decoder->steps[i].content);
    }
    memory_free(decoder->steps);
    memset(decoder, 0, sizeof *decoder);
}

static bool join_with_blanks(struct pieces *out, const struct pieces *in, struct error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < in->count; i++) {
        size_t length;
        const char *token = pieces_get(&length, in, i);
        text_add_bytes(&out->text, " ", i > 0);
        ok = pieces_add(out, token, length, error);
    }
    return ok;
}

static void swap_pieces(struct pieces *a, struct pieces *b) {
    struct pieces swap = *a;
    *a = *b;
    *b = swap;
}

bool token_decoder_apply(struct pieces *pieces, struct pieces *other, const struct token_decoder *decoder,
                         struct pattern_scratch *scratch, struct error *error) {
    bool ok = true;
    if (decoder->count == 0) {
        pieces_clear(other);
        ok = join_with_blanks(other, pieces, error);
        swap_pieces(pieces, other);
    }
    for (size_t i = 0; ok && i < decoder->count; i++) {
        pieces_clear(other);
        ok = decoder->steps[i].apply(other, pieces, &decoder->steps[i], scratch, error);
        swap_pieces(pieces, other);
    }
    return ok;
}

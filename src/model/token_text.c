#include "model/token_text.h"

#include "base/memory.h"
#include <string.h>
#include <utf8proc.h>

size_t utf8_decode(uint32_t *character, const char *text, size_t length) {
    uint8_t first = (uint8_t)*text;
    if (first < 0x80) {
        *character = first;
        return 1;
    }
    utf8proc_int32_t point;
    size_t most = length < 4 ? length : 4;
    utf8proc_ssize_t bytes = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)most, &point);
    *character = bytes > 0 ? (uint32_t)point : 0xfffd;
    return bytes > 0 ? (size_t)bytes : 1;
}

size_t utf8_encode(char bytes[4], uint32_t character) {
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)character, (utf8proc_uint8_t *)bytes);
}

size_t utf8_valid_prefix(const char *text, size_t length) {
    size_t at = 0;
    while (at < length) {
        uint32_t character;
        size_t bytes = utf8_decode(&character, text + at, length - at);
        if (bytes == 1 && (uint8_t)text[at] >= 0x80)
            break;
        at += bytes;
    }
    return at;
}

/* Bytes of an invalid sequence that are replaced together: the longest beginning of a well-formed one, or one byte. */
static size_t invalid_length(const char *text, size_t length) {
    const uint8_t *byte = (const uint8_t *)text;
    size_t wanted = byte[0] >= 0xc2 && byte[0] <= 0xdf   ? 2
                    : (byte[0] & 0xf0) == 0xe0           ? 3
                    : byte[0] >= 0xf0 && byte[0] <= 0xf4 ? 4
                                                         : 1;
    uint8_t low = byte[0] == 0xe0 ? 0xa0 : byte[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = byte[0] == 0xed ? 0x9f : byte[0] == 0xf4 ? 0x8f : 0xbf;
    size_t used = 1;
    while (used < wanted && used < length && byte[used] >= low && byte[used] <= high) {
        low = 0x80;
        high = 0xbf;
        used++;
    }
    return used;
}

uint64_t utf8_repair(struct text *out, const char *text, size_t length) {
    uint64_t replaced = 0;
    while (length > 0) {
        size_t good = utf8_valid_prefix(text, length);
        text_add_bytes(out, text, good);
        text += good;
        length -= good;
        if (length == 0)
            break;
        size_t bytes = invalid_length(text, length);
        text_add_bytes(out, "\xef\xbf\xbd", 3);
        replaced += bytes;
        text += bytes;
        length -= bytes;
    }
    return replaced;
}

static bool stands_for_itself(uint32_t byte) {
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

/* The bytes that do not stand for themselves are 0x00..0x20, 0x7f..0xa0 and 0xad, in this order from U+0100. */
static uint32_t alphabet_character(uint32_t byte) {
    if (stands_for_itself(byte))
        return byte;
    return byte <= 0x20 ? 0x100 + byte : byte <= 0xa0 ? 0x121 + byte - 0x7f : 0x143;
}

int byte_level_byte(uint32_t character) {
    if (character < 0x100)
        return stands_for_itself(character) ? (int)character : -1;
    if (character <= 0x120)
        return (int)(character - 0x100);
    return character <= 0x142 ? (int)(character - 0x121 + 0x7f) : character == 0x143 ? 0xad : -1;
}

void byte_level_add(struct text *out, const char *bytes, size_t length) {
    char buffer[512];
    while (length > 0) {
        size_t used = 0;
        for (; length > 0 && used + 4 <= sizeof buffer; bytes++, length--) {
            uint32_t character = alphabet_character((uint8_t)*bytes);
            if (character < 0x80)
                buffer[used++] = (char)character;
            else {
                buffer[used++] = (char)(0xc0 | character >> 6);
                buffer[used++] = (char)(0x80 | (character & 0x3f));
            }
        }
        text_add_bytes(out, buffer, used);
    }
}

bool pattern_compile(struct pattern *pattern, const char *text, size_t length, bool literal, struct error *error) {
    int code;
    PCRE2_SIZE offset;
    uint32_t options = PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP);
    if (length == 0)
        return error_set(error, ERROR_INPUT, "an empty pattern");
    pattern->code = pcre2_compile((PCRE2_SPTR)text, length, options, &code, &offset, NULL);
    if (pattern->code == NULL) {
        PCRE2_UCHAR meaning[160];
        (void)pcre2_get_error_message(code, meaning, sizeof meaning);
        return error_set(error, ERROR_INPUT, "the pattern \"%.200s\" cannot be compiled: %s at character %zu", text,
                         (const char *)meaning, (size_t)offset);
    }
    (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE); /* without it matching is slower, not different */
    return true;
}

bool pattern_load(struct pattern *pattern, const json_t *json, struct error *error) {
    const json_t *string = json_object_get(json, "String");
    const json_t *regex = json_object_get(json, "Regex");
    const json_t *text = string != NULL ? string : regex;
    if (!json_is_string(text))
        return error_set(error, ERROR_INPUT, "its pattern is neither {\"String\": ...} nor {\"Regex\": ...}");
    return pattern_compile(pattern, json_string_value(text), json_string_length(text), string != NULL, error);
}

void pattern_free(struct pattern *pattern) {
    pcre2_code_free(pattern->code);
    pattern->code = NULL;
}

#define JIT_STACK_LEAST ((size_t)32 << 10)
#define JIT_STACK_MOST ((size_t)8 << 20)

bool pattern_scratch_create(struct pattern_scratch *scratch, struct error *error) {
    scratch->match = pcre2_match_data_create(1, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    scratch->stack = pcre2_jit_stack_create(JIT_STACK_LEAST, JIT_STACK_MOST, NULL);
    if (scratch->match == NULL || scratch->context == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory for matching patterns");
    if (scratch->stack != NULL)
        pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
    return true;
}

void pattern_scratch_free(struct pattern_scratch *scratch) {
    pcre2_match_data_free(scratch->match);
    pcre2_match_context_free(scratch->context);
    pcre2_jit_stack_free(scratch->stack);
    memset(scratch, 0, sizeof *scratch);
}

static int run_match(const struct pattern *pattern, struct pattern_scratch *scratch, const char *text, size_t length,
                     size_t from) {
    int result = pcre2_match(pattern->code, (PCRE2_SPTR)text, length, from, PCRE2_NO_UTF_CHECK, scratch->match,
                             scratch->context);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter keeps its stack on the heap */
        result = pcre2_match(pattern->code, (PCRE2_SPTR)text, length, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                             scratch->match, scratch->context);
    return result;
}

bool pattern_next(size_t *begin, size_t *end, const struct pattern *pattern, struct pattern_scratch *scratch,
                  const char *text, size_t length, size_t from, struct error *error) {
    while (from < length) {
        int result = run_match(pattern, scratch, text, length, from);
        if (result == PCRE2_ERROR_NOMATCH)
            break;
        if (result < 0)
            return error_set(error, ERROR_INPUT,
                             "the tokenizer's pattern could not be matched near byte %zu of a text (PCRE2 error %d)",
                             from, result);
        const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(scratch->match);
        *begin = bounds[0];
        *end = bounds[1];
        if (*end > *begin)
            return true;
        uint32_t character;
        from = *end < length ? *end + utf8_decode(&character, text + *end, length - *end) : length;
    }
    *begin = *end = length;
    return true;
}

void pieces_clear(struct pieces *pieces) {
    text_clear(&pieces->text);
    pieces->count = 0;
}

void pieces_free(struct pieces *pieces) {
    text_free(&pieces->text);
    memory_free(pieces->ends);
    memset(pieces, 0, sizeof *pieces);
}

bool pieces_end(struct pieces *pieces, struct error *error) {
    if (pieces->text.failed)
        return error_set(error, ERROR_MEMORY, "out of memory for a text being tokenized");
    if (!memory_grow(&pieces->ends, &pieces->capacity, pieces->count, sizeof *pieces->ends, error))
        return false;
    pieces->ends[pieces->count++] = pieces->text.length;
    return true;
}

bool pieces_add(struct pieces *pieces, const char *bytes, size_t length, struct error *error) {
    text_add_bytes(&pieces->text, bytes, length);
    return pieces_end(pieces, error);
}

const char *pieces_get(size_t *length, const struct pieces *pieces, size_t index) {
    size_t begin = index > 0 ? pieces->ends[index - 1] : 0;
    *length = pieces->ends[index] - begin;
    return text_string(&pieces->text) + begin;
}

bool text_add_replaced(struct text *out, const struct pattern *pattern, struct pattern_scratch *scratch,
                       const char *content, const char *text, size_t length, struct error *error) {
    size_t content_length = strlen(content);
    for (size_t at = 0; at < length;) {
        size_t begin, end;
        if (!pattern_next(&begin, &end, pattern, scratch, text, length, at, error))
            return false;
        text_add_bytes(out, text + at, begin - at);
        if (end > begin)
            text_add_bytes(out, content, content_length);
        at = end;
    }
    return true;
}

bool json_need_string(const char **value, const json_t *object, const char *key, struct error *error) {
    *value = json_string_value(json_object_get(object, key));
    return *value != NULL || error_set(error, ERROR_INPUT, "it has no text \"%s\"", key);
}

bool json_flag(const json_t *object, const char *key, bool fallback) {
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

const char *json_type_name(const json_t *object) {
    const char *type = json_string_value(json_object_get(object, "type"));
    return type != NULL ? type : "";
}

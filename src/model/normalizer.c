#include "model/normalizer.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define NESTING_LIMIT 16

struct normalizer_step {
    bool (*apply)(struct text *out, const struct normalizer_step *step, struct pattern_scratch *scratch,
                  const char *text, size_t length, struct error *error);
    struct pattern pattern;
    char *content;
    bool left, right;
    utf8proc_option_t form;
};

static bool apply_form(struct text *out, const struct normalizer_step *step, struct pattern_scratch *scratch,
                       const char *text, size_t length, struct error *error) {
    (void)scratch;
    utf8proc_uint8_t *result = NULL;
    utf8proc_ssize_t size = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)length, &result, step->form);
    if (size < 0)
        return error_set(error, ERROR_FAILURE, "a text cannot be normalised: %s", utf8proc_errmsg(size));
    text_add_bytes(out, result, (size_t)size);
    free(result);
    return true;
}

static bool apply_lowercase(struct text *out, const struct normalizer_step *step, struct pattern_scratch *scratch,
                            const char *text, size_t length, struct error *error) {
    (void)step;
    (void)scratch;
    (void)error;
    for (size_t at = 0; at < length;) {
        uint32_t character;
        char bytes[4];
        at += utf8_decode(&character, text + at, length - at);
        text_add_bytes(out, bytes, utf8_encode(bytes, (uint32_t)utf8proc_tolower((utf8proc_int32_t)character)));
    }
    return true;
}

static bool is_mark(uint32_t character) {
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)character);
    return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME;
}

static bool apply_strip_accents(struct text *out, const struct normalizer_step *step, struct pattern_scratch *scratch,
                                const char *text, size_t length, struct error *error) {
    (void)step;
    (void)scratch;
    (void)error;
    for (size_t at = 0; at < length;) {
        uint32_t character;
        size_t bytes = utf8_decode(&character, text + at, length - at);
        if (!is_mark(character))
            text_add_bytes(out, text + at, bytes);
        at += bytes;
    }
    return true;
}

static bool is_space(uint32_t character) {
    return (character >= 9 && character <= 13) || character == 0x85 ||
           utf8proc_category((utf8proc_int32_t)character) == UTF8PROC_CATEGORY_ZS || character == 0x2028 ||
           character == 0x2029;
}

/* Bytes up to the end of the last character that is not white space. */
static size_t without_trailing_space(const char *text, size_t length) {
    size_t end = 0;
    for (size_t at = 0; at < length;) {
        uint32_t character;
        at += utf8_decode(&character, text + at, length - at);
        if (!is_space(character))
            end = at;
    }
    return end;
}

static bool apply_strip(struct text *out, const struct normalizer_step *step, struct pattern_scratch *scratch,
                        const char *text, size_t length, struct error *error) {
    (void)scratch;
    (void)error;
    uint32_t character;
    while (step->left && length > 0) {
        size_t bytes = utf8_decode(&character, text, length);
        if (!is_space(character))
            break;
        text += bytes;
        length -= bytes;
    }
    text_add_bytes(out, text, step->right ? without_trailing_space(text, length) : length);
    return true;
}

static bool apply_prepend(struct text *out, const struct normalizer_step *step, struct pattern_scratch *scratch,
                          const char *text, size_t length, struct error *error) {
    (void)scratch;
    (void)error;
    if (length > 0)
        text_add_bytes(out, step->content, strlen(step->content));
    text_add_bytes(out, text, length);
    return true;
}

static bool apply_replace(struct text *out, const struct normalizer_step *step, struct pattern_scratch *scratch,
                          const char *text, size_t length, struct error *error) {
    return text_add_replaced(out, &step->pattern, scratch, step->content, text, length, error);
}

static bool load_content(struct normalizer_step *step, const json_t *json, const char *key, struct error *error) {
    const char *content;
    if (!json_need_string(&content, json, key, error))
        return false;
    step->content = memory_copy_string(content, error);
    return step->content != NULL;
}

static bool load_prepend(struct normalizer_step *step, const json_t *json, struct error *error) {
    return load_content(step, json, "prepend", error);
}

static bool load_replace(struct normalizer_step *step, const json_t *json, struct error *error) {
    return pattern_load(&step->pattern, json_object_get(json, "pattern"), error) &&
           load_content(step, json, "content", error);
}

static bool load_strip(struct normalizer_step *step, const json_t *json, struct error *error) {
    (void)error;
    step->left = json_flag(json, "strip_left", true);
    step->right = json_flag(json, "strip_right", true);
    return true;
}

static bool load_nothing(struct normalizer_step *step, const json_t *json, struct error *error) {
    (void)step;
    (void)json;
    (void)error;
    return true;
}

#define COMPOSED (UTF8PROC_STABLE | UTF8PROC_COMPOSE)
#define DECOMPOSED (UTF8PROC_STABLE | UTF8PROC_DECOMPOSE)

static const struct {
    const char *type;
    bool (*apply)(struct text *, const struct normalizer_step *, struct pattern_scratch *, const char *, size_t,
                  struct error *);
    bool (*load)(struct normalizer_step *, const json_t *, struct error *);
    unsigned form;
} kinds[] = {
    {"NFC", apply_form, load_nothing, COMPOSED},
    {"NFD", apply_form, load_nothing, DECOMPOSED},
    {"NFKC", apply_form, load_nothing, COMPOSED | UTF8PROC_COMPAT},
    {"NFKD", apply_form, load_nothing, DECOMPOSED | UTF8PROC_COMPAT},
    {"Lowercase", apply_lowercase, load_nothing, 0},
    {"StripAccents", apply_strip_accents, load_nothing, 0},
    {"Strip", apply_strip, load_strip, 0},
    {"Prepend", apply_prepend, load_prepend, 0},
    {"Replace", apply_replace, load_replace, 0},
};

static bool load_step(struct normalizer *normalizer, const json_t *json, struct error *error) {
    const char *type = json_type_name(json);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].type, type) != 0)
            continue;
        if (!memory_grow(&normalizer->steps, &normalizer->capacity, normalizer->count, sizeof *normalizer->steps,
                         error))
            return false;
        struct normalizer_step *step = &normalizer->steps[normalizer->count++];
        *step = (struct normalizer_step){.apply = kinds[i].apply, .form = (utf8proc_option_t)kinds[i].form};
        return kinds[i].load(step, json, error) || error_prefix(error, "normalizer %s", type);
    }
    return error_set(error, ERROR_INPUT, "the normalizer \"%s\" is not known", type);
}

static bool load_nested(struct normalizer *normalizer, const json_t *json, int depth, struct error *error) {
    if (json == NULL || json_is_null(json))
        return true;
    if (strcmp(json_type_name(json), "Sequence") != 0)
        return load_step(normalizer, json, error);
    const json_t *list = json_object_get(json, "normalizers");
    if (!json_is_array(list) || depth == NESTING_LIMIT)
        return error_set(error, ERROR_INPUT,
                         "a normalizer Sequence without a list \"normalizers\", or nested too deep");
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(list); i++)
        ok = load_nested(normalizer, json_array_get(list, i), depth + 1, error);
    return ok;
}

bool normalizer_load(struct normalizer *normalizer, const json_t *json, struct error *error) {
    return load_nested(normalizer, json, 0, error);
}

void normalizer_free(struct normalizer *normalizer) {
    for (size_t i = 0; i < normalizer->count; i++) {
        pattern_free(&normalizer->steps[i].pattern);
        memory_free(normalizer->steps[i].content);
    }
    memory_free(normalizer->steps);
    memset(normalizer, 0, sizeof *normalizer);
}

bool normalizer_apply(struct text *text, struct text *other, const struct normalizer *normalizer,
                      struct pattern_scratch *scratch, struct error *error) {
    for (size_t i = 0; i < normalizer->count; i++) {
        const struct normalizer_step *step = &normalizer->steps[i];
        text_clear(other);
        if (!step->apply(other, step, scratch, text_string(text), text->length, error))
            return false;
        struct text swap = *text;
        *text = *other;
        *other = swap;
    }
    return (!text->failed && !other->failed) || error_set(error, ERROR_MEMORY, "out of memory for a text");
}

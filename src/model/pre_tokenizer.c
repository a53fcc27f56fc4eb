#include "model/pre_tokenizer.h"

#include "base/memory.h"
#include <string.h>

#define NESTING_LIMIT 16

enum prefix { PREFIX_NEVER, PREFIX_FIRST, PREFIX_ALWAYS };

struct pre_tokenizer_step {
    bool (*apply)(struct pieces *out, const struct pre_tokenizer_step *step, struct pattern_scratch *scratch,
                  const char *text, size_t length, bool first, struct error *error);
    struct pattern pattern; /* code NULL: no cutting */
    const struct behavior *behavior;
    bool invert; /* what the pattern does not match counts as the match */
    enum prefix prefix;
    char *replacement;    /* Metaspace: what stands for a blank */
    struct pattern blank; /* Metaspace */
};

/* How segments, matched and unmatched in turn, become pieces: whether a segment joins the one before it, and whether
 * matches are dropped. */
struct behavior {
    const char *name;
    bool (*joins)(bool previous_match, bool match);
    bool drop;
};

static bool join_never(bool previous_match, bool match) {
    (void)previous_match;
    (void)match;
    return false;
}
static bool join_same(bool previous_match, bool match) {
    return previous_match == match;
}
static bool join_previous(bool previous_match, bool match) {
    return match && !previous_match;
}
static bool join_next(bool previous_match, bool match) {
    return previous_match && !match;
}

static const struct behavior behaviors[] = {
    {"Isolated", join_never, false},      {"Removed", join_never, true},
    {"Contiguous", join_same, false},     {"MergedWithPrevious", join_previous, false},
    {"MergedWithNext", join_next, false},
};

static const struct behavior *find_behavior(const char *name) {
    for (size_t i = 0; name != NULL && i < sizeof behaviors / sizeof *behaviors; i++)
        if (strcmp(behaviors[i].name, name) == 0)
            return &behaviors[i];
    return NULL;
}

/* The pieces of one text while they are found. */
struct cutter {
    struct pieces *out;
    const struct pre_tokenizer_step *step;
    const char *text;
    size_t begin, end; /* the piece being gathered */
    bool match, any;
};

static bool cutter_flush(struct cutter *cutter, struct error *error) {
    bool keep = cutter->any && cutter->end > cutter->begin && !(cutter->step->behavior->drop && cutter->match);
    return !keep || pieces_add(cutter->out, cutter->text + cutter->begin, cutter->end - cutter->begin, error);
}

static bool cutter_add(struct cutter *cutter, size_t begin, size_t end, bool matched, struct error *error) {
    if (begin == end)
        return true;
    bool match = matched != cutter->step->invert;
    if (!cutter->any || !cutter->step->behavior->joins(cutter->match, match)) {
        if (!cutter_flush(cutter, error))
            return false;
        cutter->begin = begin;
    }
    cutter->end = end;
    cutter->match = match;
    cutter->any = true;
    return true;
}

static bool cut(struct pieces *out, const struct pre_tokenizer_step *step, struct pattern_scratch *scratch,
                const char *text, size_t length, bool first, struct error *error) {
    (void)first;
    if (step->pattern.code == NULL)
        return pieces_add(out, text, length, error);
    struct cutter cutter = {.out = out, .step = step, .text = text};
    for (size_t at = 0; at < length;) {
        size_t begin, end;
        if (!pattern_next(&begin, &end, &step->pattern, scratch, text, length, at, error) ||
            !cutter_add(&cutter, at, begin, false, error) || !cutter_add(&cutter, begin, end, true, error))
            return false;
        at = end;
    }
    return cutter_flush(&cutter, error);
}

/* Puts the pieces of `plain` into out in the byte-level alphabet. */
static bool add_byte_level(struct pieces *out, const struct pieces *plain, struct error *error) {
    for (size_t i = 0; i < plain->count; i++) {
        size_t length;
        const char *piece = pieces_get(&length, plain, i);
        byte_level_add(&out->text, piece, length);
        if (!pieces_end(out, error))
            return false;
    }
    return true;
}

static bool apply_byte_level(struct pieces *out, const struct pre_tokenizer_step *step, struct pattern_scratch *scratch,
                             const char *text, size_t length, bool first, struct error *error) {
    if (step->pattern.code == NULL && (step->prefix == PREFIX_NEVER || text[0] == ' ')) {
        byte_level_add(&out->text, text, length);
        return pieces_end(out, error);
    }
    struct pieces plain = {0};
    struct text prefixed = {0};
    if (step->prefix != PREFIX_NEVER && text[0] != ' ')
        text_add_bytes(&prefixed, " ", 1);
    text_add_bytes(&prefixed, text, length);
    bool ok = (!prefixed.failed || error_set(error, ERROR_MEMORY, "out of memory for a text")) &&
              cut(&plain, step, scratch, text_string(&prefixed), prefixed.length, first, error) &&
              add_byte_level(out, &plain, error);
    pieces_free(&plain);
    text_free(&prefixed);
    return ok;
}

static bool apply_metaspace(struct pieces *out, const struct pre_tokenizer_step *step, struct pattern_scratch *scratch,
                            const char *text, size_t length, bool first, struct error *error) {
    struct text changed = {0};
    size_t mark = strlen(step->replacement);
    bool ok = text_add_replaced(&changed, &step->blank, scratch, step->replacement, text, length, error);
    bool marked = ok && changed.length >= mark && memcmp(text_string(&changed), step->replacement, mark) == 0;
    if (ok && !marked && (step->prefix == PREFIX_ALWAYS || (step->prefix == PREFIX_FIRST && first))) {
        struct text prefixed = {0};
        text_add_bytes(&prefixed, step->replacement, mark);
        text_add_bytes(&prefixed, text_string(&changed), changed.length);
        prefixed.failed = prefixed.failed || changed.failed;
        text_free(&changed);
        changed = prefixed;
    }
    ok = ok && (!changed.failed || error_set(error, ERROR_MEMORY, "out of memory for a text")) &&
         cut(out, step, scratch, text_string(&changed), changed.length, first, error);
    text_free(&changed);
    return ok;
}

static bool set_pattern(struct pre_tokenizer_step *step, const char *pattern, const char *behavior,
                        struct error *error) {
    step->behavior = find_behavior(behavior);
    if (step->behavior == NULL)
        return error_set(error, ERROR_INPUT, "its behavior \"%s\" is not known", behavior != NULL ? behavior : "");
    return pattern == NULL || pattern_compile(&step->pattern, pattern, strlen(pattern), false, error);
}

#define GPT2_PATTERN "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

static bool load_byte_level(struct pre_tokenizer_step *step, const json_t *json, struct error *error) {
    step->prefix = json_flag(json, "add_prefix_space", true) ? PREFIX_ALWAYS : PREFIX_NEVER;
    return !json_flag(json, "use_regex", true) || set_pattern(step, GPT2_PATTERN, "Isolated", error);
}

static bool load_split(struct pre_tokenizer_step *step, const json_t *json, struct error *error) {
    step->invert = json_flag(json, "invert", false);
    return pattern_load(&step->pattern, json_object_get(json, "pattern"), error) &&
           set_pattern(step, NULL, json_string_value(json_object_get(json, "behavior")), error);
}

static bool load_prefix_scheme(enum prefix *prefix, const json_t *json, struct error *error) {
    static const char *const names[] = {"never", "first", "always"};
    const char *scheme = json_string_value(json_object_get(json, "prepend_scheme"));
    *prefix = json_flag(json, "add_prefix_space", true) ? PREFIX_ALWAYS : PREFIX_NEVER;
    for (size_t i = 0; scheme != NULL && i < sizeof names / sizeof *names; i++)
        if (strcmp(scheme, names[i]) == 0) {
            *prefix = (enum prefix)i;
            return true;
        }
    return scheme == NULL || error_set(error, ERROR_INPUT, "its prepend_scheme \"%s\" is not known", scheme);
}

static bool load_metaspace(struct pre_tokenizer_step *step, const json_t *json, struct error *error) {
    const char *replacement;
    if (!json_need_string(&replacement, json, "replacement", error) ||
        !load_prefix_scheme(&step->prefix, json, error) || !pattern_compile(&step->blank, " ", 1, true, error))
        return false;
    step->replacement = memory_copy_string(replacement, error);
    if (step->replacement == NULL || !set_pattern(step, NULL, "MergedWithNext", error))
        return false;
    return !json_flag(json, "split", true) ||
           pattern_compile(&step->pattern, replacement, strlen(replacement), true, error);
}

static bool load_whitespace(struct pre_tokenizer_step *step, const json_t *json, struct error *error) {
    (void)json;
    step->invert = true;
    return set_pattern(step, "\\w+|[^\\w\\s]+", "Removed", error);
}

static bool load_whitespace_split(struct pre_tokenizer_step *step, const json_t *json, struct error *error) {
    (void)json;
    return set_pattern(step, "\\s", "Removed", error);
}

static bool load_punctuation(struct pre_tokenizer_step *step, const json_t *json, struct error *error) {
    const char *behavior = json_string_value(json_object_get(json, "behavior"));
    return set_pattern(step, "[\\p{P}!-/:-@\\[-`{-~]", behavior != NULL ? behavior : "Isolated", error);
}

static bool load_digits(struct pre_tokenizer_step *step, const json_t *json, struct error *error) {
    return set_pattern(step, "\\p{N}", json_flag(json, "individual_digits", false) ? "Isolated" : "Contiguous", error);
}

static const struct {
    const char *type;
    bool (*apply)(struct pieces *, const struct pre_tokenizer_step *, struct pattern_scratch *, const char *, size_t,
                  bool, struct error *);
    bool (*load)(struct pre_tokenizer_step *, const json_t *, struct error *);
} kinds[] = {
    {"ByteLevel", apply_byte_level, load_byte_level},
    {"Split", cut, load_split},
    {"Metaspace", apply_metaspace, load_metaspace},
    {"Whitespace", cut, load_whitespace},
    {"WhitespaceSplit", cut, load_whitespace_split},
    {"Punctuation", cut, load_punctuation},
    {"Digits", cut, load_digits},
};

static bool load_step(struct pre_tokenizer *pre, const json_t *json, struct error *error) {
    const char *type = json_type_name(json);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].type, type) != 0)
            continue;
        if (!memory_grow(&pre->steps, &pre->capacity, pre->count, sizeof *pre->steps, error))
            return false;
        struct pre_tokenizer_step *step = &pre->steps[pre->count++];
        *step = (struct pre_tokenizer_step){.apply = kinds[i].apply};
        return kinds[i].load(step, json, error) || error_prefix(error, "pre-tokenizer %s", type);
    }
    return error_set(error, ERROR_INPUT, "the pre-tokenizer \"%s\" is not known", type);
}

static bool load_nested(struct pre_tokenizer *pre, const json_t *json, int depth, struct error *error) {
    if (json == NULL || json_is_null(json))
        return true;
    if (strcmp(json_type_name(json), "Sequence") != 0)
        return load_step(pre, json, error);
    const json_t *list = json_object_get(json, "pretokenizers");
    if (!json_is_array(list) || depth == NESTING_LIMIT)
        return error_set(error, ERROR_INPUT,
                         "a pre-tokenizer Sequence without a list \"pretokenizers\", or nested too deep");
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(list); i++)
        ok = load_nested(pre, json_array_get(list, i), depth + 1, error);
    return ok;
}

bool pre_tokenizer_load(struct pre_tokenizer *pre, const json_t *json, struct error *error) {
    return load_nested(pre, json, 0, error);
}

void pre_tokenizer_free(struct pre_tokenizer *pre) {
    for (size_t i = 0; i < pre->count; i++) {
        pattern_free(&pre->steps[i].pattern);
        pattern_free(&pre->steps[i].blank);
        memory_free(pre->steps[i].replacement);
    }
    memory_free(pre->steps);
    memset(pre, 0, sizeof *pre);
}

static bool apply_step(struct pieces *out, const struct pieces *in, const struct pre_tokenizer_step *step,
                       struct pattern_scratch *scratch, struct error *error) {
    pieces_clear(out);
    out->at_start = in->at_start;
    for (size_t i = 0; i < in->count; i++) {
        size_t length;
        const char *piece = pieces_get(&length, in, i);
        if (length > 0 && !step->apply(out, step, scratch, piece, length, in->at_start && i == 0, error))
            return false;
    }
    return true;
}

bool pre_tokenizer_apply(struct pieces *pieces, struct pieces *other, const struct pre_tokenizer *pre,
                         struct pattern_scratch *scratch, struct error *error) {
    for (size_t i = 0; i < pre->count; i++) {
        if (!apply_step(other, pieces, &pre->steps[i], scratch, error))
            return false;
        struct pieces swap = *pieces;
        *pieces = *other;
        *other = swap;
    }
    return true;
}

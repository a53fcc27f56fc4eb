/* Recipes of llm-compressor, read: the part of YAML that they are written in, and of that what prunes. What is not
 * understood is an error with its line; what means nothing to a plan is a remark. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "plan/interchange_state.h"

#include "base/memory.h"
#include <math.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MATCH_LIMIT 100000

/* A value: one word, or a list of them. */
struct words {
    struct text bytes; /* each with its NUL */
    size_t *starts;
    size_t count, capacity;
    size_t line; /* where it begins */
};

struct modifier {
    size_t line;
    struct words sparsity, structure, targets, ignore;
};

struct recipe {
    struct exchange *exchange;
    struct exchange_text text;
    char *line; /* at work, without its comment; NULL: the end */
    size_t indent;
    size_t *set_on; /* [matrix_count]: the line of the modifier that set the matrix; 0: none */
};

/* ---- lines ---- */

/* A comment begins with # at the start or behind a blank, outside quotes. */
static void cut_comment(char *line) {
    char quote = '\0';
    for (char *at = line; *at != '\0'; at++) {
        if (quote != '\0')
            quote = *at == quote ? '\0' : quote;
        else if (*at == '"' || *at == '\'')
            quote = *at;
        else if (*at == '#' && (at == line || at[-1] == ' ')) {
            *at = '\0';
            break;
        }
    }
    for (size_t length = strlen(line); length > 0 && line[length - 1] == ' '; length--)
        line[length - 1] = '\0';
}

static bool next_line(struct recipe *recipe, struct error *error) {
    while ((recipe->line = exchange_text_line(&recipe->text)) != NULL) {
        cut_comment(recipe->line);
        recipe->indent = strspn(recipe->line, " ");
        if (recipe->line[recipe->indent] == '\t')
            return exchange_fail(recipe->exchange, recipe->text.line, error, "a tab; YAML is indented with blanks");
        if (recipe->line[recipe->indent] != '\0' && strcmp(recipe->line, "---") != 0)
            return true;
    }
    return true;
}

static bool not_understood(const struct recipe *recipe, struct error *error) {
    return exchange_fail(recipe->exchange, recipe->text.line, error, "\"%.80s\" is not understood",
                         recipe->line + recipe->indent);
}

/* Splits "key: value"; *value is "" for "key:". */
static bool split_key(char **key, char **value, const struct recipe *recipe, struct error *error) {
    *key = *value = recipe->line + recipe->indent;
    char *colon = strchr(*key, ':');
    if (colon == NULL || (colon[1] != '\0' && colon[1] != ' ') || strchr("-[{&*!|>", **key) != NULL)
        return not_understood(recipe, error);
    *colon = '\0';
    *value = colon + 1 + strspn(colon + 1, " ");
    return true;
}

/* ---- values ---- */

static const char *word_at(const struct words *words, size_t index) {
    return text_string(&words->bytes) + words->starts[index];
}

static void words_free(struct words *words) {
    text_free(&words->bytes);
    memory_free(words->starts);
    *words = (struct words){0};
}

static bool add_word(struct words *words, const char *word, size_t length, struct error *error) {
    if (!memory_grow(&words->starts, &words->capacity, words->count, sizeof *words->starts, error))
        return false;
    words->starts[words->count++] = words->bytes.length;
    text_add_bytes(&words->bytes, word, length);
    text_add_bytes(&words->bytes, "", 1);
    return !words->bytes.failed || error_set(error, ERROR_MEMORY, "no memory for a recipe's values");
}

/* One scalar from the start of `at`; *after is behind it. Ends at `ends` where it is not quoted. */
static bool take_scalar(struct words *words, char **after, char *at, const char *ends, const struct recipe *recipe,
                        struct error *error) {
    if (*at == '"' || *at == '\'') {
        char *close = strchr(at + 1, *at);
        if (close == NULL || memchr(at, '\\', (size_t)(close - at)) != NULL)
            return exchange_fail(recipe->exchange, recipe->text.line, error,
                                 "%.60s is not understood: quotes that do not close on the line, or a backslash in "
                                 "them; write a regular expression without quotes",
                                 at);
        *after = close + 1;
        return add_word(words, at + 1, (size_t)(close - at - 1), error);
    }
    size_t length = strcspn(at, ends);
    *after = at + length;
    while (length > 0 && at[length - 1] == ' ')
        length--;
    if (length == 0 || strchr("[]{}&*!|>", *at) != NULL)
        return exchange_fail(recipe->exchange, recipe->text.line, error, "\"%.60s\" is not understood", at);
    return add_word(words, at, length, error);
}

/* "[a, b, c]", over as many lines as it takes; begins behind the bracket. */
static bool take_flow(struct words *words, char *at, struct recipe *recipe, struct error *error) {
    for (;;) {
        at += strspn(at, " ,");
        if (*at == ']')
            return at[1] == '\0' || exchange_fail(recipe->exchange, recipe->text.line, error,
                                                  "\"%.60s\" behind the list is not understood", at + 1);
        if (*at != '\0') {
            if (!take_scalar(words, &at, at, ",]", recipe, error))
                return false;
            continue;
        }
        if (!next_line(recipe, error))
            return false;
        if (recipe->line == NULL)
            return exchange_fail(recipe->exchange, recipe->text.line, error, "the list of line %zu is not closed",
                                 words->line);
        at = recipe->line;
    }
}

/* "- a" lines; leaves the line behind them at work. */
static bool take_dashes(struct words *words, size_t indent, struct recipe *recipe, struct error *error) {
    if (!next_line(recipe, error))
        return false;
    while (recipe->line != NULL && recipe->indent >= indent && text_starts(recipe->line + recipe->indent, "- ")) {
        char *at = recipe->line + recipe->indent + 2;
        at += strspn(at, " ");
        char *after = at;
        if (!take_scalar(words, &after, at, "", recipe, error))
            return false;
        if (*after != '\0')
            return exchange_fail(recipe->exchange, recipe->text.line, error, "\"%.60s\" is not understood", after);
        if (!next_line(recipe, error))
            return false;
    }
    return true;
}

/* The value behind "key: "; leaves the next line at work. */
static bool take_value(struct words *words, char *value, struct recipe *recipe, struct error *error) {
    words_free(words);
    words->line = recipe->text.line;
    if (*value == '\0')
        return take_dashes(words, recipe->indent, recipe, error);
    char *after = value;
    bool ok = *value == '[' ? take_flow(words, value + 1, recipe, error)
                            : take_scalar(words, &after, value, "", recipe, error);
    if (ok && *value != '[' && *after != '\0')
        return exchange_fail(recipe->exchange, recipe->text.line, error, "\"%.60s\" is not understood", after);
    return ok && next_line(recipe, error);
}

/* ---- modules ---- */

static bool compile(pcre2_code **code, const struct recipe *recipe, const struct words *words, size_t index,
                    struct error *error) {
    int fault;
    PCRE2_SIZE offset;
    const char *pattern = word_at(words, index) + strlen("re:");
    *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_ANCHORED, &fault, &offset, NULL);
    return *code != NULL || exchange_fail(recipe->exchange, words->line, error,
                                          "\"%.80s\" is no regular expression (at letter %zu)", pattern, offset + 1);
}

/* Marks the prunable matrices whose module name begins with a match, as Python's re.match takes it. */
static bool mark_regular(bool *marked, size_t *met, const struct recipe *recipe, const struct words *words,
                         size_t index, bool value, struct error *error) {
    const struct model *model = recipe->exchange->model;
    pcre2_code *code;
    if (!compile(&code, recipe, words, index, error))
        return false;
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    bool ok = match != NULL && context != NULL;
    if (!ok)
        (void)error_set(error, ERROR_MEMORY, "no memory for a regular expression");
    else
        (void)pcre2_set_match_limit(context, MATCH_LIMIT);
    for (size_t i = 0; ok && i < model->matrix_count; i++) {
        int result = PCRE2_ERROR_NOMATCH;
        if (model->matrices[i].prunable)
            result =
                pcre2_match(code, (PCRE2_SPTR)model->matrices[i].module, PCRE2_ZERO_TERMINATED, 0, 0, match, context);
        if (result < 0 && result != PCRE2_ERROR_NOMATCH)
            ok = exchange_fail(recipe->exchange, words->line, error, "\"%.80s\" takes too long to match",
                               word_at(words, index));
        if (result >= 0) {
            marked[i] = value;
            ++*met;
        }
    }
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
    pcre2_code_free(code);
    return ok;
}

static size_t mark_names(bool *marked, const struct model *model, const char *word, bool value) {
    bool all = strcmp(word, "Linear") == 0 || strcmp(word, "__ALL__") == 0;
    size_t met = 0;
    for (size_t i = 0; i < model->matrix_count; i++) {
        const struct matrix *matrix = &model->matrices[i];
        if (matrix->weight->prunable == PRUNABLE_NO || (all ? !matrix->prunable : strcmp(matrix->module, word) != 0))
            continue;
        marked[i] = value;
        met++;
    }
    return met;
}

static bool mark(bool *marked, const struct recipe *recipe, const struct words *words, bool value,
                 struct error *error) {
    for (size_t i = 0; i < words->count; i++) {
        const char *word = word_at(words, i);
        size_t met = 0;
        if (text_starts(word, "re:")) {
            if (!mark_regular(marked, &met, recipe, words, i, value, error))
                return false;
        } else
            met = mark_names(marked, recipe->exchange->model, word, value);
        if (met == 0 && value)
            return exchange_fail(recipe->exchange, words->line, error,
                                 "the target \"%.80s\" meets no prunable matrix of this model", word);
    }
    return true;
}

/* ---- a modifier ---- */

/* "N:M" removes N of every M; "0:0" is unstructured. */
static bool read_structure(struct pattern *pattern, const struct recipe *recipe, const struct modifier *modifier,
                           struct error *error) {
    const char *word = modifier->structure.count > 0 ? word_at(&modifier->structure, 0) : "0:0";
    int gone, group, length = 0;
    *pattern = (struct pattern){.kind = PATTERN_DEFAULT};
    if (strlen(word) > 12 || sscanf(word, "%d:%d%n", &gone, &group, &length) != 2 || word[length] != '\0')
        return exchange_fail(recipe->exchange, modifier->structure.line, error,
                             "mask_structure \"%.40s\" is not understood; it is \"N:M\", N removed of every M, or "
                             "\"0:0\"",
                             word);
    if (gone == 0 && group == 0)
        return true;
    char text[PATTERN_TEXT_SIZE];
    (void)snprintf(text, sizeof text, "%d:%d", group - gone, group);
    if (gone < 1 || group <= gone || !pattern_parse(pattern, text, error))
        return exchange_fail(recipe->exchange, modifier->structure.line, error,
                             "mask_structure \"%.40s\" cannot be planned here: it removes %d of every %d", word, gone,
                             group);
    return true;
}

static bool read_share(double *sparsity, const struct recipe *recipe, const struct words *words, size_t index,
                       struct error *error) {
    char where[40];
    (void)snprintf(where, sizeof where, "line %zu", words->line);
    if (!text_parse_number(sparsity, word_at(words, index), "a sparsity", error))
        return exchange_fail(recipe->exchange, words->line, error, "the sparsity \"%.40s\" is not a number",
                             word_at(words, index));
    return exchange_check_share(recipe->exchange, *sparsity, "sparsity", where, error);
}

static bool set_matrix(const struct recipe *recipe, const struct modifier *modifier, size_t matrix, size_t place,
                       struct pattern pattern, struct error *error) {
    struct target *target = &recipe->exchange->targets[matrix];
    const struct words *words = &modifier->sparsity;
    if (recipe->set_on[matrix] != 0)
        return exchange_fail(recipe->exchange, modifier->line, error,
                             "this modifier prunes %.100s, and so does that of line %zu",
                             recipe->exchange->model->matrices[matrix].module, recipe->set_on[matrix]);
    recipe->set_on[matrix] = modifier->line;
    target->pattern = pattern;
    return read_share(&target->sparsity, recipe, words, words->count == 1 ? 0 : place, error);
}

static bool set_marked(const struct recipe *recipe, const struct modifier *modifier, const bool *marked,
                       struct error *error) {
    const struct model *model = recipe->exchange->model;
    struct pattern pattern;
    size_t count = 0;
    for (size_t i = 0; i < model->matrix_count; i++)
        count += marked[i];
    if (modifier->sparsity.count != 1 && modifier->sparsity.count != count)
        return exchange_fail(recipe->exchange, modifier->sparsity.line, error,
                             "%zu sparsities for %zu matrices; they pair in the model's order",
                             modifier->sparsity.count, count);
    bool ok = read_structure(&pattern, recipe, modifier, error);
    for (size_t i = 0, place = 0; ok && i < model->matrix_count; i++)
        if (marked[i])
            ok = set_matrix(recipe, modifier, i, place++, pattern, error);
    if (ok && pattern.kind == PATTERN_N_M)
        text_add(recipe->exchange->remarks, "line %zu: mask_structure %s removes %.4g %% whatever sparsity says\n",
                 modifier->line, word_at(&modifier->structure, 0), 100 * (1 - (double)pattern.n / pattern.m));
    return ok;
}

static bool apply_modifier(const struct recipe *recipe, const struct modifier *modifier, struct error *error) {
    if (modifier->sparsity.count == 0)
        return exchange_fail(recipe->exchange, modifier->line, error, "this modifier has no sparsity");
    bool *marked = memory_alloc(recipe->exchange->model->matrix_count, sizeof *marked, error);
    if (marked == NULL)
        return false;
    bool ok = true;
    if (modifier->targets.count > 0)
        ok = mark(marked, recipe, &modifier->targets, true, error);
    else
        (void)mark_names(marked, recipe->exchange->model, "Linear", true);
    ok = ok && mark(marked, recipe, &modifier->ignore, false, error) && set_marked(recipe, modifier, marked, error);
    memory_free(marked);
    return ok;
}

/* Fields that have no place in a plan are passed over; any other is refused, since it may change what is pruned. */
static const char *const passed_over[] = {"block_size",       "dampening_frac",    "preserve_sparsity_mask",
                                          "offload_hessians", "sequential_update", "sequential_targets"};

static bool take_field(struct modifier *modifier, char *key, char *value, struct recipe *recipe, struct error *error) {
    const struct {
        const char *name;
        struct words *words;
    } fields[] = {{"sparsity", &modifier->sparsity},
                  {"mask_structure", &modifier->structure},
                  {"targets", &modifier->targets},
                  {"ignore", &modifier->ignore}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].name, key) == 0)
            return fields[i].words->line == 0
                       ? take_value(fields[i].words, value, recipe, error)
                       : exchange_fail(recipe->exchange, recipe->text.line, error, "%s stands on line %zu already", key,
                                       fields[i].words->line);
    for (size_t i = 0; i < sizeof passed_over / sizeof *passed_over; i++) {
        struct words words = {0};
        if (strcmp(passed_over[i], key) != 0)
            continue;
        text_add(recipe->exchange->remarks, "line %zu: %s has no place in a plan\n", recipe->text.line, key);
        bool ok = take_value(&words, value, recipe, error);
        words_free(&words);
        return ok;
    }
    return exchange_fail(recipe->exchange, recipe->text.line, error, "the field %.60s is not understood", key);
}

/* Leaves the line behind the modifier at work. */
static bool take_modifier(struct recipe *recipe, struct error *error) {
    struct modifier modifier = {.line = recipe->text.line};
    size_t indent = recipe->indent;
    char *key, *value;
    bool ok = next_line(recipe, error);
    while (ok && recipe->line != NULL && recipe->indent > indent)
        ok = split_key(&key, &value, recipe, error) && take_field(&modifier, key, value, recipe, error);
    ok = ok && apply_modifier(recipe, &modifier, error);
    words_free(&modifier.sparsity);
    words_free(&modifier.structure);
    words_free(&modifier.targets);
    words_free(&modifier.ignore);
    return ok;
}

static bool skip_modifier(struct recipe *recipe, const char *name, struct error *error) {
    size_t indent = recipe->indent;
    text_add(recipe->exchange->remarks, "line %zu: %s is left out: it prunes no weights\n", recipe->text.line, name);
    bool ok = next_line(recipe, error);
    while (ok && recipe->line != NULL && recipe->indent > indent)
        ok = next_line(recipe, error);
    return ok;
}

/* ---- the recipe ---- */

static bool any_of(const char *const *names, const char *name) {
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static bool take_entry(struct recipe *recipe, struct error *error) {
    static const char *const read[] = {"SparseGPTModifier", "WandaPruningModifier", NULL};
    static const char *const refused[] = {"MagnitudePruningModifier", "ConstantPruningModifier", "REAPPruningModifier",
                                          "OWLModifier", NULL};
    char *key, *value;
    if (!split_key(&key, &value, recipe, error))
        return false;
    if (any_of(refused, key))
        return exchange_fail(recipe->exchange, recipe->text.line, error,
                             "%s is not understood; SparseGPTModifier and WandaPruningModifier are", key);
    if (*value != '\0') {
        text_add(recipe->exchange->remarks, "line %zu: %s has no place in a plan\n", recipe->text.line, key);
        return next_line(recipe, error);
    }
    if (any_of(read, key))
        return take_modifier(recipe, error);
    return text_ends(key, "Modifier") ? skip_modifier(recipe, key, error) : next_line(recipe, error);
}

static bool pruned_anything(const struct recipe *recipe) {
    for (size_t i = 0; i < recipe->exchange->model->matrix_count; i++)
        if (recipe->set_on[i] != 0)
            return true;
    return false;
}

bool exchange_read_recipe(struct exchange *exchange, struct error *error) {
    struct recipe recipe = {.exchange = exchange};
    if (!exchange_text_open(&recipe.text, exchange, error))
        return false;
    recipe.set_on = memory_alloc(exchange->model->matrix_count, sizeof *recipe.set_on, error);
    bool ok = recipe.set_on != NULL && next_line(&recipe, error);
    while (ok && recipe.line != NULL)
        ok = take_entry(&recipe, error);
    if (ok && !pruned_anything(&recipe))
        ok = error_set(error, ERROR_INPUT, "%s has no SparseGPTModifier and no WandaPruningModifier", exchange->path);
    memory_free(recipe.set_on);
    exchange_text_close(&recipe.text);
    return ok;
}

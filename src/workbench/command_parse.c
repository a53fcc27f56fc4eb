#include "workbench/command_parse.h"

#include "base/memory.h"
#include "prune/pattern.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

static bool word_append(struct words *words, const char *text, size_t begin, size_t end, struct error *error) {
    if (!memory_grow(&words->list, &words->capacity, words->count, sizeof *words->list, error))
        return false;
    char *copy = memory_copy_string(text, error);
    if (copy == NULL)
        return false;
    words->list[words->count++] = (struct word){copy, begin, end};
    return true;
}

static size_t take_home(struct text *text, const char *at) {
    const char *home = getenv("HOME");
    if (at[0] != '~' || at[1] != '/' || home == NULL)
        return 0;
    text_add(text, "%s", home);
    return 1;
}

/* One word from line[at..] into text; returns where it ends. *quote is left open at the end of the line. */
static size_t take_word(struct text *text, const char *line, size_t at, char *quote) {
    *quote = '\0';
    at += take_home(text, line + at);
    for (; line[at] != '\0' && (*quote != '\0' || !isspace((unsigned char)line[at])); at++) {
        char byte = line[at];
        if (*quote != '\0' && byte == *quote)
            *quote = '\0';
        else if (*quote == '\0' && (byte == '\'' || byte == '"'))
            *quote = byte;
        else {
            if (byte == '\\' && *quote != '\'' && line[at + 1] != '\0')
                at++;
            text_add_bytes(text, line + at, 1);
        }
    }
    return at;
}

bool words_split(struct words *words, const char *line, struct error *error) {
    memset(words, 0, sizeof *words);
    struct text text = {0};
    bool ok = true;
    for (size_t at = 0; ok;) {
        while (isspace((unsigned char)line[at]))
            at++;
        if (line[at] == '\0' || line[at] == '#')
            break;
        size_t begin = at;
        char quote;
        text_clear(&text);
        at = take_word(&text, line, at, &quote);
        words->open = quote != '\0';
        ok = text.failed ? error_set(error, ERROR_MEMORY, "no memory for the command line")
                         : word_append(words, text_string(&text), begin, at, error);
    }
    text_free(&text);
    return ok;
}

void words_free(struct words *words) {
    for (size_t i = 0; i < words->count; i++)
        memory_free(words->list[i].text);
    memory_free(words->list);
    memset(words, 0, sizeof *words);
}

bool word_is_option(const char *word) {
    return word[0] == '-' && word[1] != '\0' && !isdigit((unsigned char)word[1]) && word[1] != '.';
}

/* ---- values ---- */

const struct argument *argument_find(const struct command *command, const char *name, size_t length) {
    for (size_t i = 0; i < command->argument_count; i++) {
        const char *known = command->arguments[i].name;
        if (strlen(known) == length && strncmp(known, name, length) == 0)
            return &command->arguments[i];
    }
    return NULL;
}

const char *const *argument_choices(const struct argument *argument) {
    return argument->choices != NULL ? argument->choices : argument->list();
}

const char *const pattern_examples[] = {"unstructured", "row",  "2:4",  "4:8",     "columns:128",
                                        "tile:16x16",   "rows", "cols", "default", NULL};

static bool take_as_it_is(struct value *value, const struct argument *argument, struct error *error) {
    if (value->text[0] != '\0' || argument->kind == ARGUMENT_TEXT || argument->kind == ARGUMENT_REST)
        return true;
    return error_set(error, ERROR_USAGE, "%s is empty", argument->name);
}

static bool choose(struct value *value, const char *const *names, const char *what, struct error *error) {
    for (int64_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], value->text) == 0) {
            value->integer = i;
            return true;
        }
    }
    struct text list = {0};
    for (size_t i = 0; names[i] != NULL; i++)
        text_add(&list, "%s%s", i == 0 ? "" : names[i + 1] == NULL ? " or " : ", ", names[i]);
    const char *nearest = command_nearest(value->text, names);
    if (nearest != NULL)
        (void)error_set(error, ERROR_USAGE, "%s cannot be \"%s\"; did you mean %s? It is %s", what, value->text,
                        nearest, text_string(&list));
    else
        (void)error_set(error, ERROR_USAGE, "%s cannot be \"%s\"; it is %s", what, value->text, text_string(&list));
    text_free(&list);
    return false;
}

static bool take_flag(struct value *value, const struct argument *argument, struct error *error) {
    static const char *const words[] = {"no", "yes", "off", "on", NULL};
    if (!choose(value, words, argument->name, error))
        return false;
    value->integer &= 1;
    return true;
}

static bool take_integer(struct value *value, const struct argument *argument, struct error *error) {
    bool bounded = argument->high > argument->low;
    return text_parse_integer(&value->integer, value->text, bounded ? argument->low : INT64_MIN,
                              bounded ? argument->high : INT64_MAX, argument->name, error);
}

static bool take_number(struct value *value, const struct argument *argument, struct error *error) {
    return text_parse_number(&value->number, value->text, argument->name, error);
}

static bool take_fraction(struct value *value, const struct argument *argument, struct error *error) {
    const char *text = value->text;
    if (argument->relative && (*text == '+' || *text == '-'))
        value->sign = *text++ == '+' ? 1 : -1;
    return text_parse_fraction(&value->number, text, error) || error_prefix(error, "%s", argument->name);
}

static bool take_bytes(struct value *value, const struct argument *argument, struct error *error) {
    uint64_t bytes = 0;
    if (!text_parse_bytes(&bytes, value->text, error))
        return error_prefix(error, "%s", argument->name);
    value->integer = bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
    return true;
}

static bool take_pattern(struct value *value, const struct argument *argument, struct error *error) {
    struct pattern pattern;
    for (size_t i = 0; argument->choices != NULL && argument->choices[i] != NULL; i++)
        if (strcmp(argument->choices[i], value->text) == 0)
            return true;
    return pattern_parse(&pattern, value->text, error);
}

static bool take_choice(struct value *value, const struct argument *argument, struct error *error) {
    return choose(value, argument_choices(argument), argument->name, error);
}

/* By argument_kind: how a value is checked and converted, and what stands for it in a usage line. */
static const struct {
    bool (*take)(struct value *value, const struct argument *argument, struct error *error);
    const char *placeholder;
} kinds[] = {
    [ARGUMENT_TEXT] = {take_as_it_is, "TEXT"},      [ARGUMENT_REST] = {take_as_it_is, "TEXT..."},
    [ARGUMENT_FLAG] = {take_flag, "yes|no"},        [ARGUMENT_INTEGER] = {take_integer, "N"},
    [ARGUMENT_NUMBER] = {take_number, "X"},         [ARGUMENT_FRACTION] = {take_fraction, "S"},
    [ARGUMENT_BYTES] = {take_bytes, "BYTES"},       [ARGUMENT_PATH] = {take_as_it_is, "FILE"},
    [ARGUMENT_FOLDER] = {take_as_it_is, "DIR"},     [ARGUMENT_SELECTOR] = {take_as_it_is, "SELECTOR"},
    [ARGUMENT_PATTERN] = {take_pattern, "PATTERN"}, [ARGUMENT_CHOICE] = {take_choice, "NAME"},
};

const char *argument_placeholder(const struct argument *argument) {
    return kinds[argument->kind].placeholder;
}

/* ---- a command's words become its values ---- */

struct parser {
    const struct command *command;
    struct parsed *parsed;
    const char *line;
    const struct words *words;
    size_t at, next_positional;
    struct error *error;
};

static bool give(struct parser *parser, const struct argument *argument, const char *text) {
    struct value *value = &parser->parsed->values[argument - parser->command->arguments];
    if (value->given)
        return error_set(parser->error, ERROR_USAGE, "%s is given twice", argument->name);
    value->given = true;
    value->text = text;
    return kinds[argument->kind].take(value, argument, parser->error);
}

static bool unknown_argument(const struct parser *parser, const char *typed) {
    const struct command *command = parser->command;
    const char *dashes = parser->line == NULL ? "--" : "";
    const char *names[64] = {NULL};
    for (size_t i = 0; i < command->argument_count && i < 63; i++)
        names[i] = command->arguments[i].name;
    const char *nearest = command_nearest(typed, names);
    if (nearest != NULL)
        return error_set(parser->error, ERROR_USAGE, "%s has no %s%s; did you mean %s%s?", command->name, dashes, typed,
                         dashes, nearest);
    struct text usage = {0};
    command_usage(&usage, command, parser->line == NULL);
    (void)error_set(parser->error, ERROR_USAGE, "%s has no %s%s; usage: %s", command->name, dashes, typed,
                    text_string(&usage));
    text_free(&usage);
    return false;
}

static bool give_rest(struct parser *parser, const struct argument *argument) {
    const struct words *words = parser->words;
    if (parser->line != NULL) {
        const char *rest = parser->line + words->list[parser->at].begin;
        parser->at = words->count;
        return give(parser, argument, rest);
    }
    struct text text = {0};
    for (bool first = true; parser->at < words->count; parser->at++, first = false)
        text_add(&text, "%s%s", first ? "" : " ", words->list[parser->at].text);
    parser->parsed->rest = text.data;
    if (text.failed || text.data == NULL)
        return error_set(parser->error, ERROR_MEMORY, "no memory for the command line");
    return give(parser, argument, text.data);
}

static bool take_positional(struct parser *parser) {
    const struct command *command = parser->command;
    while (parser->next_positional < command->argument_count &&
           (!command->arguments[parser->next_positional].positional ||
            parser->parsed->values[parser->next_positional].given))
        parser->next_positional++;
    const char *word = parser->words->list[parser->at].text;
    if (parser->next_positional == command->argument_count) {
        struct text usage = {0};
        command_usage(&usage, command, parser->line == NULL);
        (void)error_set(parser->error, ERROR_USAGE, "\"%s\" is one word too many; usage: %s", word,
                        text_string(&usage));
        text_free(&usage);
        return false;
    }
    const struct argument *argument = &command->arguments[parser->next_positional++];
    if (argument->kind == ARGUMENT_REST)
        return give_rest(parser, argument);
    parser->at++;
    return give(parser, argument, word);
}

/* name=value or a flag's bare name. */
static bool take_assignment(struct parser *parser, bool *taken) {
    const char *word = parser->words->list[parser->at].text;
    size_t length = 0;
    while (islower((unsigned char)word[length]) || (length > 0 && (word[length] == '-' || word[length] == '_')))
        length++;
    const struct argument *argument = argument_find(parser->command, word, length);
    *taken = word[length] == '=' || (word[length] == '\0' && argument != NULL && argument->kind == ARGUMENT_FLAG);
    if (!*taken)
        return true;
    parser->at++;
    if (argument != NULL)
        return give(parser, argument, word[length] == '=' ? word + length + 1 : "yes");
    char name[64] = "";
    strncat(name, word, length < sizeof name - 1 ? length : sizeof name - 1);
    return unknown_argument(parser, name);
}

static const struct argument *option_argument(const struct command *command, const char *word, size_t *length) {
    if (word[1] != '-') {
        *length = 2;
        for (size_t i = 0; i < command->argument_count; i++)
            if (word[2] == '\0' && command->arguments[i].letter == word[1])
                return &command->arguments[i];
        return NULL;
    }
    *length = strcspn(word, "=");
    return argument_find(command, word + 2, *length - 2);
}

/* --name value, --name=value, --flag, -o value. */
static bool take_option(struct parser *parser) {
    const char *word = parser->words->list[parser->at++].text;
    size_t length;
    const struct argument *argument = option_argument(parser->command, word, &length);
    if (argument == NULL) {
        char name[64] = "";
        size_t skip = word[1] == '-' ? 2 : 1;
        strncat(name, word + skip, length - skip < sizeof name - 1 ? length - skip : sizeof name - 1);
        return unknown_argument(parser, name);
    }
    if (word[length] == '=')
        return give(parser, argument, word + length + 1);
    if (argument->kind == ARGUMENT_FLAG)
        return give(parser, argument, "yes");
    if (parser->at == parser->words->count)
        return error_set(parser->error, ERROR_USAGE, "%s needs a value: %s", word, argument->help);
    return give(parser, argument, parser->words->list[parser->at++].text);
}

static bool take_words(struct parser *parser) {
    bool options = parser->line == NULL;
    bool ok = true;
    while (ok && parser->at < parser->words->count) {
        const char *word = parser->words->list[parser->at].text;
        bool taken = false;
        if (options && strcmp(word, "--") == 0) {
            options = false;
            parser->at++;
            continue;
        }
        if (options && word_is_option(word)) {
            ok = take_option(parser);
            continue;
        }
        if (parser->line != NULL)
            ok = take_assignment(parser, &taken);
        if (ok && !taken)
            ok = take_positional(parser);
    }
    return ok;
}

static bool fill_defaults(struct parser *parser) {
    const struct command *command = parser->command;
    for (size_t i = 0; i < command->argument_count; i++) {
        const struct argument *argument = &command->arguments[i];
        struct value *value = &parser->parsed->values[i];
        if (value->given)
            continue;
        if (argument->required) {
            struct text usage = {0};
            command_usage(&usage, command, parser->line == NULL);
            (void)error_set(parser->error, ERROR_USAGE, "%s: %s is missing (%s); usage: %s", command->name,
                            argument->name, argument->help, text_string(&usage));
            text_free(&usage);
            return false;
        }
        value->text = argument->fallback;
        if (argument->fallback != NULL && !kinds[argument->kind].take(value, argument, parser->error))
            return false;
    }
    return true;
}

bool parsed_fill(struct parsed *parsed, const struct command *command, const char *line, const struct words *words,
                 size_t first, struct error *error) {
    memset(parsed, 0, sizeof *parsed);
    parsed->values = memory_alloc(command->argument_count, sizeof *parsed->values, error);
    if (parsed->values == NULL)
        return false;
    struct parser parser = {command, parsed, line, words, first, 0, error};
    return take_words(&parser) && fill_defaults(&parser);
}

void parsed_free(struct parsed *parsed) {
    memory_free(parsed->values);
    memory_free(parsed->rest);
    memset(parsed, 0, sizeof *parsed);
}

size_t command_first_positional(const struct command *command, char **words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], "--") == 0)
            return i + 1 < count ? i + 1 : count;
        if (!word_is_option(words[i]))
            return i;
        size_t length;
        const struct argument *argument = option_argument(command, words[i], &length);
        if (argument != NULL && words[i][length] != '=' && argument->kind != ARGUMENT_FLAG)
            i++;
    }
    return count;
}

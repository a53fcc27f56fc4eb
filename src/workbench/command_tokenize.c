/* The command that shows how a model's tokenizer reads a text, and what a row of ids says. */
#include "base/file.h"
#include "base/memory.h"
#include "model/tokenizer.h"
#include "workbench/commands.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT ((size_t)1 << 32)

enum { TOKENIZE_MODEL, TOKENIZE_FILE, TOKENIZE_NO_SPECIAL, TOKENIZE_JSON, TOKENIZE_DECODE };

struct tokenize {
    struct tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    struct token_ids ids; /* of the entry at work */
    bool special, json, decode;
    struct text *output;
};

/* ---- texts to ids ---- */

static bool encode(struct tokenize *work, const char *text, size_t length, struct error *error) {
    work->ids.count = 0;
    if (!tokenizer_encode(&work->ids, work->tokenizer, work->scratch, text, length, work->special, error))
        return false;
    for (size_t i = 0; i < work->ids.count; i++)
        text_add(work->output, i > 0 ? " %d" : "%d", (int)work->ids.data[i]);
    text_add(work->output, "\n");
    return true;
}

/* ---- ids to texts ---- */

static bool add_id(struct tokenize *work, int64_t id, struct error *error) {
    if (id < 0 || id >= tokenizer_vocabulary(work->tokenizer))
        return error_set(error, ERROR_INPUT, "there is no token %lld: ids are below %lld", (long long)id,
                         (long long)tokenizer_vocabulary(work->tokenizer));
    return token_ids_add(&work->ids, (int32_t)id, error);
}

static bool read_ids(struct tokenize *work, const char *line, size_t length, struct error *error) {
    const char *end = line + length;
    work->ids.count = 0;
    while (line < end) {
        char *behind;
        if (strchr(" \t\r,", *line) != NULL) {
            line++;
            continue;
        }
        errno = 0;
        long long id = strtoll(line, &behind, 10);
        if (behind == line || behind > end || errno != 0)
            return error_set(error, ERROR_INPUT, "\"%.*s\" is no token id", (int)strcspn(line, " \t\r\n,"), line);
        if (!add_id(work, id, error))
            return false;
        line = behind;
    }
    return true;
}

/* JSON text goes out as JSON again, so that a line stays a line. */
static bool put_text(struct tokenize *work, const struct text *text, struct error *error) {
    if (!work->json) {
        text_add_bytes(work->output, text_string(text), text->length);
        text_add(work->output, "\n");
        return true;
    }
    json_t *string = json_stringn(text_string(text), text->length);
    char *line = string != NULL ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    json_decref(string);
    if (line == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the text of %zu bytes", text->length);
    text_add(work->output, "%s\n", line);
    free(line);
    return true;
}

static bool decode(struct tokenize *work, struct error *error) {
    struct text text = {0};
    bool ok = tokenizer_decode(&text, work->tokenizer, work->ids.data, work->ids.count, work->special, error) &&
              put_text(work, &text, error);
    text_free(&text);
    return ok;
}

/* ---- entries of a file ---- */

static bool take_line(struct tokenize *work, const char *line, size_t length, struct error *error) {
    if (work->decode)
        return read_ids(work, line, length, error) && decode(work, error);
    return encode(work, line, length, error);
}

static bool take_lines(struct tokenize *work, const char *contents, size_t size, struct error *error) {
    size_t number = 1;
    for (const char *line = contents, *end = contents + size; line < end; number++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline != NULL ? newline : end;
        if (!take_line(work, line, (size_t)(stop - line), error))
            return error_prefix(error, "line %zu", number);
        line = stop + 1;
    }
    return true;
}

static bool take_json_ids(struct tokenize *work, const json_t *entry, struct error *error) {
    size_t index;
    const json_t *id;
    const json_t *ids = json_is_object(entry) ? json_object_get(entry, "ids") : entry;
    if (!json_is_array(ids))
        return error_set(error, ERROR_INPUT, "it should be a list of ids, or an object with such a list as \"ids\"");
    work->ids.count = 0;
    json_array_foreach(ids, index, id) {
        if (!json_is_integer(id))
            return error_set(error, ERROR_INPUT, "id %zu is not a whole number", index + 1);
        if (!add_id(work, json_integer_value(id), error))
            return false;
    }
    return decode(work, error);
}

static bool take_json_text(struct tokenize *work, const json_t *entry, struct error *error) {
    const json_t *text = json_is_object(entry) ? json_object_get(entry, "text") : entry;
    if (!json_is_string(text))
        return error_set(error, ERROR_INPUT, "it should be a string, or an object with a string as \"text\"");
    return encode(work, json_string_value(text), json_string_length(text), error);
}

static bool take_json(struct tokenize *work, const char *contents, size_t size, struct error *error) {
    json_error_t fault;
    size_t index;
    const json_t *entry;
    json_t *list = json_loadb(contents, size, JSON_ALLOW_NUL, &fault);
    if (!json_is_array(list)) {
        bool whole = list != NULL;
        json_decref(list);
        return whole ? error_set(error, ERROR_INPUT, "with --json the file should be a JSON list")
                     : error_set(error, ERROR_INPUT, "it is not JSON: line %d: %s", fault.line, fault.text);
    }
    bool ok = true;
    json_array_foreach(list, index, entry) {
        ok = (work->decode ? take_json_ids : take_json_text)(work, entry, error);
        if (!ok) {
            (void)error_prefix(error, "entry %zu", index + 1);
            break;
        }
    }
    json_decref(list);
    return ok;
}

static bool take_file(struct tokenize *work, const char *path, struct error *error) {
    size_t size;
    char *contents = file_read(path, FILE_LIMIT, &size, error);
    if (contents == NULL)
        return false;
    bool ok = (work->json ? take_json : take_lines)(work, contents, size, error);
    memory_free(contents);
    return ok || error_prefix(error, "%s", path);
}

static bool run_tokenize(struct workbench *workbench, const struct value *values, struct text *output,
                         struct error *error) {
    struct tokenize work = {.special = values[TOKENIZE_NO_SPECIAL].integer == 0,
                            .json = values[TOKENIZE_JSON].integer != 0,
                            .decode = values[TOKENIZE_DECODE].integer != 0,
                            .output = output};
    (void)workbench;
    work.tokenizer = tokenizer_open(values[TOKENIZE_MODEL].text, error);
    if (work.tokenizer != NULL)
        work.scratch = tokenizer_scratch_create(work.tokenizer, error);
    bool ok = work.scratch != NULL && take_file(&work, values[TOKENIZE_FILE].text, error);
    token_ids_free(&work.ids);
    tokenizer_scratch_free(work.scratch);
    tokenizer_close(work.tokenizer);
    return ok;
}

static const struct argument tokenize_arguments[] = {
    [TOKENIZE_MODEL] = {.name = "model",
                        .kind = ARGUMENT_PATH,
                        .positional = true,
                        .required = true,
                        .help = "a model, or a folder that holds only a tokenizer"},
    [TOKENIZE_FILE] = {.name = "file",
                       .kind = ARGUMENT_PATH,
                       .positional = true,
                       .required = true,
                       .help = "the text, a line at a time; or the ids"},
    [TOKENIZE_NO_SPECIAL] = {.name = "no-special",
                             .kind = ARGUMENT_FLAG,
                             .help = "add no BOS or EOS; leave special tokens out when decoding"},
    [TOKENIZE_JSON] = {.name = "json",
                       .kind = ARGUMENT_FLAG,
                       .help = "the file is a JSON list of texts, for texts with line breaks"},
    [TOKENIZE_DECODE] = {.name = "decode", .kind = ARGUMENT_FLAG, .help = "from ids to text"},
};

const struct command tokenize_commands[] = {
    {"tokenize", NULL, "print the token ids of a text",
     "One line of ids for every line of the file, separated by blanks. With json the file is a JSON list of strings, "
     "or "
     "of objects with a string \"text\", and every entry gives a line. With decode the file holds ids, a line at a "
     "time "
     "(with json: lists of ids, or objects with a list \"ids\") and the text of each is printed on a line (with json: "
     "as a JSON string).",
     tokenize_arguments, sizeof tokenize_arguments / sizeof *tokenize_arguments, COMMAND_SUBCOMMAND | COMMAND_NO_MODEL,
     run_tokenize},
};
const size_t tokenize_command_count = sizeof tokenize_commands / sizeof *tokenize_commands;

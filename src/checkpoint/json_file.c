#include "checkpoint/json_file.h"

#define DEPTH_LIMIT 16

static size_t depth_of(const char *text, size_t size) {
    size_t depth = 0, deepest = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '{' || text[i] == '['))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!quoted && (text[i] == '}' || text[i] == ']') && depth > 0)
            depth--;
    }
    return deepest;
}

json_t *json_file_parse(const char *text, size_t size, const char *what, struct error *error) {
    if (size > JSON_FILE_LIMIT) {
        (void)error_set(error, ERROR_INPUT, "%s has %zu bytes of JSON; at most %zu are accepted", what, size,
                        JSON_FILE_LIMIT);
        return NULL;
    }
    size_t depth = depth_of(text, size);
    if (depth > DEPTH_LIMIT) {
        (void)error_set(error, ERROR_INPUT, "%s nests JSON %zu levels deep; at most %d are accepted", what, depth,
                        DEPTH_LIMIT);
        return NULL;
    }
    json_error_t fault;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &fault);
    if (object == NULL)
        (void)error_set(error, ERROR_INPUT, "%s is not valid JSON: %s (byte %d)", what, fault.text, fault.position);
    else if (!json_is_object(object)) {
        (void)error_set(error, ERROR_INPUT, "%s must be a JSON object", what);
        json_decref(object);
        object = NULL;
    }
    return object;
}

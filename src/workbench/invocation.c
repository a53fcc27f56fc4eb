#include "workbench/invocation.h"

#include <stdio.h>
#include <string.h>

static bool set_script(struct invocation *invocation, const char *value, struct error *error) {
    (void)error;
    invocation->script = value;
    return true;
}

static bool set_threads(struct invocation *invocation, const char *value, struct error *error) {
    int64_t threads = 0;
    if (!text_parse_integer(&threads, value, 0, 4096, "--threads", error))
        return false;
    invocation->settings.threads = (int)threads;
    return true;
}

static bool set_memory(struct invocation *invocation, const char *value, struct error *error) {
    return text_parse_bytes(&invocation->settings.memory, value, error) || error_prefix(error, "--memory");
}

static bool set_compute(struct invocation *invocation, const char *value, struct error *error) {
    if (strcmp(value, "auto") != 0 && strcmp(value, "f32") != 0 && strcmp(value, "bf16") != 0)
        return error_set(error, ERROR_USAGE, "--compute is auto, f32 or bf16, not \"%s\"", value);
    (void)snprintf(invocation->settings.compute, sizeof invocation->settings.compute, "%s", value);
    return true;
}

static bool set_states(struct invocation *invocation, const char *value, struct error *error) {
    invocation->settings.states_bf16 = strcmp(value, "bf16") == 0;
    return invocation->settings.states_bf16 || strcmp(value, "f32") == 0 ||
           error_set(error, ERROR_USAGE, "--states is f32 or bf16, not \"%s\"", value);
}

static bool set_csv(struct invocation *invocation, const char *value, struct error *error) {
    (void)value;
    (void)error;
    invocation->settings.csv = true;
    return true;
}

static bool set_help(struct invocation *invocation, const char *value, struct error *error) {
    (void)value;
    (void)error;
    invocation->help = true;
    return true;
}

static bool set_version(struct invocation *invocation, const char *value, struct error *error) {
    (void)value;
    (void)error;
    invocation->version = true;
    return true;
}

static bool set_manual(struct invocation *invocation, const char *value, struct error *error) {
    (void)value;
    (void)error;
    invocation->manual = true;
    return true;
}

static bool set_completion(struct invocation *invocation, const char *value, struct error *error) {
    (void)value;
    (void)error;
    invocation->completion = true;
    return true;
}

const struct general_option general_options[] = {
    {"script", "FILE", "run the commands of FILE on MODEL, without a terminal", set_script, false},
    {"threads", "N", "use N threads; 0 or nothing: one per processor", set_threads, false},
    {"memory", "BYTES", "keep working memory below this (3.5G, 512MiB)", set_memory, false},
    {"compute", "auto|f32|bf16", "arithmetic of the forward pass", set_compute, false},
    {"states", "f32|bf16", "how hidden states are kept between blocks; bf16 takes half the room", set_states, false},
    {"csv", NULL, "print tables as CSV", set_csv, false},
    {"help", NULL, "print help", set_help, false},
    {"version", NULL, "print the version", set_version, false},
    {"dump-manual", NULL, "print the manual page", set_manual, true},
    {"dump-completion", NULL, "print the bash completion", set_completion, true},
};
const size_t general_option_count = sizeof general_options / sizeof *general_options;

/* The option that a word is ("--threads", "--threads=2"), or NULL. */
static const struct general_option *find(const char *word) {
    if (strncmp(word, "--", 2) != 0)
        return NULL;
    size_t length = strcspn(word + 2, "=");
    for (size_t i = 0; i < general_option_count; i++)
        if (strlen(general_options[i].name) == length && strncmp(general_options[i].name, word + 2, length) == 0)
            return &general_options[i];
    return NULL;
}

/* Takes words[*at], a general option, and its value. */
static bool take(struct invocation *invocation, const struct general_option *option, char **words, size_t count,
                 size_t *at, struct error *error) {
    const char *equals = strchr(words[*at], '=');
    if (option->value == NULL)
        return equals == NULL ? option->set(invocation, NULL, error)
                              : error_set(error, ERROR_USAGE, "--%s takes no value", option->name);
    if (equals == NULL && *at + 1 == count)
        return error_set(error, ERROR_USAGE, "--%s needs a value: %s", option->name, option->help);
    return option->set(invocation, equals != NULL ? equals + 1 : words[++*at], error);
}

bool invocation_read(struct invocation *invocation, char **words, size_t count, struct error *error) {
    memset(invocation, 0, sizeof *invocation);
    (void)snprintf(invocation->settings.compute, sizeof invocation->settings.compute, "auto");
    invocation->words = words;
    size_t at = 0;
    for (; at < count && strcmp(words[at], "--") != 0; at++) {
        const struct general_option *option = find(words[at]);
        if (option == NULL)
            words[invocation->count++] = words[at];
        else if (!take(invocation, option, words, count, &at, error))
            return false;
    }
    for (; at < count; at++)
        words[invocation->count++] = words[at];
    return true;
}

/* config.json: from a model's options to its architecture. Absent keys have the defaults of the family's configuration
 * class; an option that is not known and that is not switched off is an error that names it. */
#ifndef SECATEUR_CONFIG_H
#define SECATEUR_CONFIG_H

#include "model/family.h"

/* The options of one model under the reader's own names (config_keys.c), defaults filled in. The first complaint is
 * kept; getters go on with harmless values afterwards, so that readers need not check each one. */
struct config {
    json_t *values;        /* owned */
    const json_t *options; /* as config.json has them, under its own names */
    const char *path;
    const char *family;
    struct error *error;
    bool failed;
};

/* The parsed contents of a config.json; NULL with an error. Caller drops the reference. */
json_t *config_load(const char *path, struct error *error);

/* The model_type that config.json states; NULL when it states none. */
const char *config_model_type(const json_t *root);

/* Fills an architecture from config.json. False with an error that names the option; what was read until then stays. */
bool config_read(struct architecture *architecture, const struct family *family, const json_t *root, const char *path,
                 struct error *error);
void architecture_free(struct architecture *architecture);

/* Merges config.json over the family's defaults. False with an error for unknown or contradictory keys. */
bool config_open(struct config *config, const struct family *family, const json_t *root);
void config_close(struct config *config);
/* Whether a key may be there without being used: it does not change what the model computes. */
bool config_is_harmless(const char *key);
/* null, false, 0, "", [] and {}: an option that is switched off. */
bool config_is_empty(const json_t *value);

bool config_knows(const struct config *config, const char *key); /* one of the family's options */
bool config_has(const struct config *config, const char *key);   /* and it is not null */
const json_t *config_value(const struct config *config, const char *key);
int64_t config_integer(struct config *config, const char *key, int64_t low, int64_t high);
/* As config_integer, with a value for null. */
int64_t config_integer_or(struct config *config, const char *key, int64_t low, int64_t high, int64_t otherwise);
double config_number(struct config *config, const char *key); /* finite */
double config_positive(struct config *config, const char *key);
bool config_boolean(struct config *config, const char *key);
const char *config_string(struct config *config, const char *key); /* "" after an error */
/* The name under which config.json gives an option: what a person has to look for. */
const char *config_spelling(const struct config *config, const char *key);
void config_refuse(struct config *config, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Limits of sizes: what is larger is a damaged file. */
#define CONFIG_BLOCKS_MAXIMUM 65536
#define CONFIG_SIZE_MAXIMUM (INT64_C(1) << 31)

void config_read_activation(struct architecture *architecture, struct config *config, const char *key);
void config_read_rope(struct architecture *architecture, struct config *config);
void config_read_windows(struct architecture *architecture, struct config *config);
void config_read_experts(struct architecture *architecture, struct config *config);

/* Options of single families (config_families.c). */
void config_read_gemma(struct architecture *architecture, struct config *config);
void config_read_gpt_neo(struct architecture *architecture, struct config *config);
void config_read_gpt_bigcode(struct architecture *architecture, struct config *config);
void config_read_opt(struct architecture *architecture, struct config *config);
void config_read_falcon(struct architecture *architecture, struct config *config);
void config_read_mpt(struct architecture *architecture, struct config *config);

#endif

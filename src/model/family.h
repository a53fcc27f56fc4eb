/* Families: one row per Hugging Face model_type says where each role's tensor lives, what its configuration class takes
 * for granted and how its computation differs from the plain one. */
#ifndef SECATEUR_FAMILY_H
#define SECATEUR_FAMILY_H

#include "model/model.h"

struct config;

/* Where a role's tensor lives: a module path, relative to a block or to the base model; "%d" stands for the number of
 * an expert (or of a head, for norms that have one tensor per head). */
struct family_tensor {
    const char *path;
    enum role role;
    bool shared;     /* of the expert that all tokens share */
    bool transposed; /* stored inputs x outputs */
};

#define FAMILY_PREFIXES 4

struct family {
    const char *name;                      /* model_type */
    const char *prefixes[FAMILY_PREFIXES]; /* in front of the base model's names, tried in this order; then "" */
    const char *block;                     /* in front of a block's number: "layers." */
    const struct family_tensor *inside;    /* of a block, in module order; ends with path NULL */
    const struct family_tensor *outside;   /* of the blocks; with or without the prefix */
    const char *defaults;     /* JSON: every key of the configuration class that matters, under the reader's own name
                                 (config_keys.h), with the value that an absent key has */
    struct architecture base; /* what does not depend on config.json; bos = eos = 0 here mean nothing */
    /* Options that only this family has; NULL when there are none. */
    void (*read)(struct architecture *architecture, struct config *config);
    bool nested;   /* the language model's options stand in "text_config" */
    bool verified; /* compared with the reference implementation */
};

extern const struct family families[];
extern const size_t family_count;

/* NULL when there is no row of that model_type. */
const struct family *family_find(const char *model_type);

/* A tensor's name, understood. */
struct family_place {
    const struct family_tensor *tensor; /* NULL: the family does not know this name */
    int64_t block;                      /* MODEL_NO_BLOCK outside blocks */
    int64_t expert;
    const char *suffix; /* what follows the module path: "weight", "bias", "weight_scale_inv" */
};
struct family_place family_place(const struct family *family, const char *prefix, const char *name);

/* The prefix that the names of this checkpoint carry. */
const char *family_prefix(const struct family *family, const struct checkpoint *checkpoint);

/* The family whose names explain every weight of a checkpoint that has no (or an unknown) model_type; NULL when none
 * does. */
const struct family *family_guess(const struct checkpoint *checkpoint);

#endif

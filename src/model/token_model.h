/* What turns a piece of text into ids: byte-pair merges, a Unigram language model, or whole words. */
#ifndef SECATEUR_TOKEN_MODEL_H
#define SECATEUR_TOKEN_MODEL_H

#include "model/token_map.h"
#include "model/token_text.h"
#include "model/tokenizer.h"

/* Buffers of one thread. */
struct token_work {
    struct word_slot *words; /* cache of pieces merged before */
    struct merge_symbol *symbols;
    struct merge_candidate *heap;
    size_t symbol_count, symbol_capacity, heap_count, heap_capacity;
    struct unigram_node *nodes;
    size_t node_capacity;
    uint64_t unknown; /* characters outside the vocabulary */
};
bool token_work_create(struct token_work *work, struct error *error);
void token_work_free(struct token_work *work);

struct token_model {
    const char *kind; /* "BPE" */
    bool (*encode)(struct token_ids *ids, const struct token_model *model, struct token_work *work, const char *text,
                   size_t length, struct error *error);
    struct vocabulary vocabulary;
    int32_t unknown;       /* the id of what the vocabulary cannot express; -1: it is left out */
    bool fuse_unknown;     /* a run of unknown characters is one token */
    bool byte_fallback;    /* unknown characters become byte tokens */
    int32_t byte_ids[256]; /* of <0x00>..<0xFF>; -1 = absent */

    struct number_map merges;     /* BPE: left << 32 | right -> rank << 32 | result */
    struct number_map neighbours; /* BPE: pairs of characters side by side in a merged token, first << 32 | second */
    uint8_t *known_characters;    /* BPE: bit per code point: is a token by itself */
    bool ignore_merges;           /* BPE: a piece that is a token is that token */

    struct trie trie; /* Unigram */
    double *scores;   /* Unigram: per id */
    double unknown_score;
};
void token_model_free(struct token_model *model);

/* From tokenizer.json's "model". */
bool token_model_load(struct token_model *model, const json_t *json, struct error *error);

/* The parts, for tokenizer.model and vocab.json as well. vocabulary must be full before any of them. */
void token_model_find_bytes(struct token_model *model); /* fills byte_ids */
bool bpe_add_merge(struct token_model *model, int32_t left, int32_t right, uint32_t rank, struct error *error);
bool bpe_finish(struct token_model *model, struct error *error);
bool unigram_finish(struct token_model *model, struct error *error); /* scores[] filled */

/* Appends what stands for characters without a token: byte tokens, the unknown token (joined to one just before), or
 * nothing. */
bool token_model_add_unknown(struct token_ids *ids, const struct token_model *model, const char *text, size_t length,
                             bool after_unknown, struct error *error);

#endif

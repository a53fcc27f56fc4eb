/* Text to run a model on: a SOURCE made into windows of token ids, the same on every machine.
 *
 * A SOURCE is a text file, a folder of text files (in the order of their names), a .jsonl file (the `text` field of
 * each line), a .npy of token ids shaped [windows, length], or, where there is no tokenizer, a text file with one id
 * per line. A text file is one document, or several separated by lines that hold nothing but <|endoftext|>; each file
 * of a folder and each line of a .jsonl file is at least one document. */
#ifndef SECATEUR_CORPUS_H
#define SECATEUR_CORPUS_H

#include "base/error.h"
#include "model/tokenizer.h"

enum corpus_cut {
    CORPUS_SEQUENTIAL, /* documents joined, non-overlapping windows from the start; a rest is left out: evaluation */
    CORPUS_RANDOM,     /* a random document longer than the window, a random crop of it; calibration (SparseGPT, Wanda).
                          With no document that long, crops of all documents joined, and `joined` says so */
};

/* Where the tokenizer's BOS stands. */
enum corpus_bos {
    CORPUS_BOS_AUTO, /* per document where the tokenizer adds BOS by itself or BOS is <|endoftext|> and separates the
                        documents; none otherwise */
    CORPUS_BOS_NONE,
    CORPUS_BOS_DOCUMENT,
    CORPUS_BOS_WINDOW, /* in place of the first of each window's `length` ids */
};
const char *corpus_bos_name(enum corpus_bos bos); /* "per document", "per window", "none", "auto" */

#define CORPUS_DEFAULT_LENGTH 2048
#define CORPUS_DEFAULT_WINDOWS 128

struct corpus_options {
    enum corpus_cut cut;
    enum corpus_bos bos;
    int64_t windows;        /* 0: all there are (sequential), 128 (random) */
    int64_t length;         /* 0: the smaller of 2048 and the position limit */
    int64_t position_limit; /* 0: none known */
    int64_t vocabulary;     /* the model's; ids at or above it are errors. 0: not known */
    uint64_t seed;
};

struct corpus {
    int32_t *ids;  /* [windows × length] */
    uint8_t *mask; /* [windows × length], 0 = padding; NULL = no padding */
    size_t windows;
    size_t length;
    size_t documents;    /* found in the source; 0 for token ids */
    uint64_t tokens;     /* in the whole source, BOS included */
    uint64_t replaced;   /* bytes of invalid UTF-8 */
    uint64_t unknown;    /* characters outside the vocabulary */
    enum corpus_bos bos; /* the rule used, never AUTO */
    enum corpus_cut cut;
    bool joined; /* random windows had to cross documents */
    uint64_t seed;
    uint64_t hash; /* XXH3-64 of ids: two runs saw the same text */
    char *name;    /* of the source, as given */
};

/* tokenizer may be NULL: then source must be a .npy or a file of ids. */
bool corpus_open(struct corpus *corpus, const char *source, const struct tokenizer *tokenizer,
                 const struct corpus_options *options, struct error *error);
void corpus_close(struct corpus *corpus);

/* Reads a mask [windows, length] of zeros and ones (a .npy) that belongs to the corpus. */
bool corpus_read_mask(struct corpus *corpus, const char *path, struct error *error);

/* The random numbers of all sampling that must repeat on every machine: SplitMix64 (Steele, Lea, Flood 2014). Start
 * from any seed. */
uint64_t corpus_random(uint64_t *state);
/* A number in [0, bound), bound > 0, each equally likely. */
uint64_t corpus_random_below(uint64_t *state, uint64_t bound);

#endif

/* The evaluations made of a model: what was measured, on what, and how. */
#ifndef SECATEUR_EVALUATION_RECORD_H
#define SECATEUR_EVALUATION_RECORD_H

#include "engine/evaluate.h"
#include "model/corpus.h"
#include "workbench/workbench.h"

#define EVALUATION_NAME_SIZE 256

/* How perplexity is computed, for the user and the report. */
#define EVALUATION_FORMULA "exp(mean of -ln p(token | the tokens before it in its window))"

struct evaluation_record {
    char model[EVALUATION_NAME_SIZE];   /* that was measured */
    char against[EVALUATION_NAME_SIZE]; /* the dense model it was compared with; "" = none */
    char source[EVALUATION_NAME_SIZE];  /* the text */
    struct evaluation result;
    double sparsity; /* of the prunable weights of the measured model where the plan was applied to it; else NaN */
    size_t length;   /* context: tokens in a window */
    enum corpus_bos bos;
    uint64_t hash; /* of the token ids */
    enum compute compute;
    bool states_bf16; /* hidden states were kept in bf16 between blocks */
    bool padded;      /* a mask left tokens out */
    bool verified;    /* the family was compared with the reference implementation */
    uint64_t memory;  /* working memory in bytes, as computed before the run */
    double seconds;
};

/* Keeps a copy in the workbench (evaluations, under its mutex). From any thread. */
bool evaluation_record_add(struct workbench *workbench, const struct evaluation_record *record, struct error *error);

/* What the user is told: a paragraph of text. */
void evaluation_record_say(struct text *output, const struct evaluation_record *record);

#endif

/* Search: a plan improved by what it measurably does to the model (after EvoPress, Sieberling et al. 2024, arXiv
 * 2410.14649).
 *
 * From the best plan so far, offspring are made by moves that take as many weights from one matrix as they give back to
 * another. They are measured by KL divergence to the dense model, on little text first; the best go on to more; the
 * last stage's winner takes the plan's place when it beats it on all of the text and on text held back is no worse than
 * the beginning. It can be stopped at any time: the
 * best so far is kept, and searching again goes on from there. */
#ifndef SECATEUR_SEARCH_H
#define SECATEUR_SEARCH_H

#include "model/corpus.h"
#include "workbench/workbench.h"

struct search_settings {
    char *source;                  /* text; owned */
    char *calibrate;               /* text to calibrate on first; owned; NULL: none */
    char *out;                     /* a plan.csv to write; owned; NULL: none */
    double budget;                 /* sparsity of all prunable weights together; from a strategy only */
    char from[24];                 /* "plan" as it is, a strategy, or "best" of all strategies */
    char method[PLAN_METHOD_SIZE]; /* for targets that name none */
    int64_t windows, length;       /* of text: 0 = 64, the default length */
    int64_t generations, offspring;
    uint64_t seed;
};

struct search {
    struct workbench *workbench;
    struct search_settings settings;
    struct plan *best;         /* a copy of the plan, improved */
    char started[24];          /* what it began with */
    double divergence, before; /* KL per token of the best and of the plan it began with; NaN while not measured */
    double held, held_before;  /* the same on text held back; NaN: none */
    size_t rejected;           /* better on the text, worse than the beginning on what was held back */
    int64_t generation;        /* finished */
    uint64_t evaluations, tokens;
    size_t improvements;
};

void search_settings_free(struct search_settings *settings);

/* Takes over settings, on failure too. NULL with an error. */
struct search *search_create(struct workbench *workbench, struct search_settings *settings, struct error *error);
void search_free(struct search *search);

/* In the worker. After a cancellation `best` is what was found until then. */
bool search_work(struct search *search, struct progress *progress, struct error *error);

/* In the screen's thread: the plan's sparsities become the best's, as one undo group, where it is better. */
bool search_apply(const struct search *search, struct text *output, struct error *error);

#endif

/* Perplexity of a model on text, and how far a second model strays from it. */
#ifndef SECATEUR_EVALUATE_H
#define SECATEUR_EVALUATE_H

#include "engine/loss.h"

struct evaluation {
    uint64_t windows, tokens; /* tokens: predictions counted */
    double nll;               /* mean over all tokens, nats */
    double perplexity;        /* exp of it */
    double nll_windows;       /* mean of the windows' means: the references' convention; differs only with padding */
    double perplexity_windows;
    double nll_error; /* standard error of nll: from the spread of the windows' means, of the tokens with one window */
    double perplexity_error; /* perplexity × nll_error */
    /* against a second model; 0 without one */
    double kl;        /* mean over tokens of KL(dense ‖ this), nats */
    double agreement; /* share of tokens where both have the same most likely next token */
    double dense_nll;
    double delta_perplexity; /* this - dense */
};

/* Where single predictions go, for --nll; called for each window in order, nll[length - 1]. May be NULL. */
struct evaluation_sink {
    void *context;
    bool (*window)(void *context, size_t window, const struct prediction *predictions, size_t length,
                   struct error *error);
};

/* Runs the stream to its end where it has not, then its output matrix. */
bool evaluate(struct evaluation *result, struct stream *stream, const struct evaluation_sink *sink,
              struct progress *progress, struct error *error);

/* As evaluate for `stream`, compared with `dense` on the same windows. */
bool evaluate_against(struct evaluation *result, struct stream *stream, struct stream *dense,
                      const struct evaluation_sink *sink, struct progress *progress, struct error *error);

/* Operations that evaluate will add to progress. */
uint64_t evaluate_work(const struct stream *stream);

#endif

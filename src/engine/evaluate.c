#include "engine/evaluate.h"

#include "base/memory.h"
#include <math.h>
#include <string.h>

/* Sums over what has been predicted. */
struct tally {
    double sum, squares; /* of single nlls */
    uint64_t tokens;
    double window_sum, window_squares; /* of the windows' means */
    uint64_t windows;                  /* with at least one prediction */
    double kl, dense;
    uint64_t agreed;
};

static void add_window(struct tally *tally, const struct prediction *own, const struct prediction *dense,
                       const double *kl, size_t length) {
    double sum = 0;
    uint64_t tokens = 0;
    for (size_t t = 0; t < length; t++) {
        if (isnan(own[t].nll))
            continue;
        sum += own[t].nll;
        tally->squares += own[t].nll * own[t].nll;
        tokens++;
        if (dense == NULL)
            continue;
        tally->dense += dense[t].nll;
        tally->kl += kl[t];
        tally->agreed += own[t].likely == dense[t].likely;
    }
    if (tokens == 0)
        return;
    double mean = sum / (double)tokens;
    tally->sum += sum;
    tally->tokens += tokens;
    tally->window_sum += mean;
    tally->window_squares += mean * mean;
    tally->windows++;
}

/* Standard error of a mean from n numbers' sum and sum of squares. */
static double standard_error(double sum, double squares, uint64_t n) {
    double count = (double)n, mean = sum / count;
    double variance = (squares - count * mean * mean) / (count - 1);
    return n > 1 && variance > 0 ? sqrt(variance / count) : 0;
}

static bool finish(struct evaluation *result, const struct tally *tally, bool compared, struct error *error) {
    memset(result, 0, sizeof *result);
    if (tally->tokens == 0)
        return error_set(error, ERROR_USAGE, "the text has no token to predict: windows need at least two tokens");
    double tokens = (double)tally->tokens, windows = (double)tally->windows;
    result->windows = tally->windows;
    result->tokens = tally->tokens;
    result->nll = tally->sum / tokens;
    result->perplexity = exp(result->nll);
    result->nll_windows = tally->window_sum / windows;
    result->perplexity_windows = exp(result->nll_windows);
    result->nll_error = tally->windows > 1 ? standard_error(tally->window_sum, tally->window_squares, tally->windows)
                                           : standard_error(tally->sum, tally->squares, tally->tokens);
    result->perplexity_error = result->perplexity * result->nll_error;
    if (!compared)
        return true;
    result->kl = tally->kl / tokens;
    result->agreement = (double)tally->agreed / tokens;
    result->dense_nll = tally->dense / tokens;
    result->delta_perplexity = result->perplexity - exp(result->dense_nll);
    return true;
}

/* Predictions of some windows, of one model or two. */
struct pieces {
    struct prediction *own, *dense;
    double *kl;
};

static bool predict(struct pieces *pieces, struct stream *stream, struct stream *dense, size_t first, size_t count,
                    struct progress *progress, struct error *error) {
    if (dense == NULL)
        return loss_predict(pieces->own, stream, first, count, progress, error);
    return loss_compare(pieces->dense, pieces->own, pieces->kl, dense, stream, first, count, progress, error);
}

static bool predict_all(struct tally *tally, struct pieces *pieces, struct stream *stream, struct stream *dense,
                        const struct evaluation_sink *sink, struct progress *progress, struct error *error) {
    size_t windows = stream_windows(stream), length = stream_length(stream), together = stream_batch_windows(stream);
    for (size_t first = 0; first < windows; first += together) {
        size_t count = windows - first < together ? windows - first : together;
        if (!predict(pieces, stream, dense, first, count, progress, error))
            return false;
        for (size_t i = 0; i < count; i++) {
            size_t at = i * length;
            add_window(tally, pieces->own + at, dense != NULL ? pieces->dense + at : NULL, pieces->kl + at, length);
            if (sink != NULL && !sink->window(sink->context, first + i, pieces->own + at, length, error))
                return false;
        }
    }
    return true;
}

bool evaluate_against(struct evaluation *result, struct stream *stream, struct stream *dense,
                      const struct evaluation_sink *sink, struct progress *progress, struct error *error) {
    size_t count = stream_batch_windows(stream) * stream_length(stream);
    struct tally tally = {0};
    struct pieces pieces = {memory_alloc(count, sizeof *pieces.own, error),
                            memory_alloc(count, sizeof *pieces.dense, error),
                            memory_alloc(count, sizeof *pieces.kl, error)};
    bool ok = pieces.own != NULL && pieces.dense != NULL && pieces.kl != NULL &&
              stream_run(stream, NULL, progress, error) &&
              (dense == NULL || stream_run(dense, NULL, progress, error)) &&
              predict_all(&tally, &pieces, stream, dense, sink, progress, error) &&
              finish(result, &tally, dense != NULL, error);
    memory_free(pieces.own);
    memory_free(pieces.dense);
    memory_free(pieces.kl);
    return ok;
}

bool evaluate(struct evaluation *result, struct stream *stream, const struct evaluation_sink *sink,
              struct progress *progress, struct error *error) {
    return evaluate_against(result, stream, NULL, sink, progress, error);
}

uint64_t evaluate_work(const struct stream *stream) {
    return stream_work(stream) + loss_work(stream, stream_windows(stream));
}

#include "engine/generate.h"

#include "base/memory.h"
#include "engine/loss.h"
#include <math.h>

/* SplitMix64 (Steele, Lea, Flood 2014), as a number in [0, 1). */
static double random_unit(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static int32_t most_likely(const float *logits, int64_t count) {
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return (int32_t)best;
}

static int32_t sample(const float *logits, int64_t count, double temperature, uint64_t *state) {
    double peak = (double)logits[most_likely(logits, count)], total = 0;
    for (int64_t i = 0; i < count; i++)
        total += exp(((double)logits[i] - peak) / temperature);
    double left = random_unit(state) * total;
    for (int64_t i = 0; i < count; i++) {
        left -= exp(((double)logits[i] - peak) / temperature);
        if (left < 0)
            return (int32_t)i;
    }
    return most_likely(logits, count);
}

/* Logits behind the last of `length` tokens. */
static bool next_logits(float *logits, const struct model *model, const int32_t *ids, size_t length,
                        const struct generate_options *options, struct progress *progress, struct error *error) {
    struct stream_options stream_options = {.compute = options->compute, .weights = options->weights};
    struct stream *stream = stream_open(model, ids, NULL, 1, length, &stream_options, error);
    bool ok = stream != NULL && stream_run(stream, NULL, progress, error) &&
              loss_last_logits(logits, stream, progress, error);
    stream_close(stream);
    return ok;
}

bool generate(int32_t *ids, size_t *length, size_t count, const struct model *model,
              const struct generate_options *options, void (*token)(void *context, int32_t id), void *context,
              struct progress *progress, struct error *error) {
    int64_t vocabulary = model->architecture.vocabulary, limit = model->architecture.positions;
    uint64_t state = options->seed;
    float *logits = memory_alloc((size_t)vocabulary, sizeof *logits, error);
    bool ok = logits != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        if (limit > 0 && *length >= (size_t)limit) {
            ok = error_set(error, ERROR_USAGE, "the text has reached the model's limit of %lld tokens",
                           (long long)limit);
            break;
        }
        ok = next_logits(logits, model, ids, *length, options, progress, error);
        if (!ok)
            break;
        int32_t next = options->temperature > 0 ? sample(logits, vocabulary, options->temperature, &state)
                                                : most_likely(logits, vocabulary);
        ids[(*length)++] = next;
        if (token != NULL)
            token(context, next);
        if (next == options->stop)
            break;
    }
    memory_free(logits);
    return ok;
}

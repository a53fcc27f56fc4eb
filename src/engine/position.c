#include "engine/position.h"

#include "base/memory.h"
#include <math.h>
#include <string.h>

static const double two_pi = 6.283185307179586;

static double plain_frequency(double base, int64_t pair, int64_t dims) {
    return 1.0 / (double)(float)pow(base, (double)(float)((double)(2 * pair) / (double)dims));
}

struct rope_length {
    const struct rope *rope;
    int64_t length;
};

static double frequency_plain(const struct rope_length *at, int64_t pair) {
    return plain_frequency(at->rope->base, pair, at->rope->dims);
}

static double frequency_linear(const struct rope_length *at, int64_t pair) {
    return frequency_plain(at, pair) / at->rope->factor;
}

/* The base grows once the text is longer than the trained length (bloc97, "dynamic NTK"). */
static double frequency_dynamic(const struct rope_length *at, int64_t pair) {
    const struct rope *rope = at->rope;
    if (at->length <= rope->original_positions)
        return frequency_plain(at, pair);
    double stretch = rope->factor * (double)at->length / (double)rope->original_positions - (rope->factor - 1);
    double power = (double)rope->dims / (double)(rope->dims - 2);
    return plain_frequency(rope->base * pow(stretch, power), pair, rope->dims);
}

/* The dimension that turns `rotations` times over the trained length. */
static double yarn_dimension(const struct rope *rope, double rotations) {
    double dims = (double)rope->dims, length = (double)rope->original_positions;
    return dims * log(length / (rotations * two_pi)) / (2 * log(rope->base));
}

/* Peng et al. 2023: low dimensions as they are, high ones slowed down, a ramp between. */
static double frequency_yarn(const struct rope_length *at, int64_t pair) {
    const struct rope *rope = at->rope;
    double low = fmax(floor(yarn_dimension(rope, rope->beta_fast)), 0);
    double high = fmin(ceil(yarn_dimension(rope, rope->beta_slow)), (double)(rope->dims - 1));
    if (low == high)
        high += 0.001;
    double ramp = fmin(fmax(((double)pair - low) / (high - low), 0), 1);
    double frequency = frequency_plain(at, pair);
    return frequency / rope->factor * ramp + frequency * (1 - ramp);
}

static double frequency_llama3(const struct rope_length *at, int64_t pair) {
    const struct rope *rope = at->rope;
    double frequency = frequency_plain(at, pair), turns = (double)rope->original_positions * frequency / two_pi;
    if (turns < rope->low_frequency_factor)
        return frequency / rope->factor;
    if (turns > rope->high_frequency_factor)
        return frequency;
    double smooth = (turns - rope->low_frequency_factor) / (rope->high_frequency_factor - rope->low_frequency_factor);
    return (1 - smooth) * frequency / rope->factor + smooth * frequency;
}

static double frequency_longrope(const struct rope_length *at, int64_t pair) {
    const struct rope *rope = at->rope;
    const double *factors = at->length > rope->original_positions ? rope->long_factor : rope->short_factor;
    return frequency_plain(at, pair) / factors[pair];
}

static double (*const frequencies[])(const struct rope_length *at, int64_t pair) = {
    [ROPE_PLAIN] = frequency_plain, [ROPE_LINEAR] = frequency_linear, [ROPE_DYNAMIC] = frequency_dynamic,
    [ROPE_YARN] = frequency_yarn,   [ROPE_LLAMA3] = frequency_llama3, [ROPE_LONGROPE] = frequency_longrope,
};

/* Angles are products of f32 numbers, as in the reference. */
static bool rotary_create(struct rotary *rotary, const struct rope *rope, int64_t length, struct error *error) {
    struct rope_length at = {rope, length};
    rotary->pairs = rope->dims / 2;
    size_t pairs = (size_t)rotary->pairs, count = 0;
    if (!memory_multiply(&count, (size_t)length, pairs))
        return error_set(error, ERROR_MEMORY, "a rotary table of %lld positions is too large", (long long)length);
    rotary->cosine = memory_alloc_aligned(count, sizeof(float), error);
    rotary->sine = memory_alloc_aligned(count, sizeof(float), error);
    if (rotary->cosine == NULL || rotary->sine == NULL)
        return false;
    for (size_t pair = 0; pair < pairs; pair++) {
        float frequency = (float)frequencies[rope->scaling](&at, (int64_t)pair);
        for (size_t position = 0; position < (size_t)length; position++) {
            double angle = (double)((float)position * frequency);
            rotary->cosine[position * pairs + pair] = (float)(cos(angle) * rope->attention_factor);
            rotary->sine[position * pairs + pair] = (float)(sin(angle) * rope->attention_factor);
        }
    }
    return true;
}

/* 2^(-maximum i / n), n the next power of two above the number of heads; where that is more than the heads, every other
 * slope first (Press et al. 2022, and the same in bloom, falcon and mpt). */
static bool slopes_create(struct positions *positions, const struct architecture *a, struct error *error) {
    int64_t n = 1;
    while (n < a->heads)
        n *= 2;
    positions->slopes = memory_alloc((size_t)a->heads, sizeof(float), error);
    for (int64_t head = 0; head < a->heads && positions->slopes != NULL; head++) {
        int64_t i = n == a->heads ? head + 1 : head < n / 2 ? 2 * head + 2 : 2 * (head - n / 2) + 1;
        positions->slopes[head] = (float)pow(2, -a->alibi_bias_maximum * (double)i / (double)n);
    }
    return positions->slopes != NULL;
}

bool positions_create(struct positions *positions, const struct architecture *a, int64_t length, struct error *error) {
    memset(positions, 0, sizeof *positions);
    if (a->position == POSITION_ALIBI)
        return slopes_create(positions, a, error);
    if (a->position != POSITION_ROTARY)
        return true;
    return rotary_create(&positions->rotary, &a->rope, length, error) &&
           (a->rope_local.base <= 0 || rotary_create(&positions->local, &a->rope_local, length, error));
}

void positions_free(struct positions *positions) {
    memory_free(positions->rotary.cosine);
    memory_free(positions->rotary.sine);
    memory_free(positions->local.cosine);
    memory_free(positions->local.sine);
    memory_free(positions->slopes);
    memset(positions, 0, sizeof *positions);
}

uint64_t positions_bytes(const struct architecture *a, int64_t length) {
    if (a->position != POSITION_ROTARY)
        return 0;
    uint64_t tables = a->rope_local.base > 0 ? 2 : 1;
    return tables * (uint64_t)length * (uint64_t)a->rope.dims * sizeof(float);
}

const struct rotary *positions_rotary(const struct positions *positions, const struct architecture *a, int64_t block) {
    if (a->position != POSITION_ROTARY)
        return NULL;
    bool local = positions->local.pairs > 0 && a->window != NULL && a->window[block] > 0;
    return local ? &positions->local : &positions->rotary;
}

void rotary_turn(float *head, const struct rotary *rotary, int64_t position, bool interleaved, bool inverse) {
    int64_t pairs = rotary->pairs, step = interleaved ? 2 : 1, other = interleaved ? 1 : pairs;
    const float *cosine = rotary->cosine + position * pairs, *sine = rotary->sine + position * pairs;
    float sign = inverse ? -1.0f : 1.0f;
    for (int64_t i = 0; i < pairs; i++) {
        float a = head[i * step], b = head[i * step + other];
        head[i * step] = a * cosine[i] - b * (sign * sine[i]);
        head[i * step + other] = b * cosine[i] + a * (sign * sine[i]);
    }
}

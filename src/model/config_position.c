/* Positions and windows: how queries find keys. */
#include "model/config.h"

#include "base/memory.h"
#include <math.h>
#include <string.h>

/* One way of scaling rotary positions: its names, and the keys of "rope_scaling" that it uses. */
struct rope_reader {
    const char *name;
    enum rope_scaling scaling;
    const char *keys[6];
    void (*read)(struct rope *rope, struct config *config, const json_t *options, int64_t positions);
};

static double option(struct config *config, const json_t *options, const char *key) {
    const json_t *value = json_object_get(options, key);
    if (json_is_number(value) && json_number_value(value) > 0)
        return json_number_value(value);
    config_refuse(config, "\"rope_scaling\" needs \"%s\", a number greater than 0", key);
    return 1;
}

static double option_or(struct config *config, const json_t *options, const char *key, double otherwise) {
    const json_t *value = json_object_get(options, key);
    return value == NULL || json_is_null(value) ? otherwise : option(config, options, key);
}

static void read_plain(struct rope *rope, struct config *config, const json_t *options, int64_t positions) {
    (void)config, (void)options, (void)positions;
    rope->factor = 1;
}

static void read_factor(struct rope *rope, struct config *config, const json_t *options, int64_t positions) {
    rope->factor = option(config, options, "factor");
    rope->original_positions = positions;
}

/* Peng et al. 2023, as transformers 4.48 has it: the ramp reckons from max_position_embeddings. */
static void read_yarn(struct rope *rope, struct config *config, const json_t *options, int64_t positions) {
    read_factor(rope, config, options, positions);
    rope->beta_fast = option_or(config, options, "beta_fast", 32);
    rope->beta_slow = option_or(config, options, "beta_slow", 1);
    rope->attention_factor = option_or(config, options, "attention_factor", 0.1 * log(rope->factor) + 1);
}

static void read_llama3(struct rope *rope, struct config *config, const json_t *options, int64_t positions) {
    read_factor(rope, config, options, positions);
    rope->low_frequency_factor = option(config, options, "low_freq_factor");
    rope->high_frequency_factor = option(config, options, "high_freq_factor");
    rope->original_positions = (int64_t)option(config, options, "original_max_position_embeddings");
    if (rope->high_frequency_factor <= rope->low_frequency_factor)
        config_refuse(config, "\"rope_scaling\": high_freq_factor must be greater than low_freq_factor");
}

static double *read_factors(struct config *config, const json_t *options, const char *key, int64_t count) {
    const json_t *list = json_object_get(options, key);
    if (!json_is_array(list) || (int64_t)json_array_size(list) != count) {
        config_refuse(config, "\"rope_scaling\" needs \"%s\", a list of %lld numbers", key, (long long)count);
        return NULL;
    }
    double *factors = memory_alloc((size_t)count, sizeof *factors, config->error);
    config->failed = config->failed || factors == NULL;
    for (int64_t i = 0; i < count && factors != NULL; i++) {
        factors[i] = json_number_value(json_array_get(list, (size_t)i));
        if (!(factors[i] > 0))
            config_refuse(config, "\"rope_scaling\": element %lld of \"%s\" is not a number greater than 0",
                          (long long)i, key);
    }
    return factors;
}

static void read_longrope(struct rope *rope, struct config *config, const json_t *options, int64_t positions) {
    rope->original_positions = positions;
    rope->factor = option_or(config, options, "factor", 1);
    if (json_object_get(options, "original_max_position_embeddings") != NULL)
        rope->original_positions = (int64_t)option(config, options, "original_max_position_embeddings");
    else if (config_has(config, "original_max_position_embeddings"))
        rope->original_positions = config_integer(config, "original_max_position_embeddings", 1, CONFIG_SIZE_MAXIMUM);
    if (config_has(config, "original_max_position_embeddings"))
        rope->factor = (double)positions / (double)rope->original_positions;
    double derived = 1;
    if (rope->factor > 1 && rope->original_positions > 1)
        derived = sqrt(1 + log(rope->factor) / log((double)rope->original_positions));
    rope->attention_factor = option_or(config, options, "attention_factor", derived);
    rope->short_factor = read_factors(config, options, "short_factor", rope->dims / 2);
    rope->long_factor = read_factors(config, options, "long_factor", rope->dims / 2);
}

#define LONGROPE_KEYS                                                                                                  \
    { "short_factor", "long_factor", "factor", "attention_factor", "original_max_position_embeddings" }

static const struct rope_reader readers[] = {
    {"default", ROPE_PLAIN, {NULL}, read_plain},
    {"linear", ROPE_LINEAR, {"factor"}, read_factor},
    {"dynamic", ROPE_DYNAMIC, {"factor", "original_max_position_embeddings"}, read_factor},
    {"yarn",
     ROPE_YARN,
     {"factor", "beta_fast", "beta_slow", "attention_factor", "original_max_position_embeddings"},
     read_yarn},
    {"llama3",
     ROPE_LLAMA3,
     {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"},
     read_llama3},
    {"longrope", ROPE_LONGROPE, LONGROPE_KEYS, read_longrope},
    {"su", ROPE_LONGROPE, LONGROPE_KEYS, read_longrope},
};

static const struct rope_reader *find_reader(struct config *config, const json_t *options) {
    const json_t *type = json_object_get(options, "rope_type");
    if (type == NULL)
        type = json_object_get(options, "type");
    const char *name = json_is_string(type) ? json_string_value(type) : "";
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (strcmp(readers[i].name, name) == 0)
            return &readers[i];
    config_refuse(config, "\"rope_scaling\" has the type \"%s\", which is not known", name);
    return NULL;
}

static bool reader_knows(const struct rope_reader *reader, const char *key) {
    static const char *const common[] = {"rope_type", "type", "rope_theta", "partial_rotary_factor"};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (strcmp(common[i], key) == 0)
            return true;
    for (size_t i = 0; i < sizeof reader->keys / sizeof *reader->keys && reader->keys[i] != NULL; i++)
        if (strcmp(reader->keys[i], key) == 0)
            return true;
    return false;
}

static void read_scaling(struct rope *rope, struct config *config, int64_t positions) {
    const json_t *options = config_value(config, "rope_scaling");
    const char *key;
    json_t *value;
    if (!json_is_object(options)) {
        config_refuse(config, "\"rope_scaling\" must be an object or null");
        return;
    }
    const struct rope_reader *reader = find_reader(config, options);
    if (reader == NULL)
        return;
    json_object_foreach((json_t *)(uintptr_t)options, key, value) {
        if (!reader_knows(reader, key) && !config_is_empty(value))
            config_refuse(config, "\"rope_scaling\" of type \"%s\" has the option \"%s\", which is not known",
                          reader->name, key);
    }
    rope->scaling = reader->scaling;
    reader->read(rope, config, options, positions);
}

/* Newer files keep the base inside "rope_parameters". */
static double rope_number(struct config *config, const char *key, double otherwise) {
    const json_t *inner = json_object_get(config_value(config, "rope_scaling"), key);
    if (inner != NULL)
        return option(config, config_value(config, "rope_scaling"), key);
    return config_has(config, key) ? config_positive(config, key) : otherwise;
}

static void read_turning_dimensions(struct architecture *a, struct config *config) {
    double fraction = rope_number(config, "partial_rotary_factor", 1);
    if (fraction > 1)
        config_refuse(config, "\"partial_rotary_factor\" is %g; it must be at most 1", fraction);
    a->rope.dims = (int64_t)((double)a->head_dim * fraction);
    if (config_knows(config, "rotary_dim"))
        a->rope.dims = config_integer(config, "rotary_dim", 2, a->head_dim);
    if (a->rope.dims < 2 || a->rope.dims % 2 != 0)
        config_refuse(config,
                      "%lld of a head's %lld dimensions would turn with the position; it must be an even number",
                      (long long)a->rope.dims, (long long)a->head_dim);
}

void config_read_rope(struct architecture *a, struct config *config) {
    a->rope.factor = a->rope.attention_factor = 1;
    if (a->position != POSITION_ROTARY || config->failed)
        return;
    a->rope.base = rope_number(config, "rope_theta", 10000);
    a->rope.original_positions = a->positions;
    read_turning_dimensions(a, config);
    if (config_has(config, "rope_scaling") && !config->failed)
        read_scaling(&a->rope, config, a->positions);
}

/* "layer_types" of newer files: one word for every block. */
static void read_layer_types(struct architecture *a, struct config *config, int64_t window) {
    const json_t *types = config_value(config, "layer_types");
    if (!json_is_array(types) || (int64_t)json_array_size(types) != a->blocks) {
        config_refuse(config, "\"layer_types\" must be a list of %lld words, one for each block", (long long)a->blocks);
        return;
    }
    for (int64_t i = 0; i < a->blocks; i++) {
        const char *type = json_string_value(json_array_get(types, (size_t)i));
        bool slides = type != NULL && strcmp(type, "sliding_attention") == 0;
        if (!slides && (type == NULL || strcmp(type, "full_attention") != 0))
            config_refuse(config, "\"layer_types\" of block %lld is \"%s\", which is not known", (long long)i,
                          type != NULL ? type : "");
        else if (slides && window == 0)
            config_refuse(config, "\"layer_types\" of block %lld is sliding but \"sliding_window\" is null",
                          (long long)i);
        a->window[i] = slides ? window : 0;
    }
}

void config_read_windows(struct architecture *a, struct config *config) {
    if (config->failed)
        return;
    a->window = memory_alloc((size_t)a->blocks, sizeof *a->window, config->error);
    config->failed = a->window == NULL;
    if (config->failed)
        return;
    int64_t window = config_integer_or(config, "sliding_window", 1, CONFIG_SIZE_MAXIMUM, 0);
    if (config_knows(config, "use_sliding_window") && !config_boolean(config, "use_sliding_window"))
        window = 0;
    int64_t pattern = config_integer_or(config, "sliding_window_pattern", 1, CONFIG_BLOCKS_MAXIMUM, 0);
    if (config_has(config, "layer_types")) {
        read_layer_types(a, config, window);
        return;
    }
    /* As transformers 4.48 does: the window holds in every block, whatever max_window_layers says. */
    for (int64_t i = 0; i < a->blocks; i++)
        a->window[i] = pattern == 0 || (i + 1) % pattern != 0 ? window : 0;
}

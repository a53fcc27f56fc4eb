#include "tests/reference_forward.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One run: what is computed, from which file, for how many tokens. */
struct run {
    const struct reference *r;
    const struct checkpoint *file;
    int length, block;
};

static double or_one(double value) {
    return value > 0 ? value : 1;
}

/* A tensor of the block at work (or outside blocks) as f64; NULL when the file has none. */
static double *load(const struct run *run, const char *module, const char *suffix) {
    char name[256], block[128] = "";
    if (run->block >= 0)
        (void)snprintf(block, sizeof block, run->r->block, run->block);
    (void)snprintf(name, sizeof name, "%s%s%s", block, module, suffix);
    const struct tensor *tensor = checkpoint_find(run->file, name);
    if (tensor == NULL)
        return NULL;
    double *values = malloc((size_t)tensor->count * sizeof *values);
    for (size_t i = 0; i < tensor->count; i++) {
        float value;
        dtype_widen(&value, tensor->data + i * dtype_info(tensor->dtype)->bytes, tensor->dtype, 1);
        values[i] = (double)value;
    }
    return values;
}

static void linear(double *y, const double *x, const struct run *run, const char *module, int tokens, int in, int out) {
    double *w = load(run, module, ".weight"), *b = load(run, module, ".bias");
    for (int t = 0; t < tokens; t++)
        for (int i = 0; i < out; i++) {
            double sum = b != NULL ? b[i] : 0;
            for (int j = 0; j < in; j++)
                sum += w[i * in + j] * x[t * in + j];
            y[t * out + i] = sum;
        }
    free(w);
    free(b);
}

static void norm_vector(double *y, const double *x, int n, bool layer, double epsilon, double offset, const double *w,
                        const double *b) {
    double mean = 0, square = 0;
    for (int i = 0; i < n && layer; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean) / n;
    for (int i = 0; i < n; i++)
        y[i] = (x[i] - mean) / sqrt(square + epsilon) * (w != NULL ? w[i] + offset : 1) + (b != NULL ? b[i] : 0);
}

static void norm(double *y, const double *x, const struct run *run, const char *module) {
    const struct reference *r = run->r;
    double *w = load(run, module, ".weight"), *b = load(run, module, ".bias");
    for (int t = 0; t < run->length; t++)
        norm_vector(y + t * r->hidden, x + t * r->hidden, r->hidden, r->layer_norm, r->epsilon, r->weight_offset, w, b);
    free(w);
    free(b);
}

static bool is_local(const struct run *run) {
    return run->r->window > 0 && (run->r->global_every == 0 || (run->block + 1) % run->r->global_every != 0);
}

static void turn(double *head, const struct run *run, int position) {
    const struct reference *r = run->r;
    double base = r->local_base > 0 && is_local(run) ? r->local_base : r->rope_base;
    for (int i = 0; i < r->turning / 2; i++) {
        double frequency = pow(base, -2.0 * i / r->turning);
        if (r->frequency != NULL)
            frequency = r->frequency(r, base, i, run->length);
        double angle = position * frequency, gain = or_one(r->rope_gain);
        int first = r->pairs_interleaved ? 2 * i : i, second = r->pairs_interleaved ? 2 * i + 1 : i + r->turning / 2;
        double a = head[first], b = head[second];
        head[first] = (a * cos(angle) - b * sin(angle)) * gain;
        head[second] = (b * cos(angle) + a * sin(angle)) * gain;
    }
}

/* Queries, keys, values: [3][tokens × heads × dim]; keys and values have kv_heads. */
struct heads {
    double *part[3];
};

static int heads_of(const struct reference *r, int part) {
    return part == 0 ? r->heads : r->kv_heads;
}

static void split_fused(struct heads *heads, const double *x, const struct run *run) {
    const struct reference *r = run->r;
    int rows = (r->heads + 2 * r->kv_heads) * r->dim;
    double *all = calloc((size_t)(run->length * rows), sizeof *all);
    linear(all, x, run, r->qkv, run->length, r->hidden, rows);
    for (int part = 0; part < 3; part++)
        for (int t = 0; t < run->length; t++)
            for (int head = 0; head < heads_of(r, part); head++)
                memcpy(heads->part[part] + (t * heads_of(r, part) + head) * r->dim,
                       all + t * rows + r->place(r, part, head), (size_t)r->dim * sizeof *all);
    free(all);
}

static void norm_heads(struct heads *heads, int part, const struct run *run, const char *module) {
    const struct reference *r = run->r;
    double *w = load(run, module, ".weight"), *b = load(run, module, ".bias");
    for (int t = 0; t < run->length; t++)
        for (int head = 0; head < heads_of(r, part); head++) {
            double *at = heads->part[part] + (t * heads_of(r, part) + head) * r->dim;
            norm_vector(at, at, r->dim, r->head_norms_layer, r->epsilon, r->weight_offset,
                        w + (r->head_norm_rows ? head * r->dim : 0), b);
        }
    free(w);
    free(b);
}

static void make_heads(struct heads *heads, const double *x, const struct run *run) {
    const struct reference *r = run->r;
    const char *names[3] = {r->q, r->k, r->v};
    for (int part = 0; part < 3; part++)
        heads->part[part] = calloc((size_t)(run->length * heads_of(r, part) * r->dim), sizeof(double));
    if (r->qkv != NULL)
        split_fused(heads, x, run);
    for (int part = 0; part < 3; part++) {
        int width = heads_of(r, part) * r->dim;
        if (r->qkv == NULL)
            linear(heads->part[part], x, run, names[part], run->length, r->hidden, width);
        for (int i = 0; i < run->length * width && r->clip > 0; i++)
            heads->part[part][i] = fmin(fmax(heads->part[part][i], -r->clip), r->clip);
    }
    if (r->q_norm != NULL) {
        norm_heads(heads, 0, run, r->q_norm);
        norm_heads(heads, 1, run, r->k_norm);
    }
    for (int part = 0; part < 2 && r->turning > 0; part++)
        for (int t = 0; t < run->length; t++)
            for (int head = 0; head < heads_of(r, part); head++)
                turn(heads->part[part] + (t * heads_of(r, part) + head) * r->dim, run, t);
}

static double to_bf16(double value) {
    float wide = (float)value;
    uint16_t bits;
    dtype_narrow(&bits, &wide, DTYPE_BF16, 1);
    dtype_widen(&wide, &bits, DTYPE_BF16, 1);
    return (double)wide;
}

static double score(const struct run *run, const struct heads *heads, int head, int query, int key) {
    const struct reference *r = run->r;
    const double *q = heads->part[0] + (query * r->heads + head) * r->dim;
    const double *k = heads->part[1] + (key * r->kv_heads + head / (r->heads / r->kv_heads)) * r->dim;
    double sum = 0, scale = r->scale > 0 ? r->scale : 1 / sqrt(r->dim);
    for (int i = 0; i < r->dim; i++)
        sum += q[i] * k[i];
    if (r->slope == NULL)
        return sum * scale;
    double slope = r->slope(r, head);
    return r->alibi_rounded ? (sum + to_bf16(to_bf16(slope) * key)) * scale : sum * scale - slope * (query - key);
}

static void attention(double *out, const double *x, const struct run *run) {
    const struct reference *r = run->r;
    struct heads heads;
    double *context = calloc((size_t)(run->length * r->heads * r->dim), sizeof *context);
    make_heads(&heads, x, run);
    for (int head = 0; head < r->heads; head++)
        for (int t = 0; t < run->length; t++) {
            int first = is_local(run) && t - r->window + 1 > 0 ? t - r->window + 1 : 0;
            double total = 0;
            for (int key = first; key <= t; key++)
                total += exp(score(run, &heads, head, t, key));
            for (int key = first; key <= t; key++)
                for (int i = 0; i < r->dim; i++)
                    context[(t * r->heads + head) * r->dim + i] +=
                        exp(score(run, &heads, head, t, key)) / total *
                        heads.part[2][(key * r->kv_heads + head / (r->heads / r->kv_heads)) * r->dim + i];
        }
    linear(out, context, run, r->o, run->length, r->heads * r->dim, r->hidden);
    for (int part = 0; part < 3; part++)
        free(heads.part[part]);
    free(context);
}

/* A feed-forward of `units` whose matrices' names begin with `prefix`, on so many tokens. */
static void feed(double *out, const double *x, const struct run *run, const char *prefix, int units, int tokens) {
    const struct reference *r = run->r;
    char name[128];
    double *up = calloc((size_t)(tokens * units * 2), sizeof *up),
           *gate = calloc((size_t)(tokens * units), sizeof *gate);
    (void)snprintf(name, sizeof name, "%s%s", prefix, r->gate_up != NULL ? r->gate_up : r->up);
    linear(up, x, run, name, tokens, r->hidden, r->gate_up != NULL ? 2 * units : units);
    if (r->gate != NULL) {
        (void)snprintf(name, sizeof name, "%s%s", prefix, r->gate);
        linear(gate, x, run, name, tokens, r->hidden, units);
    }
    for (int t = 0; t < tokens; t++)
        for (int i = 0; i < units; i++) {
            double *unit = &gate[t * units + i];
            if (r->gate_up != NULL)
                *unit = r->activation(up[t * 2 * units + i]) * up[t * 2 * units + units + i];
            else
                *unit = r->gate != NULL ? r->activation(*unit) * up[t * units + i] : r->activation(up[t * units + i]);
        }
    (void)snprintf(name, sizeof name, "%s%s", prefix, r->down);
    linear(out, gate, run, name, tokens, units, r->hidden);
    free(up);
    free(gate);
}

static int compare_descending(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

/* Token by token: the chosen experts, then the shared one. */
static void mixture(double *out, const double *x, const struct run *run) {
    const struct reference *r = run->r;
    double logits[REFERENCE_ROWS], sorted[REFERENCE_ROWS], part[REFERENCE_ROWS], gate;
    char prefix[128];
    for (int t = 0; t < run->length; t++, out += r->hidden, x += r->hidden) {
        double total = 0, kept = 0;
        linear(logits, x, run, r->router, 1, r->hidden, r->experts);
        for (int e = 0; e < r->experts; e++)
            total += exp(logits[e]);
        for (int e = 0; e < r->experts; e++)
            sorted[e] = logits[e] = exp(logits[e]) / total;
        qsort(sorted, (size_t)r->experts, sizeof *sorted, compare_descending);
        for (int e = 0; e < r->chosen; e++)
            kept += sorted[e];
        linear(&gate, x, run, r->shared_gate, 1, r->hidden, 1);
        feed(out, x, run, r->shared, r->shared_units, 1);
        for (int i = 0; i < r->hidden; i++)
            out[i] *= 1 / (1 + exp(-gate));
        for (int e = 0; e < r->experts; e++) {
            if (logits[e] < sorted[r->chosen - 1])
                continue;
            (void)snprintf(prefix, sizeof prefix, r->expert, e);
            feed(part, x, run, prefix, r->expert_units, 1);
            for (int i = 0; i < r->hidden; i++)
                out[i] += part[i] * logits[e] / (r->norm_chosen ? kept : 1);
        }
    }
}

static void feed_forward(double *out, const double *x, const struct run *run) {
    if (run->r->experts > 0)
        mixture(out, x, run);
    else
        feed(out, x, run, "", run->r->units, run->length);
}

static void add(double *x, const double *branch, const struct run *run) {
    for (int i = 0; i < run->length * run->r->hidden; i++)
        x[i] += branch[i] * or_one(run->r->residual_gain);
}

typedef void branch_function(double *out, const double *x, const struct run *run);

static void in_line(double *x, const struct run *run, branch_function *branch, const char *before, const char *after,
                    const char *sum) {
    size_t count = (size_t)(run->length * run->r->hidden);
    double *input = malloc(count * sizeof *input), *output = calloc(count, sizeof *output);
    memcpy(input, x, count * sizeof *input);
    if (before != NULL)
        norm(input, x, run, before);
    branch(output, input, run);
    if (after != NULL)
        norm(output, output, run, after);
    add(x, output, run);
    if (sum != NULL)
        norm(x, x, run, sum);
    free(input);
    free(output);
}

static void block(double *x, const struct run *run) {
    const struct reference *r = run->r;
    if (r->form == IN_SEQUENCE) {
        in_line(x, run, attention, r->norm_1, NULL, NULL);
        in_line(x, run, feed_forward, r->norm_2, NULL, NULL);
    } else if (r->form == SANDWICH) {
        in_line(x, run, attention, r->norm_1, r->norm_2, NULL);
        in_line(x, run, feed_forward, r->norm_3, r->norm_4, NULL);
    } else if (r->form == NORM_AFTER_SUM) {
        in_line(x, run, attention, NULL, NULL, r->norm_1);
        in_line(x, run, feed_forward, NULL, NULL, r->norm_2);
    } else {
        size_t count = (size_t)(run->length * r->hidden);
        double *before = malloc(count * sizeof *before);
        memcpy(before, x, count * sizeof *before);
        in_line(x, run, attention, r->norm_1, NULL, NULL);
        double *second = malloc(count * sizeof *second);
        memcpy(second, before, count * sizeof *second);
        in_line(second, run, feed_forward, r->norm_2 != NULL ? r->norm_2 : r->norm_1, NULL, NULL);
        for (size_t i = 0; i < count; i++)
            x[i] += second[i] - before[i];
        free(before);
        free(second);
    }
}

void reference_logits(double *logits, const struct reference *r, const struct checkpoint *checkpoint, const int *ids,
                      int length, int vocabulary) {
    struct run run = {r, checkpoint, length, -1};
    double *x = calloc((size_t)(length * r->hidden), sizeof *x), *embed = load(&run, r->embed, ".weight");
    double *positions = r->positions != NULL ? load(&run, r->positions, ".weight") : NULL;
    for (int t = 0; t < length; t++)
        for (int i = 0; i < r->hidden; i++)
            x[t * r->hidden + i] = embed[ids[t] * r->hidden + i] * or_one(r->embed_gain) +
                                   (positions != NULL ? positions[(t + r->position_offset) * r->hidden + i] : 0);
    for (run.block = 0; run.block < r->blocks; run.block++)
        block(x, &run);
    run.block = -1;
    if (r->final_norm != NULL)
        norm(x, x, &run, r->final_norm);
    linear(logits, x, &run, r->head != NULL ? r->head : r->embed, length, r->hidden, vocabulary);
    for (int i = 0; i < length * vocabulary; i++)
        logits[i] *= or_one(r->logit_gain);
    free(x);
    free(embed);
    free(positions);
}

/* Where tensors' names go. */
struct adder {
    const struct reference *r;
    void (*add)(void *context, const char *name, int64_t rows, int64_t columns);
    void *context;
};

static void add_tensor(const struct adder *adder, const char *prefix, const char *module, int64_t rows, int64_t columns,
                       bool bias) {
    char name[256];
    if (module == NULL)
        return;
    (void)snprintf(name, sizeof name, "%s%s.weight", prefix, module);
    adder->add(adder->context, name, rows, columns);
    (void)snprintf(name, sizeof name, "%s%s.bias", prefix, module);
    if (bias)
        adder->add(adder->context, name, rows, 0);
}

static void add_feed(const struct adder *adder, const char *prefix, int64_t units) {
    const struct reference *r = adder->r;
    add_tensor(adder, prefix, r->gate, units, r->hidden, r->biases);
    add_tensor(adder, prefix, r->gate_up, 2 * units, r->hidden, r->biases);
    add_tensor(adder, prefix, r->gate_up == NULL ? r->up : NULL, units, r->hidden, r->biases);
    add_tensor(adder, prefix, r->down, r->hidden, units, r->biases);
}

static void add_mixture(const struct adder *adder, const char *prefix) {
    const struct reference *r = adder->r;
    char name[128], inner[128];
    add_tensor(adder, prefix, r->router, r->experts, r->hidden, false);
    add_tensor(adder, prefix, r->shared_gate, 1, r->hidden, false);
    for (int e = 0; e < r->experts; e++) {
        (void)snprintf(inner, sizeof inner, r->expert, e);
        (void)snprintf(name, sizeof name, "%.60s%.60s", prefix, inner);
        add_feed(adder, name, r->expert_units);
    }
    (void)snprintf(name, sizeof name, "%.60s%.60s", prefix, r->shared);
    add_feed(adder, name, r->shared_units);
}

static void add_block(const struct adder *adder, const char *prefix) {
    const struct reference *r = adder->r;
    const char *norms[] = {r->norm_1, r->norm_2, r->norm_3, r->norm_4};
    int64_t queries = r->heads * r->dim, keys = r->kv_heads * r->dim;
    for (size_t i = 0; i < 4 && !r->weightless_norms; i++)
        add_tensor(adder, prefix, norms[i], r->hidden, 0, r->layer_norm && r->biases);
    bool fused = r->qkv != NULL;
    add_tensor(adder, prefix, r->qkv, queries + 2 * keys, r->hidden, r->biases);
    add_tensor(adder, prefix, fused ? NULL : r->q, queries, r->hidden, r->biases);
    add_tensor(adder, prefix, fused ? NULL : r->k, keys, r->hidden, r->biases);
    add_tensor(adder, prefix, fused ? NULL : r->v, keys, r->hidden, r->biases);
    add_tensor(adder, prefix, r->o, r->hidden, queries, r->biases);
    add_tensor(adder, prefix, r->q_norm, r->head_norm_rows ? r->heads : r->dim, r->head_norm_rows ? r->dim : 0, false);
    add_tensor(adder, prefix, r->k_norm, r->head_norm_rows ? r->kv_heads : r->dim, r->head_norm_rows ? r->dim : 0,
               false);
    if (r->experts > 0)
        add_mixture(adder, prefix);
    else
        add_feed(adder, prefix, r->units);
}

void reference_tensors(const struct reference *r, int vocabulary, int positions,
                       void (*add_one)(void *context, const char *name, int64_t rows, int64_t columns), void *context) {
    struct adder adder = {r, add_one, context};
    add_tensor(&adder, "", r->embed, vocabulary, r->hidden, false);
    add_tensor(&adder, "", r->positions, positions + r->position_offset, r->hidden, false);
    add_tensor(&adder, "", r->weightless_norms ? NULL : r->final_norm, r->hidden, 0, r->layer_norm && r->biases);
    add_tensor(&adder, "", r->head, vocabulary, r->hidden, r->head_bias);
    for (int i = 0; i < r->blocks; i++) {
        char prefix[128];
        (void)snprintf(prefix, sizeof prefix, r->block, i);
        add_block(&adder, prefix);
    }
}

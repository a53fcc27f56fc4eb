#include "engine/attention.h"

#include "base/parallel.h"
#include "engine/vector.h"
#include <cblas.h>

/* Queries and keys of a tile of scores: 128 KB, half of a second-level cache with the keys and values beside it. */
#define QUERY_TILE 128
#define KEY_TILE 256

struct head_places {
    int64_t query, key, value;
};

static int64_t group_size(const struct architecture *a) {
    return a->heads / a->kv_heads;
}

static struct head_places places_blocks(const struct architecture *a, int64_t head) {
    int64_t kv = head / group_size(a), dim = a->head_dim;
    return (struct head_places){head * dim, (a->heads + kv) * dim, (a->heads + a->kv_heads + kv) * dim};
}

static struct head_places places_per_head(const struct architecture *a, int64_t head) {
    int64_t start = head * 3 * a->head_dim;
    return (struct head_places){start, start + a->head_dim, start + 2 * a->head_dim};
}

static struct head_places places_per_kv_group(const struct architecture *a, int64_t head) {
    int64_t group = group_size(a), dim = a->head_dim, start = head / group * (group + 2) * dim;
    return (struct head_places){start + head % group * dim, start + group * dim, start + (group + 1) * dim};
}

#define CODEGEN_GROUPS 4

static struct head_places places_codegen(const struct architecture *a, int64_t head) {
    int64_t heads = a->heads / CODEGEN_GROUPS, local = heads * a->head_dim;
    int64_t start = head / heads * 3 * local + head % heads * a->head_dim;
    return (struct head_places){start, start + 2 * local, start + local};
}

static struct head_places (*const places[])(const struct architecture *a, int64_t head) = {
    [QKV_SEPARATE] = places_blocks,           [QKV_BLOCKS] = places_blocks,   [QKV_PER_HEAD] = places_per_head,
    [QKV_PER_KV_GROUP] = places_per_kv_group, [QKV_CODEGEN] = places_codegen,
};

int64_t attention_query_place(const struct architecture *a, int64_t head) {
    return places[a->qkv](a, head).query;
}

int64_t attention_key_place(const struct architecture *a, int64_t kv_head) {
    return places[a->qkv](a, kv_head * group_size(a)).key;
}

int64_t attention_value_place(const struct architecture *a, int64_t kv_head) {
    return places[a->qkv](a, kv_head * group_size(a)).value;
}

int64_t attention_row(const struct architecture *a) {
    return (a->heads + 2 * a->kv_heads) * a->head_dim;
}

double attention_scale(const struct architecture *a, int64_t block) {
    return a->attention_scale / (a->attention_scale_by_block ? (double)(block + 1) : 1.0);
}

size_t attention_scratch(int64_t length) {
    return QUERY_TILE * (KEY_TILE + 2) + ((size_t)length + 15) / 16 * 16;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

struct attend_work {
    const struct architecture *architecture;
    const struct batch *batch;
    const float *qkv, *slopes;
    float *context, *scratch;
    size_t scratch_size;
    int64_t window, query_tiles;
    float scale, softcap;
};

/* One tile of queries of one head of one window. */
struct tile {
    const float *query, *key, *value; /* at the window's first token */
    float *context;
    int64_t begin, end;  /* queries */
    const float *bias;   /* added to the scores of each key; NULL: none */
    float *scores;       /* QUERY_TILE × KEY_TILE */
    float *peak, *total; /* of each query so far: the largest score, Σ exp(score - peak) */
};

/* cap × tanh(score / cap) */
VECTOR_CLONES static void cap_scores(float *scores, float cap, int64_t count) {
    float inverse = 1.0f / cap;
    VECTOR_SIMD
    for (int64_t i = 0; i < count; i++)
        scores[i] = cap * vector_tanh(scores[i] * inverse);
}

VECTOR_CLONES static void add_bias(float *scores, const float *bias, int64_t count) {
    VECTOR_SIMD
    for (int64_t i = 0; i < count; i++)
        scores[i] += bias[i];
}

VECTOR_CLONES static float find_peak(const float *scores, float peak, int64_t count) {
#pragma omp simd reduction(max : peak)
    for (int64_t i = 0; i < count; i++)
        peak = scores[i] > peak ? scores[i] : peak;
    return peak;
}

VECTOR_CLONES static float exponentiate(float *scores, float peak, int64_t count) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < count; i++) {
        float weight = vector_exp(scores[i] - peak);
        scores[i] = weight;
        total += weight;
    }
    return total;
}

VECTOR_CLONES static void scale_row(float *row, float factor, int64_t count) {
    VECTOR_SIMD
    for (int64_t i = 0; i < count; i++)
        row[i] *= factor;
}

/* Scores of one query and keys [begin, end) become weights relative to the largest so far; keys it must not see get 0.
 * What was summed before is scaled to the new peak. */
static void weigh_row(const struct attend_work *work, const struct tile *tile, int64_t query, int64_t begin,
                      int64_t end) {
    int64_t row = query - tile->begin, dim = work->architecture->head_dim;
    int64_t first = work->window > 0 ? larger(begin, query - work->window + 1) : begin;
    int64_t last = larger(first, smaller(end, query + 1));
    float *scores = tile->scores + row * KEY_TILE, *seen = scores + (first - begin);
    first = smaller(first, end);
    last = smaller(last, end);
    memset(scores, 0, (size_t)(first - begin) * sizeof *scores);
    memset(scores + (last - begin), 0, (size_t)(end - last) * sizeof *scores);
    if (last == first)
        return;
    if (work->softcap > 0)
        cap_scores(seen, work->softcap, last - first);
    if (tile->bias != NULL)
        add_bias(seen, tile->bias + first, last - first);
    float peak = find_peak(seen, tile->peak[row], last - first);
    if (peak == -INFINITY) {
        memset(seen, 0, (size_t)(last - first) * sizeof *seen);
        return;
    }
    float *context = tile->context + query * work->architecture->heads * dim;
    float shrink = vector_exp(tile->peak[row] - peak);
    if (peak != tile->peak[row])
        scale_row(context, shrink, dim);
    tile->total[row] = tile->total[row] * shrink + exponentiate(seen, peak, last - first);
    tile->peak[row] = peak;
}

static void attend_keys(const struct attend_work *work, const struct tile *tile, int64_t begin, int64_t end) {
    int row = (int)attention_row(work->architecture), dim = (int)work->architecture->head_dim;
    int queries = (int)(tile->end - tile->begin), keys = (int)(end - begin);
    int context_row = (int)(work->architecture->heads * dim);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, queries, keys, dim, work->scale,
                tile->query + tile->begin * row, row, tile->key + begin * row, row, 0, tile->scores, KEY_TILE);
    for (int64_t query = tile->begin; query < tile->end; query++)
        weigh_row(work, tile, query, begin, end);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, queries, dim, keys, 1, tile->scores, KEY_TILE,
                tile->value + begin * row, row, 1, tile->context + tile->begin * context_row, context_row);
}

static float round_to_bf16(float value) {
    uint32_t bits = vector_float_to_bits(value);
    return vector_bits_to_float((bits + 0x7fffu + ((bits >> 16) & 1)) & 0xffff0000u);
}

/* What is added to the scores of each key: ALiBi by its position, -infinity for padding. */
static const float *key_bias(float *bias, const struct attend_work *work, int64_t window, int64_t head, int64_t end) {
    const struct architecture *a = work->architecture;
    const uint8_t *mask = work->batch->mask;
    if (work->slopes == NULL && mask == NULL)
        return NULL;
    int64_t position = 0;
    float slope = work->slopes != NULL ? work->slopes[head] : 0, factor = a->alibi_scaled ? work->scale : 1;
    for (int64_t t = 0; t < end; t++) {
        bool present = mask == NULL || mask[window * work->batch->length + t] != 0;
        float at = (float)position;
        float added = a->alibi_bf16 ? round_to_bf16(round_to_bf16(slope) * round_to_bf16(at)) : slope * at;
        bias[t] = present ? added * factor : -INFINITY;
        position += present;
    }
    return bias;
}

static struct tile tile_begin(const struct attend_work *work, size_t index, float *scratch) {
    const struct architecture *a = work->architecture;
    int64_t item = (int64_t)index, length = work->batch->length;
    int64_t part = work->query_tiles - 1 - item % work->query_tiles; /* the longest first */
    int64_t head = item / work->query_tiles % a->heads, window = item / work->query_tiles / a->heads;
    struct head_places place = places[a->qkv](a, head);
    const float *rows = work->qkv + window * length * attention_row(a);
    float *bias = scratch + QUERY_TILE * (KEY_TILE + 2);
    struct tile tile = {.query = rows + place.query,
                        .key = rows + place.key,
                        .value = rows + place.value,
                        .context = work->context + (window * length * a->heads + head) * a->head_dim,
                        .begin = part * QUERY_TILE,
                        .end = smaller(length, (part + 1) * QUERY_TILE),
                        .scores = scratch,
                        .peak = scratch + QUERY_TILE * KEY_TILE,
                        .total = scratch + QUERY_TILE * (KEY_TILE + 1)};
    tile.bias = key_bias(bias, work, window, head, tile.end);
    for (int64_t query = tile.begin; query < tile.end; query++) {
        tile.peak[query - tile.begin] = -INFINITY;
        tile.total[query - tile.begin] = 0;
        memset(tile.context + query * a->heads * a->head_dim, 0, (size_t)a->head_dim * sizeof *tile.context);
    }
    return tile;
}

static void attend_tiles(void *context, size_t begin, size_t end, int thread) {
    const struct attend_work *work = context;
    const struct architecture *a = work->architecture;
    for (size_t index = begin; index < end; index++) {
        struct tile tile = tile_begin(work, index, work->scratch + (size_t)thread * work->scratch_size);
        int64_t first = work->window > 0 ? larger(0, tile.begin - work->window + 1) : 0;
        for (int64_t key = first; key < tile.end; key += KEY_TILE)
            attend_keys(work, &tile, key, smaller(tile.end, key + KEY_TILE));
        for (int64_t query = tile.begin; query < tile.end; query++) {
            float total = tile.total[query - tile.begin];
            scale_row(tile.context + query * a->heads * a->head_dim, total > 0 ? 1.0f / total : 0.0f, a->head_dim);
        }
    }
}

void attention_attend(struct engine *engine, int64_t block, const struct batch *batch) {
    const struct architecture *a = &engine->model->architecture;
    struct attend_work work = {.architecture = a,
                               .batch = batch,
                               .qkv = engine->qkv,
                               .slopes = engine->positions.slopes,
                               .context = engine->context,
                               .scratch = engine->attention_scratch,
                               .scratch_size = attention_scratch(engine->length),
                               .window = a->window != NULL ? a->window[block] : 0,
                               .query_tiles = (batch->length + QUERY_TILE - 1) / QUERY_TILE,
                               .scale = (float)attention_scale(a, block),
                               .softcap = (float)a->attention_softcap};
    parallel_blas_single_begin();
    parallel_for((size_t)(batch->windows * a->heads * work.query_tiles), 1, attend_tiles, &work);
    parallel_blas_single_end();
}

uint64_t attention_work(const struct architecture *a, int64_t block, int64_t windows, int64_t length) {
    int64_t window = a->window != NULL && a->window[block] > 0 ? smaller(a->window[block], length) : length;
    uint64_t seen = (uint64_t)window * (uint64_t)(window + 1) / 2 + (uint64_t)(length - window) * (uint64_t)window;
    return 4 * (uint64_t)windows * (uint64_t)(a->heads * a->head_dim) * seen;
}

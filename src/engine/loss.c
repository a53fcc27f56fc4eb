#include "engine/loss.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "engine/vector.h"

/* What is known of a row of logits after some tiles. */
struct row {
    float peak;   /* the largest logit */
    float target; /* that of the next token */
    int32_t likely;
    double total;    /* Σ exp(logit - peak) */
    double distance; /* Σ exp(logit - peak) (logit - the other model's logit) */
};

/* One model's part of the work. */
struct side {
    struct stream *stream;
    float *final;  /* [rows × embedding_dim] */
    float *logits; /* [rows × LOSS_TILE] */
    struct row *rows;
};

static int64_t vocabulary_of(const struct model *model) {
    const struct weight *head = model_weight(model, MODEL_NO_BLOCK, ROLE_LM_HEAD, MODEL_NO_EXPERT, false);
    return model->matrices[head->matrix].rows;
}

static void side_free(struct side *side) {
    memory_free(side->final);
    memory_free(side->logits);
    memory_free(side->rows);
}

uint64_t loss_bytes(const struct model *model, int64_t tokens) {
    uint64_t each = (uint64_t)(model->architecture.hidden + model->architecture.embedding_dim + LOSS_TILE);
    return (uint64_t)tokens * (each * sizeof(float) + sizeof(struct row));
}

static bool side_create(struct side *side, struct stream *stream, size_t first, size_t count, size_t tile,
                        struct error *error) {
    const struct architecture *a = &stream_model(stream)->architecture;
    size_t rows = count * stream_length(stream);
    *side = (struct side){.stream = stream};
    float *states = memory_alloc_aligned(rows * (size_t)a->hidden, sizeof(float), error);
    side->final = memory_alloc_aligned(rows * (size_t)a->embedding_dim, sizeof(float), error);
    side->logits = memory_alloc_aligned(rows * tile, sizeof(float), error);
    side->rows = memory_alloc(rows, sizeof *side->rows, error);
    bool ok = states != NULL && side->final != NULL && side->logits != NULL && side->rows != NULL &&
              stream_read(states, stream, first, count, error) &&
              engine_final(stream_engine(stream), side->final, states, (int64_t)rows, error);
    memory_free(states);
    for (size_t i = 0; ok && i < rows; i++)
        side->rows[i] = (struct row){.peak = -INFINITY, .target = NAN, .likely = -1};
    return ok;
}

VECTOR_CLONES static float find_peak(const float *logits, float peak, int64_t count) {
#pragma omp simd reduction(max : peak)
    for (int64_t i = 0; i < count; i++)
        peak = logits[i] > peak ? logits[i] : peak;
    return peak;
}

VECTOR_CLONES static float sum_exponentials(const float *logits, float peak, int64_t count) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < count; i++)
        total += vector_exp(logits[i] - peak);
    return total;
}

VECTOR_CLONES static float sum_distances(const float *logits, const float *other, float peak, int64_t count) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < count; i++)
        total += vector_exp(logits[i] - peak) * (logits[i] - other[i]);
    return total;
}

struct tile_work {
    struct side *side;
    const float *other; /* the other model's logits, or NULL */
    const int32_t *ids; /* of the first row's token */
    int64_t length, begin, count;
};

static void add_tile(const struct tile_work *work, size_t index) {
    struct row *row = &work->side->rows[index];
    const float *logits = work->side->logits + index * (size_t)work->count;
    float peak = find_peak(logits, row->peak, work->count);
    if (peak > row->peak || row->likely < 0) {
        int64_t at = 0;
        while (at + 1 < work->count && logits[at] != peak)
            at++;
        double shrink = row->likely < 0 ? 0 : exp((double)row->peak - (double)peak);
        row->likely = (int32_t)(work->begin + at);
        row->total *= shrink;
        row->distance *= shrink;
        row->peak = peak;
    }
    row->total += (double)sum_exponentials(logits, peak, work->count);
    if (work->other != NULL)
        row->distance += (double)sum_distances(logits, work->other + index * (size_t)work->count, peak, work->count);
    bool last = ((int64_t)index + 1) % work->length == 0;
    int64_t target = last ? -1 : work->ids[index + 1] - work->begin;
    if (target >= 0 && target < work->count)
        row->target = logits[target];
}

static void add_rows(void *context, size_t begin, size_t end, int thread) {
    (void)thread;
    for (size_t index = begin; index < end; index++)
        add_tile(context, index);
}

static bool side_logits(struct side *side, int64_t rows, int64_t begin, int64_t end, struct progress *progress,
                        struct error *error) {
    return engine_logits(stream_engine(side->stream), side->logits, side->final, rows, begin, end, progress, error);
}

/* All tiles of one model, or of two side by side. */
static bool run_tiles(struct side *side, struct side *other, size_t first, size_t count, struct progress *progress,
                      struct error *error) {
    int64_t vocabulary = vocabulary_of(stream_model(side->stream)), length = (int64_t)stream_length(side->stream);
    int64_t rows = (int64_t)count * length;
    struct tile_work work = {side, NULL, stream_ids(side->stream) + first * (size_t)length, length, 0, 0};
    for (int64_t begin = 0; begin < vocabulary; begin += LOSS_TILE) {
        int64_t end = vocabulary - begin < LOSS_TILE ? vocabulary : begin + LOSS_TILE;
        if (!side_logits(side, rows, begin, end, progress, error) ||
            (other != NULL && !side_logits(other, rows, begin, end, progress, error)))
            return false;
        work.begin = begin;
        work.count = end - begin;
        work.other = other != NULL ? other->logits : NULL;
        parallel_for((size_t)rows, 16, add_rows, &work);
        if (other == NULL)
            continue;
        struct tile_work second = work;
        second.side = other;
        second.other = NULL;
        parallel_for((size_t)rows, 16, add_rows, &second);
    }
    return true;
}

static double log_total(const struct row *row) {
    return (double)row->peak + log(row->total);
}

/* Whether the token predicts one that counts. */
static bool counts(const struct stream *stream, size_t first, size_t index) {
    const uint8_t *mask = stream_mask(stream);
    size_t length = stream_length(stream), at = first * length + index;
    return (index + 1) % length != 0 && (mask == NULL || (mask[at] != 0 && mask[at + 1] != 0));
}

static void fill_predictions(struct prediction *out, const struct side *side, size_t first, size_t rows) {
    for (size_t i = 0; i < rows && out != NULL; i++) {
        const struct row *row = &side->rows[i];
        double total = log_total(row);
        bool counted = counts(side->stream, first, i);
        out[i] = (struct prediction){counted ? total - (double)row->target : (double)NAN, row->likely, (float)total};
    }
}

bool loss_predict(struct prediction *out, struct stream *stream, size_t first, size_t count, struct progress *progress,
                  struct error *error) {
    struct side side;
    bool ok = side_create(&side, stream, first, count, LOSS_TILE, error) &&
              run_tiles(&side, NULL, first, count, progress, error);
    if (ok)
        fill_predictions(out, &side, first, count * stream_length(stream));
    side_free(&side);
    return ok;
}

bool loss_compare(struct prediction *out, struct prediction *other_out, double *kl, struct stream *stream,
                  struct stream *other, size_t first, size_t count, struct progress *progress, struct error *error) {
    struct side side, second = {0};
    size_t rows = count * stream_length(stream);
    bool ok = side_create(&side, stream, first, count, LOSS_TILE, error) &&
              side_create(&second, other, first, count, LOSS_TILE, error) &&
              run_tiles(&side, &second, first, count, progress, error);
    if (ok) {
        fill_predictions(out, &side, first, rows);
        fill_predictions(other_out, &second, first, rows);
    }
    for (size_t i = 0; ok && i < rows; i++) {
        const struct row *row = &side.rows[i];
        kl[i] = row->distance / row->total - (log_total(row) - log_total(&second.rows[i]));
    }
    side_free(&side);
    side_free(&second);
    return ok;
}

bool loss_logits(float *logits, struct stream *stream, size_t window, struct progress *progress, struct error *error) {
    struct side side;
    int64_t rows = (int64_t)stream_length(stream), vocabulary = vocabulary_of(stream_model(stream));
    bool ok = side_create(&side, stream, window, 1, 0, error) &&
              engine_logits(stream_engine(stream), logits, side.final, rows, 0, vocabulary, progress, error);
    side_free(&side);
    return ok;
}

bool loss_last_logits(float *logits, struct stream *stream, struct progress *progress, struct error *error) {
    const struct model *model = stream_model(stream);
    struct side side;
    size_t last = stream_length(stream) - 1, width = (size_t)model->architecture.embedding_dim;
    bool ok = side_create(&side, stream, 0, 1, 0, error) &&
              engine_logits(stream_engine(stream), logits, side.final + last * width, 1, 0, vocabulary_of(model),
                            progress, error);
    side_free(&side);
    return ok;
}

uint64_t loss_work(const struct stream *stream, size_t windows) {
    const struct model *model = stream_model(stream);
    return 2 * (uint64_t)windows * stream_length(stream) * (uint64_t)vocabulary_of(model) *
           (uint64_t)model->architecture.embedding_dim;
}

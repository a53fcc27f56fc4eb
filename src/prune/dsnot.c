#include "base/memory.h"
#include "base/parallel.h"
#include "prune/score.h"
#include "prune/solver_methods.h"
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#define SWAPS 50
/* A row whose expected output changes by less than this share of the output's own deviation is left alone. */
#define ENOUGH 1e-3

struct refine {
    const struct layer *layer;
    uint8_t *mask;
    const double *mean; /* of each input */
    const double *variance;
    const float *norm; /* Wanda's ‖X_j‖ */
    _Atomic uint64_t swaps;
};

static bool allowed(const struct refine *refine, int64_t a, int64_t b) {
    const struct pattern *pattern = &refine->layer->pattern;
    return pattern->kind != PATTERN_N_M || a / pattern->m == b / pattern->m;
}

/* The pruned input whose return takes most off the change e, for its variance; -1 when none helps. */
static int64_t best_to_grow(const struct refine *refine, const float *w, const uint8_t *mask, double e) {
    int64_t best = -1;
    double most = 0;
    for (int64_t j = 0; j < refine->layer->columns; j++) {
        double c = (double)w[j] * refine->mean[j];
        if (!mask[j] || c * e <= 0 || refine->variance[j] <= 0)
            continue;
        double value = fabs(c) / refine->variance[j];
        if (value > most) {
            most = value;
            best = j;
        }
    }
    return best;
}

/* The kept input of least Wanda score whose loss brings e nearer to 0 as well, where the pattern allows it in place of
 * `grown`. */
static int64_t best_to_cut(const struct refine *refine, const float *w, const uint8_t *mask, double e, int64_t grown) {
    int64_t best = -1;
    float least = INFINITY;
    for (int64_t j = 0; j < refine->layer->columns; j++) {
        if (mask[j] || (double)w[j] * refine->mean[j] * e > 0 || !allowed(refine, j, grown))
            continue;
        float score = fabsf(w[j]) * refine->norm[j];
        if (score < least) {
            least = score;
            best = j;
        }
    }
    return best;
}

static void refine_row(struct refine *refine, int64_t row) {
    int64_t n = refine->layer->columns;
    const float *w = refine->layer->weights + row * n;
    uint8_t *mask = refine->mask + row * n;
    double e = 0;
    double deviation = 0;
    for (int64_t j = 0; j < n; j++) {
        e += mask[j] ? (double)w[j] * refine->mean[j] : 0;
        deviation += (double)w[j] * (double)w[j] * refine->variance[j];
    }
    for (int swap = 0; swap < SWAPS && fabs(e) > ENOUGH * sqrt(deviation); swap++) {
        int64_t grow = best_to_grow(refine, w, mask, e);
        int64_t cut = grow >= 0 ? best_to_cut(refine, w, mask, e, grow) : -1;
        if (cut < 0)
            break;
        double next = e + (double)w[cut] * refine->mean[cut] - (double)w[grow] * refine->mean[grow];
        if (fabs(next) >= fabs(e))
            break;
        mask[grow] = 0;
        mask[cut] = 1;
        e = next;
        atomic_fetch_add(&refine->swaps, 1);
    }
}

static void refine_rows(void *context, size_t begin, size_t end, int thread) {
    (void)thread;
    for (size_t row = begin; row < end; row++)
        refine_row(context, (int64_t)row);
}

static bool moments(double *mean, double *variance, const struct input_statistics *input, struct error *error) {
    if (input->sum == NULL)
        return error_set(error, ERROR_USAGE,
                         "dsnot needs the mean of the inputs, which this imatrix does not hold; calibrate with a text");
    for (int64_t j = 0; j < input->columns; j++) {
        mean[j] = input->sum[j] / (double)input->tokens;
        variance[j] = fmax(0, input->sum_squares[j] / (double)input->tokens - mean[j] * mean[j]);
    }
    return true;
}

bool dsnot_prune(struct layer *layer, struct progress *progress, struct error *error) {
    size_t n = (size_t)layer->columns;
    size_t count = (size_t)layer->rows * n;
    uint8_t *mask = memory_alloc(count, 1, error);
    double *mean = memory_alloc(2 * n, sizeof *mean, error);
    float *norm = score_input_norms(layer, error);
    bool ok = mask != NULL && mean != NULL && norm != NULL && moments(mean, mean + n, layer->input, error);
    if (ok) {
        memcpy(mask, layer->fixed_mask, count);
        struct refine refine = {.layer = layer, .mask = mask, .mean = mean, .variance = mean + n, .norm = norm};
        parallel_for((size_t)layer->rows, 8, refine_rows, &refine);
        ok = progress_continue(progress, error);
        layer->report.iterations = (int)atomic_load(&refine.swaps);
        score_apply(layer->weights, mask, layer->rows, layer->columns);
    }
    memory_free(mask);
    memory_free(mean);
    memory_free(norm);
    return ok;
}

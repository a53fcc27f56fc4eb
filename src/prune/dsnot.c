/* Zhang et al.'s swaps, with one condition added: a swap has to lower the output error by the full Hessian, clearly.
 * Their rule looks at the mean of the output alone, and left small models worse than the mask to begin with; with the
 * condition no row's output error rises. Their program also leaves MLP matrices out unless asked; this one does not. */
#include "base/memory.h"
#include "base/parallel.h"
#include "prune/score.h"
#include "prune/solver_methods.h"
#include "prune/stepwise.h"
#include <cblas.h>
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
    float *hessian;    /* [n × n] */
    float *pull;       /* [rows × n]: D H, where D are the weights that go */
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

/* Whether the row's output error falls when input `cut` goes and `grow` returns, and by more than the two weights carry
 * on their own: of the margins 0, 0.3 and 1 times that, the one with the best perplexities on a sample. */
static bool worth_it(const struct refine *refine, const float *w, const float *pull, int64_t cut, int64_t grow) {
    const float *row = refine->hessian + cut * refine->layer->columns;
    double lost = (double)w[cut];
    double won = (double)w[grow];
    double own =
        lost * lost * (double)row[cut] + won * won * (double)refine->hessian[grow * refine->layer->columns + grow];
    double change =
        2 * (lost * (double)pull[cut] - won * (double)pull[grow]) - 2 * lost * won * (double)row[grow] + own;
    return change < -own;
}

static void swap_weights(struct refine *refine, const float *w, uint8_t *mask, float *pull, int64_t cut, int64_t grow) {
    int n = (int)refine->layer->columns;
    cblas_saxpy(n, w[cut], refine->hessian + cut * n, 1, pull, 1);
    cblas_saxpy(n, -w[grow], refine->hessian + grow * n, 1, pull, 1);
    mask[cut] = 1;
    mask[grow] = 0;
    atomic_fetch_add(&refine->swaps, 1);
}

static void refine_row(struct refine *refine, int64_t row) {
    int64_t n = refine->layer->columns;
    const float *w = refine->layer->weights + row * n;
    uint8_t *mask = refine->mask + row * n;
    float *pull = refine->pull + row * n;
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
        if (fabs(next) >= fabs(e) || !worth_it(refine, w, pull, cut, grow))
            break;
        swap_weights(refine, w, mask, pull, cut, grow);
        e = next;
    }
}

static void refine_rows(void *context, size_t begin, size_t end, int thread) {
    struct refine *refine = context;
    (void)thread;
    for (size_t row = begin; row < end && !progress_cancelled(refine->layer->progress); row++)
        refine_row(refine, (int64_t)row);
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

static void refine_free(struct refine *refine) {
    memory_free(refine->mask);
    memory_free(refine->hessian);
    memory_free(refine->pull);
}

static bool make_pull(struct refine *refine, struct error *error) {
    const struct layer *layer = refine->layer;
    size_t count = (size_t)layer->rows * (size_t)layer->columns;
    float *gone = memory_alloc_aligned(count, sizeof *gone, error);
    if (gone == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        gone[i] = refine->mask[i] ? layer->weights[i] : 0;
    bool ok =
        stepwise_product(refine->pull, gone, refine->hessian, layer->rows, layer->columns, layer->progress, error);
    memory_free(gone);
    return ok;
}

static bool refine_create(struct refine *refine, const struct layer *layer, struct error *error) {
    size_t n = (size_t)layer->columns;
    size_t count = (size_t)layer->rows * n;
    *refine = (struct refine){.layer = layer};
    refine->mask = memory_alloc(count, 1, error);
    refine->hessian = memory_alloc_aligned(n * n, sizeof(float), error);
    refine->pull = memory_alloc_aligned(count, sizeof(float), error);
    bool ok = refine->mask != NULL && refine->hessian != NULL && refine->pull != NULL;
    if (ok) {
        memcpy(refine->mask, layer->fixed_mask, count);
        hessian_copy(refine->hessian, layer->input->hessian, hessian_scale(layer->input->hessian, false));
        ok = make_pull(refine, error);
    }
    if (!ok)
        refine_free(refine);
    return ok;
}

bool dsnot_prune(struct layer *layer, struct error *error) {
    struct refine refine = {0};
    double *mean = memory_alloc(2 * (size_t)layer->columns, sizeof *mean, error);
    float *norm = score_input_norms(layer, error);
    bool ok = mean != NULL && norm != NULL && moments(mean, mean + layer->columns, layer->input, error) &&
              refine_create(&refine, layer, error);
    if (ok) {
        refine.mean = mean;
        refine.variance = mean + layer->columns;
        refine.norm = norm;
        parallel_for((size_t)layer->rows, 8, refine_rows, &refine);
        ok = progress_continue(layer->progress, error);
        layer->report.iterations = (int)atomic_load(&refine.swaps);
        if (ok)
            score_apply(layer->weights, refine.mask, layer->rows, layer->columns);
        refine_free(&refine);
    }
    memory_free(mean);
    memory_free(norm);
    return ok;
}

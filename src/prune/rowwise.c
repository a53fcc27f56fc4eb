/* Row-wise allocation: every row its own sparsity. Within a row weights go in Wanda's order; how many of each row's is
 * settled by what they truly cost. The diagonal's score of a weight leaves out what it has in common with the others
 * that go, which differs from row to row: at a few levels the row's output error is taken from the full Hessian, and
 * the scores between two levels are scaled so that they add up to it. The lowest of the whole matrix then go.
 *
 * BESA (Xu et al. 2024, arXiv 2402.16880) learns the rows' shares by gradients through a block; here the layer problem
 * alone decides, without any. */
#include "base/memory.h"
#include "prune/pattern.h"
#include "prune/score.h"
#include "prune/solver_methods.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

enum { PANEL = 256, LEVELS = 6 };
/* Of a row's weights, as shares of what goes on average (first three) and of what stays (next two); the last is all. */
static const double below[] = {0.5, 0.8, 1}, above[] = {0.2, 0.5};
#define LEAST_SCALE 0.05 /* of a score: what goes together may even cost less than before */

struct rowwise {
    const struct layer *layer;
    int64_t columns;
    float *scores;  /* [rows × n] */
    float *hessian; /* [n × n], mean of x xᵀ */
    float *gone;    /* [PANEL × n] the weights that go, 0 for those that stay */
    float *pull;    /* [PANEL × n] gone × hessian */
    uint64_t counts[LEVELS];
};

/* Of one row. */
struct row_levels {
    float threshold[LEVELS];
    double scored[LEVELS], true_error[LEVELS];
};

static void find_counts(struct rowwise *work, double sparsity) {
    double n = (double)work->columns;
    for (int t = 0; t < 3; t++)
        work->counts[t] = (uint64_t)llround(n * sparsity * below[t]);
    for (int t = 0; t < 2; t++)
        work->counts[3 + t] = (uint64_t)llround(n * (sparsity + (1 - sparsity) * above[t]));
    work->counts[LEVELS - 1] = (uint64_t)work->columns;
}

/* The weights of a row that go at a level, into gone. */
static void cut_row(struct row_levels *row, struct rowwise *work, float *gone, const float *scores,
                    const float *weights, int level) {
    uint64_t ties;
    float threshold;
    select_threshold(&threshold, &ties, scores, (size_t)work->columns, work->counts[level]);
    double sum = 0;
    for (int64_t j = 0; j < work->columns; j++) {
        bool goes = scores[j] < threshold || (scores[j] == threshold && ties > 0);
        ties -= goes && scores[j] == threshold;
        gone[j] = goes ? weights[j] : 0;
        sum += goes ? (double)scores[j] : 0;
    }
    row->threshold[level] = threshold;
    row->scored[level] = sum;
}

static double dot(const float *a, const float *b, int64_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void try_level(struct row_levels *levels, struct rowwise *work, int64_t first, int64_t rows, int level) {
    int64_t n = work->columns;
    for (int64_t i = 0; i < rows; i++)
        cut_row(&levels[i], work, work->gone + i * n, work->scores + (first + i) * n,
                work->layer->weights + (first + i) * n, level);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)n, (int)n, 1, work->gone, (int)n,
                work->hessian, (int)n, 0, work->pull, (int)n);
    for (int64_t i = 0; i < rows; i++)
        levels[i].true_error[level] = dot(work->gone + i * n, work->pull + i * n, n);
}

/* The order within the row stays: a scaled score is never below those of the levels before it. */
static void scale_row(float *scores, const struct row_levels *row, int64_t columns) {
    double scale[LEVELS];
    double least[LEVELS] = {0};
    for (int t = 0; t < LEVELS; t++) {
        double scored = row->scored[t] - (t > 0 ? row->scored[t - 1] : 0);
        double true_error = row->true_error[t] - (t > 0 ? row->true_error[t - 1] : 0);
        scale[t] = scored > 0 ? fmax(true_error / scored, LEAST_SCALE) : 1;
        least[t] = t > 0 ? fmax(least[t - 1], scale[t - 1] * (double)row->threshold[t - 1]) : 0;
    }
    for (int64_t j = 0; j < columns; j++) {
        int t = 0;
        while (t < LEVELS - 1 && scores[j] > row->threshold[t])
            t++;
        scores[j] = (float)fmax(least[t], scale[t] * (double)scores[j]);
    }
}

static void score_rows(struct rowwise *work, const float *norms, int64_t first, int64_t rows) {
    for (int64_t i = first; i < first + rows; i++)
        for (int64_t j = 0; j < work->columns; j++) {
            float root = work->layer->weights[i * work->columns + j] * norms[j];
            work->scores[i * work->columns + j] = root * root;
        }
}

static bool score_all(struct rowwise *work, const float *norms, struct error *error) {
    struct row_levels *levels = memory_alloc(PANEL, sizeof *levels, error);
    bool ok = levels != NULL;
    for (int64_t first = 0; ok && first < work->layer->rows; first += PANEL) {
        int64_t rows = work->layer->rows - first < PANEL ? work->layer->rows - first : PANEL;
        score_rows(work, norms, first, rows);
        for (int t = 0; ok && t < LEVELS; t++) {
            try_level(levels, work, first, rows, t);
            ok = progress_continue(work->layer->progress, error);
        }
        for (int64_t i = 0; ok && i < rows; i++)
            scale_row(work->scores + (first + i) * work->columns, &levels[i], work->columns);
    }
    memory_free(levels);
    return ok;
}

static bool create(struct rowwise *work, const struct layer *layer, struct error *error) {
    size_t n = (size_t)layer->columns;
    *work = (struct rowwise){.layer = layer, .columns = layer->columns};
    work->scores = memory_alloc_aligned((size_t)layer->rows * n, sizeof(float), error);
    work->hessian = memory_alloc_aligned(n * n, sizeof(float), error);
    work->gone = memory_alloc_aligned(PANEL * n, sizeof(float), error);
    work->pull = memory_alloc_aligned(PANEL * n, sizeof(float), error);
    return work->scores != NULL && work->hessian != NULL && work->gone != NULL && work->pull != NULL;
}

static void release(struct rowwise *work) {
    memory_free(work->scores);
    memory_free(work->hessian);
    memory_free(work->gone);
    memory_free(work->pull);
}

bool rowwise_prune(struct layer *layer, struct error *error) {
    struct rowwise work;
    float *norms = score_input_norms(layer, error);
    uint8_t *mask = norms != NULL ? memory_alloc((size_t)layer->rows * (size_t)layer->columns, 1, error) : NULL;
    bool ok = create(&work, layer, error) && mask != NULL;
    if (ok) {
        find_counts(&work, layer->sparsity);
        hessian_copy(work.hessian, layer->input->hessian, 1 / (double)layer->input->tokens);
        ok = score_all(&work, norms, error) && score_pattern_select(mask, work.scores, layer, error);
    }
    if (ok)
        score_apply(layer->weights, mask, layer->rows, layer->columns);
    release(&work);
    memory_free(mask);
    memory_free(norms);
    return ok;
}

#include "prune/factor.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "prune/stepwise.h"
#include <math.h>
#include <string.h>

#define DAMPING_DEFAULT 0.01
#define DAMPING_STEP 10
#define DAMPING_MAXIMUM 1.0

void factor_free(struct factor *factor) {
    if (factor == NULL)
        return;
    memory_free(factor->r);
    memory_free(factor->dead);
    memory_free(factor);
}

/* Rows of the upper triangle from those of the lower, both indices reversed; the diagonal stays. */
static void reverse_rows(void *context, size_t begin, size_t end, int thread) {
    const struct factor *factor = context;
    int64_t n = factor->n;
    (void)thread;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        float *row = factor->r + i * n;
        const float *from = factor->r + (n - 1 - i) * n + n - 1;
        for (int64_t j = i + 1; j < n; j++)
            row[j] = from[-j];
    }
}

/* The factor of the reversed matrix lies in the lower triangle; afterwards R lies in the upper one. */
static void reverse(struct factor *factor) {
    int64_t n = factor->n;
    parallel_for((size_t)n, 64, reverse_rows, factor);
    for (int64_t i = 0; i < n / 2; i++) {
        float *low = factor->r + i * n + i;
        float *high = factor->r + (n - 1 - i) * (n + 1);
        float kept = *low;
        *low = *high;
        *high = kept;
    }
}

/* Marks dead inputs from the diagonal and returns its sum over live ones; NaN or Inf anywhere in it comes out. */
static double find_dead(struct factor *factor, const double *diagonal) {
    double sum = 0;
    factor->dead_count = 0;
    for (int64_t j = 0; j < factor->n; j++) {
        factor->dead[j] = diagonal[j] == 0;
        factor->dead_count += factor->dead[j];
        sum += diagonal[j];
    }
    return sum;
}

struct diagonal {
    double scale; /* of the sum, to H */
    double dead;  /* what stands in a dead input's place */
    double mean;  /* of diag H, the dead ones included: what damping is a share of */
};

static struct diagonal diagonal_of(const struct factor *factor, const struct input_statistics *input, double sum,
                                   bool reference) {
    struct diagonal diagonal = {.scale = hessian_scale(input->hessian, reference)};
    double live = (double)(factor->n - (int64_t)factor->dead_count);
    diagonal.dead = reference || live == 0 ? 1 : diagonal.scale * sum / live;
    diagonal.mean = (diagonal.scale * sum + diagonal.dead * (double)factor->dead_count) / (double)factor->n;
    return diagonal;
}

/* `positive`: whether there is such a factor at this damping. False when it was stopped. */
static bool factorise(bool *positive, struct factor *factor, const struct input_statistics *input,
                      struct diagonal diagonal, struct progress *progress, struct error *error) {
    size_t n = (size_t)factor->n;
    hessian_copy_reversed(factor->r, input->hessian, diagonal.scale);
    for (size_t j = 0; j < n; j++) {
        float *entry = factor->r + (n - 1 - j) * (n + 1);
        if (factor->dead[j])
            *entry = (float)diagonal.dead;
        *entry += (float)(factor->damping * diagonal.mean);
    }
    if (!stepwise_cholesky(positive, factor->r, factor->n, progress, error))
        return false;
    if (*positive)
        reverse(factor);
    return true;
}

static bool factor_back_off(struct factor *factor, const struct input_statistics *input, struct diagonal diagonal,
                            struct progress *progress, struct error *error) {
    bool positive;
    while (factorise(&positive, factor, input, diagonal, progress, error)) {
        if (positive)
            return true;
        if (factor->damping >= DAMPING_MAXIMUM)
            return error_set(
                error, ERROR_FAILURE,
                "the Hessian of %lld inputs is not positive definite, even with a damping of %g of its mean diagonal",
                (long long)factor->n, factor->damping);
        factor->retries++;
        factor->damping = fmin(DAMPING_MAXIMUM, (factor->damping > 0 ? factor->damping : 1e-4) * DAMPING_STEP);
    }
    return false;
}

struct factor *factor_create(const struct input_statistics *input, double damping, bool reference,
                             struct progress *progress, struct error *error) {
    struct factor *factor = memory_alloc(1, sizeof *factor, error);
    double *values = memory_alloc((size_t)input->columns, sizeof *values, error);
    if (factor == NULL || values == NULL)
        goto fail;
    factor->n = input->columns;
    factor->damping = damping;
    size_t n = (size_t)input->columns;
    factor->dead = memory_alloc(n, 1, error);
    factor->r = factor->dead != NULL ? memory_alloc_aligned(n * n, sizeof(float), error) : NULL;
    if (factor->r == NULL)
        goto fail;
    hessian_diagonal(values, input->hessian);
    double sum = find_dead(factor, values);
    if (!isfinite(sum)) {
        (void)error_set(error, ERROR_FAILURE,
                        "the calibration inputs hold NaN or Inf, so there is no Hessian to prune by");
        goto fail;
    }
    if (!factor_back_off(factor, input, diagonal_of(factor, input, sum, reference), progress, error))
        goto fail;
    memory_free(values);
    return factor;
fail:
    memory_free(values);
    factor_free(factor);
    return NULL;
}

bool layer_factor(struct layer *layer, struct error *error) {
    double damping = layer->options.damping > 0 ? layer->options.damping : DAMPING_DEFAULT;
    if (layer->factor == NULL)
        layer->factor = factor_create(layer->input, damping, layer->options.reference, layer->progress, error);
    if (layer->factor == NULL)
        return false;
    struct layer_report *report = &layer->report;
    report->damping = layer->factor->damping;
    report->retries = layer->factor->retries;
    report->dead = layer->factor->dead_count;
    if (report->retries > 0)
        layer_note(layer, "damping %g%% -> %g%% (Cholesky failed %d time%s)", 100 * damping, 100 * report->damping,
                   report->retries, report->retries > 1 ? "s" : "");
    return true;
}

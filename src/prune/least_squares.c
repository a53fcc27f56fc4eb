#include "prune/least_squares.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "prune/factor.h"
#include "prune/stepwise.h"
#include <math.h>
#include <string.h>

void least_squares_free(struct least_squares *problem) {
    memory_free(problem->a);
    memory_free(problem->scale);
    memory_free(problem->dense);
    memory_free(problem->g);
    memset(problem, 0, sizeof *problem);
}

/* Damps A, takes its diagonal into scale and divides by it. Dead inputs keep a unit row of their own. */
static bool normalise(struct least_squares *problem, struct layer *layer, struct error *error) {
    size_t n = (size_t)problem->n;
    if (!layer_factor(layer, error))
        return false;
    double damping = layer->report.damping * hessian_trace(layer->input->hessian) / (double)n;
    hessian_copy(problem->a, layer->input->hessian, 1);
    for (size_t j = 0; j < n; j++) {
        float *diagonal = &problem->a[j * n + j];
        *diagonal += (float)damping;
        problem->scale[j] = *diagonal > 0 ? sqrtf(*diagonal) : 1;
        if (*diagonal <= 0)
            *diagonal = 1;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            problem->a[i * n + j] /= problem->scale[i] * problem->scale[j];
    return true;
}

bool least_squares_create(struct least_squares *problem, struct layer *layer, struct error *error) {
    memset(problem, 0, sizeof *problem);
    problem->rows = layer->rows;
    problem->n = layer->columns;
    problem->progress = layer->progress;
    size_t n = (size_t)layer->columns;
    size_t count = (size_t)layer->rows * n;
    problem->a = memory_alloc_aligned(n * n, sizeof(float), error);
    problem->scale = memory_alloc_aligned(n, sizeof(float), error);
    problem->dense = memory_alloc_aligned(count, sizeof(float), error);
    problem->g = memory_alloc_aligned(count, sizeof(float), error);
    bool ok = problem->a != NULL && problem->scale != NULL && problem->dense != NULL && problem->g != NULL &&
              normalise(problem, layer, error);
    for (size_t i = 0; ok && i < count; i++)
        problem->dense[i] = layer->weights[i] * problem->scale[i % n];
    ok = ok && least_squares_product(problem->g, problem, problem->dense, error);
    if (!ok)
        least_squares_free(problem);
    return ok;
}

bool least_squares_product(float *out, const struct least_squares *problem, const float *b, struct error *error) {
    return stepwise_product(out, b, problem->a, problem->rows, problem->n, problem->progress, error);
}

/* tr(BÃBᵀ) - 2 tr(bÃBᵀ) + tr(bÃbᵀ), as Σ (B - b) ⊙ (g - product). */
double least_squares_error(const struct least_squares *problem, const float *b, const float *product) {
    size_t count = (size_t)problem->rows * (size_t)problem->n;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += ((double)problem->dense[i] - (double)b[i]) * ((double)problem->g[i] - (double)product[i]);
    return sum;
}

/* Conjugate gradients' state: each [rows × n], and each row's squared residual. */
struct solver {
    const struct least_squares *problem;
    const uint8_t *mask;
    float *b, *residual, *direction, *product;
    double *squared; /* [rows] */
};

static void solver_start(void *context, size_t begin, size_t end, int thread) {
    struct solver *solver = context;
    size_t n = (size_t)solver->problem->n;
    (void)thread;
    for (size_t row = begin; row < end; row++) {
        double sum = 0;
        for (size_t i = row * n; i < (row + 1) * n; i++) {
            float value = solver->mask[i] ? 0 : solver->problem->g[i] - solver->product[i];
            solver->residual[i] = value;
            solver->direction[i] = value;
            sum += (double)value * (double)value;
        }
        solver->squared[row] = sum;
    }
}

/* One step along every row's direction, given product = direction Ã. */
static void solver_step(void *context, size_t begin, size_t end, int thread) {
    struct solver *solver = context;
    size_t n = (size_t)solver->problem->n;
    (void)thread;
    for (size_t row = begin; row < end; row++) {
        float *b = solver->b + row * n;
        float *residual = solver->residual + row * n;
        float *direction = solver->direction + row * n;
        const float *product = solver->product + row * n;
        const uint8_t *mask = solver->mask + row * n;
        double curvature = 0;
        for (size_t j = 0; j < n; j++)
            curvature += (double)direction[j] * (double)product[j];
        if (!(curvature > 0) || solver->squared[row] == 0)
            continue;
        float step = (float)(solver->squared[row] / curvature);
        double sum = 0;
        for (size_t j = 0; j < n; j++) {
            b[j] += step * direction[j];
            residual[j] = mask[j] ? 0 : residual[j] - step * product[j];
            sum += (double)residual[j] * (double)residual[j];
        }
        float keep = (float)(sum / solver->squared[row]);
        for (size_t j = 0; j < n; j++)
            direction[j] = residual[j] + keep * direction[j];
        solver->squared[row] = sum;
    }
}

static double solver_residual(const struct solver *solver) {
    double sum = 0;
    for (int64_t row = 0; row < solver->problem->rows; row++)
        sum += solver->squared[row];
    return sum;
}

static bool solver_run(struct solver *solver, int *made, int iterations, double tolerance, struct error *error) {
    size_t rows = (size_t)solver->problem->rows;
    if (!least_squares_product(solver->product, solver->problem, solver->b, error))
        return false;
    parallel_for(rows, 8, solver_start, solver);
    double enough = tolerance * tolerance * solver_residual(solver);
    for (*made = 0; *made < iterations && solver_residual(solver) > enough; (*made)++) {
        if (!least_squares_product(solver->product, solver->problem, solver->direction, error))
            return false;
        parallel_for(rows, 8, solver_step, solver);
    }
    return true;
}

bool least_squares_solve(float *b, int *made, const struct least_squares *problem, const uint8_t *mask, int iterations,
                         double tolerance, struct error *error) {
    size_t count = (size_t)problem->rows * (size_t)problem->n;
    struct solver solver = {.problem = problem, .mask = mask, .b = b};
    for (size_t i = 0; i < count; i++)
        b[i] = mask[i] ? 0 : b[i];
    solver.residual = memory_alloc_aligned(count, sizeof(float), error);
    solver.direction = memory_alloc_aligned(count, sizeof(float), error);
    solver.product = memory_alloc_aligned(count, sizeof(float), error);
    solver.squared = memory_alloc((size_t)problem->rows, sizeof(double), error);
    bool ok = solver.residual != NULL && solver.direction != NULL && solver.product != NULL && solver.squared != NULL &&
              solver_run(&solver, made, iterations, tolerance, error);
    memory_free(solver.residual);
    memory_free(solver.direction);
    memory_free(solver.product);
    memory_free(solver.squared);
    return ok;
}

void least_squares_store(struct layer *layer, const struct least_squares *problem, const float *b,
                         const uint8_t *mask) {
    size_t n = (size_t)problem->n;
    size_t count = (size_t)problem->rows * n;
    for (size_t i = 0; i < count; i++)
        layer->weights[i] = mask[i] ? 0.0F : b[i] / problem->scale[i % n] + 0.0F;
}

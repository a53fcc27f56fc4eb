#include "prune/admm.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "prune/stepwise.h"
#include <string.h>

static size_t cells(const struct admm *admm) {
    return (size_t)admm->problem.rows * (size_t)admm->problem.n;
}

void admm_free(struct admm *admm) {
    least_squares_free(&admm->problem);
    memory_free(admm->b);
    memory_free(admm->d);
    memory_free(admm->v);
    memory_free(admm->scores);
    memory_free(admm->cholesky);
    memory_free(admm->mask);
    memset(admm, 0, sizeof *admm);
}

bool admm_create(struct admm *admm, struct layer *layer, struct error *error) {
    memset(admm, 0, sizeof *admm);
    if (!least_squares_create(&admm->problem, layer, error))
        return false;
    size_t count = cells(admm);
    size_t n = (size_t)admm->problem.n;
    admm->b = memory_alloc_aligned(count, sizeof(float), error);
    admm->d = memory_alloc_aligned(count, sizeof(float), error);
    admm->v = memory_alloc_aligned(count, sizeof(float), error);
    admm->scores = memory_alloc_aligned(count, sizeof(float), error);
    admm->cholesky = memory_alloc_aligned(n * n, sizeof(float), error);
    admm->mask = memory_alloc(count, 1, error);
    if (admm->b == NULL || admm->d == NULL || admm->v == NULL || admm->scores == NULL || admm->cholesky == NULL ||
        admm->mask == NULL) {
        admm_free(admm);
        return false;
    }
    admm_restart(admm);
    return true;
}

void admm_restart(struct admm *admm) {
    memcpy(admm->b, admm->problem.dense, cells(admm) * sizeof(float));
    memcpy(admm->d, admm->problem.dense, cells(admm) * sizeof(float));
    memset(admm->v, 0, cells(admm) * sizeof(float));
}

static bool factorise(struct admm *admm, double rho, struct error *error) {
    if (admm->rho == rho)
        return true;
    size_t n = (size_t)admm->problem.n;
    memcpy(admm->cholesky, admm->problem.a, n * n * sizeof(float));
    for (size_t j = 0; j < n; j++)
        admm->cholesky[j * n + j] += (float)rho;
    bool positive;
    if (!stepwise_cholesky(&positive, admm->cholesky, admm->problem.n, admm->problem.progress, error))
        return false;
    if (!positive)
        return error_set(error, ERROR_FAILURE, "the Hessian is not positive definite, even with a penalty of %g added",
                         rho);
    admm->rho = rho;
    return true;
}

struct update {
    struct admm *admm;
    float rho;
};

static void right_side(void *context, size_t begin, size_t end, int thread) {
    const struct update *update = context;
    struct admm *admm = update->admm;
    (void)thread;
    for (size_t i = begin; i < end; i++)
        admm->b[i] = admm->problem.g[i] - admm->v[i] + update->rho * admm->d[i];
}

static void sparse_candidate(void *context, size_t begin, size_t end, int thread) {
    const struct update *update = context;
    struct admm *admm = update->admm;
    (void)thread;
    for (size_t i = begin; i < end; i++)
        admm->d[i] = admm->b[i] + admm->v[i] / update->rho;
}

static void project(void *context, size_t begin, size_t end, int thread) {
    const struct update *update = context;
    struct admm *admm = update->admm;
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        admm->d[i] = admm->mask[i] ? 0 : admm->d[i];
        admm->v[i] += update->rho * (admm->b[i] - admm->d[i]);
    }
}

#define GRAIN 65536

bool admm_iterate(struct admm *admm, const struct layer *layer, double rho, double sparsity, bool fixed,
                  struct error *error) {
    struct update update = {admm, (float)rho};
    if (!factorise(admm, rho, error))
        return false;
    parallel_for(cells(admm), GRAIN, right_side, &update);
    if (!stepwise_solve(admm->b, admm->cholesky, admm->problem.rows, admm->problem.n, admm->problem.progress, error))
        return false;
    parallel_for(cells(admm), GRAIN, sparse_candidate, &update);
    if (!fixed && !support_choose(admm->mask, admm->scores, layer, &admm->problem, admm->d, sparsity, error))
        return false;
    parallel_for(cells(admm), GRAIN, project, &update);
    return true;
}

#include "calibrate/eigen.h"

#include "base/memory.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

void dsyev_(const char *job, const char *triangle, const int *n, double *a, const int *leading, double *values,
            double *work, const int *work_size, int *info);
void dsterf_(const int *n, double *diagonal, double *beside, int *info);

#define STEPS 64

static bool finish(double *largest, double *smallest, const double *rising, int count, int info, struct error *error) {
    if (info != 0 || !isfinite(rising[count - 1]))
        return error_set(error, ERROR_FAILURE, "the eigenvalues of a Hessian of %d inputs were not found", count);
    *largest = fmax(rising[count - 1], 0);
    *smallest = fmax(rising[0], 0);
    return true;
}

static bool all_eigenvalues(double *largest, double *smallest, const struct hessian *hessian, struct error *error) {
    int n = (int)hessian->n;
    int work_size = 34 * n;
    size_t side = (size_t)n;
    double *a = memory_alloc(side * side, sizeof *a, error);
    double *values = a != NULL ? memory_alloc(side * 35, sizeof *values, error) : NULL;
    bool ok = values != NULL;
    if (ok) {
        int info;
        memcpy(a, hessian->sum, side * side * sizeof *a);
        dsyev_("N", "L", &n, a, &n, values, values + side, &work_size, &info);
        ok = finish(largest, smallest, values, n, info, error);
    }
    memory_free(a);
    memory_free(values);
    return ok;
}

/* basis[step + 1] from the residue, made orthogonal to all before it, twice. Returns its length; 0 where it vanishes:
 * the space is exhausted. */
static double next_vector(double *basis, int step, double *residue, int n) {
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i <= step; i++) {
            const double *old = basis + (size_t)i * (size_t)n;
            cblas_daxpy(n, -cblas_ddot(n, old, 1, residue, 1), old, 1, residue, 1);
        }
    double length = cblas_dnrm2(n, residue, 1);
    double *next = basis + (size_t)(step + 1) * (size_t)n;
    for (int j = 0; j < n; j++)
        next[j] = length > 0 ? residue[j] / length : 0;
    return length;
}

/* A start that no eigenvector is orthogonal to, the same on every machine. */
static void start_vector(double *vector, int n) {
    uint64_t state = 1;
    for (int j = 0; j < n; j++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        vector[j] = (double)(state >> 11) * 0x1p-53 - 0.5;
    }
    cblas_dscal(n, 1 / cblas_dnrm2(n, vector, 1), vector, 1);
}

static bool lanczos(double *largest, double *smallest, const struct hessian *hessian, double *basis, double *residue,
                    struct error *error) {
    int n = (int)hessian->n;
    double diagonal[STEPS];
    double beside[STEPS];
    int count = 0;
    int info;
    start_vector(basis, n);
    while (count < STEPS) {
        const double *vector = basis + (size_t)count * (size_t)n;
        hessian_multiply(residue, hessian, vector);
        diagonal[count] = cblas_ddot(n, vector, 1, residue, 1);
        beside[count] = next_vector(basis, count, residue, n);
        count++;
        if (!(beside[count - 1] > 1e-12 * fabs(diagonal[0])))
            break;
    }
    dsterf_(&count, diagonal, beside, &info);
    return finish(largest, smallest, diagonal, count, info, error);
}

bool eigen_extremes(double *largest, double *smallest, const struct hessian *hessian, struct error *error) {
    if (hessian->n <= EIGEN_EXACT)
        return all_eigenvalues(largest, smallest, hessian, error);
    size_t n = (size_t)hessian->n;
    double *basis = memory_alloc((STEPS + 2) * n, sizeof *basis, error);
    bool ok = basis != NULL && lanczos(largest, smallest, hessian, basis, basis + (STEPS + 1) * n, error);
    memory_free(basis);
    return ok;
}

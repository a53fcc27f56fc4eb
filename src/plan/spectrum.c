#include "plan/spectrum.h"

#include "base/memory.h"
#include <cblas.h>
#include <math.h>

void dsyev_(const char *job, const char *triangle, const int *n, double *a, const int *leading, double *values,
            double *work, const int *work_size, int *info);

#define BINS 100
#define START_LOW 0.95
#define START_HIGH 1.5
#define LEAST_TAIL 2

/* The upper edge of the fullest of 100 bins of log10. */
static double find_peak(const double *eigenvalues, size_t count) {
    double low = log10(eigenvalues[0]);
    double width = (log10(eigenvalues[count - 1]) - low) / BINS;
    size_t bins[BINS] = {0};
    size_t best = 0;
    for (size_t i = 0; i < count && width > 0; i++) {
        size_t bin = (size_t)((log10(eigenvalues[i]) - low) / width);
        bins[bin < BINS ? bin : BINS - 1]++;
    }
    for (size_t b = 1; b < BINS; b++)
        if (bins[b] > bins[best])
            best = b;
    return pow(10, low + width * (double)(best + 1));
}

/* Largest distance of the tail's distribution to the power law's. */
static double distance(const double *tail, size_t count, double alpha) {
    double largest = 0;
    for (size_t k = 0; k < count; k++) {
        double law = 1 - pow(tail[k] / tail[0], 1 - alpha);
        largest = fmax(largest, fabs(law - (double)k / (double)count));
    }
    return largest;
}

/* Where no eigenvalue lies about the peak (a small matrix has few), the tail begins at the one nearest to it. */
static double fit_nearest(const double *eigenvalues, size_t count, double peak) {
    double best = NAN;
    double least = HUGE_VAL;
    double logarithms = 0;
    for (size_t n = 1; n <= count; n++) {
        double start = eigenvalues[count - n];
        logarithms += log(start);
        double excess = logarithms - (double)n * log(start);
        double away = fabs(log(start / peak));
        if (n < LEAST_TAIL || !(excess > 0) || away >= least)
            continue;
        least = away;
        best = 1 + (double)n / excess;
    }
    return best;
}

double spectrum_fit(const double *eigenvalues, size_t count) {
    while (count > 0 && !(eigenvalues[0] > 0)) {
        eigenvalues++;
        count--;
    }
    if (count < LEAST_TAIL)
        return NAN;
    double peak = find_peak(eigenvalues, count);
    double best = NAN;
    double least = HUGE_VAL;
    double logarithms = 0;
    for (size_t n = 1; n <= count; n++) {
        const double *tail = eigenvalues + count - n;
        logarithms += log(tail[0]);
        double excess = logarithms - (double)n * log(tail[0]);
        if (n < LEAST_TAIL || tail[0] < START_LOW * peak || tail[0] > START_HIGH * peak || !(excess > 0))
            continue;
        double alpha = 1 + (double)n / excess;
        double off = distance(tail, n, alpha);
        if (off < least) {
            least = off;
            best = alpha;
        }
    }
    return isnan(best) ? fit_nearest(eigenvalues, count, peak) : best;
}

/* gram[side × side] of the shorter edge, in f64. */
static void fill_gram(double *gram, float *narrow, const float *weights, int rows, int columns) {
    bool wide = rows <= columns;
    int side = wide ? rows : columns;
    cblas_ssyrk(CblasRowMajor, CblasUpper, wide ? CblasNoTrans : CblasTrans, side, wide ? columns : rows, 1, weights,
                columns, 0, narrow, side);
    for (size_t i = 0; i < (size_t)side * (size_t)side; i++)
        gram[i] = (double)narrow[i];
}

bool spectrum_hill(double *alpha, const float *weights, int64_t rows, int64_t columns, struct error *error) {
    int side = (int)(rows < columns ? rows : columns);
    size_t area = (size_t)side * (size_t)side;
    int work_size = 34 * side;
    int info = 1;
    float *narrow = memory_alloc(area, sizeof *narrow, error);
    double *gram = narrow != NULL ? memory_alloc(area, sizeof *gram, error) : NULL;
    double *values = gram != NULL ? memory_alloc((size_t)side * 35, sizeof *values, error) : NULL;
    bool ok = values != NULL;
    if (ok) {
        fill_gram(gram, narrow, weights, (int)rows, (int)columns);
        dsyev_("N", "L", &side, gram, &side, values, values + side, &work_size, &info);
        ok = info == 0 || error_set(error, ERROR_FAILURE, "the singular values were not found");
    }
    if (ok)
        *alpha = spectrum_fit(values, (size_t)side);
    memory_free(narrow);
    memory_free(gram);
    memory_free(values);
    return ok;
}

#include "views/density.h"
#include <math.h>
#include <string.h>

static void add_summary(struct density *density, const struct summary *summary) {
    for (size_t i = 0; i < DENSITY_BINS; i++)
        density->bins[i] += (double)summary->quarters[i];
    density->count += (double)summary->count;
    density->zeros += (double)summary->zeros;
}

bool density_read(struct density *density, struct workbench *workbench, const struct model_row *row) {
    bool known = row->count > 0;
    memset(density, 0, sizeof *density);
    pthread_mutex_lock(&workbench->mutex);
    for (size_t i = row->first; i < row->first + row->count && known; i++) {
        known = workbench->summaries[i] != NULL;
        if (known)
            add_summary(density, workbench->summaries[i]);
    }
    pthread_mutex_unlock(&workbench->mutex);
    return known && density->count > 0;
}

double density_position(const struct density *density, double share) {
    double below = share * density->count - density->zeros;
    for (int bin = 0; bin < DENSITY_BINS; bin++) {
        if (below <= density->bins[bin] && density->bins[bin] > 0)
            return bin + fmax(below, 0) / density->bins[bin];
        below -= density->bins[bin];
    }
    return DENSITY_BINS;
}

/* Bins with less than these shares of the weights at the ends are not worth a place. */
#define LOW_SHARE (1.0 / 800)
#define HIGH_SHARE (1.0 / 400000)

void density_axis(int *first, int *end, struct workbench *workbench) {
    enum { USUAL_FIRST = -13, USUAL_END = -1, Q = DENSITY_QUARTERS };
    struct density all = {0};
    pthread_mutex_lock(&workbench->mutex);
    for (size_t i = 0; i < workbench->model->matrix_count; i++)
        if (workbench->summaries[i] && workbench->model->matrices[i].prunable)
            add_summary(&all, workbench->summaries[i]);
    pthread_mutex_unlock(&workbench->mutex);
    *first = Q * (USUAL_FIRST - DENSITY_LOWEST);
    *end = Q * (USUAL_END - DENSITY_LOWEST);
    if (all.count <= all.zeros)
        return;
    for (*first = 0; all.bins[*first] < LOW_SHARE * all.count && *first < DENSITY_BINS - Q;)
        ++*first;
    for (*end = DENSITY_BINS; all.bins[*end - 1]<HIGH_SHARE * all.count && * end - 1> * first;)
        --*end;
    *first = *first / Q * Q;
    *end = (*end + Q - 1) / Q * Q;
}

/* ---- finer: through the summaries' own histograms ---- */

static double share_below(struct workbench *workbench, const struct model_row *row, double threshold,
                          double (*fraction)(const struct summary *summary, double threshold)) {
    double below = 0, all = 0;
    pthread_mutex_lock(&workbench->mutex);
    for (size_t i = row->first; i < row->first + row->count; i++) {
        const struct summary *summary = workbench->summaries[i];
        if (!summary)
            continue;
        below += fraction(summary, threshold) * (double)summary->count;
        all += (double)summary->count;
    }
    pthread_mutex_unlock(&workbench->mutex);
    return all > 0 ? below / all : 0;
}

double density_below(struct workbench *workbench, const struct model_row *row, double threshold) {
    return share_below(workbench, row, threshold, summary_fraction_below);
}

double density_smooth(struct workbench *workbench, const struct model_row *row, double threshold) {
    return share_below(workbench, row, threshold, summary_fraction_smooth);
}

double density_largest(struct workbench *workbench, const struct model_row *row) {
    double largest = 0;
    pthread_mutex_lock(&workbench->mutex);
    for (size_t i = row->first; i < row->first + row->count; i++) {
        const struct summary *summary = workbench->summaries[i];
        if (summary)
            largest = fmax(largest, fmax(fabs(summary->minimum), fabs(summary->maximum)));
    }
    pthread_mutex_unlock(&workbench->mutex);
    return largest;
}

/* One matrix has its exact quantile; for several the share below is inverted by halving. */
double density_threshold(struct workbench *workbench, const struct model_row *row, double share) {
    if (row->count == 1) {
        pthread_mutex_lock(&workbench->mutex);
        const struct summary *summary = workbench->summaries[row->first];
        double threshold = summary ? summary_quantile(summary, share) : 0;
        pthread_mutex_unlock(&workbench->mutex);
        return threshold;
    }
    double low = 0, high = density_largest(workbench, row);
    for (int i = 0; i < 40; i++) {
        double middle = (low + high) / 2;
        if (density_below(workbench, row, middle) < share)
            low = middle;
        else
            high = middle;
    }
    return high;
}

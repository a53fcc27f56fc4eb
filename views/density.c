#include "views/density.h"
#include <math.h>
#include <string.h>

/* Octaves outside the range that is kept are counted at its ends. */
static void add_octaves(struct density *density, const struct summary *summary) {
    for (int i = 0; i < SUMMARY_OCTAVES; i++) {
        int bin = i + SUMMARY_OCTAVE_LOWEST - DENSITY_LOWEST;
        bin = bin < 0 ? 0 : bin >= DENSITY_BINS ? DENSITY_BINS - 1 : bin;
        density->bins[bin] += (double)summary->octaves[i];
    }
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
            add_octaves(density, workbench->summaries[i]);
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

void density_axis(int *first, int *last, struct workbench *workbench) {
    enum { USUAL_FIRST = -13, USUAL_LAST = -2, RARE = 5000 };
    struct density all = {0};
    pthread_mutex_lock(&workbench->mutex);
    for (size_t i = 0; i < workbench->model->matrix_count; i++)
        if (workbench->summaries[i] && workbench->model->matrices[i].prunable)
            add_octaves(&all, workbench->summaries[i]);
    pthread_mutex_unlock(&workbench->mutex);
    *first = USUAL_FIRST - DENSITY_LOWEST;
    *last = USUAL_LAST - DENSITY_LOWEST;
    if (all.count <= all.zeros)
        return;
    for (*first = 0; all.bins[*first] * 200 < all.count && *first < DENSITY_BINS - 1;)
        ++*first;
    for (*last = DENSITY_BINS - 1; all.bins[*last] * RARE * 20 < all.count && *last > *first;)
        --*last;
}

/* ---- finer: through the summaries' own histograms ---- */

double density_below(struct workbench *workbench, const struct model_row *row, double threshold) {
    double below = 0, all = 0;
    pthread_mutex_lock(&workbench->mutex);
    for (size_t i = row->first; i < row->first + row->count; i++) {
        const struct summary *summary = workbench->summaries[i];
        if (!summary)
            continue;
        below += summary_fraction_below(summary, threshold) * (double)summary->count;
        all += (double)summary->count;
    }
    pthread_mutex_unlock(&workbench->mutex);
    return all > 0 ? below / all : 0;
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

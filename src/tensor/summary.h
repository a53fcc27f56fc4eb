/* What one pass over a matrix tells: counts, moments, histograms, norms, and which patterns its zeros already follow.
 *
 * Straight from the stored type, over all cores; sums in f64, the same for any number of threads. NaN and Inf are
 * counted and left out of everything else. Rows are outputs and columns inputs, whatever order the file stores. */
#ifndef SECATEUR_SUMMARY_H
#define SECATEUR_SUMMARY_H

#include "base/progress.h"
#include "tensor/tensor.h"

#define SUMMARY_OCTAVE_LOWEST (-149) /* of the smallest subnormal f32 */
#define SUMMARY_OCTAVES 277          /* up to 2^127 */
#define SUMMARY_QUARTER_LOWEST (-40) /* octave of the first of the quarters */
#define SUMMARY_QUARTERS 256

/* Patterns that the zeros satisfy; only the all-zero and the dense matrix satisfy none of these. */
enum summary_pattern {
    SUMMARY_2_4 = 1,        /* at most 2 of every 4 along the inputs are not zero */
    SUMMARY_4_8 = 2,        /* at most 4 of every 8 */
    SUMMARY_WHOLE_ROWS = 4, /* every zero lies in a row of zeros */
    SUMMARY_WHOLE_COLUMNS = 8,
    SUMMARY_EQUAL_ROWS = 16, /* every row has the same number of zeros */
};

struct summary {
    int64_t rows, columns;
    uint64_t count, zeros, nan, infinite;
    double minimum, maximum;          /* 0 when nothing is finite, as the next four */
    double mean, deviation, kurtosis; /* of the population; kurtosis 3 for a normal distribution */
    double sum_squares;
    uint64_t octaves[SUMMARY_OCTAVES]; /* entries with floor(log2|w|) = SUMMARY_OCTAVE_LOWEST + i; zeros are in none */
    uint64_t
        quarters[SUMMARY_QUARTERS]; /* the same by quarters of octaves, for charts; what lies outside is at the ends */
    unsigned patterns;              /* bits of enum summary_pattern */
    uint64_t zero_rows, zero_columns;
    float *row_norms;              /* [rows]: root of the sum of squares */
    float *column_norms;           /* [columns] */
    struct magnitudes *magnitudes; /* private: a finer histogram of |w| */
};

/* Reads the tensor once. transposed: it is stored inputs × outputs. Tensors of rank other than 2 are one row. NULL with
 * an error on lack of memory or cancellation; adds bytes to progress. */
struct summary *summary_create(const struct tensor *tensor, bool transposed, struct progress *progress,
                               struct error *error);
void summary_free(struct summary *summary);

/* |w| below which that fraction of the entries lies (zeros count), and the fraction below a threshold: from the finer
 * histogram, to 0.1 % of the entries. */
double summary_quantile(const struct summary *summary, double fraction);
double summary_fraction_below(const struct summary *summary, double threshold);
/* The same for charts, whose cells do not fall on the few values that a coarse type has. */
double summary_fraction_smooth(const struct summary *summary, double threshold);

#define SUMMARY_PATTERNS_SIZE 64
/* "2:4 4:8", "rows", "" */
const char *summary_patterns(char buffer[SUMMARY_PATTERNS_SIZE], const struct summary *summary);

#endif

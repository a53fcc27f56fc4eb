#include "tensor/summary.h"
#include "base/memory.h"
#include "tensor/half_scan.h"
#include "tensor/magnitudes.h"
#include "tensor/pass.h"
#include <math.h>
#include <stdio.h>

static void fill_moments(struct summary *summary, const struct pass_piece *sum) {
    double n = (double)(summary->count - sum->nan - sum->infinite), mean, variance;
    if (n <= 0)
        return;
    summary->minimum = sum->minimum;
    summary->maximum = sum->maximum;
    summary->mean = mean = sum->sums[0] / n;
    variance = fmax(sum->sums[1] / n - mean * mean, 0);
    summary->deviation = sqrt(variance);
    double fourth = sum->sums[3] / n - 4 * mean * sum->sums[2] / n + 6 * mean * mean * sum->sums[1] / n -
                    3 * mean * mean * mean * mean;
    summary->kurtosis = variance > 0 ? fourth / (variance * variance) : 0;
}

/* Which quarter of its octave a magnitude lies in, by the top seven bits of its mantissa. */
static size_t quarter_of(size_t mantissa) {
    size_t quarter = 0;
    for (double edge = exp2(0.25); quarter < 3 && 1 + (double)mantissa / 128 >= edge; edge *= exp2(0.25))
        quarter++;
    return quarter;
}

static void add_quarters(struct summary *summary, size_t octave, size_t quarter, uint64_t count) {
    int64_t bin = 4 * ((int64_t)octave + SUMMARY_OCTAVE_LOWEST - SUMMARY_QUARTER_LOWEST) + (int64_t)quarter;
    bin = bin < 0 ? 0 : bin >= SUMMARY_QUARTERS ? SUMMARY_QUARTERS - 1 : bin;
    summary->quarters[bin] += count;
}

static void fill_octaves(struct summary *summary, const struct pass_piece *sum) {
    size_t quarters[128];
    for (size_t i = 0; i < 128; i++)
        quarters[i] = quarter_of(i);
    for (size_t i = 0; i < 23; i++) {
        summary->octaves[i] = sum->tiny[i];
        add_quarters(summary, i, 0, sum->tiny[i]);
    }
    for (size_t bin = 1 << 7; bin < MAGNITUDE_BINS; bin++) {
        size_t octave = 23 + (bin >> 7) - 1;
        summary->octaves[octave] += sum->bins[bin];
        add_quarters(summary, octave, quarters[bin & 127], sum->bins[bin]);
    }
}

/* Lines that are zero throughout; *equal: every line has as many zeros as the first. Returns the zeros that lie in
 * lines of zeros. */
static uint64_t whole_lines(uint64_t *whole, bool *equal, const uint64_t *gone, size_t lines, size_t length) {
    uint64_t inside = 0;
    *equal = true;
    for (size_t i = 0; i < lines; i++) {
        *equal = *equal && gone[i] == gone[0];
        if (gone[i] == length) {
            ++*whole;
            inside += length;
        }
    }
    return inside;
}

static void fill_patterns(struct summary *summary, const struct pass_piece *sum, const uint64_t *row_gone,
                          const uint64_t *column_gone) {
    bool equal_rows, equal_columns;
    size_t rows = (size_t)summary->rows, columns = (size_t)summary->columns;
    uint64_t in_rows = whole_lines(&summary->zero_rows, &equal_rows, row_gone, rows, columns);
    uint64_t in_columns = whole_lines(&summary->zero_columns, &equal_columns, column_gone, columns, rows);
    if (summary->zeros == 0 || summary->zeros == summary->count)
        return;
    for (size_t i = 0; i < PASS_GROUPS; i++)
        summary->patterns |= sum->broken[i] ? 0 : pass_groups[i].bit;
    summary->patterns |= in_rows == summary->zeros ? SUMMARY_WHOLE_ROWS : 0;
    summary->patterns |= in_columns == summary->zeros ? SUMMARY_WHOLE_COLUMNS : 0;
    summary->patterns |= equal_rows ? SUMMARY_EQUAL_ROWS : 0;
}

static float *roots(const double *squares, size_t count, struct error *error) {
    float *norms = memory_alloc(count, sizeof *norms, error);
    for (size_t i = 0; norms != NULL && i < count; i++)
        norms[i] = (float)sqrt(squares[i]);
    return norms;
}

/* Whether every value of the type is a bin's lower edge: at most 7 bits of mantissa. */
static bool exact_in_bins(enum dtype dtype) {
    return dtype == DTYPE_BF16 || dtype == DTYPE_F8_E4M3 || dtype == DTYPE_F8_E5M2;
}

static struct summary *summarise(struct pass *pass, struct error *error) {
    struct summary *summary = memory_alloc(1, sizeof *summary, error);
    struct pass_piece *sum = &pass->pieces[0];
    bool turned = pass->transposed;
    if (summary == NULL)
        return NULL;
    summary->rows = (int64_t)(turned ? pass->columns : pass->rows);
    summary->columns = (int64_t)(turned ? pass->rows : pass->columns);
    summary->count = pass->tensor->count;
    summary->zeros = sum->zeros;
    summary->nan = sum->nan;
    summary->infinite = sum->infinite;
    summary->sum_squares = sum->sums[1];
    fill_moments(summary, sum);
    fill_octaves(summary, sum);
    fill_patterns(summary, sum, turned ? sum->gone : pass->row_gone, turned ? pass->row_gone : sum->gone);
    summary->row_norms = roots(turned ? sum->squares : pass->row_squares, (size_t)summary->rows, error);
    summary->column_norms = roots(turned ? pass->row_squares : sum->squares, (size_t)summary->columns, error);
    summary->magnitudes = magnitudes_create(sum->bins, exact_in_bins(pass->tensor->dtype), error);
    if (summary->row_norms != NULL && summary->column_norms != NULL && summary->magnitudes != NULL)
        return summary;
    summary_free(summary);
    return NULL;
}

/* *done is false when the values are such that only the plain loops are right. */
static struct summary *summarise_pass(struct pass *pass, bool *done, struct error *error) {
    *done = true;
    return pass_run(pass, done, error) && *done ? summarise(pass, error) : NULL;
}

struct summary *summary_create(const struct tensor *tensor, bool transposed, struct progress *progress,
                               struct error *error) {
    bool halves = half_scan_supported(tensor->dtype) && tensor->count <= UINT32_MAX, done;
    struct pass *pass = pass_create(tensor, transposed, halves, progress, error);
    if (pass == NULL)
        return NULL;
    struct summary *summary = summarise_pass(pass, &done, error);
    pass_free(pass);
    if (done || (pass = pass_create(tensor, transposed, false, progress, error)) == NULL)
        return summary;
    pass->again = true;
    summary = summarise_pass(pass, &done, error);
    pass_free(pass);
    return summary;
}

void summary_free(struct summary *summary) {
    if (summary == NULL)
        return;
    memory_free(summary->row_norms);
    memory_free(summary->column_norms);
    magnitudes_free(summary->magnitudes);
    memory_free(summary);
}

double summary_quantile(const struct summary *summary, double fraction) {
    return magnitudes_quantile(summary->magnitudes, fraction);
}

double summary_fraction_below(const struct summary *summary, double threshold) {
    return magnitudes_below(summary->magnitudes, threshold);
}

double summary_fraction_smooth(const struct summary *summary, double threshold) {
    return magnitudes_smooth(summary->magnitudes, threshold);
}

const char *summary_patterns(char buffer[SUMMARY_PATTERNS_SIZE], const struct summary *summary) {
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{SUMMARY_2_4, "2:4"},
                 {SUMMARY_4_8, "4:8"},
                 {SUMMARY_WHOLE_ROWS, "rows"},
                 {SUMMARY_WHOLE_COLUMNS, "cols"},
                 {SUMMARY_EQUAL_ROWS, "row"}};
    int length = 0;
    buffer[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (summary->patterns & names[i].bit)
            length += snprintf(buffer + length, SUMMARY_PATTERNS_SIZE - (size_t)length, "%s%s", length > 0 ? " " : "",
                               names[i].name);
    return buffer;
}

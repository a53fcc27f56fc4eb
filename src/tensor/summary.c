#include "tensor/summary.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "tensor/magnitudes.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PIECES 16 /* fixed, so that sums do not depend on the number of threads */
#define RUN 4096  /* entries widened at a time; a multiple of 8, so that no N:M group is cut */
#define GROUPS 2  /* N:M patterns looked for */

static const struct group {
    unsigned bit;
    size_t kept, length;
} groups[GROUPS] = {{SUMMARY_2_4, 2, 4}, {SUMMARY_4_8, 4, 8}};

/* What one piece of the stored rows adds. */
struct piece {
    uint64_t nan, infinite, zeros;
    double sums[4]; /* of w, w^2, w^3, w^4 */
    double minimum, maximum;
    bool broken[GROUPS];
    uint64_t tiny[23]; /* subnormals by their highest bit */
    uint64_t *bins;    /* [MAGNITUDE_BINS] */
    double *squares;   /* [columns], as stored */
    uint64_t *gone;    /* [columns]: zeros in a column */
    uint8_t *kept;     /* [GROUPS × columns]: not zero in the current group, when groups run down the columns */
};

struct pass {
    const struct tensor *tensor;
    struct progress *progress;
    size_t rows, columns; /* as stored */
    bool transposed;
    struct piece pieces[PIECES];
    double *row_squares; /* [rows] */
    uint64_t *row_gone;  /* [rows] */
};

static void add_odd(struct piece *piece, float value) {
    if (isnan(value))
        piece->nan++;
    else
        piece->infinite++;
}

static uint32_t magnitude_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x7fffffffU;
}

static void add_tiny(struct piece *piece, uint32_t bits) {
    if (bits == 0)
        piece->zeros++;
    else
        piece->tiny[31 - __builtin_clz(bits)]++;
}

/* One value; returns its square, 0 when it is not finite. */
static double add_value(struct piece *piece, float value) {
    uint32_t bits = magnitude_bits(value);
    if (bits >= 0x7f800000U) {
        add_odd(piece, value);
        return 0;
    }
    double w = value, square = w * w;
    if (bits < 0x00800000U)
        add_tiny(piece, bits);
    piece->bins[bits >> 16]++;
    piece->sums[0] += w;
    piece->sums[1] += square;
    piece->sums[2] += square * w;
    piece->sums[3] += square * square;
    piece->minimum = w < piece->minimum ? w : piece->minimum;
    piece->maximum = w > piece->maximum ? w : piece->maximum;
    return square;
}

static void check_groups_along(struct piece *piece, const float *values, size_t count) {
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t first = 0; first < count && !piece->broken[g]; first += groups[g].length) {
            size_t length = count - first < groups[g].length ? count - first : groups[g].length, kept = 0;
            for (size_t i = 0; i < length; i++)
                kept += values[first + i] != 0;
            piece->broken[g] = kept > (groups[g].kept * length + groups[g].length - 1) / groups[g].length;
        }
}

/* Groups that run down the stored columns: counted until a group's last row. length is that of the group. */
static void check_groups_down(struct piece *piece, const struct pass *pass, size_t row, size_t first,
                              const float *values, size_t count) {
    for (size_t g = 0; g < GROUPS; g++) {
        size_t in_group = row % groups[g].length, length = in_group + 1;
        bool ends = length == groups[g].length || row + 1 == pass->rows;
        size_t most = (groups[g].kept * length + groups[g].length - 1) / groups[g].length;
        uint8_t *kept = piece->kept + g * pass->columns + first;
        for (size_t i = 0; i < count; i++) {
            kept[i] = (uint8_t)((in_group == 0 ? 0 : kept[i]) + (values[i] != 0));
            piece->broken[g] |= ends && kept[i] > most;
        }
    }
}

static void scan_row(struct pass *pass, struct piece *piece, size_t row) {
    float values[RUN];
    size_t bytes = dtype_info(pass->tensor->dtype)->bytes;
    for (size_t first = 0; first < pass->columns; first += RUN) {
        size_t count = pass->columns - first < RUN ? pass->columns - first : RUN;
        dtype_widen(values, pass->tensor->data + (row * pass->columns + first) * bytes, pass->tensor->dtype, count);
        for (size_t i = 0; i < count; i++) {
            double square = add_value(piece, values[i]);
            pass->row_squares[row] += square;
            piece->squares[first + i] += square;
            pass->row_gone[row] += values[i] == 0;
            piece->gone[first + i] += values[i] == 0;
        }
        if (pass->transposed)
            check_groups_down(piece, pass, row, first, values, count);
        else
            check_groups_along(piece, values, count);
    }
    progress_add(pass->progress, pass->columns * bytes);
}

/* The first stored row of a piece: a multiple of 8, so that groups down the columns lie in one piece. */
static size_t piece_begin(const struct pass *pass, size_t index) {
    size_t begin = (pass->rows + PIECES - 1) / PIECES;
    begin = (begin + 7) / 8 * 8 * index;
    return begin < pass->rows ? begin : pass->rows;
}

static void scan_piece(void *context, size_t begin, size_t end, int thread) {
    struct pass *pass = context;
    (void)thread;
    for (size_t i = begin; i < end; i++)
        for (size_t row = piece_begin(pass, i); row < piece_begin(pass, i + 1); row++) {
            if (progress_cancelled(pass->progress))
                return;
            scan_row(pass, &pass->pieces[i], row);
        }
}

static bool piece_create(struct piece *piece, const struct pass *pass, struct error *error) {
    piece->minimum = INFINITY;
    piece->maximum = -INFINITY;
    piece->bins = memory_alloc(MAGNITUDE_BINS, sizeof *piece->bins, error);
    piece->squares = memory_alloc(pass->columns, sizeof *piece->squares, error);
    piece->gone = memory_alloc(pass->columns, sizeof *piece->gone, error);
    piece->kept = memory_alloc(pass->transposed ? GROUPS * pass->columns : 0, 1, error);
    return piece->bins != NULL && piece->squares != NULL && piece->gone != NULL && piece->kept != NULL;
}

static void pass_free(struct pass *pass) {
    for (size_t i = 0; i < PIECES; i++) {
        memory_free(pass->pieces[i].bins);
        memory_free(pass->pieces[i].squares);
        memory_free(pass->pieces[i].gone);
        memory_free(pass->pieces[i].kept);
    }
    memory_free(pass->row_squares);
    memory_free(pass->row_gone);
    memory_free(pass);
}

static struct pass *pass_create(const struct tensor *tensor, bool transposed, struct progress *progress,
                                struct error *error) {
    struct pass *pass = memory_alloc(1, sizeof *pass, error);
    if (pass == NULL)
        return NULL;
    pass->tensor = tensor;
    pass->progress = progress;
    pass->rows = tensor->rank == 2 ? (size_t)tensor->shape[0] : 1;
    pass->columns = tensor->rank == 2 ? (size_t)tensor->shape[1] : (size_t)tensor->count;
    pass->transposed = transposed && tensor->rank == 2;
    pass->row_squares = memory_alloc(pass->rows, sizeof *pass->row_squares, error);
    pass->row_gone = memory_alloc(pass->rows, sizeof *pass->row_gone, error);
    bool ok = pass->row_squares != NULL && pass->row_gone != NULL;
    for (size_t i = 0; ok && i < PIECES; i++)
        ok = piece_create(&pass->pieces[i], pass, error);
    if (ok)
        return pass;
    pass_free(pass);
    return NULL;
}

/* Adds all pieces to the first, in order. */
static void merge(struct pass *pass) {
    struct piece *sum = &pass->pieces[0];
    for (const struct piece *piece = sum + 1; piece < sum + PIECES; piece++) {
        sum->nan += piece->nan;
        sum->infinite += piece->infinite;
        sum->zeros += piece->zeros;
        sum->minimum = fmin(sum->minimum, piece->minimum);
        sum->maximum = fmax(sum->maximum, piece->maximum);
        for (size_t i = 0; i < 4; i++)
            sum->sums[i] += piece->sums[i];
        for (size_t i = 0; i < GROUPS; i++)
            sum->broken[i] |= piece->broken[i];
        for (size_t i = 0; i < 23; i++)
            sum->tiny[i] += piece->tiny[i];
        for (size_t i = 0; i < MAGNITUDE_BINS; i++)
            sum->bins[i] += piece->bins[i];
        for (size_t i = 0; i < pass->columns; i++) {
            sum->squares[i] += piece->squares[i];
            sum->gone[i] += piece->gone[i];
        }
    }
}

static void fill_moments(struct summary *summary, const struct piece *sum) {
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

static void fill_octaves(struct summary *summary, const struct piece *sum) {
    for (size_t i = 0; i < 23; i++)
        summary->octaves[i] = sum->tiny[i];
    for (size_t bin = 1 << 7; bin < MAGNITUDE_BINS; bin++)
        summary->octaves[23 + (bin >> 7) - 1] += sum->bins[bin];
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

static void fill_patterns(struct summary *summary, const struct piece *sum, const uint64_t *row_gone,
                          const uint64_t *column_gone) {
    bool equal_rows, equal_columns;
    size_t rows = (size_t)summary->rows, columns = (size_t)summary->columns;
    uint64_t in_rows = whole_lines(&summary->zero_rows, &equal_rows, row_gone, rows, columns);
    uint64_t in_columns = whole_lines(&summary->zero_columns, &equal_columns, column_gone, columns, rows);
    if (summary->zeros == 0 || summary->zeros == summary->count)
        return;
    for (size_t i = 0; i < GROUPS; i++)
        summary->patterns |= sum->broken[i] ? 0 : groups[i].bit;
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
    struct piece *sum = &pass->pieces[0];
    bool turned = pass->transposed;
    if (summary == NULL)
        return NULL;
    merge(pass);
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

struct summary *summary_create(const struct tensor *tensor, bool transposed, struct progress *progress,
                               struct error *error) {
    struct summary *summary = NULL;
    struct pass *pass = pass_create(tensor, transposed, progress, error);
    if (pass == NULL)
        return NULL;
    if (progress_continue(progress, error)) {
        parallel_for(PIECES, 1, scan_piece, pass);
        if (progress_continue(progress, error))
            summary = summarise(pass, error);
    }
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

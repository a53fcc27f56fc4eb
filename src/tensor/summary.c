#include "tensor/summary.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "tensor/half_scan.h"
#include "tensor/magnitudes.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PIECES 16             /* fixed, so that sums do not depend on the number of threads */
#define RUN 4096              /* entries widened at a time; a multiple of 8, so that no N:M group is cut */
#define GROUPS 2              /* N:M patterns looked for */
#define HALF_HIGHEST 0x1p60F  /* |w| whose squares f32 still adds up */
#define HALF_FAINTEST 0x1p-80 /* sum of squares that f32 holds to full precision */
#define BATCH 64              /* rows whose squares are added in f32 before they go to f64; so many HALF_ROWS */

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
    uint64_t *bins;    /* [MAGNITUDE_BINS]; of halves only the first piece's */
    double *squares;   /* [columns], as stored */
    float *batch;      /* [columns]: squares of the latest rows; of halves only */
    uint64_t *gone;    /* [columns]: zeros in a column */
    uint8_t *kept;     /* [GROUPS × columns]: not zero in the current group, when groups run down the columns */
};

struct pass {
    const struct tensor *tensor;
    struct progress *progress;
    size_t rows, columns; /* as stored */
    bool transposed;
    bool again;        /* the bytes have been added to progress before */
    bool halves;       /* types of 16 bits, by the histogram of their bit patterns */
    uint32_t **counts; /* [threads][HALF_PATTERNS]; of halves only */
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
            /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): no row of the table has length 0 */
            piece->broken[g] = kept > (groups[g].kept * length + groups[g].length - 1) / groups[g].length;
        }
}

/* Groups that run down the stored columns: counted until a group's last row. length is that of the group. */
static void check_groups_down(struct piece *piece, const struct pass *pass, size_t row, size_t first,
                              const float *values, size_t count) {
    for (size_t g = 0; g < GROUPS; g++) {
        size_t in_group = row % groups[g].length, length = in_group + 1;
        if (piece->broken[g])
            continue;
        bool ends = length == groups[g].length || row + 1 == pass->rows;
        size_t most = (groups[g].kept * length + groups[g].length - 1) / groups[g].length;
        uint8_t *kept = piece->kept + g * pass->columns + first;
        for (size_t i = 0; i < count; i++) {
            kept[i] = (uint8_t)((in_group == 0 ? 0 : kept[i]) + (values[i] != 0));
            piece->broken[g] |= ends && kept[i] > most;
        }
    }
}

static void check_groups(struct piece *piece, const struct pass *pass, size_t row, size_t first, const float *values,
                         size_t count) {
    if (pass->transposed)
        check_groups_down(piece, pass, row, first, values, count);
    else
        check_groups_along(piece, values, count);
}

static void scan_run(struct pass *pass, struct piece *piece, size_t row, size_t first, size_t count,
                     const uint8_t *stored) {
    float values[RUN];
    dtype_widen(values, stored, pass->tensor->dtype, count);
    for (size_t i = 0; i < count; i++) {
        double square = add_value(piece, values[i]);
        pass->row_squares[row] += square;
        piece->squares[first + i] += square;
        pass->row_gone[row] += values[i] == 0;
        piece->gone[first + i] += values[i] == 0;
    }
    check_groups(piece, pass, row, first, values, count);
}

static bool all_broken(const struct piece *piece) {
    bool broken = true;
    for (size_t g = 0; g < GROUPS; g++)
        broken = broken && piece->broken[g];
    return broken;
}

/* The zeros of one row's run, which the scan has only counted, and the groups they may form. */
static void place_zeros(struct pass *pass, struct piece *piece, size_t row, size_t first, size_t count,
                        const uint8_t *stored, size_t zeros) {
    float values[RUN];
    pass->row_gone[row] += zeros;
    if (zeros == 0 && all_broken(piece))
        return;
    dtype_widen(values, stored, pass->tensor->dtype, count);
    for (size_t i = 0; zeros > 0 && i < count; i++)
        piece->gone[first + i] += values[i] == 0;
    check_groups(piece, pass, row, first, values, count);
}

/* At most HALF_ROWS rows. */
static void scan_halves(struct pass *pass, struct piece *piece, size_t row, size_t rows, int thread) {
    size_t stride = pass->columns * dtype_info(pass->tensor->dtype)->bytes;
    for (size_t first = 0; first < pass->columns; first += RUN) {
        size_t count = pass->columns - first < RUN ? pass->columns - first : RUN, zeros[HALF_ROWS] = {0};
        const uint8_t *stored = pass->tensor->data + row * stride + first * (stride / pass->columns);
        struct half_lines lines = {pass->counts[thread], pass->row_squares + row, zeros, piece->batch + first};
        half_scan(&lines, stored, stride, rows, count, pass->tensor->dtype);
        for (size_t i = 0; i < rows; i++)
            place_zeros(pass, piece, row + i, first, count, stored + i * stride, zeros[i]);
    }
    progress_add(pass->again ? NULL : pass->progress, rows * stride);
}

static void scan_row(struct pass *pass, struct piece *piece, size_t row) {
    size_t bytes = dtype_info(pass->tensor->dtype)->bytes;
    for (size_t first = 0; first < pass->columns; first += RUN) {
        size_t count = pass->columns - first < RUN ? pass->columns - first : RUN;
        scan_run(pass, piece, row, first, count, pass->tensor->data + (row * pass->columns + first) * bytes);
    }
    progress_add(pass->again ? NULL : pass->progress, pass->columns * bytes);
}

/* The first stored row of a piece: a multiple of 8, so that groups down the columns lie in one piece. */
static size_t piece_begin(const struct pass *pass, size_t index) {
    size_t begin = (pass->rows + PIECES - 1) / PIECES;
    begin = (begin + 7) / 8 * 8 * index;
    return begin < pass->rows ? begin : pass->rows;
}

static void scan_rows_halves(struct pass *pass, struct piece *piece, size_t begin, size_t end, int thread) {
    for (size_t row = begin; row < end && !progress_cancelled(pass->progress); row += HALF_ROWS) {
        size_t rows = end - row < HALF_ROWS ? end - row : HALF_ROWS;
        scan_halves(pass, piece, row, rows, thread);
        if ((row - begin) % BATCH == BATCH - HALF_ROWS || row + rows == end)
            half_scan_empty(piece->squares, piece->batch, pass->columns, pass->tensor->dtype);
    }
}

static void scan_rows(struct pass *pass, size_t index, int thread) {
    struct piece *piece = &pass->pieces[index];
    size_t begin = piece_begin(pass, index), end = piece_begin(pass, index + 1);
    if (pass->halves)
        scan_rows_halves(pass, piece, begin, end, thread);
    for (size_t row = begin; !pass->halves && row < end && !progress_cancelled(pass->progress); row++)
        scan_row(pass, piece, row);
}

static void scan_piece(void *context, size_t begin, size_t end, int thread) {
    for (size_t i = begin; i < end; i++)
        scan_rows(context, i, thread);
}

static bool piece_create(struct piece *piece, const struct pass *pass, struct error *error) {
    piece->minimum = INFINITY;
    piece->maximum = -INFINITY;
    bool binned = !pass->halves || piece == pass->pieces;
    piece->bins = memory_alloc(binned ? MAGNITUDE_BINS : 0, sizeof *piece->bins, error);
    piece->batch = memory_alloc_aligned(pass->halves ? pass->columns : 0, sizeof *piece->batch, error);
    piece->squares = memory_alloc(pass->columns, sizeof *piece->squares, error);
    piece->gone = memory_alloc(pass->columns, sizeof *piece->gone, error);
    piece->kept = memory_alloc(pass->transposed ? GROUPS * pass->columns : 0, 1, error);
    return piece->bins != NULL && piece->batch != NULL && piece->squares != NULL && piece->gone != NULL &&
           piece->kept != NULL;
}

static void counts_free(uint32_t **counts) {
    for (int i = 0; counts != NULL && i < parallel_threads(); i++)
        memory_free(counts[i]);
    memory_free(counts);
}

static uint32_t **counts_create(struct error *error) {
    uint32_t **counts = memory_alloc((size_t)parallel_threads(), sizeof *counts, error);
    bool ok = counts != NULL;
    for (int i = 0; ok && i < parallel_threads(); i++)
        ok = (counts[i] = memory_alloc_aligned(HALF_PATTERNS, sizeof **counts, error)) != NULL;
    if (ok)
        return counts;
    counts_free(counts);
    return NULL;
}

static void pass_free(struct pass *pass) {
    counts_free(pass->counts);
    for (size_t i = 0; i < PIECES; i++) {
        memory_free(pass->pieces[i].bins);
        memory_free(pass->pieces[i].batch);
        memory_free(pass->pieces[i].squares);
        memory_free(pass->pieces[i].gone);
        memory_free(pass->pieces[i].kept);
    }
    memory_free(pass->row_squares);
    memory_free(pass->row_gone);
    memory_free(pass);
}

static struct pass *pass_create(const struct tensor *tensor, bool transposed, bool halves, struct progress *progress,
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
    pass->halves = halves;
    bool ok = pass->row_squares != NULL && pass->row_gone != NULL;
    if (ok && halves)
        ok = (pass->counts = counts_create(error)) != NULL;
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
        for (size_t i = 0; i < MAGNITUDE_BINS && !pass->halves; i++)
            sum->bins[i] += piece->bins[i];
        for (size_t i = 0; i < pass->columns; i++) {
            sum->squares[i] += piece->squares[i];
            sum->gone[i] += piece->gone[i];
        }
    }
}

static void add_many(struct piece *piece, float value, uint64_t count) {
    uint32_t bits = magnitude_bits(value);
    double n = (double)count, w = value, square = w * w;
    if (bits == 0)
        piece->zeros += count;
    else if (bits < 0x00800000U)
        piece->tiny[31 - __builtin_clz(bits)] += count;
    piece->bins[bits >> 16] += count;
    piece->sums[0] += n * w;
    piece->sums[1] += n * square;
    piece->sums[2] += n * square * w;
    piece->sums[3] += n * square * square;
    piece->minimum = fmin(piece->minimum, w);
    piece->maximum = fmax(piece->maximum, w);
}

/* From the histogram of bit patterns to the first piece. False when NaN or Inf is among them or values lie where
 * squares of f32 fail. */
static bool take_counts(struct pass *pass) {
    struct piece *sum = &pass->pieces[0];
    for (size_t code = 0; code < HALF_PATTERNS; code++) {
        uint16_t stored = (uint16_t)code;
        uint64_t count = 0;
        float value;
        for (int i = 0; i < parallel_threads(); i++)
            count += pass->counts[i][code];
        if (count == 0)
            continue;
        dtype_widen(&value, &stored, pass->tensor->dtype, 1);
        if (!(fabsf(value) < HALF_HIGHEST))
            return false;
        add_many(sum, value, count);
    }
    return true;
}

/* Whether some line's sum of squares is so small that f32 may have lost it; empty lines are not. */
static bool any_faint(const double *squares, const uint64_t *gone, size_t lines, size_t length) {
    bool faint = false;
    for (size_t i = 0; i < lines; i++)
        faint |= squares[i] < HALF_FAINTEST && gone[i] < length;
    return faint;
}

/* After merge. False when the plain loops have to do it again. */
static bool finish_halves(struct pass *pass) {
    const struct piece *sum = &pass->pieces[0];
    return take_counts(pass) && !any_faint(pass->row_squares, pass->row_gone, pass->rows, pass->columns) &&
           !any_faint(sum->squares, sum->gone, pass->columns, pass->rows);
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

static void fill_octaves(struct summary *summary, const struct piece *sum) {
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
    if (!progress_continue(pass->progress, error))
        return NULL;
    parallel_for(PIECES, 1, scan_piece, pass);
    if (!progress_continue(pass->progress, error))
        return NULL;
    merge(pass);
    *done = !pass->halves || finish_halves(pass);
    return *done ? summarise(pass, error) : NULL;
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

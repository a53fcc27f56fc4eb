#include "tensor/pass.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "tensor/half_scan.h"
#include "tensor/magnitudes.h"
#include "tensor/summary.h"
#include <math.h>
#include <string.h>

#define RUN 4096              /* entries widened at a time; a multiple of 8, so that no N:M group is cut */
#define HALF_HIGHEST 0x1p60F  /* |w| whose squares f32 still adds up */
#define HALF_FAINTEST 0x1p-80 /* sum of squares that f32 holds to full precision */
#define BATCH 256             /* rows whose squares are added in f32 before they go to f64; so many HALF_ROWS */

const struct pass_group pass_groups[PASS_GROUPS] = {{SUMMARY_2_4, 2, 4}, {SUMMARY_4_8, 4, 8}};

static void add_odd(struct pass_piece *piece, float value) {
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

static void add_tiny(struct pass_piece *piece, uint32_t bits) {
    if (bits == 0)
        piece->zeros++;
    else
        piece->tiny[31 - __builtin_clz(bits)]++;
}

/* One value; returns its square, 0 when it is not finite. */
static double add_value(struct pass_piece *piece, float value) {
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

static void check_groups_along(struct pass_piece *piece, const float *values, size_t count) {
    for (size_t g = 0; g < PASS_GROUPS; g++) {
        const struct pass_group *group = &pass_groups[g];
        for (size_t first = 0; first < count && !piece->broken[g]; first += group->length) {
            size_t length = count - first < group->length ? count - first : group->length, kept = 0;
            for (size_t i = 0; i < length; i++)
                kept += values[first + i] != 0;
            /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): no row of the table has length 0 */
            piece->broken[g] = kept > (group->kept * length + group->length - 1) / group->length;
        }
    }
}

/* Groups that run down the stored columns: counted until a group's last row. length is that of the group. */
static void check_groups_down(struct pass_piece *piece, const struct pass *pass, size_t row, size_t first,
                              const float *values, size_t count) {
    for (size_t g = 0; g < PASS_GROUPS; g++) {
        size_t in_group = row % pass_groups[g].length, length = in_group + 1;
        if (piece->broken[g])
            continue;
        bool ends = length == pass_groups[g].length || row + 1 == pass->rows;
        size_t most = (pass_groups[g].kept * length + pass_groups[g].length - 1) / pass_groups[g].length;
        uint8_t *kept = piece->kept + g * pass->columns + first;
        for (size_t i = 0; i < count; i++) {
            kept[i] = (uint8_t)((in_group == 0 ? 0 : kept[i]) + (values[i] != 0));
            piece->broken[g] |= ends && kept[i] > most;
        }
    }
}

static void check_groups(struct pass_piece *piece, const struct pass *pass, size_t row, size_t first,
                         const float *values, size_t count) {
    if (pass->transposed)
        check_groups_down(piece, pass, row, first, values, count);
    else
        check_groups_along(piece, values, count);
}

static void scan_stretch(struct pass *pass, struct pass_piece *piece, size_t row, size_t first, size_t count,
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

static bool all_broken(const struct pass_piece *piece) {
    bool broken = true;
    for (size_t g = 0; g < PASS_GROUPS; g++)
        broken = broken && piece->broken[g];
    return broken;
}

/* The zeros of one row's run, which the scan has only counted, and the groups they may form. */
static void place_zeros(struct pass *pass, struct pass_piece *piece, size_t row, size_t first, size_t count,
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
static void scan_halves(struct pass *pass, struct pass_piece *piece, size_t row, size_t rows, int thread) {
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

static void scan_row(struct pass *pass, struct pass_piece *piece, size_t row) {
    size_t bytes = dtype_info(pass->tensor->dtype)->bytes;
    for (size_t first = 0; first < pass->columns; first += RUN) {
        size_t count = pass->columns - first < RUN ? pass->columns - first : RUN;
        scan_stretch(pass, piece, row, first, count, pass->tensor->data + (row * pass->columns + first) * bytes);
    }
    progress_add(pass->again ? NULL : pass->progress, pass->columns * bytes);
}

/* The first stored row of a piece: a multiple of 8, so that groups down the columns lie in one piece. */
static size_t piece_begin(const struct pass *pass, size_t index) {
    size_t begin = (pass->rows + PASS_PIECES - 1) / PASS_PIECES;
    begin = (begin + 7) / 8 * 8 * index;
    return begin < pass->rows ? begin : pass->rows;
}

static void scan_rows_halves(struct pass *pass, struct pass_piece *piece, size_t begin, size_t end, int thread) {
    for (size_t row = begin; row < end && !progress_cancelled(pass->progress); row += HALF_ROWS) {
        size_t rows = end - row < HALF_ROWS ? end - row : HALF_ROWS;
        scan_halves(pass, piece, row, rows, thread);
        if ((row - begin) % BATCH == BATCH - HALF_ROWS || row + rows == end)
            half_scan_empty(piece->squares, piece->batch, pass->columns, pass->tensor->dtype);
    }
}

static void scan_rows(struct pass *pass, size_t index, int thread) {
    struct pass_piece *piece = &pass->pieces[index];
    size_t begin = piece_begin(pass, index), end = piece_begin(pass, index + 1);
    if (pass->halves)
        scan_rows_halves(pass, piece, begin, end, thread);
    for (size_t row = begin; !pass->halves && row < end && !progress_cancelled(pass->progress); row++)
        scan_row(pass, piece, row);
}

static void scan_pieces(void *context, size_t begin, size_t end, int thread) {
    for (size_t i = begin; i < end; i++)
        scan_rows(context, i, thread);
}

static bool piece_create(struct pass_piece *piece, const struct pass *pass, struct error *error) {
    piece->minimum = INFINITY;
    piece->maximum = -INFINITY;
    bool binned = !pass->halves || piece == pass->pieces;
    piece->bins = memory_alloc(binned ? MAGNITUDE_BINS : 0, sizeof *piece->bins, error);
    piece->batch = memory_alloc(pass->halves ? pass->columns : 0, sizeof *piece->batch, error);
    piece->squares = memory_alloc(pass->columns, sizeof *piece->squares, error);
    piece->gone = memory_alloc(pass->columns, sizeof *piece->gone, error);
    piece->kept = memory_alloc(pass->transposed ? PASS_GROUPS * pass->columns : 0, 1, error);
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
        ok = (counts[i] = memory_alloc(HALF_PATTERNS, sizeof **counts, error)) != NULL;
    if (ok)
        return counts;
    counts_free(counts);
    return NULL;
}

void pass_free(struct pass *pass) {
    counts_free(pass->counts);
    for (size_t i = 0; i < PASS_PIECES; i++) {
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

struct pass *pass_create(const struct tensor *tensor, bool transposed, bool halves, struct progress *progress,
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
    for (size_t i = 0; ok && i < PASS_PIECES; i++)
        ok = piece_create(&pass->pieces[i], pass, error);
    if (ok)
        return pass;
    pass_free(pass);
    return NULL;
}

/* Adds all pieces to the first, in order. */
static void merge(struct pass *pass) {
    struct pass_piece *sum = &pass->pieces[0];
    for (const struct pass_piece *piece = sum + 1; piece < sum + PASS_PIECES; piece++) {
        sum->nan += piece->nan;
        sum->infinite += piece->infinite;
        sum->zeros += piece->zeros;
        sum->minimum = fmin(sum->minimum, piece->minimum);
        sum->maximum = fmax(sum->maximum, piece->maximum);
        for (size_t i = 0; i < 4; i++)
            sum->sums[i] += piece->sums[i];
        for (size_t i = 0; i < PASS_GROUPS; i++)
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

static void add_many(struct pass_piece *piece, float value, uint64_t count) {
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
    struct pass_piece *sum = &pass->pieces[0];
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
    const struct pass_piece *sum = &pass->pieces[0];
    return take_counts(pass) && !any_faint(pass->row_squares, pass->row_gone, pass->rows, pass->columns) &&
           !any_faint(sum->squares, sum->gone, pass->columns, pass->rows);
}

bool pass_run(struct pass *pass, bool *right, struct error *error) {
    if (!progress_continue(pass->progress, error))
        return false;
    parallel_for(PASS_PIECES, 1, scan_pieces, pass);
    if (!progress_continue(pass->progress, error))
        return false;
    merge(pass);
    *right = !pass->halves || finish_halves(pass);
    return true;
}

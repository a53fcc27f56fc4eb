#include "plan/count.h"

#include <math.h>

static double share(int64_t rows, int64_t columns, uint64_t count) {
    double total = (double)rows * (double)columns;
    return total > 0 ? fmin((double)count / total, 1) : 0;
}

/* The largest sparsity (to the last bit) whose count is at most `count`: pattern_count never falls with sparsity. */
static double last_within(struct pattern pattern, int64_t rows, int64_t columns, uint64_t count) {
    double low = 0;
    double high = 1;
    if (pattern_count(pattern, rows, columns, high) <= count)
        return high;
    for (double middle = 0.5; middle > low && middle < high; middle = low + (high - low) / 2) {
        if (pattern_count(pattern, rows, columns, middle) <= count)
            low = middle;
        else
            high = middle;
    }
    return low;
}

double plan_sparsity_for_count(struct pattern pattern, int64_t rows, int64_t columns, uint64_t count) {
    double guess = share(rows, columns, count);
    if (pattern_count(pattern, rows, columns, guess) == count)
        return guess;
    return last_within(pattern, rows, columns, count);
}

/* All possible counts are multiples of one step; a short last block or tile breaks that. */
static bool is_uniform(struct pattern pattern) {
    return pattern.kind == PATTERN_UNSTRUCTURED || pattern.kind == PATTERN_ROW || pattern.kind == PATTERN_WHOLE_ROWS ||
           pattern.kind == PATTERN_WHOLE_COLUMNS;
}

uint64_t plan_count_above(struct pattern pattern, int64_t rows, int64_t columns, uint64_t count) {
    uint64_t step = pattern_step(pattern, rows, columns);
    double guess = share(rows, columns, count + step);
    if (is_uniform(pattern) && pattern_count(pattern, rows, columns, guess) == count + step)
        return count + step;
    double next = nextafter(last_within(pattern, rows, columns, count), 2);
    return next <= 1 ? pattern_count(pattern, rows, columns, next) : count;
}

uint64_t plan_count_below(struct pattern pattern, int64_t rows, int64_t columns, uint64_t count) {
    if (count == 0)
        return 0;
    uint64_t step = pattern_step(pattern, rows, columns);
    if (is_uniform(pattern) && count >= step &&
        pattern_count(pattern, rows, columns, share(rows, columns, count - step)) == count - step)
        return count - step;
    return pattern_count(pattern, rows, columns, last_within(pattern, rows, columns, count - 1));
}

uint64_t plan_count_floor(struct pattern pattern, int64_t rows, int64_t columns, double sparsity) {
    uint64_t count = pattern_count(pattern, rows, columns, sparsity);
    return share(rows, columns, count) <= sparsity ? count : plan_count_below(pattern, rows, columns, count);
}

uint64_t plan_count_ceiling(struct pattern pattern, int64_t rows, int64_t columns, double sparsity) {
    uint64_t count = pattern_count(pattern, rows, columns, sparsity);
    return share(rows, columns, count) >= sparsity ? count : plan_count_above(pattern, rows, columns, count);
}

#include "prune/layer.h"

#include "base/memory.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An input whose root mean square is that many times the median's decides the damping of all others. */
#define OUTLIER 1000

void layer_note(struct layer *layer, const char *format, ...) {
    char *note = layer->report.note;
    size_t size = sizeof layer->report.note;
    size_t used = strlen(note);
    if (used > 0 && used + 2 < size)
        used += (size_t)snprintf(note + used, size - used, "; ");
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(note + used, size - used, format, arguments);
    va_end(arguments);
}

static int compare_doubles(const void *a, const void *b) {
    double first = *(const double *)a;
    double second = *(const double *)b;
    return (first > second) - (first < second);
}

static bool note_outlier(struct layer *layer, struct error *error) {
    const struct input_statistics *input = layer->input;
    size_t n = (size_t)input->columns;
    double *sorted = memory_alloc(n, sizeof *sorted, error);
    if (sorted == NULL)
        return false;
    memcpy(sorted, input->sum_squares, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_doubles);
    double median = sorted[n / 2];
    double largest = sorted[n - 1];
    memory_free(sorted);
    if (!(median > 0) || largest < median * OUTLIER * OUTLIER)
        return true;
    size_t which = 0;
    while (input->sum_squares[which] != largest)
        which++;
    layer_note(layer, "input %zu is %.0f times as large as the median one", which, sqrt(largest / median));
    return true;
}

bool layer_check_input(struct layer *layer, bool full, struct error *error) {
    const struct input_statistics *input = layer->input;
    bool all_zero = true;
    for (int64_t j = 0; j < input->columns; j++) {
        if (!isfinite(input->sum_squares[j]))
            return error_set(error, ERROR_FAILURE,
                             "input %lld was NaN or Inf on some token of the calibration text, so there is nothing to "
                             "prune by; look for the block where it first appears",
                             (long long)j);
        all_zero = all_zero && input->sum_squares[j] == 0;
    }
    if (all_zero)
        layer_note(layer, "every input was zero on all tokens");
    else if (full && input->tokens < (uint64_t)input->columns)
        layer_note(layer, "%llu tokens for %lld inputs: the Hessian is singular but for its damping",
                   (unsigned long long)input->tokens, (long long)input->columns);
    return note_outlier(layer, error);
}

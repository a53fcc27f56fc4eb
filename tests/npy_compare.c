/* npy_compare ACTUAL EXPECTED TOLERANCE [MASK]: status 0 when both have one shape and no element differs by more, where
 * MASK[windows, length] of ACTUAL[windows, length, ...] is not 0. Prints the largest difference. */
#include "base/npy.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_or_exit(struct npy *npy, const char *path) {
    struct error error = {0};
    if (npy_open(npy, path, &error))
        return;
    (void)fprintf(stderr, "%s\n", error.text);
    exit(2);
}

static double value(const struct npy *npy, size_t index) {
    float number;
    npy_copy_floats(&number, npy, index, 1);
    return (double)number;
}

static double difference(double actual, double expected) {
    return isnan(actual) && isnan(expected) ? 0 : fabs(actual - expected);
}

int main(int count, char **words) {
    struct npy actual;
    struct npy expected;
    struct npy mask = {0};
    if (count < 4)
        return 2;
    double tolerance = strtod(words[3], NULL);
    open_or_exit(&actual, words[1]);
    open_or_exit(&expected, words[2]);
    if (count > 4)
        open_or_exit(&mask, words[4]);
    if (actual.rank != expected.rank || memcmp(actual.shape, expected.shape, actual.rank * sizeof *actual.shape) != 0) {
        (void)fprintf(stderr, "%s and %s differ in shape\n", words[1], words[2]);
        return 1;
    }
    double largest = 0;
    bool within = true;
    size_t each = mask.count > 0 ? actual.count / mask.count : 1;
    for (size_t i = 0; i < actual.count; i++) {
        if (mask.count > 0 && value(&mask, i / each) == 0)
            continue;
        double off = difference(value(&actual, i), value(&expected, i));
        within = within && off <= tolerance; /* false for NaN */
        largest = fmax(largest, off);
    }
    (void)printf("%.2g\n", largest);
    npy_close(&actual);
    npy_close(&expected);
    npy_close(&mask);
    return within ? 0 : 1;
}

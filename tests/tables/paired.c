/* Difference of two models on the same text, from the files of eval --nll: paired A.npy B.npy prints the mean of A - B
 * over windows, in nats per token, and its standard error. */
#include "base/npy.h"
#include <math.h>
#include <stdio.h>

static double window_mean(const struct npy *npy, size_t window) {
    double sum = 0;
    size_t length = npy->count / npy->shape[0];
    for (size_t i = 0; i < length; i++) {
        float value;
        npy_copy_floats(&value, npy, window * length + i, 1);
        sum += (double)value;
    }
    return sum / (double)length;
}

int main(int argc, char **argv) {
    struct npy a, b;
    struct error error = {0};
    if (argc != 3 || !npy_open(&a, argv[1], &error) || !npy_open(&b, argv[2], &error) || a.count != b.count ||
        a.shape[0] != b.shape[0] || a.shape[0] < 2) {
        (void)fprintf(stderr, "usage: paired A.npy B.npy, of the same windows. %s\n", error.text);
        return 2;
    }
    double sum = 0, squares = 0, windows = (double)a.shape[0];
    for (size_t i = 0; i < a.shape[0]; i++) {
        double difference = window_mean(&a, i) - window_mean(&b, i);
        sum += difference;
        squares += difference * difference;
    }
    double mean = sum / windows;
    double deviation = sqrt(fmax(0, squares / windows - mean * mean) / (windows - 1));
    (void)printf("%.5f,%.5f\n", mean, deviation);
    npy_close(&a);
    npy_close(&b);
    return 0;
}

#include "views/density.h"
#include <string.h>

bool density_read(struct density *density, struct workbench *workbench, const struct model_row *row) {
    (void)workbench;
    (void)row;
    memset(density, 0, sizeof *density);
    return false;
}

double density_threshold(struct workbench *workbench, const struct model_row *row, double share) {
    (void)workbench;
    (void)row;
    (void)share;
    return -1;
}

void density_axis(int *first, int *last, struct workbench *workbench) {
    (void)workbench;
    *first = -13 - DENSITY_LOWEST;
    *last = -3 - DENSITY_LOWEST;
}

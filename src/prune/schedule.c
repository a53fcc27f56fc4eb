#include "prune/schedule.h"

double schedule_cubic(double first, double final, int round, int rounds) {
    double left = 1 - (double)round / (double)rounds;
    return final + (first - final) * left * left * left;
}

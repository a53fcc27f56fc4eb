/* How sparsity rises over the rounds of an iterative method. */
#ifndef SECATEUR_SCHEDULE_H
#define SECATEUR_SCHEDULE_H

/* The cubic schedule (Zhu & Gupta 2017, arXiv 1710.01878): final + (first - final)(1 - round/rounds)³, round in [0,
 * rounds]. */
double schedule_cubic(double first, double final, int round, int rounds);

#endif

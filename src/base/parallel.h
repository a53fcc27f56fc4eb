/* One pool of threads for all loops of ours; OpenBLAS keeps its own for whole-matrix calls.
 *
 * Results must not depend on the number of threads more than rounding does: split work by index, add partial sums in
 * index order. Loops may be nested: an inner loop runs in the thread that meets it. */
#ifndef SECATEUR_PARALLEL_H
#define SECATEUR_PARALLEL_H

#include <stddef.h>

/* How many threads loops use: set once at start (--threads; 0 = one per online processor). Also sets OpenBLAS's. */
void parallel_set_threads(int threads);
int parallel_threads(void);

/* Runs function(context, begin, end, thread) over [0, count) in pieces of at most `grain`, handed out as threads become
 * free; thread is in [0, parallel_threads()). Returns when all is done. Falls back to the calling thread when no thread
 * is to be had. */
void parallel_for(size_t count, size_t grain, void (*function)(void *context, size_t begin, size_t end, int thread),
                  void *context);

/* While begun, OpenBLAS calls made inside parallel_for run on one thread each (rows are split by us instead). Pairs
 * nest. */
void parallel_blas_single_begin(void);
void parallel_blas_single_end(void);

/* Lowers the priority of every thread but the calling one (the screen's), OpenBLAS's own included. */
void parallel_lower_priority(void);

#endif

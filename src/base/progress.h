/* How far long work is, and the way to stop it. The worker writes, the screen reads; neither waits for the other. */
#ifndef SECATEUR_PROGRESS_H
#define SECATEUR_PROGRESS_H

#include "base/error.h"
#include <stdatomic.h>
#include <stdint.h>

struct progress {
    _Atomic uint64_t done;  /* work finished, in the unit that the work chose (bytes, floating-point operations) */
    _Atomic uint64_t total; /* all of it; 0 while unknown */
    _Atomic bool cancel;    /* set by the screen: stop at the next step, keep what is finished */
    _Atomic bool pause;     /* set by the screen: wait before the next step */
};

/* Adds finished work. Safe from any thread; progress may be NULL (as in every function here). */
void progress_add(struct progress *progress, uint64_t work);

/* False with ERROR_CANCELLED when the work has been cancelled; waits while it is paused. Call it at least every 100 ms.
 */
bool progress_continue(struct progress *progress, struct error *error);

bool progress_cancelled(const struct progress *progress);

/* Seconds of a clock that never goes back. */
double progress_clock(void);

#endif

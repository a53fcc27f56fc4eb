#include "base/progress.h"

#include <stddef.h>
#include <time.h>

#define PAUSE_NANOSECONDS 20000000L

void progress_add(struct progress *progress, uint64_t work) {
    if (progress != NULL)
        atomic_fetch_add_explicit(&progress->done, work, memory_order_relaxed);
}

bool progress_cancelled(const struct progress *progress) {
    return progress != NULL && atomic_load(&progress->cancel);
}

bool progress_continue(struct progress *progress, struct error *error) {
    if (progress == NULL)
        return true;
    while (atomic_load(&progress->pause) && !atomic_load(&progress->cancel)) {
        struct timespec nap = {0, PAUSE_NANOSECONDS};
        (void)nanosleep(&nap, NULL);
    }
    if (atomic_load(&progress->cancel))
        return error_set(error, ERROR_CANCELLED, "cancelled");
    return true;
}

double progress_clock(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

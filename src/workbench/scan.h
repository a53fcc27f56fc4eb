/* The scan: one pass over every matrix, its statistics published one by one while the user is already working. */
#ifndef SECATEUR_SCAN_H
#define SECATEUR_SCAN_H

#include "workbench/workbench.h"

/* Queues the scan of what is not known yet as background work. */
bool scan_start(struct workbench *workbench, struct error *error);

/* In the worker: scans every matrix that is not known yet; total and done of progress are bytes. Stopped and called
 * again, it goes on where it was. */
bool scan_run(struct workbench *workbench, struct progress *progress, struct error *error);

/* Frees what was found. Only when no job runs any more. */
void scan_free(struct workbench *workbench);

#endif

/* For tests that compare with reference files: where those lie, and their tensors as f32. Tests skip when they are
 * absent. */
#ifndef SECATEUR_TESTS_GOLDEN_H
#define SECATEUR_TESTS_GOLDEN_H

#include "checkpoint/checkpoint.h"

#define GOLDEN_SKIPPED 77

/* The folder of reference files ($SECATEUR_SHARED, else ../shared beside the sources), NULL when there is none. Static.
 */
const char *golden_folder(void);

/* golden_folder()/relative in new memory. */
char *golden_path(const char *relative);

/* A tensor as f32 in new memory, NULL when there is no such tensor. */
float *golden_tensor(const struct checkpoint *checkpoint, const char *name);

#endif

#include "tests/golden.h"

#include "base/memory.h"
#include <stdlib.h>

const char *golden_folder(void) {
    static char *fallback;
    const char *given = getenv("SECATEUR_SHARED");
    if (given == NULL) {
        if (fallback == NULL)
            fallback = file_join(ABS_TOP_SRCDIR, "../shared", NULL);
        given = fallback;
    }
    return given != NULL && file_is_folder(given) ? given : NULL;
}

char *golden_path(const char *relative) {
    return file_join(golden_folder(), relative, NULL);
}

float *golden_tensor(const struct checkpoint *checkpoint, const char *name) {
    const struct tensor *tensor = checkpoint_find(checkpoint, name);
    if (tensor == NULL)
        return NULL;
    float *values = memory_alloc_aligned((size_t)tensor->count, sizeof *values, NULL);
    if (values != NULL)
        dtype_widen(values, tensor->data, tensor->dtype, (size_t)tensor->count);
    return values;
}

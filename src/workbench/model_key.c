#include "workbench/model_key.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

uint64_t model_key(const struct checkpoint *checkpoint) {
    XXH3_state_t *state = XXH3_createState();
    char *real = realpath(checkpoint->path, NULL);
    const char *path = real != NULL ? real : checkpoint->path;
    uint64_t hash = 0;
    if (state != NULL) {
        (void)XXH3_64bits_reset(state);
        (void)XXH3_64bits_update(state, path, strlen(path));
        for (size_t i = 0; i < checkpoint->file_count; i++) {
            const struct checkpoint_file *file = &checkpoint->files[i];
            size_t header = file->data_begin < file->map.size ? file->data_begin : file->map.size;
            (void)XXH3_64bits_update(state, &file->map.size, sizeof file->map.size);
            if (header > 0)
                (void)XXH3_64bits_update(state, file->map.data, header);
        }
        hash = XXH3_64bits_digest(state);
    }
    (void)XXH3_freeState(state);
    free(real);
    return hash;
}

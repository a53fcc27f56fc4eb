/* npy_ids FILE: the whole numbers of a .npy [rows, columns], a row to a line. */
#include "base/npy.h"
#include <stdio.h>

int main(int count, char **words) {
    struct npy npy;
    struct error error = {0};
    if (count < 2 || !npy_open(&npy, words[1], &error) || npy.rank != 2) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 2;
    }
    for (size_t i = 0; i < npy.count; i++) {
        int64_t id;
        if (!npy_copy_integers(&id, &npy, i, 1, &error))
            return 2;
        (void)printf("%lld%c", (long long)id, (i + 1) % npy.shape[1] == 0 ? '\n' : ' ');
    }
    npy_close(&npy);
    return 0;
}

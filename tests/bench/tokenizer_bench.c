/* How fast a tokenizer opens and encodes: tokenizer_bench FOLDER TEXT. One core, the best of three runs.
 */
#include "base/file.h"
#include "base/progress.h"
#include "model/tokenizer.h"
#include <stdio.h>

static bool encode_once(struct token_ids *ids, const struct tokenizer *tokenizer, const struct file_map *text,
                        struct error *error) {
    struct tokenizer_scratch *scratch = tokenizer_scratch_create(tokenizer, error);
    ids->count = 0;
    bool ok = scratch != NULL &&
              tokenizer_encode(ids, tokenizer, scratch, (const char *)text->data, text->size, false, error);
    tokenizer_scratch_free(scratch);
    return ok;
}

static bool measure(const struct tokenizer *tokenizer, const struct file_map *text, struct error *error) {
    struct token_ids ids = {0};
    double best = 1e30;
    bool ok = true;
    for (int i = 0; ok && i < 3; i++) {
        double start = progress_clock();
        ok = encode_once(&ids, tokenizer, text, error);
        double seconds = progress_clock() - start;
        best = seconds < best ? seconds : best;
    }
    if (ok)
        printf("encodes %.1f MB/s (%zu bytes, %zu tokens)\n", (double)text->size / best / 1e6, text->size, ids.count);
    token_ids_free(&ids);
    return ok;
}

int main(int count, char **arguments) {
    struct error error = {0};
    struct file_map text;
    if (count != 3) {
        (void)fprintf(stderr, "usage: tokenizer_bench FOLDER TEXT\n");
        return 2;
    }
    double start = progress_clock();
    struct tokenizer *tokenizer = tokenizer_open(arguments[1], &error);
    printf("%s: opened in %.3f s, ", arguments[1], progress_clock() - start);
    bool ok = tokenizer != NULL && file_map_open(&text, arguments[2], &error);
    if (ok) {
        ok = measure(tokenizer, &text, &error);
        file_map_close(&text);
    }
    tokenizer_close(tokenizer);
    if (!ok)
        (void)fprintf(stderr, "%s\n", error.text);
    return ok ? 0 : 1;
}

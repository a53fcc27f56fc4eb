/* The documents of a SOURCE (see corpus.h) and their token ids. */
#ifndef SECATEUR_SOURCE_H
#define SECATEUR_SOURCE_H

#include "base/file.h"
#include "model/tokenizer.h"

#define SOURCE_SEPARATOR "<|endoftext|>"

struct source {
    char *name;
    struct source_document {
        const char *text; /* in a mapped file or in `owned` */
        size_t length;
        char *owned; /* JSON lines: unescaped */
    } * documents;
    size_t count, capacity;
    struct file_map *files;
    size_t file_count, file_capacity;
    bool separated; /* lines <|endoftext|> stood between documents */
};
/* Opens a text file, a folder of them, or JSON lines. A source without text, or in another character set than UTF-8, is
 * an error. */
bool source_open(struct source *source, const char *path, struct error *error);
void source_close(struct source *source);

/* The ids of all documents, one after the other; document i ends at ends[i]. */
struct source_tokens {
    struct token_ids ids;
    size_t *ends;
    size_t documents;
    struct tokenizer_counts counts;
};
/* bos >= 0 is put in front of each document; nothing else is added. Documents are encoded in parallel. */
bool source_encode(struct source_tokens *tokens, const struct source *source, const struct tokenizer *tokenizer,
                   int32_t bos, struct error *error);
/* Where there is no tokenizer: the text is whole numbers, one per line (or separated by blanks). */
bool source_read_ids(struct source_tokens *tokens, const struct source *source, struct error *error);
void source_tokens_free(struct source_tokens *tokens);

#endif

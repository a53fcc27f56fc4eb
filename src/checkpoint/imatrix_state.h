/* The two layouts, shared by imatrix.c, imatrix_legacy.c and imatrix_gguf.c only. */
#ifndef SECATEUR_IMATRIX_STATE_H
#define SECATEUR_IMATRIX_STATE_H

#include "base/file.h"
#include "checkpoint/imatrix.h"

/* A file read from front to back. */
struct imatrix_bytes {
    const struct file_map *map;
    size_t at;
};

/* Copies the next `size` bytes; refuses, naming `what`, when the file ends before them. */
bool imatrix_take(void *out, struct imatrix_bytes *bytes, size_t size, const char *what, struct error *error);
/* The same without a copy. */
bool imatrix_skip(struct imatrix_bytes *bytes, size_t size, const char *what, struct error *error);

/* A new string of the next `length` bytes, 1 to 4096 of them, all printable. */
char *imatrix_take_name(struct imatrix_bytes *bytes, uint64_t length, const char *what, struct error *error);

bool imatrix_read_legacy(struct imatrix *imatrix, const struct file_map *map, struct error *error);
bool imatrix_read_gguf(struct imatrix *imatrix, const struct file_map *map, struct error *error);
void imatrix_write_legacy(const struct imatrix *imatrix, FILE *stream);
void imatrix_write_gguf(const struct imatrix *imatrix, FILE *stream);

/* Mean of squares of one part's column. */
double imatrix_mean(const struct imatrix_entry *entry, size_t value);

#endif

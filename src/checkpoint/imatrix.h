/* Importance matrices of llama.cpp: for each weight matrix the sum of squares of its inputs, as GGUF or in the older
 * layout (.dat). Values are held per token seen, so that both layouts read alike. */
#ifndef SECATEUR_IMATRIX_H
#define SECATEUR_IMATRIX_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

/* The older layout does not say how many tokens a chunk had; counts are made with llama.cpp's default. */
#define IMATRIX_CHUNK 512

/* What a file says about one weight tensor, which holds `parts` matrices when it is that of all experts. */
struct imatrix_entry {
    char *name;          /* llama.cpp's: "blk.0.attn_q.weight" */
    int64_t columns;     /* inputs; in the older layout inputs × matrices, with parts 1 */
    int64_t parts;       /* matrices */
    double *sum_squares; /* [parts × columns] over tokens */
    double *sum;         /* the same without squares, or NULL when the file does not have it */
    double *counts;      /* [parts]: tokens */
};

struct imatrix {
    struct imatrix_entry *entries; /* by name */
    size_t count, capacity;
    bool legacy;    /* counts are an estimate: see IMATRIX_CHUNK */
    int64_t chunks; /* of text; 0 when unknown */
    int64_t chunk;  /* tokens in each */
    char *dataset;  /* as the file names it; NULL when it does not */
};

/* Whether SOURCE looks like an importance matrix rather than text: by its first bytes, or a name that ends in .dat or
 * .imatrix. */
bool imatrix_recognise(const char *path);

/* Reads either layout. Every length is checked against the file; values must be finite, sums of squares and counts not
 * negative, names unique (ERROR_INPUT). Free with imatrix_free, on failure too. */
bool imatrix_read(struct imatrix *imatrix, const char *path, struct error *error);
void imatrix_free(struct imatrix *imatrix);

/* NULL when there is none of that name. */
const struct imatrix_entry *imatrix_find(const struct imatrix *imatrix, const char *name);

/* Room for another entry with copies of nothing: values are 0, `sum` is there when with_sum. NULL with an error. Sort
 * before finding or writing. */
struct imatrix_entry *imatrix_add(struct imatrix *imatrix, const char *name, int64_t columns, int64_t parts,
                                  bool with_sum, struct error *error);

/* Orders by name; two of one name are an error. */
bool imatrix_sort(struct imatrix *imatrix, const char *path, struct error *error);

/* GGUF, or the older layout where path ends in .dat. Appears whole or not at all. */
bool imatrix_write(const struct imatrix *imatrix, const char *path, struct error *error);

#endif

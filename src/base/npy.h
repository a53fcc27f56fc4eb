/* Arrays in NumPy's .npy files: format versions 1 to 3, little-endian, C order, of i1..i8, u1..u8, f2, f4, f8 and bool.
 * (numpy.lib.format.) */
#ifndef SECATEUR_NPY_H
#define SECATEUR_NPY_H

#include "base/error.h"
#include "base/file.h"
#include <stdint.h>

#define NPY_MAX_RANK 8

/* An opened array: mapped, never loaded. data points to count elements of `bytes` bytes each. */
struct npy {
    char kind;    /* 'i', 'u', 'f', 'b' */
    size_t bytes; /* of one element */
    size_t rank;  /* 0: a single number */
    size_t shape[NPY_MAX_RANK];
    size_t count; /* the product of the shape */
    const uint8_t *data;
    struct file_map map;
};
bool npy_open(struct npy *npy, const char *path, struct error *error);
void npy_close(struct npy *npy);

/* Elements [first, first + count) in C order, converted. Integers only for npy_copy_integers (u8 values above the
 * largest int64_t are an error); anything for npy_copy_floats. */
bool npy_copy_integers(int64_t *out, const struct npy *npy, size_t first, size_t count, struct error *error);
void npy_copy_floats(float *out, const struct npy *npy, size_t first, size_t count);

/* Writes an array piece by piece, in C order. Elements are of the type that `format` names as NumPy does: "<f4", "<f8",
 * "<i4", "<i8", "|u1". The file appears at commit, which is an error when the pieces do not add up to the shape.
 * Exactly one of commit and abort must follow open. */
struct npy_writer {
    struct file_output output;
    size_t element; /* bytes */
    size_t left;    /* elements still to come */
};
bool npy_writer_open(struct npy_writer *writer, const char *path, const char *format, const size_t *shape, size_t rank,
                     struct error *error);
bool npy_writer_add(struct npy_writer *writer, const void *elements, size_t count, struct error *error);
bool npy_writer_commit(struct npy_writer *writer, struct error *error);
void npy_writer_abort(struct npy_writer *writer);

/* A whole array at once. */
bool npy_write_floats(const char *path, const float *data, const size_t *shape, size_t rank, struct error *error);
bool npy_write_integers(const char *path, const int32_t *data, const size_t *shape, size_t rank, struct error *error);

#endif

#include "workbench/prune_output.h"

#include "base/memory.h"
#include <string.h>

#define PIECE ((size_t)1 << 18) /* elements handed to the writer at a time */

/* Where element `index` of the stored order lies in weights[rows × columns]. */
static size_t place_of(const struct matrix *matrix, size_t index) {
    if (!matrix->transposed)
        return index;
    size_t rows = (size_t)matrix->rows;
    return index % rows * (size_t)matrix->columns + index / rows;
}

static void take_bytes(uint8_t *piece, const struct matrix *matrix, const float *weights, size_t begin, size_t count) {
    size_t size = dtype_info(matrix->tensor->dtype)->bytes;
    memcpy(piece, matrix->tensor->data + begin * size, count * size);
    for (size_t i = 0; i < count; i++)
        if (weights[place_of(matrix, begin + i)] == 0)
            memset(piece + i * size, 0, size);
}

static void take_floats(float *piece, const struct matrix *matrix, const float *weights, size_t begin, size_t count) {
    for (size_t i = 0; i < count; i++)
        piece[i] = weights[place_of(matrix, begin + i)];
}

bool prune_output(struct writer *writer, const struct matrix *matrix, size_t tensor, const float *weights, bool repairs,
                  struct error *error) {
    void *piece = memory_alloc_aligned(PIECE, sizeof(double), error);
    size_t size = dtype_info(matrix->tensor->dtype)->bytes;
    size_t all = (size_t)matrix->tensor->count;
    bool changed = repairs || writer_dtype(writer, tensor) != matrix->tensor->dtype;
    bool ok = piece != NULL;
    for (size_t begin = 0; ok && begin < all; begin += PIECE) {
        size_t count = all - begin < PIECE ? all - begin : PIECE;
        if (changed) {
            take_floats(piece, matrix, weights, begin, count);
            ok = writer_write_floats(writer, tensor, piece, count, error);
        } else {
            take_bytes(piece, matrix, weights, begin, count);
            ok = writer_write(writer, tensor, piece, count * size, error);
        }
    }
    memory_free(piece);
    return ok;
}

bool prune_output_read(float *weights, const struct writer *writer, const struct matrix *matrix, size_t tensor,
                       struct error *error) {
    if (!matrix->transposed)
        return writer_read_floats(weights, writer, tensor, error);
    size_t count = (size_t)matrix->tensor->count;
    float *stored = memory_alloc_aligned(count, sizeof *stored, error);
    bool ok = stored != NULL && writer_read_floats(stored, writer, tensor, error);
    for (size_t i = 0; ok && i < count; i++)
        weights[place_of(matrix, i)] = stored[i];
    memory_free(stored);
    return ok;
}

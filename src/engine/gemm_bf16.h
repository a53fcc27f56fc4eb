/* Products of bf16 numbers summed in f32 with AVX512_BF16. For gemm.c and, by
 * bf16_gram, calibrate/hessian.c. */
#ifndef SECATEUR_GEMM_BF16_H
#define SECATEUR_GEMM_BF16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A tile of the result is LANES outputs wide (two registers) and TOKENS high. */
#define BF16_LANES 32
#define BF16_TOKENS 12
#define BF16_GRAM_ROWS 8 /* rows of a strip of LANES that a gram matrix takes at once */

bool bf16_supported(void);

/* bf16 values that packed operands take: `outer` rounded up to whole tiles, `inner` to pairs. */
size_t bf16_lanes_size(int64_t outer, int64_t inner);
size_t bf16_tokens_size(int64_t outer, int64_t inner);

/* Packed operands hold, tile by tile, pairs of neighbours along the inner (summed) dimension for each of the tile's
 * rows; what is missing is zero. From rows with `inner` contiguous bf16 values (stride in values): */
void bf16_pack_lanes(uint16_t *out, const uint8_t *rows, int64_t stride, int64_t outer, int64_t inner);
/* From f32 rows with the inner dimension contiguous, rounded: */
void bf16_pack_tokens(uint16_t *out, const float *rows, int64_t stride, int64_t outer, int64_t inner);
/* From f32 where the outer dimension is contiguous and `stride` lies between neighbours along the inner one, into
 * tiles of BF16_LANES: */
void bf16_pack_across(uint16_t *out, const float *values, int64_t stride, int64_t outer, int64_t inner);

/* c[tokens × lanes] (stride) = or += the product of packed operands with a common inner size. */
void bf16_multiply(float *c, int64_t c_stride, const uint16_t *packed_tokens, const uint16_t *packed_lanes,
                   int64_t tokens, int64_t lanes, int64_t inner, bool add);

/* Adds to sum[rows × columns] (stride), rows and columns at most BF16_LANES, the product of two tiles of BF16_LANES
 * packed alike, each dot product made in f32. upper: only where column >= row. The padding of
 * a narrow last tile is not added. */
void bf16_gram(double *sum, int64_t stride, const uint16_t *left, const uint16_t *right, int64_t inner, int64_t rows,
               int64_t columns, bool upper);

#endif

/* Number formats that checkpoints hold, and their conversion to and from f32. One table row per format. */
#ifndef SECATEUR_DTYPE_H
#define SECATEUR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dtype {
    DTYPE_F64,
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_F8_E4M3, /* "fn": no infinities, 0x7f and 0xff are NaN */
    DTYPE_F8_E5M2,
    DTYPE_I64,
    DTYPE_I32,
    DTYPE_I16,
    DTYPE_I8,
    DTYPE_U64,
    DTYPE_U32,
    DTYPE_U16,
    DTYPE_U8,
    DTYPE_BOOL,
    DTYPE_COUNT
};

struct dtype_info {
    const char *name;  /* as safetensors writes it: "BF16" */
    const char *label; /* as people read it: "bf16" */
    size_t bytes;      /* of one element */
    bool real;         /* a floating-point format: can be pruned */
};
const struct dtype_info *dtype_info(enum dtype dtype);

/* By safetensors name or by label; false when there is none. */
bool dtype_from_name(enum dtype *dtype, const char *name);

/* out[i] = in[i] as f32, i < count. Every f16, bf16 and f8 value is exact; f64 and integers are rounded to nearest.
 * `in` may be unaligned. */
void dtype_widen(float *out, const void *in, enum dtype dtype, size_t count);

/* out[i] = in[i] rounded to nearest even; values too large become infinite (f8_e4m3: NaN). Only for real dtypes. A zero
 * of either sign is written as +0. */
void dtype_narrow(void *out, const float *in, enum dtype dtype, size_t count);

#endif

#include "engine/activation.h"

#include "base/parallel.h"
#include "engine/vector.h"

typedef void activation_function(float *out, const float *in, size_t count);

/* clang-format off */
#define ELEMENTWISE(name, expression)                                                                                  \
    VECTOR_CLONES static void name(float *out, const float *in, size_t count) {                                       \
        VECTOR_SIMD                                                                                                    \
        for (size_t i = 0; i < count; i++) {                                                                           \
            float x = in[i];                                                                                           \
            out[i] = (expression);                                                                                     \
        }                                                                                                              \
    }
/* clang-format on */

#define TANH_ARGUMENT(x) (0.7978845608f * ((x) + 0.044715f * (x) * (x) * (x)))

ELEMENTWISE(apply_silu, x *vector_sigmoid(x))
ELEMENTWISE(apply_gelu, x *vector_normal(x))
/* (1 + tanh u) / 2 = sigmoid(2u), without the cancellation. */
ELEMENTWISE(apply_gelu_tanh, x *vector_sigmoid(2.0f * TANH_ARGUMENT(x)))
ELEMENTWISE(apply_gelu_quick, x *vector_sigmoid(1.702f * x))
ELEMENTWISE(apply_relu, x > 0 ? x : 0.0f)
ELEMENTWISE(apply_relu_squared, x > 0 ? x * x : 0.0f)

static activation_function *const functions[] = {
    [ACTIVATION_SILU] = apply_silu,           [ACTIVATION_GELU] = apply_gelu,
    [ACTIVATION_GELU_TANH] = apply_gelu_tanh, [ACTIVATION_GELU_QUICK] = apply_gelu_quick,
    [ACTIVATION_RELU] = apply_relu,           [ACTIVATION_RELU_SQUARED] = apply_relu_squared,
};

VECTOR_CLONES static void multiply(float *out, const float *factor, size_t count) {
    VECTOR_SIMD
    for (size_t i = 0; i < count; i++)
        out[i] *= factor[i];
}

struct activation_work {
    float *out;
    const float *in, *factor;
    int64_t out_stride, stride, columns;
    activation_function *function;
};

/* Values whose activation and product stay in the first-level cache. */
#define PIECE 2048

static void apply_row(const struct activation_work *work, size_t row) {
    float *out = work->out + row * (size_t)work->out_stride;
    size_t start = row * (size_t)work->stride, columns = (size_t)work->columns;
    for (size_t j = 0; j < columns; j += PIECE) {
        size_t count = columns - j < PIECE ? columns - j : PIECE;
        work->function(out + j, work->in + start + j, count);
        if (work->factor != NULL)
            multiply(out + j, work->factor + start + j, count);
    }
}

static void apply_rows(void *context, size_t begin, size_t end, int thread) {
    (void)thread;
    for (size_t row = begin; row < end; row++)
        apply_row(context, row);
}

void activation_apply(float *out, int64_t out_stride, const float *in, const float *factor, int64_t stride,
                      int64_t rows, int64_t columns, enum activation activation) {
    struct activation_work work = {out, in, factor, out_stride, stride, columns, functions[activation]};
    parallel_for((size_t)rows, 16, apply_rows, &work);
}

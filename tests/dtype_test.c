/* Conversions against slow routines that know nothing of bits: every value of every small format, and rounding at,
 * below and above every midpoint. */
#include "tensor/dtype.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct format {
    enum dtype dtype;
    int exponent_bits, mantissa_bits;
    bool infinities;
};
static const struct format formats[] = {
    {DTYPE_F16, 5, 10, true},
    {DTYPE_BF16, 8, 7, true},
    {DTYPE_F8_E5M2, 5, 2, true},
    {DTYPE_F8_E4M3, 4, 3, false},
};

/* The value of a code by the definition of a floating-point format. */
static double value_of(const struct format *format, uint32_t code) {
    uint32_t mantissa = code & ((1u << format->mantissa_bits) - 1);
    int top = (1 << format->exponent_bits) - 1, bias = top / 2;
    int exponent = (int)(code >> format->mantissa_bits) & top;
    double sign = code >> (format->mantissa_bits + format->exponent_bits) ? -1 : 1;
    if (format->infinities && exponent == top)
        return mantissa == 0 ? sign * (double)INFINITY : (double)NAN;
    if (!format->infinities && exponent == top && mantissa == (1u << format->mantissa_bits) - 1)
        return (double)NAN;
    double fraction = ldexp((double)mantissa, -format->mantissa_bits);
    return sign * (exponent == 0 ? ldexp(fraction, 1 - bias) : ldexp(1 + fraction, exponent - bias));
}

static void every_value_widens_exactly(void **state) {
    (void)state;
    static uint8_t codes[65536 * 2 + 1];
    static float values[65536];
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        size_t bytes = dtype_info(formats[f].dtype)->bytes, count = (size_t)1 << (8 * bytes);
        for (size_t i = 0; i < count; i++)
            memcpy(codes + 1 + i * bytes, &i, bytes); /* unaligned on purpose */
        dtype_widen(values, codes + 1, formats[f].dtype, count);
        for (size_t i = 0; i < count; i++) {
            double right = value_of(&formats[f], (uint32_t)i);
            assert_true(isnan(right) ? isnan(values[i]) : (double)values[i] == right);
            assert_true(isnan(right) || !signbit(right) == !signbit(values[i]));
        }
    }
}

/* One value is narrowed eight at a time and alone, which go different ways. */
static uint32_t narrow(enum dtype dtype, float value) {
    float values[9];
    uint8_t out[18];
    uint32_t first = 0, last = 0;
    for (size_t i = 0; i < 9; i++)
        values[i] = value;
    size_t bytes = dtype_info(dtype)->bytes;
    dtype_narrow(out, values, dtype, 9);
    memcpy(&first, out, bytes);
    memcpy(&last, out + 8 * bytes, bytes);
    assert_int_equal(first, last);
    return first;
}

static void assert_narrows(const struct format *format, double value, uint32_t code) {
    uint32_t sign = 1u << (format->exponent_bits + format->mantissa_bits);
    assert_int_equal(narrow(format->dtype, (float)value), code);
    assert_int_equal(narrow(format->dtype, (float)-value), code == 0 ? 0 : code | sign);
}

/* Between neighbours: just below the midpoint goes down, just above up, the midpoint to the even code. All of these are
 * f32 values, except subnormal ones of bf16. */
static void narrowing_rounds_to_nearest_even(void **state) {
    (void)state;
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        const struct format *format = &formats[f];
        for (uint32_t code = 0; isfinite(value_of(format, code + 1)); code++) {
            double low = value_of(format, code), high = value_of(format, code + 1);
            float middle = (float)((low + high) / 2);
            assert_narrows(format, low, code);
            assert_narrows(format, (double)middle, code + (code & 1));
            assert_narrows(format, (double)nextafterf(middle, 0), code);
            assert_narrows(format, (double)nextafterf(middle, INFINITY), code + 1);
        }
    }
}

static void overflow_and_nan(void **state) {
    (void)state;
    static const struct {
        enum dtype dtype;
        float value;
        uint32_t code;
    } cases[] = {
        {DTYPE_F16, 65519.996f, 0x7bff}, {DTYPE_F16, 65520, 0x7c00},    {DTYPE_F16, INFINITY, 0x7c00},
        {DTYPE_BF16, 3.4e38f, 0x7f80},   {DTYPE_F8_E5M2, 61439, 0x7b},  {DTYPE_F8_E5M2, 61440, 0x7c},
        {DTYPE_F8_E4M3, 464, 0x7e},      {DTYPE_F8_E4M3, 464.1f, 0x7f}, {DTYPE_F8_E4M3, 1e30f, 0x7f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(narrow(cases[i].dtype, cases[i].value), cases[i].code);
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
        assert_true(isnan(value_of(&formats[f], narrow(formats[f].dtype, NAN))));
}

static void zeros_lose_their_sign(void **state) {
    (void)state;
    float value = -0.0f, back = 1;
    double wide = 1;
    dtype_narrow(&back, &value, DTYPE_F32, 1);
    dtype_narrow(&wide, &value, DTYPE_F64, 1);
    assert_false(signbit(back) || signbit(wide));
}

static void names_are_found(void **state) {
    (void)state;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        enum dtype found;
        assert_true(dtype_from_name(&found, dtype_info((enum dtype)i)->name) && found == (enum dtype)i);
        assert_true(dtype_from_name(&found, dtype_info((enum dtype)i)->label) && found == (enum dtype)i);
    }
    enum dtype none;
    assert_false(dtype_from_name(&none, "F4"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_widens_exactly),
        cmocka_unit_test(narrowing_rounds_to_nearest_even),
        cmocka_unit_test(overflow_and_nan),
        cmocka_unit_test(zeros_lose_their_sign),
        cmocka_unit_test(names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

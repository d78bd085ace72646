/* trainer/kernels/activation.c - the nonlinearities without learned parameters, elementwise.
 *
 *     kind         y                                  dy/dx as a function of y
 *     sigmoid      1 / (1 + exp(-x))                  y (1 - y)
 *     tanh         tanh(x)                            1 - y^2
 *     relu         max(0, x)                          1 where y > 0, else 0       (Nair, Hinton 2010)
 *     leaky_relu   x, or negative_slope*x below 0     1 or negative_slope         (Maas et al. 2013)
 *     elu          x, or alpha*(exp(x) - 1) below 0   1 or y + alpha          (Clevert et al. 2016)
 *     selu         L x, or L A (exp(x) - 1) below 0   L or y + L A         (Klambauer et al. 2017)
 *     relu6        min(max(0, x), 6)                  1 where 0 < y < 6       (Krizhevsky 2010)
 *
 *     kind         y                                  dy/dx as a function of x
 *     gelu         x F(x), F the normal distribution  F(x) + x F'(x)      (Hendrycks, Gimpel 2016)
 *     silu         x s, s = sigmoid(x)                s (1 + x (1 - s))       (Elfwing et al. 2018)
 *     mish         x t, t = tanh(log(1 + exp(x)))     t + x s (1 - t^2)       (Misra 2019)
 *     softplus     log(1 + exp(x))                    s                       (Dugas et al. 2001)
 *     hardswish    x min(max(0, x + 3), 6) / 6        0, x/3 + 1/2 in [-3, 3], 1 (Howard et al. 2019)
 *
 * The forms without a cancellation: F(x) = erfc(-x / sqrt(2)) / 2, so that its lower tail keeps its
 * digits; with e = exp(x), n = e (e + 2): t = n / (n + 2), 1 - t^2 = 4 (n + 1) / (n + 2)^2.  From
 * MISH_LINEAR on both are 1 and 0 in float32, and n is kept from overflowing.
 *
 * Comparisons are written so that a NaN falls on the side that keeps it: a network that has diverged
 * must not look healthy because a relu turned its NaN into 0. */
#include "trainer/kernels/isa.h"
#include "trainer/kernels/vmath.h"

#include <assert.h>

/* Of exp(-|x|), which cannot overflow: 1 / (1 + e) for x >= 0 and e / (1 + e) below. */
KERNEL_INLINE vec sigmoid(vec x) {
    const ivec sign = ivec_all(INT32_MIN);
    const vec e = vec_exp((vec)((ivec)x | sign));
    const vec one = vec_all(1.0f);
    return vec_pick(x < vec_all(0.0f), e, one) / (one + e);
}

static const float SELU_LAMBDA = 1.0507009873554804934193349852946f;
static const float SELU_LAMBDA_ALPHA = 1.7580993408473768599402175208123f;
static const float MISH_LINEAR = 20.0f;
static const float ROOT_HALF = 0.70710678118654752440f;
static const float NORMAL_PEAK = 0.39894228040143267794f; // 1 / sqrt(2 pi)

KERNEL_INLINE vec normal_cdf(vec x) {
    return vec_all(0.5f) * vec_erfc(vec_all(-ROOT_HALF) * x);
}

/* n of the formula above. */
KERNEL_INLINE vec mish_n(vec x) {
    const vec most = vec_all(MISH_LINEAR);
    const vec e = vec_exp(vec_pick(x > most, most, x));
    return e * (e + vec_all(2.0f));
}

KERNEL_INLINE vec mish_slope(vec x) {
    const vec n = mish_n(x), m = n + vec_all(2.0f);
    const vec rest = vec_all(4.0f) * (n + vec_all(1.0f)) / (m * m);
    return vec_pick(x > vec_all(MISH_LINEAR), vec_all(1.0f), n / m + x * sigmoid(x) * rest);
}

KERNEL_INLINE vec softplus(vec x) {
    const ivec sign = ivec_all(INT32_MIN);
    const vec zero = vec_all(0.0f);
    return vec_pick(x < zero, zero, x) + vec_log1p(vec_exp((vec)((ivec)x | sign)));
}

KERNEL_INLINE vec relu6(vec x) {
    const vec zero = vec_all(0.0f), six = vec_all(6.0f);
    return vec_pick(x < zero, zero, vec_pick(x > six, six, x));
}

KERNEL_INLINE vec hardswish_slope(vec x) {
    const vec three = vec_all(3.0f), inside = x / three + vec_all(0.5f);
    return vec_pick(x < -three, vec_all(0.0f), vec_pick(x > three, vec_all(1.0f), inside));
}

KERNEL_INLINE vec forward(enum activation_kind kind, vec x, vec parameter) {
    const vec zero = vec_all(0.0f);
    switch (kind) {
    case ACTIVATION_SIGMOID:
        return sigmoid(x);
    case ACTIVATION_TANH:
        return vec_tanh(x);
    case ACTIVATION_RELU:
        return vec_pick(x < zero, zero, x);
    case ACTIVATION_LEAKY_RELU:
        return vec_pick(x < zero, parameter * x, x);
    case ACTIVATION_GELU:
        return x * normal_cdf(x);
    case ACTIVATION_SILU:
        return x * sigmoid(x);
    case ACTIVATION_SELU:
        return vec_pick(x < zero, vec_all(SELU_LAMBDA_ALPHA) * vec_expm1(x),
                        vec_all(SELU_LAMBDA) * x);
    case ACTIVATION_MISH: {
        const vec n = mish_n(x);
        return x * (n / (n + vec_all(2.0f)));
    }
    case ACTIVATION_SOFTPLUS:
        return softplus(x);
    case ACTIVATION_HARDSWISH:
        return x * relu6(x + vec_all(3.0f)) / vec_all(6.0f);
    case ACTIVATION_RELU6:
        return relu6(x);
    default:
        return vec_pick(x < zero, parameter * vec_expm1(x), x);
    }
}

/* `in` is x or y, by the table above. */
KERNEL_INLINE vec backward(enum activation_kind kind, vec dy, vec in, vec parameter) {
    const vec zero = vec_all(0.0f), one = vec_all(1.0f);
    switch (kind) {
    case ACTIVATION_SIGMOID:
        return dy * ((one - in) * in);
    case ACTIVATION_TANH:
        return dy * (one - in * in);
    case ACTIVATION_RELU:
        return vec_pick(in <= zero, zero, dy);
    case ACTIVATION_LEAKY_RELU:
        return vec_pick(in <= zero, parameter * dy, dy);
    case ACTIVATION_GELU: {
        const vec density = vec_all(NORMAL_PEAK) * vec_exp(vec_all(-0.5f) * in * in);
        return dy * (normal_cdf(in) + in * density);
    }
    case ACTIVATION_SILU: {
        const vec s = sigmoid(in);
        return dy * (s * (one + in * (one - s)));
    }
    case ACTIVATION_SELU:
        return dy * vec_pick(in <= zero, in + vec_all(SELU_LAMBDA_ALPHA), vec_all(SELU_LAMBDA));
    case ACTIVATION_MISH:
        return dy * mish_slope(in);
    case ACTIVATION_SOFTPLUS:
        return dy * sigmoid(in);
    case ACTIVATION_HARDSWISH:
        return dy * hardswish_slope(in);
    case ACTIVATION_RELU6:
        return vec_pick((in <= zero) | (in >= vec_all(6.0f)), zero, dy);
    default:
        return vec_pick(in <= zero, dy * (in + parameter), dy);
    }
}

KERNEL_INLINE void forward_all(enum activation_kind kind, float *y, const float *x, size_t n,
                               float parameter) {
    for (size_t i = 0; i < n; i += LANES) {
        vec_store(y + i, forward(kind, vec_load(x + i), vec_all(parameter)));
    }
}

KERNEL_INLINE void backward_all(enum activation_kind kind, float *dx, const float *dy,
                                const float *in, size_t n, float parameter) {
    for (size_t i = 0; i < n; i += LANES) {
        vec_store(dx + i, backward(kind, vec_load(dy + i), vec_load(in + i), vec_all(parameter)));
    }
}

/* The elementwise kinds, one X(kind, parameter, what the derivative is a function of) each: as
 * constants, so that each gets a loop of its own. */
#define ELEMENTWISE(X)                                                                             \
    X(SIGMOID, 0.0f, y)                                                                            \
    X(TANH, 0.0f, y)                                                                               \
    X(RELU, 0.0f, y)                                                                               \
    X(LEAKY_RELU, spec->negative_slope, y)                                                         \
    X(ELU, spec->alpha, y)                                                                         \
    X(SELU, 0.0f, y)                                                                               \
    X(RELU6, 0.0f, y)                                                                              \
    X(GELU, 0.0f, x)                                                                               \
    X(SILU, 0.0f, x)                                                                               \
    X(MISH, 0.0f, x)                                                                               \
    X(SOFTPLUS, 0.0f, x)                                                                           \
    X(HARDSWISH, 0.0f, x)

void KERNEL(activation_forward)(float *y, const float *x, size_t n,
                                const struct activation_spec *spec) {
    switch (spec->kind) {
#define X(kind, parameter, in)                                                                     \
    case ACTIVATION_##kind:                                                                        \
        forward_all(ACTIVATION_##kind, y, x, n, parameter);                                        \
        return;
        ELEMENTWISE(X)
#undef X
    case ACTIVATION_PRELU:
    case ACTIVATION_MAXOUT:
    case ACTIVATION_COUNT:
        break;
    }
    assert(!"an activation that is not elementwise");
}

void KERNEL(activation_backward)(float *dx, const float *dy, const float *x, const float *y,
                                 size_t n, const struct activation_spec *spec) {
    switch (spec->kind) {
#define X(kind, parameter, in)                                                                     \
    case ACTIVATION_##kind:                                                                        \
        backward_all(ACTIVATION_##kind, dx, dy, in, n, parameter);                                 \
        return;
        ELEMENTWISE(X)
#undef X
    case ACTIVATION_PRELU:
    case ACTIVATION_MAXOUT:
    case ACTIVATION_COUNT:
        break;
    }
    assert(!"an activation that is not elementwise");
}

/* trainer/kernels/activation.c - the nonlinearities without parameters, elementwise.
 *
 *     kind         y                                  dy/dx as a function of y
 *     sigmoid      1 / (1 + exp(-x))                  y (1 - y)
 *     tanh         tanh(x)                            1 - y^2
 *     relu         max(0, x)                          1 where y > 0, else 0       (Nair, Hinton 2010)
 *     leaky_relu   x, or negative_slope*x below 0     1 or negative_slope         (Maas et al. 2013)
 *     elu          x, or alpha*(exp(x) - 1) below 0   1 or y + alpha          (Clevert et al. 2016)
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
    default:
        return vec_pick(x < zero, parameter * vec_expm1(x), x);
    }
}

KERNEL_INLINE vec backward(enum activation_kind kind, vec dy, vec y, vec parameter) {
    const vec zero = vec_all(0.0f), one = vec_all(1.0f);
    switch (kind) {
    case ACTIVATION_SIGMOID:
        return dy * ((one - y) * y);
    case ACTIVATION_TANH:
        return dy * (one - y * y);
    case ACTIVATION_RELU:
        return vec_pick(y <= zero, zero, dy);
    case ACTIVATION_LEAKY_RELU:
        return vec_pick(y <= zero, parameter * dy, dy);
    default:
        return vec_pick(y <= zero, dy * (y + parameter), dy);
    }
}

KERNEL_INLINE void forward_all(enum activation_kind kind, float *y, const float *x, size_t n,
                               float parameter) {
    for (size_t i = 0; i < n; i += LANES) {
        vec_store(y + i, forward(kind, vec_load(x + i), vec_all(parameter)));
    }
}

KERNEL_INLINE void backward_all(enum activation_kind kind, float *dx, const float *dy,
                                const float *y, size_t n, float parameter) {
    for (size_t i = 0; i < n; i += LANES) {
        vec_store(dx + i, backward(kind, vec_load(dy + i), vec_load(y + i), vec_all(parameter)));
    }
}

/* The kinds as constants, so that each gets a loop of its own. */
void KERNEL(activation_forward)(float *y, const float *x, size_t n,
                                const struct activation_spec *spec) {
    switch (spec->kind) {
    case ACTIVATION_SIGMOID:
        forward_all(ACTIVATION_SIGMOID, y, x, n, 0.0f);
        return;
    case ACTIVATION_TANH:
        forward_all(ACTIVATION_TANH, y, x, n, 0.0f);
        return;
    case ACTIVATION_RELU:
        forward_all(ACTIVATION_RELU, y, x, n, 0.0f);
        return;
    case ACTIVATION_LEAKY_RELU:
        forward_all(ACTIVATION_LEAKY_RELU, y, x, n, spec->negative_slope);
        return;
    case ACTIVATION_ELU:
        forward_all(ACTIVATION_ELU, y, x, n, spec->alpha);
        return;
    case ACTIVATION_PRELU:
    case ACTIVATION_MAXOUT:
    case ACTIVATION_COUNT:
        break;
    }
    assert(!"an activation that is not elementwise");
}

void KERNEL(activation_backward)(float *dx, const float *dy, const float *y, size_t n,
                                 const struct activation_spec *spec) {
    switch (spec->kind) {
    case ACTIVATION_SIGMOID:
        backward_all(ACTIVATION_SIGMOID, dx, dy, y, n, 0.0f);
        return;
    case ACTIVATION_TANH:
        backward_all(ACTIVATION_TANH, dx, dy, y, n, 0.0f);
        return;
    case ACTIVATION_RELU:
        backward_all(ACTIVATION_RELU, dx, dy, y, n, 0.0f);
        return;
    case ACTIVATION_LEAKY_RELU:
        backward_all(ACTIVATION_LEAKY_RELU, dx, dy, y, n, spec->negative_slope);
        return;
    case ACTIVATION_ELU:
        backward_all(ACTIVATION_ELU, dx, dy, y, n, spec->alpha);
        return;
    case ACTIVATION_PRELU:
    case ACTIVATION_MAXOUT:
    case ACTIVATION_COUNT:
        break;
    }
    assert(!"an activation that is not elementwise");
}

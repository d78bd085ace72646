/* trainer/kernels/update.c - one step of each optimizer, and the two sums over all parameters.
 *
 * Plain loops, left to the compiler to vectorise.  The operations are those of PyTorch's
 * single-tensor implementation, in its order and in float32; the formulas are in trainer/optim.h. */
#include "trainer/kernels/isa.h"

#include <math.h>

void KERNEL(sgd)(float *restrict w, const float *restrict g, size_t n, float lr) {
    for (size_t i = 0; i < n; i++) {
        w[i] -= lr * g[i];
    }
}

void KERNEL(momentum)(float *restrict w, const float *restrict g, float *restrict v, size_t n,
                      float lr, float momentum, int nesterov) {
    if (nesterov) {
        for (size_t i = 0; i < n; i++) {
            v[i] = momentum * v[i] + g[i];
            w[i] -= lr * (g[i] + momentum * v[i]);
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            v[i] = momentum * v[i] + g[i];
            w[i] -= lr * v[i];
        }
    }
}

void KERNEL(adagrad)(float *restrict w, const float *restrict g, float *restrict s, size_t n,
                     float lr, float eps) {
    for (size_t i = 0; i < n; i++) {
        s[i] += g[i] * g[i];
        w[i] -= lr * g[i] / (sqrtf(s[i]) + eps);
    }
}

void KERNEL(rmsprop)(float *restrict w, const float *restrict g, float *restrict s, size_t n,
                     float lr, float alpha, float eps) {
    const float rest = 1.0f - alpha;
    for (size_t i = 0; i < n; i++) {
        s[i] = alpha * s[i] + rest * g[i] * g[i];
        w[i] -= lr * g[i] / (sqrtf(s[i]) + eps);
    }
}

void KERNEL(adam)(float *restrict w, const float *restrict g, float *restrict m, float *restrict s,
                  size_t n, float step_size, float beta1, float beta2, float bias_correction2_sqrt,
                  float eps) {
    const float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
    for (size_t i = 0; i < n; i++) {
        m[i] = beta1 * m[i] + rest1 * g[i];
        s[i] = beta2 * s[i] + rest2 * g[i] * g[i];
        w[i] -= step_size * m[i] / (sqrtf(s[i]) / bias_correction2_sqrt + eps);
    }
}

/* A square of a float32 is exact in double, and the lanes are the same for every instruction set: so
 * is the result, to the last bit. */
double KERNEL(sum_squares)(const float *x, size_t n) {
    enum { WIDTH = 16 };
    double lane[WIDTH] = {0};
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        for (int j = 0; j < WIDTH; j++) {
            lane[j] += (double)x[i + j] * (double)x[i + j];
        }
    }
    for (int j = 0; i < n; i++, j++) {
        lane[j] += (double)x[i] * (double)x[i];
    }
    for (int half = WIDTH / 2; half > 0; half /= 2) {
        for (int j = 0; j < half; j++) {
            lane[j] += lane[j + half];
        }
    }
    return lane[0];
}

void KERNEL(axpy)(float *restrict y, const float *restrict x, float a, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] += a * x[i];
    }
}

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

/* A loop of its own: the product with `share` would change the rounding of the plain rule. */
void KERNEL(momentum_damped)(float *restrict w, const float *restrict g, float *restrict v,
                             size_t n, float lr, float momentum, float share) {
    for (size_t i = 0; i < n; i++) {
        v[i] = momentum * v[i] + share * g[i];
        w[i] -= lr * v[i];
    }
}

void KERNEL(adamax)(float *restrict w, const float *restrict g, float *restrict m,
                    float *restrict u, size_t n, float step_size, float beta1, float beta2,
                    float eps) {
    const float rest1 = 1.0f - beta1;
    for (size_t i = 0; i < n; i++) {
        const float old = beta2 * u[i], new = fabsf(g[i]) + eps;
        m[i] = beta1 * m[i] + rest1 * g[i];
        u[i] = old > new ? old : new; // a NaN of g is taken
        w[i] -= step_size * m[i] / u[i];
    }
}

void KERNEL(nadam)(float *restrict w, const float *restrict g, float *restrict m, float *restrict s,
                   size_t n, float step_size_g, float step_size_m, float beta1, float beta2,
                   float bias_correction2, float eps) {
    const float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
    for (size_t i = 0; i < n; i++) {
        m[i] = beta1 * m[i] + rest1 * g[i];
        s[i] = beta2 * s[i] + rest2 * g[i] * g[i];
        const float divisor = sqrtf(s[i] / bias_correction2) + eps;
        w[i] -= (step_size_g * g[i] + step_size_m * m[i]) / divisor;
    }
}

void KERNEL(adadelta)(float *restrict w, const float *restrict g, float *restrict s,
                      float *restrict d, size_t n, float lr, float rho, float eps) {
    const float rest = 1.0f - rho;
    for (size_t i = 0; i < n; i++) {
        s[i] = rho * s[i] + rest * g[i] * g[i];
        const float delta = sqrtf(d[i] + eps) / sqrtf(s[i] + eps) * g[i];
        d[i] = rho * d[i] + rest * delta * delta;
        w[i] -= lr * delta;
    }
}

/* a times the sign of x; a NaN stays one. */
KERNEL_INLINE float with_sign(float a, float x) {
    return x > 0.0f ? a : x < 0.0f ? -a : x;
}

void KERNEL(lion)(float *restrict w, const float *restrict g, float *restrict m, size_t n, float lr,
                  float beta1, float beta2) {
    const float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
    for (size_t i = 0; i < n; i++) {
        w[i] -= with_sign(lr, beta1 * m[i] + rest1 * g[i]);
        m[i] = beta2 * m[i] + rest2 * g[i];
    }
}

/* decay * e + rest * w in the form that leaves an average of equal numbers alone. */
void KERNEL(ema)(float *restrict e, const float *restrict w, float rest, size_t n) {
    for (size_t i = 0; i < n; i++) {
        e[i] += rest * (w[i] - e[i]);
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

void KERNEL(scale)(float *y, float a, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] *= a;
    }
}

void KERNEL(clamp)(float *y, float limit, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float high = y[i] > limit ? limit : y[i];
        y[i] = high < -limit ? -limit : high;
    }
}

void KERNEL(add_sign)(float *restrict y, const float *restrict x, float a, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] += with_sign(a, x[i]);
    }
}

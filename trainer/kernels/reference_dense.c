/* trainer/kernels/reference_dense.c - see trainer/kernels/reference.h: dense layers. */
#include "trainer/kernels/reference.h"

void reference_dense_forward(double *y, const float *x, const float *w, const float *b,
                             const struct dense_shape *shape) {
    const size_t in = (size_t)shape->in, N = (size_t)shape->N;
    for (size_t o = 0; o < (size_t)shape->out; o++) {
        for (size_t n = 0; n < N; n++) {
            double sum = (double)b[o];
            for (size_t i = 0; i < in; i++) {
                sum += (double)w[o * in + i] * (double)x[i * N + n];
            }
            y[o * N + n] = sum;
        }
    }
}

void reference_dense_backward_data(double *dx, const float *dy, const float *w,
                                   const struct dense_shape *shape) {
    const size_t in = (size_t)shape->in, N = (size_t)shape->N;
    for (size_t i = 0; i < in; i++) {
        for (size_t n = 0; n < N; n++) {
            double sum = 0.0;
            for (size_t o = 0; o < (size_t)shape->out; o++) {
                sum += (double)w[o * in + i] * (double)dy[o * N + n];
            }
            dx[i * N + n] = sum;
        }
    }
}

void reference_dense_backward_weight(double *dw, const float *dy, const float *x,
                                     const struct dense_shape *shape) {
    const size_t in = (size_t)shape->in, N = (size_t)shape->N;
    for (size_t o = 0; o < (size_t)shape->out; o++) {
        for (size_t i = 0; i < in; i++) {
            double sum = 0.0;
            for (size_t n = 0; n < N; n++) {
                sum += (double)dy[o * N + n] * (double)x[i * N + n];
            }
            dw[o * in + i] = sum;
        }
    }
}

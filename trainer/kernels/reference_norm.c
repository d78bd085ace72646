/* trainer/kernels/reference_norm.c - batch normalization by its definition; see reference.h. */
#include "trainer/kernels/reference.h"

#include <stdbool.h>
#include <string.h>

static size_t len_of(const struct norm_shape *s) {
    return (size_t)s->C * s->pixels * (size_t)s->N;
}

/* Does value i of (C, pixels, N) belong to a sample, and to which channel? */
static bool is_sample(const struct norm_shape *s, size_t i) {
    return i % (size_t)s->N < (size_t)s->n;
}

static size_t channel_of(const struct norm_shape *s, size_t i) {
    return i / (s->pixels * (size_t)s->N);
}

void reference_batch_norm_moments(double *mean, double *var, const float *x,
                                  const struct norm_shape *s) {
    const double m = (double)s->pixels * s->n;
    memset(mean, 0, (size_t)s->C * sizeof *mean);
    memset(var, 0, (size_t)s->C * sizeof *var);
    for (size_t i = 0; i < len_of(s); i++) {
        mean[channel_of(s, i)] += is_sample(s, i) ? (double)x[i] / m : 0.0;
    }
    for (size_t i = 0; i < len_of(s); i++) {
        const double d = (double)x[i] - mean[channel_of(s, i)];
        var[channel_of(s, i)] += is_sample(s, i) ? d * d / m : 0.0;
    }
}

void reference_batch_norm_forward(double *y, const float *x, const double *mean,
                                  const double *invstd, const float *weight, const float *bias,
                                  const struct norm_shape *s) {
    for (size_t i = 0; i < len_of(s); i++) {
        const size_t c = channel_of(s, i);
        const double xh = ((double)x[i] - mean[c]) * invstd[c];
        y[i] = is_sample(s, i) ? xh * (double)weight[c] + (double)bias[c] : 0.0;
    }
}

void reference_batch_norm_backward(double *dx, double *dweight, double *dbias, const float *dy,
                                   const float *x, const double *mean, const double *invstd,
                                   const float *weight, const struct norm_shape *s) {
    const double m = (double)s->pixels * s->n;
    memset(dweight, 0, (size_t)s->C * sizeof *dweight);
    memset(dbias, 0, (size_t)s->C * sizeof *dbias);
    for (size_t i = 0; i < len_of(s); i++) {
        const size_t c = channel_of(s, i);
        const double xh = ((double)x[i] - mean[c]) * invstd[c];
        dbias[c] += is_sample(s, i) ? (double)dy[i] : 0.0;
        dweight[c] += is_sample(s, i) ? (double)dy[i] * xh : 0.0;
    }
    for (size_t i = 0; i < len_of(s); i++) {
        const size_t c = channel_of(s, i);
        const double xh = ((double)x[i] - mean[c]) * invstd[c];
        const double d = (double)dy[i] - dbias[c] / m - xh * dweight[c] / m;
        dx[i] = is_sample(s, i) ? (double)weight[c] * invstd[c] * d : 0.0;
    }
}

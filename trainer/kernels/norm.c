/* trainer/kernels/norm.c - batch normalization: each channel by its own mean and variance.
 *
 *     mean, var   of the m = pixels*n values of a channel          (Ioffe, Szegedy 2015)
 *     y  = weight (x - mean) invstd + bias          with xh = (x - mean) invstd,
 *     db = sum of dy                                dw = sum of dy xh
 *     dx = weight invstd (dy - db/m - xh dw/m)
 *
 * A channel is `pixels` rows of N columns, of which the first n are samples.  Columns past them are
 * left out of mean and variance, and come out as 0: in y, so that no chain of layers can blow up what
 * it finds there, and in dx, where - db/m alone would not be.
 *
 * Mean and variance are taken in two passes: the first, about a value of the channel, for the mean;
 * the second, about that mean, for the variance and for what the first pass got wrong (the corrected
 * two-pass algorithm: Chan, Golub, LeVeque 1983).  So a mean far from 0 costs no digits of the
 * variance.  Sums are float32 over a stretch and double over the stretches, as in rows.c. */
#include "trainer/kernels/isa.h"

enum { STRETCH = 64 }; // additions a lane

/* A sum of vectors: `part` is the stretch under way. */
struct sum {
    vec part;
    double total;
};

KERNEL_INLINE void sum_close(struct sum *sum) {
    sum->total += (double)vec_sum(sum->part);
    sum->part = vec_all(0.0f);
}

/* -1 in the lanes of samples, 0 in those past them, for the vector in which the batch ends. */
static ivec sample_lanes(const struct norm_shape *shape) {
    ivec mask = ivec_all(0);
    for (int i = 0; i < shape->n % LANES; i++) {
        mask[i] = -1;
    }
    return mask;
}

/* Sums of x - center and of its square over the samples of a channel. */
static void sums_about(double *sum, double *squares, const float *x, float center,
                       const struct norm_shape *shape) {
    const int whole = shape->n / LANES * LANES;
    const ivec mask = sample_lanes(shape);
    const vec zero = vec_all(0.0f), about = vec_all(center);
    struct sum first = {.part = zero}, second = {.part = zero};
    int held = 0;
    for (size_t p = 0; p < shape->pixels; p++) {
        for (int i = 0; i < shape->n; i += LANES) {
            vec d = vec_load(x + i) - about;
            if (i == whole) {
                d = vec_pick(mask, d, zero);
            }
            first.part += d;
            second.part += d * d;
            if (++held == STRETCH) {
                sum_close(&first);
                sum_close(&second);
                held = 0;
            }
        }
        x += shape->N;
    }
    sum_close(&first);
    sum_close(&second);
    *sum = first.total;
    *squares = second.total;
}

void KERNEL(batch_norm_moments)(double *mean, double *var, const float *x,
                                const struct norm_shape *shape) {
    const double m = (double)shape->pixels * shape->n;
    for (int c = 0; c < shape->C; c++) {
        double sum, squares;
        sums_about(&sum, &squares, x, x[0], shape);
        const float center = (float)((double)x[0] + sum / m);
        sums_about(&sum, &squares, x, center, shape);
        const double off = sum / m, variance = squares / m - off * off;
        mean[c] = (double)center + off;
        var[c] = variance < 0.0 ? 0.0 : variance; // a NaN stays one
        x += shape->pixels * (size_t)shape->N;
    }
}

void KERNEL(batch_norm_forward)(float *y, const float *x, const double *mean, const double *invstd,
                                const float *weight, const float *bias,
                                const struct norm_shape *shape) {
    const int whole = shape->n / LANES * LANES;
    const ivec mask = sample_lanes(shape);
    const vec zero = vec_all(0.0f);
    for (int c = 0; c < shape->C; c++) {
        const double slope = (double)weight[c] * invstd[c];
        const float middle = (float)mean[c]; // what it lacks of the mean is in the shift
        const vec center = vec_all(middle), scale = vec_all((float)slope);
        const vec shift = vec_all((float)((double)bias[c] - (mean[c] - (double)middle) * slope));
        for (size_t p = 0; p < shape->pixels; p++) {
            int i = 0;
            for (; i < whole; i += LANES) {
                vec_store(y + i, (vec_load(x + i) - center) * scale + shift);
            }
            if (i < shape->n) {
                const vec last = (vec_load(x + i) - center) * scale + shift;
                vec_store(y + i, vec_pick(mask, last, zero));
                i += LANES;
            }
            for (; i < shape->N; i += LANES) {
                vec_store(y + i, zero);
            }
            x += shape->N;
            y += shape->N;
        }
    }
}

/* Sums of dy and of dy (x - center) over a channel; dy is 0 past the samples. */
static void gradient_sums(double *plain, double *weighted, const float *dy, const float *x,
                          float center, size_t M) {
    const size_t part = (size_t)STRETCH * LANES;
    const vec zero = vec_all(0.0f), about = vec_all(center);
    struct sum first = {.part = zero}, second = {.part = zero};
    for (size_t from = 0; from < M;) {
        const size_t to = M - from < part ? M : from + part;
        for (; from < to; from += LANES) {
            const vec grad = vec_load(dy + from);
            first.part += grad;
            second.part += grad * (vec_load(x + from) - about);
        }
        sum_close(&first);
        sum_close(&second);
    }
    *plain = first.total;
    *weighted = second.total;
}

/* dx = scale (dy - less) + slope (x - center), 0 past the samples */
static void gradient_of_data(float *dx, const float *dy, const float *x, vec center, vec scale,
                             vec less, vec slope, const struct norm_shape *shape) {
    const int whole = shape->n / LANES * LANES;
    const ivec mask = sample_lanes(shape);
    for (size_t p = 0; p < shape->pixels; p++) {
        for (int i = 0; i < shape->N; i += LANES) {
            vec d = scale * (vec_load(dy + i) - less) + slope * (vec_load(x + i) - center);
            if (i >= whole) {
                d = i == whole ? vec_pick(mask, d, vec_all(0.0f)) : vec_all(0.0f);
            }
            vec_store(dx + i, d);
        }
        x += shape->N;
        dy += shape->N;
        dx += shape->N;
    }
}

void KERNEL(batch_norm_backward)(float *dx, float *dweight, float *dbias, const float *dy,
                                 const float *x, const double *mean, const double *invstd,
                                 const float *weight, const struct norm_shape *shape) {
    const size_t M = shape->pixels * (size_t)shape->N;
    const double m = (double)shape->pixels * shape->n;
    for (int c = 0; c < shape->C; c++) {
        const float center = (float)mean[c];
        const double rest = mean[c] - (double)center;
        double db, dw;
        gradient_sums(&db, &dw, dy, x, center, M);
        dw = (dw - rest * db) * invstd[c];
        dbias[c] = (float)db;
        dweight[c] = (float)dw;
        if (dx) {
            const double scale = (double)weight[c] * invstd[c], share = invstd[c] * dw / m;
            gradient_of_data(dx, dy, x, vec_all(center), vec_all((float)scale),
                             vec_all((float)(db / m - share * rest)),
                             vec_all((float)(-scale * share)), shape);
            dx += M;
        }
        dy += M;
        x += M;
    }
}

/* trainer/kernels/pool.c - maximum and mean over square windows, without padding.
 *
 *     y[c,p,q,:] = max or mean over i, j < kernel of x[c, p*stride + i, q*stride + j, :]
 *
 * with vectors over the batch.  Both gradients visit the windows in the same order and give each
 * pixel its share.  Windows that do not overlap write a pixel once: then it is stored, not added to,
 * which halves the traffic, and dx is cleared first only where the windows leave pixels out.
 *
 * The mean over all pixels of a channel is a kernel of its own (global average pooling: Lin, Chen,
 * Yan 2014): a window of any size, added up by stretches of 64 pixels, so that the rounding error
 * stays small. */
#include "trainer/kernels/isa.h"

#include <stdbool.h>
#include <string.h>

/* How the pixels of a window lie in memory, in floats. */
struct windows {
    ptrdiff_t row;  // from a pixel to the one below
    ptrdiff_t step; // from a pixel to the one beside it
    int kernel;
};

static struct windows windows_of(const struct pool_shape *s) {
    return (struct windows){.row = s->W * (ptrdiff_t)s->N, .step = s->N, .kernel = s->kernel};
}

static ptrdiff_t pixel_at(const struct pool_shape *s, int c, int p, int q) {
    return ((c * (ptrdiff_t)s->H + p * s->stride) * s->W + q * s->stride) * s->N;
}

/* A NaN wins, as in PyTorch, and the last of several does. */
KERNEL_INLINE void window_max(float *y, uint8_t *arg, const float *x, struct windows w) {
    for (ptrdiff_t n = 0; n < w.step; n += LANES) {
        vec best = vec_load(x + n);
        ivec winner = ivec_all(0);
        for (int i = 0; i < w.kernel; i++) {
            for (int j = i == 0; j < w.kernel; j++) {
                const vec value = vec_load(x + i * w.row + j * w.step + n);
                const ivec wins = (value > best) | (value != value);
                best = vec_pick(wins, value, best);
                winner = ivec_pick(wins, ivec_all(i * w.kernel + j), winner);
            }
        }
        vec_store(y + n, best);
        if (arg) {
            ivec_store_bytes(arg + n, winner);
        }
    }
}

/* A row of windows; the usual ones of 2x2 with a loop of their own. */
static void row_max(float *y, uint8_t *arg, const float *x, struct windows w, int count,
                    ptrdiff_t stride) {
    const struct windows two = {.row = w.row, .step = w.step, .kernel = 2};
    for (int q = 0; q < count; q++, x += stride, y += w.step) {
        if (w.kernel != 2) {
            window_max(y, arg ? arg + q * w.step : NULL, x, w);
        } else if (arg) {
            window_max(y, arg + q * w.step, x, two);
        } else {
            window_max(y, NULL, x, two);
        }
    }
}

void KERNEL(maxpool_forward)(float *y, uint8_t *arg, const float *x, const struct pool_shape *s) {
    const struct windows windows = windows_of(s);
    const ptrdiff_t row = s->Q * (ptrdiff_t)s->N;
    for (int c = 0; c < s->C; c++) {
        for (int p = 0; p < s->P; p++) {
            row_max(y, arg, x + pixel_at(s, c, p, 0), windows, s->Q, s->stride * windows.step);
            y += row;
            arg = arg ? arg + row : NULL;
        }
    }
}

static void window_mean(float *y, const float *x, struct windows w) {
    const vec count = vec_all((float)(w.kernel * w.kernel));
    for (ptrdiff_t n = 0; n < w.step; n += LANES) {
        vec sum = vec_all(0.0f);
        for (int i = 0; i < w.kernel; i++) {
            for (int j = 0; j < w.kernel; j++) {
                sum += vec_load(x + i * w.row + j * w.step + n);
            }
        }
        vec_store(y + n, sum / count);
    }
}

void KERNEL(avgpool_forward)(float *y, const float *x, const struct pool_shape *s) {
    const struct windows windows = windows_of(s);
    for (int c = 0; c < s->C; c++) {
        for (int p = 0; p < s->P; p++) {
            for (int q = 0; q < s->Q; q++) {
                window_mean(y, x + pixel_at(s, c, p, q), windows);
                y += s->N;
            }
        }
    }
}

/* dx of one window; `arg` NULL is the mean's. */
KERNEL_INLINE void window_share(float *dx, const float *dy, const uint8_t *arg, struct windows w,
                                bool add) {
    const vec count = vec_all((float)(w.kernel * w.kernel));
    for (ptrdiff_t n = 0; n < w.step; n += LANES) {
        vec grad = vec_load(dy + n);
        ivec winner = ivec_all(0);
        if (arg) {
            winner = ivec_load_bytes(arg + n);
        } else {
            grad /= count;
        }
        for (int i = 0; i < w.kernel; i++) {
            for (int j = 0; j < w.kernel; j++) {
                float *to = dx + i * w.row + j * w.step + n;
                vec share = grad;
                if (arg) {
                    share = vec_pick(winner == ivec_all(i * w.kernel + j), grad, vec_all(0.0f));
                }
                if (add) {
                    share += vec_load(to);
                }
                vec_store(to, share);
            }
        }
    }
}

static void pool_backward(float *dx, const float *dy, const uint8_t *arg,
                          const struct pool_shape *s) {
    const struct windows windows = windows_of(s);
    const struct windows two = {.row = windows.row, .step = windows.step, .kernel = 2};
    const bool overlap = s->stride < s->kernel;
    const bool covered =
        s->stride == s->kernel && s->P * s->stride == s->H && s->Q * s->stride == s->W;
    if (!covered) {
        memset(dx, 0, (size_t)s->C * (size_t)s->H * (size_t)s->W * (size_t)s->N * sizeof *dx);
    }
    for (int c = 0; c < s->C; c++) {
        for (int p = 0; p < s->P; p++) {
            for (int q = 0; q < s->Q; q++) {
                float *window = dx + pixel_at(s, c, p, q);
                if (overlap) {
                    window_share(window, dy, arg, windows, true);
                } else if (s->kernel != 2) {
                    window_share(window, dy, arg, windows, false);
                } else if (arg) {
                    window_share(window, dy, arg, two, false);
                } else {
                    window_share(window, dy, NULL, two, false);
                }
                dy += s->N;
                arg = arg ? arg + s->N : NULL;
            }
        }
    }
}

void KERNEL(maxpool_backward)(float *dx, const float *dy, const uint8_t *arg,
                              const struct pool_shape *s) {
    pool_backward(dx, dy, arg, s);
}

void KERNEL(avgpool_backward)(float *dx, const float *dy, const struct pool_shape *s) {
    pool_backward(dx, dy, NULL, s);
}

void KERNEL(globalavgpool_forward)(float *y, const float *x, int C, size_t pixels, int N) {
    enum { STRETCH = 64 };
    const vec count = vec_all((float)pixels);
    for (int c = 0; c < C; c++) {
        for (int n = 0; n < N; n += LANES) {
            vec total = vec_all(0.0f);
            for (size_t from = 0; from < pixels; from += STRETCH) {
                const size_t to = pixels - from < STRETCH ? pixels : from + STRETCH;
                vec sum = vec_all(0.0f);
                for (size_t p = from; p < to; p++) {
                    sum += vec_load(x + p * (size_t)N + n);
                }
                total += sum;
            }
            vec_store(y + n, total / count);
        }
        x += pixels * (size_t)N;
        y += N;
    }
}

void KERNEL(globalavgpool_backward)(float *dx, const float *dy, int C, size_t pixels, int N) {
    const vec count = vec_all((float)pixels);
    for (int c = 0; c < C; c++) {
        for (size_t p = 0; p < pixels; p++) {
            for (int n = 0; n < N; n += LANES) {
                vec_store(dx + n, vec_load(dy + n) / count);
            }
            dx += N;
        }
        dy += N;
    }
}

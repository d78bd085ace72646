/* tests/unit/trainer/test_kernels_conv2d.h - what the tests of each method of convolution share: shapes, lengths, and the
 * properties that every method has. */
#ifndef TESTS_UNIT_TRAINER_TEST_KERNELS_CONV2D_H
#define TESTS_UNIT_TRAINER_TEST_KERNELS_CONV2D_H

#include "tests/unit/trainer/test_kernels_common.h"

#include <stdio.h>

static inline struct conv2d_shape conv2d_shape_of(enum conv2d_method method, int N, int C, int H,
                                                  int W, int K, int R, int S, int stride, int pad) {
    return (struct conv2d_shape){.N = N,
                                 .C = C,
                                 .H = H,
                                 .W = W,
                                 .K = K,
                                 .R = R,
                                 .S = S,
                                 .stride = stride,
                                 .pad = pad,
                                 .P = (H + 2 * pad - R) / stride + 1,
                                 .Q = (W + 2 * pad - S) / stride + 1,
                                 .method = method};
}

static inline size_t x_len(const struct conv2d_shape *s) {
    return (size_t)s->C * s->H * s->W * s->N;
}

static inline size_t y_len(const struct conv2d_shape *s) {
    return (size_t)s->K * s->P * s->Q * s->N;
}

static inline size_t w_len(const struct conv2d_shape *s) {
    return (size_t)s->K * s->C * s->R * s->S;
}

static inline void describe(char text[128], const char *what, const struct conv2d_shape *s) {
    (void)snprintf(text, 128, "%s N%d C%d %dx%d K%d %dx%d stride %d pad %d", what, s->N, s->C, s->H,
                   s->W, s->K, s->R, s->S, s->stride, s->pad); // cut off if it must be
}

/* What an output does not see has no part in it: a NaN makes NaN of those that see it alone, and an output that
 * sees nothing but 0 is its bias, to the bit, whatever lies beside it.  For images that keep their size; every
 * place of a pixel is tried, so all in a tile, and at the borders. */
static inline void check_outputs_see_their_pixels(const struct conv2d_shape *s) {
    const int H = s->H, W = s->W, N = s->N, channel = 2, sample = 7;
    uint64_t random = 3;
    float *w = random_floats(&random, w_len(s), 1.0f);
    float *b = random_floats(&random, (size_t)s->K, 1.0f);
    assert_true(s->P == H && s->Q == W && s->stride == 1);

    for (int at = 0; at < H * W; at++) {
        const int row = at / W, column = at % W;
        float *x = mem_aligned(x_len(s), sizeof *x);
        x[((channel * H + row) * W + column) * N + sample] = at % 2 == 0 ? NAN : 1.25f;
        EACH_SET(set) {
            float *y = poison_floats(y_len(s)), *scratch = poison_floats(conv2d_scratch_len(s));
            set->conv2d_forward(y, x, w, b, scratch, s);
            for (int i = 0; i < (int)y_len(s); i++) {
                const int n = i % N, q = i / N % W, p = i / N / W % H, k = i / N / W / H;
                const bool sees =
                    n == sample && abs(p - row) <= s->pad && abs(q - column) <= s->pad;
                assert_true(sees ? isnan(y[i]) == (at % 2 == 0) : y[i] == b[k]);
            }
            free(y);
            free(scratch);
        }
        free(x);
    }
    free(w);
    free(b);
}

/* A sample gives the same bits, forward and in the gradient of the data, in a batch five times as large. */
static inline void check_bits_in_a_larger_batch(const struct conv2d_shape *small) {
    const size_t N = (size_t)small->N, times = 5;
    struct conv2d_shape large = *small;
    large.N *= (int)times;
    const size_t x_pixels = x_len(small) / N, y_pixels = y_len(small) / N;
    uint64_t random = 5;
    float *x = random_floats(&random, x_len(small), 1.0f);
    float *dy = random_floats(&random, y_len(small), 1.0f);
    float *x_large = batch_repeat(x, x_pixels, N, times);
    float *dy_large = batch_repeat(dy, y_pixels, N, times);
    float *w = random_floats(&random, w_len(small), 1.0f);
    float *b = random_floats(&random, (size_t)small->K, 1.0f);

    EACH_SET(set) {
        float *dx = poison_floats(x_len(small)), *dx_large = poison_floats(x_len(&large));
        float *y = poison_floats(y_len(small)), *y_large = poison_floats(y_len(&large));
        float *scratch = poison_floats(conv2d_scratch_len(&large));
        set->conv2d_forward(y, x, w, b, scratch, small);
        set->conv2d_forward(y_large, x_large, w, b, scratch, &large);
        set->conv2d_backward_data(dx, dy, w, scratch, small);
        set->conv2d_backward_data(dx_large, dy_large, w, scratch, &large);
        float *dx_repeated = batch_repeat(dx, x_pixels, N, times);
        float *y_repeated = batch_repeat(y, y_pixels, N, times);
        assert_memory_equal(dx_large, dx_repeated, x_len(&large) * sizeof *dx_repeated);
        assert_memory_equal(y_large, y_repeated, y_len(&large) * sizeof *y_repeated);
        free(dx);
        free(dx_large);
        free(dx_repeated);
        free(y);
        free(y_large);
        free(y_repeated);
        free(scratch);
    }
    free(x);
    free(dy);
    free(x_large);
    free(dy_large);
    free(w);
    free(b);
}

#endif

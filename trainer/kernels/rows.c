/* trainer/kernels/rows.c - what has a parameter a row or channel: bias, prelu; maxout, and a sum.
 *
 * A row is all values of a channel, M = H*W*N of them, a multiple of 16.
 *
 *     bias     y = x + b[c]                            db[c] = sum of dy
 *     prelu    y = x, or slope[c]*x below 0            dx = dy, or slope[c]*dy for x <= 0
 *              (He et al. 2015)                        dslope[c] = sum over x <= 0 of x*dy
 *     maxout   y[c] = max over j of x[c*pieces + j]    dx = dy for the piece that won, else 0
 *              (Goodfellow et al. 2013)
 *
 * The sums over a row are long.  A stretch of it is added up in float32, and the stretches in
 * double: the rounding error stays that of a stretch, whatever the length, at next to no cost. */
#include "trainer/kernels/isa.h"

enum { STRETCH = 64 * LANES }; // 64 additions a lane

static size_t stretch_end(size_t from, size_t M) {
    return M - from < STRETCH ? M : from + STRETCH;
}

void KERNEL(bias_add)(float *x, const float *b, int rows, size_t M) {
    for (int row = 0; row < rows; row++) {
        const vec bias = vec_all(b[row]);
        for (size_t i = 0; i < M; i += LANES) {
            vec_store(x + i, vec_load(x + i) + bias);
        }
        x += M;
    }
}

static float row_sum(const float *x, size_t M) {
    double total = 0.0;
    for (size_t from = 0; from < M; from = stretch_end(from, M)) {
        const size_t to = stretch_end(from, M);
        vec sum[4] = {{0}};
        vec_add_up(sum, x + from, (ptrdiff_t)(to - from));
        total += (double)vec_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
    return (float)total;
}

void KERNEL(bias_grad)(float *db, const float *dy, int rows, size_t M) {
    for (int row = 0; row < rows; row++) {
        db[row] = row_sum(dy + (size_t)row * M, M);
    }
}

void KERNEL(prelu_forward)(float *y, const float *x, const float *slope, int C, size_t M) {
    const vec zero = vec_all(0.0f);
    for (int c = 0; c < C; c++) {
        const vec below = vec_all(slope[c]);
        for (size_t i = 0; i < M; i += LANES) {
            const vec value = vec_load(x + i);
            vec_store(y + i, vec_pick(value > zero, value, below * value));
        }
        x += M;
        y += M;
    }
}

static float prelu_backward_row(float *dx, const float *dy, const float *x, float slope, size_t M) {
    const vec zero = vec_all(0.0f), below = vec_all(slope);
    double total = 0.0;
    for (size_t from = 0; from < M; from = stretch_end(from, M)) {
        const size_t to = stretch_end(from, M);
        vec sum = zero;
        for (size_t i = from; i < to; i += LANES) {
            const vec value = vec_load(x + i), grad = vec_load(dy + i);
            const ivec above = value > zero;
            sum += vec_pick(above, zero, value * grad);
            vec_store(dx + i, vec_pick(above, grad, below * grad));
        }
        total += (double)vec_sum(sum);
    }
    return (float)total;
}

void KERNEL(prelu_backward)(float *dx, float *dslope, const float *dy, const float *x,
                            const float *slope, int C, size_t M) {
    for (int c = 0; c < C; c++) {
        const size_t at = (size_t)c * M;
        dslope[c] = prelu_backward_row(dx + at, dy + at, x + at, slope[c], M);
    }
}

/* A NaN wins, as in maxpool. */
void KERNEL(maxout_forward)(float *y, uint8_t *arg, const float *x, int C, int pieces, size_t M) {
    for (int c = 0; c < C; c++) {
        for (size_t i = 0; i < M; i += LANES) {
            vec best = vec_load(x + i);
            ivec winner = ivec_all(0);
            for (int j = 1; j < pieces; j++) {
                const vec value = vec_load(x + (size_t)j * M + i);
                const ivec wins = (value > best) | (value != value);
                best = vec_pick(wins, value, best);
                winner = (wins & ivec_all(j)) | (~wins & winner);
            }
            vec_store(y + i, best);
            ivec_store_bytes(arg + i, winner);
        }
        x += (size_t)pieces * M;
        y += M;
        arg += M;
    }
}

void KERNEL(maxout_backward)(float *dx, const float *dy, const uint8_t *arg, int C, int pieces,
                             size_t M) {
    const vec zero = vec_all(0.0f);
    for (int c = 0; c < C; c++) {
        for (int j = 0; j < pieces; j++) {
            for (size_t i = 0; i < M; i += LANES) {
                const ivec winner = ivec_load_bytes(arg + i);
                vec_store(dx + i, vec_pick(winner == ivec_all(j), vec_load(dy + i), zero));
            }
            dx += M;
        }
        dy += M;
        arg += M;
    }
}

void KERNEL(add)(float *y, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i += LANES) {
        vec_store(y + i, vec_load(a + i) + vec_load(b + i));
    }
}

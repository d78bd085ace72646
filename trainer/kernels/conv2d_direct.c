/* trainer/kernels/conv2d_direct.c - convolution and the gradient of its input, without im2col.
 *
 * Both are one thing, a sum over the taps that an output sees:
 *
 *     y[k,p,q,:] = b[k] + sum over c and taps (r,s) of w[k,c,r,s] * x[c, h(p,r), v(q,s), :]
 *
 * where `:` runs over the batch, in vectors.  Forward, h = p*stride + r - pad.  For the gradient the
 * roles of input and output are exchanged and h = (p + pad - r) / stride, for the r that divide.
 * Along either axis the taps that lie inside the image are a first one and a constant step, both in
 * the weights and in the image: struct axis_taps.  So no loop asks whether a pixel exists.
 *
 * Blocks, from the outside in:
 *     output row p
 *       run of columns q with the same taps of w    (borders: one column; inside: all the others,
 *         block of K, weights packed (c,r,s,k)       contiguous in memory when the stride is 1)
 *           tile of 2 vectors x the K block, in registers
 *             c, r, s: load 2 vectors of x, broadcast each weight
 *
 * The order of every sum is (c, r, s), whatever the blocks. */
#include "trainer/kernels/conv2d.h"
#include "trainer/kernels/conv2d_methods.h"

#include <stdbool.h>

enum {
    BLOCK = KERNEL_BLOCK,
    TILE = 2,
};
_Static_assert((int)BLOCK <= (int)CONV2D_BLOCK_MAX, "a block fits the scratch");

/* The problem, as forward or as gradient. */
struct conv {
    int N, C, H, W; // of x, what is read
    int K, P, Q;    // of y, what is written
    int R, S, stride, pad;
    bool transposed; // the gradient
};

/* The taps along one axis that an output sees: weight w0 + i*step over pixel x0 +- i. */
struct axis_taps {
    int w0, x0, count;
};

static struct axis_taps taps_at(const struct conv *conv, int out, int in_len, int filter_len) {
    if (!conv->transposed) {
        const int first = out * conv->stride - conv->pad;
        const int w0 = int_max(0, -first);
        return (struct axis_taps){w0, first + w0,
                                  int_max(0, int_min(filter_len, in_len - first) - w0)};
    }
    int x0 = (out + conv->pad) / conv->stride;
    int w0 = (out + conv->pad) % conv->stride;
    const int beyond = int_max(0, x0 - (in_len - 1));
    x0 -= beyond;
    w0 += beyond * conv->stride;
    const int left = int_max(0, split_parts(filter_len - w0, conv->stride));
    return (struct axis_taps){w0, x0, int_min(left, x0 + 1)};
}

/* What a tile reads: strides in floats. */
struct tile {
    int C, R, S;             // taps
    ptrdiff_t x_c, x_r, x_s; // from tap to tap in x
    ptrdiff_t w_c, w_r, w_s; // and in the packed weights
    ptrdiff_t y_k;           // from output channel to output channel
};

/* y[k][0 .. vecs*LANES) for the k of a block */
KERNEL_INLINE void tile_sum(int block, int vecs, float *y, const float *x, const float *w,
                            const float *b, const struct tile *t) {
    vec sum[BLOCK][TILE];
    for (int k = 0; k < block; k++) {
        for (int v = 0; v < vecs; v++) {
            sum[k][v] = vec_all(b ? b[k] : 0.0f);
        }
    }
    for (int c = 0; c < t->C; c++) {
        for (int r = 0; r < t->R; r++) {
            const float *x_at = x + c * t->x_c + r * t->x_r;
            const float *w_at = w + c * t->w_c + r * t->w_r;
            for (int s = 0; s < t->S; s++) {
                vec pixel[TILE];
                for (int v = 0; v < vecs; v++) {
                    pixel[v] = vec_load(x_at + v * LANES);
                }
                for (int k = 0; k < block; k++) {
                    for (int v = 0; v < vecs; v++) {
                        sum[k][v] += w_at[k] * pixel[v];
                    }
                }
                x_at += t->x_s;
                w_at += t->w_s;
            }
        }
    }
    for (int k = 0; k < block; k++) {
        for (int v = 0; v < vecs; v++) {
            vec_store(y + k * t->y_k + v * LANES, sum[k][v]);
        }
    }
}

/* y[k][0 .. len), len a multiple of LANES, in tiles of 2 vectors and perhaps one of 1. */
typedef void span_fn(float *y, const float *x, const float *w, const float *b, const struct tile *t,
                     ptrdiff_t len);

#define X(block)                                                                                   \
    static void span_##block(float *y, const float *x, const float *w, const float *b,             \
                             const struct tile *t, ptrdiff_t len) {                                \
        ptrdiff_t i = 0;                                                                           \
        for (; i + TILE * LANES <= len; i += TILE * LANES) {                                       \
            tile_sum(block, TILE, y + i, x + i, w, b, t);                                          \
        }                                                                                          \
        for (; i < len; i += LANES) {                                                              \
            tile_sum(block, 1, y + i, x + i, w, b, t);                                             \
        }                                                                                          \
    }
KERNEL_BLOCKS(X)
#undef X

#define X(block) [block] = span_##block,
static span_fn *const spans[BLOCK + 1] = {KERNEL_BLOCKS(X)};
#undef X

/* w (K,C,R,S), or (C,K,R,S) for the gradient, to (C,R,S,k) for one block of K after the other */
static void pack(float *packed, const float *w, const struct conv *conv) {
    const size_t area = (size_t)conv->R * (size_t)conv->S;
    const size_t w_k = conv->transposed ? area : (size_t)conv->C * area;
    const size_t w_c = conv->transposed ? (size_t)conv->K * area : area;
    const int blocks = split_parts(conv->K, BLOCK);

    for (int i = 0; i < blocks; i++) {
        const int k0 = split_start(conv->K, blocks, i), k1 = split_start(conv->K, blocks, i + 1);
        for (int c = 0; c < conv->C; c++) {
            for (size_t rs = 0; rs < area; rs++) {
                for (int k = k0; k < k1; k++) {
                    *packed++ = w[(size_t)k * w_k + (size_t)c * w_c + rs];
                }
            }
        }
    }
}

/* The columns [q, q + columns) of row p, which see the same taps of w. */
static void run(float *y, const float *x, const float *packed, const float *b,
                const struct conv *conv, int p, int q, int columns, struct axis_taps row,
                struct axis_taps column) {
    const ptrdiff_t N = conv->N, area = conv->R * conv->S;
    const int direction = conv->transposed ? -1 : 1;
    const int step = conv->transposed ? conv->stride : 1;
    const int blocks = split_parts(conv->K, BLOCK);
    struct tile tile = {
        .C = conv->C,
        .R = row.count,
        .S = column.count,
        .x_c = conv->H * conv->W * N,
        .x_r = direction * conv->W * N,
        .x_s = direction * N,
        .y_k = conv->P * conv->Q * N,
    };
    x += (row.x0 * (ptrdiff_t)conv->W + column.x0) * N;
    y += (p * (ptrdiff_t)conv->Q + q) * N;

    for (int i = 0; i < blocks; i++) {
        const int k0 = split_start(conv->K, blocks, i);
        const int block = split_start(conv->K, blocks, i + 1) - k0;
        const float *w = packed + k0 * conv->C * area;
        tile.w_s = step * block;
        tile.w_r = step * conv->S * block;
        tile.w_c = area * block;
        spans[block](y + k0 * tile.y_k, x, w + (row.w0 * conv->S + column.w0) * block,
                     b ? b + k0 : NULL, &tile, columns * N);
    }
}

static void convolve(float *y, const float *x, const float *w, const float *b, float *scratch,
                     const struct conv *conv) {
    pack(scratch, w, conv);
    for (int p = 0; p < conv->P; p++) {
        const struct axis_taps row = taps_at(conv, p, conv->H, conv->R);
        for (int q = 0; q < conv->Q;) {
            const struct axis_taps column = taps_at(conv, q, conv->W, conv->S);
            int columns = 1;
            for (; q + columns < conv->Q; columns++) {
                const struct axis_taps next = taps_at(conv, q + columns, conv->W, conv->S);
                if (next.w0 != column.w0 || next.count != column.count ||
                    next.x0 != column.x0 + columns) {
                    break;
                }
            }
            run(y, x, scratch, b, conv, p, q, columns, row, column);
            q += columns;
        }
    }
}

void KERNEL(direct_forward)(float *y, const float *x, const float *w, const float *b,
                            float *scratch, const struct conv2d_shape *shape) {
    const struct conv conv = {.N = shape->N,
                              .C = shape->C,
                              .H = shape->H,
                              .W = shape->W,
                              .K = shape->K,
                              .P = shape->P,
                              .Q = shape->Q,
                              .R = shape->R,
                              .S = shape->S,
                              .stride = shape->stride,
                              .pad = shape->pad};
    convolve(y, x, w, b, scratch, &conv);
}

void KERNEL(direct_backward_data)(float *dx, const float *dy, const float *w, float *scratch,
                                  const struct conv2d_shape *shape) {
    const struct conv conv = {.N = shape->N,
                              .C = shape->K,
                              .H = shape->P,
                              .W = shape->Q,
                              .K = shape->C,
                              .P = shape->H,
                              .Q = shape->W,
                              .R = shape->R,
                              .S = shape->S,
                              .stride = shape->stride,
                              .pad = shape->pad,
                              .transposed = true};
    convolve(dx, dy, w, NULL, scratch, &conv);
}

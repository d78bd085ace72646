/* trainer/kernels/dense.c - products with weights, which are read where they lie.
 *
 *     y = w x + b            dx = w^T dy            dw = dy x^T
 *
 * All three are sums over k of a[j,k] * b[k, 0 .. PANEL): an element of `a` is broadcast against the vectors
 * of a row of `b`, for a block of j whose sums stay in registers.
 *
 *              a[j,k]        b[k,.]                           a vector is along    k
 *     y        w[o,i]        x[i,n]                           samples              inputs
 *     dx       w[o,i]        dy[o,n]                          samples              outputs
 *     dw       dy[o,n]       x[i,n], turned around first      inputs               samples
 *
 * A library of matrix products first copies both operands into the order that it reads them in, the weights
 * too, which is a third of the time where there are only a few samples to multiply them by.  Here they are
 * read in place.  That a row is read on the processor foresees; what the next block reads of w is asked
 * for while this one is computed.
 *
 * Order of sums: one term after the other, from the bias on, whatever N.  Error: at most (terms + 1) 2^-24 times the
 * sum of the absolute terms. */
#include "trainer/kernels/conv2d.h"
#include "trainer/kernels/isa.h"

#include <stdbool.h>
#include <string.h>

enum {
    VECS = 2,
    PANEL = VECS * LANES, // columns that are computed at once
    LINE = 16,            // floats of a cache line
    /* Rows of w that are gone through before the next block of columns of dx: of the line that a block
     * reads of a row, the next blocks read the rest, and find it in the first cache. */
    STRETCH = REGISTERS == 32 ? 128 : 64,
    COPY_BLOCKS = 4, // that read a panel, for which it is worth a copy
};

/* c[j] += the sum over k < depth of a[j*a_j + k*a_k] * b[k], rows of b being b_k floats apart.  Asks for
 * ahead[k*ahead_k], unless that is NULL: a hint, which may lie outside.  `rows` and `vecs` are constants
 * wherever it is inlined. */
KERNEL_INLINE void block_add(vec c[KERNEL_BLOCK][VECS], int rows, int vecs, const float *a,
                             ptrdiff_t a_j, ptrdiff_t a_k, const float *b, ptrdiff_t b_k, int depth,
                             const float *ahead, ptrdiff_t ahead_k) {
    for (int k = 0; k < depth; k++) {
        vec at[VECS];
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) {
            at[v] = vec_kept(vec_load(b + v * LANES));
        }
        if (ahead) {
            __builtin_prefetch(ahead);
            ahead += ahead_k;
        }
#pragma GCC unroll 8
        for (int j = 0; j < rows; j++) {
            const vec factor = vec_all(a[j * a_j]);
#pragma GCC unroll 2
            for (int v = 0; v < vecs; v++) {
                c[j][v] += factor * at[v];
            }
        }
        a += a_k;
        b += b_k;
    }
}

/* ---- y = w x + b ---- */

/* A block of y, N floats from row to row; of x they are x_i apart. */
KERNEL_INLINE void forward_block(int rows, int vecs, float *y, const float *x, const float *w,
                                 const float *bias, int in, ptrdiff_t N, ptrdiff_t x_i) {
    vec c[KERNEL_BLOCK][VECS];
#pragma GCC unroll 8
    for (int j = 0; j < rows; j++) {
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) {
            c[j][v] = vec_all(bias[j]);
        }
    }
    block_add(c, rows, vecs, w, in, 1, x, x_i, in, w + (ptrdiff_t)rows * in, rows);
#pragma GCC unroll 8
    for (int j = 0; j < rows; j++) {
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) {
            vec_store(y + j * N + v * LANES, c[j][v]);
        }
    }
}

typedef void forward_fn(float *y, const float *x, const float *w, const float *bias, int in,
                        ptrdiff_t N, ptrdiff_t x_i);

/* ---- dx = w^T dy ---- */

/* Adds the terms of a stretch to a block of dx, N floats from row to row, or makes it them; rows of dy are
 * y_o apart. */
KERNEL_INLINE void data_block(int rows, int vecs, float *dx, const float *dy, const float *w,
                              int in, int depth, ptrdiff_t N, ptrdiff_t y_o, bool first) {
    vec c[KERNEL_BLOCK][VECS];
#pragma GCC unroll 8
    for (int j = 0; j < rows; j++) {
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) {
            c[j][v] = first ? vec_all(0.0f) : vec_load(dx + j * N + v * LANES);
        }
    }
    block_add(c, rows, vecs, w, 1, in, dy, y_o, depth, w + LINE, in);
#pragma GCC unroll 8
    for (int j = 0; j < rows; j++) {
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) {
            vec_store(dx + j * N + v * LANES, c[j][v]);
        }
    }
}

typedef void data_fn(float *dx, const float *dy, const float *w, int in, int depth, ptrdiff_t N,
                     ptrdiff_t y_o, bool first);

/* ---- dw = dy x^T ---- */

/* A block of dw, `in` floats from row to row, of the columns of a panel of x. */
KERNEL_INLINE void weight_block(int rows, float *dw, const float *dy, const float *panel, int in,
                                int width, int N) {
    vec c[KERNEL_BLOCK][VECS];
#pragma GCC unroll 8
    for (int j = 0; j < rows; j++) {
        for (int v = 0; v < VECS; v++) {
            c[j][v] = vec_all(0.0f);
            __builtin_prefetch(dw + j * (ptrdiff_t)in + v * LANES, 1);
        }
    }
    block_add(c, rows, VECS, dy, N, 1, panel, PANEL, N, NULL, 0);
#pragma GCC unroll 8
    for (int j = 0; j < rows; j++) {
        float *row = dw + j * (ptrdiff_t)in;
        if (width == PANEL) {
            vec_store_any(row, c[j][0]);
            vec_store_any(row + LANES, c[j][1]);
        } else {
            float whole[PANEL] __attribute__((aligned(64)));
            vec_store(whole, c[j][0]);
            vec_store(whole + LANES, c[j][1]);
            memcpy(row, whole, (size_t)width * sizeof *row);
        }
    }
}

typedef void weight_fn(float *dw, const float *dy, const float *panel, int in, int width, int N);

/* panel[n][i] = x[i][n] for at most PANEL rows of x; 0 past them. */
static void panel_turn(float *panel, const float *x, int rows, int N) {
    for (int i = 0; i < PANEL; i += LANES) {
        for (int n = 0; n < N; n += LANES) {
            vec lines[LANES];
#pragma GCC unroll 16
            for (int l = 0; l < LANES; l++) {
                lines[l] = i + l < rows ? vec_load(x + (i + l) * (ptrdiff_t)N + n) : vec_all(0.0f);
            }
            vec_transpose(lines);
#pragma GCC unroll 16
            for (int l = 0; l < LANES; l++) {
                vec_store(panel + (ptrdiff_t)(n + l) * PANEL + i, lines[l]);
            }
        }
    }
}

/* Columns of a matrix of N, beside each other: where N is a power of two, they would share a few sets of
 * the first cache. */
static void panel_copy(float *panel, const float *x, int rows, int vecs, ptrdiff_t N) {
    for (int k = 0; k < rows; k++) {
        for (int v = 0; v < vecs; v++) {
            vec_store(panel + v * LANES, vec_load(x + v * LANES));
        }
        panel += vecs * LANES;
        x += N;
    }
}

/* ---- blocks of each size, and the loops over them ---- */

#define X(rows)                                                                                    \
    static void forward_##rows##_1(float *y, const float *x, const float *w, const float *bias,    \
                                   int in, ptrdiff_t N, ptrdiff_t x_i) {                           \
        forward_block(rows, 1, y, x, w, bias, in, N, x_i);                                         \
    }                                                                                              \
    static void forward_##rows##_2(float *y, const float *x, const float *w, const float *bias,    \
                                   int in, ptrdiff_t N, ptrdiff_t x_i) {                           \
        forward_block(rows, 2, y, x, w, bias, in, N, x_i);                                         \
    }                                                                                              \
    static void data_##rows##_1(float *dx, const float *dy, const float *w, int in, int depth,     \
                                ptrdiff_t N, ptrdiff_t y_o, bool first) {                          \
        data_block(rows, 1, dx, dy, w, in, depth, N, y_o, first);                                  \
    }                                                                                              \
    static void data_##rows##_2(float *dx, const float *dy, const float *w, int in, int depth,     \
                                ptrdiff_t N, ptrdiff_t y_o, bool first) {                          \
        data_block(rows, 2, dx, dy, w, in, depth, N, y_o, first);                                  \
    }                                                                                              \
    static void weight_##rows(float *dw, const float *dy, const float *panel, int in, int width,   \
                              int N) {                                                             \
        weight_block(rows, dw, dy, panel, in, width, N);                                           \
    }
KERNEL_BLOCKS(X)
#undef X

#define X(rows) {forward_##rows##_1, forward_##rows##_2},
static forward_fn *const forward_blocks[][VECS] = {{NULL}, KERNEL_BLOCKS(X)};
#undef X
#define X(rows) {data_##rows##_1, data_##rows##_2},
static data_fn *const data_blocks[][VECS] = {{NULL}, KERNEL_BLOCKS(X)};
#undef X
#define X(rows) weight_##rows,
static weight_fn *const weight_blocks[] = {NULL, KERNEL_BLOCKS(X)};
#undef X

/* Columns of a matrix (rows, N), as `blocks` blocks read them: in place or copied, `step` floats from row to
 * row. */
static const float *panel_at(ptrdiff_t *step, float *scratch, const float *x, int rows, int vecs,
                             int N, int blocks) {
    if (N <= vecs * LANES || blocks < COPY_BLOCKS) {
        *step = N;
        return x;
    }
    *step = vecs * LANES;
    panel_copy(scratch, x, rows, vecs, N);
    return scratch;
}

void KERNEL(dense_forward)(float *y, const float *x, const float *w, const float *b, float *scratch,
                           const struct dense_shape *shape) {
    const int in = shape->in, out = shape->out, N = shape->N;
    const int blocks = split_parts(out, KERNEL_BLOCK);
    for (int n = 0; n < N; n += PANEL) {
        const int vecs = N - n < PANEL ? 1 : VECS;
        ptrdiff_t step;
        const float *panel = panel_at(&step, scratch, x + n, in, vecs, N, blocks);
        for (int i = 0; i < blocks; i++) {
            const int o = split_start(out, blocks, i), rows = split_start(out, blocks, i + 1) - o;
            forward_blocks[rows][vecs - 1](y + (ptrdiff_t)o * N + n, panel, w + (ptrdiff_t)o * in,
                                           b + o, in, N, step);
        }
    }
}

void KERNEL(dense_backward_data)(float *dx, const float *dy, const float *w, float *scratch,
                                 const struct dense_shape *shape) {
    const int in = shape->in, out = shape->out, N = shape->N;
    const int blocks = split_parts(in, KERNEL_BLOCK), stretches = split_parts(out, STRETCH);
    for (int n = 0; n < N; n += PANEL) {
        const int vecs = N - n < PANEL ? 1 : VECS;
        ptrdiff_t step;
        const float *panel = panel_at(&step, scratch, dy + n, out, vecs, N, blocks);
        for (int s = 0; s < stretches; s++) {
            const int o = split_start(out, stretches, s);
            const int depth = split_start(out, stretches, s + 1) - o;
            for (int i = 0; i < blocks; i++) {
                const int j = split_start(in, blocks, i), rows = split_start(in, blocks, i + 1) - j;
                data_blocks[rows][vecs - 1](dx + (ptrdiff_t)j * N + n, panel + o * step,
                                            w + (ptrdiff_t)o * in + j, in, depth, N, step, s == 0);
            }
        }
    }
}

void KERNEL(dense_backward_weight)(float *dw, const float *dy, const float *x, float *scratch,
                                   const struct dense_shape *shape) {
    const int in = shape->in, out = shape->out, N = shape->N;
    const int blocks = split_parts(out, KERNEL_BLOCK), panels = split_parts(in, PANEL);
    /* The last panel overlaps with the one before, rather than being narrow. */
    const int most = int_max(0, in - PANEL), width = int_min(in, PANEL);
    for (int p = 0; p < panels; p++) {
        panel_turn(scratch + (ptrdiff_t)p * PANEL * N, x + int_min(p * PANEL, most) * (ptrdiff_t)N,
                   width, N);
    }
    for (int i = 0; i < blocks; i++) {
        const int o = split_start(out, blocks, i), rows = split_start(out, blocks, i + 1) - o;
        for (int p = 0; p < panels; p++) {
            weight_blocks[rows](dw + (ptrdiff_t)o * in + int_min(p * PANEL, most),
                                dy + (ptrdiff_t)o * N, scratch + (ptrdiff_t)p * PANEL * N, in,
                                width, N);
        }
    }
}

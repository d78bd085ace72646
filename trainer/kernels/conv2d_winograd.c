/* trainer/kernels/conv2d_winograd.c - 3x3 convolutions, stride 1, with fewer multiplications: forward with 4 of 9, the
 * gradient of the data with a quarter.
 *
 * Winograd's minimal filtering (S. Winograd, Arithmetic Complexity of Computations, 1980) gives m outputs
 * of a filter of r taps with m + r - 1 multiplications instead of m*r; in two dimensions, for convolutional
 * layers: A. Lavin, S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016, arXiv:1509.09308.
 * The image is cut into tiles of m x m outputs, F(m x m, 3x3), which see (m+2) x (m+2) pixels d, and
 *
 *     y = A^T [ sum over c of (G g G^T) * (B^T d B) ] A + b       * elementwise: (m+2)^2 products, not 9 m^2
 *
 * Of the gradient x, C, H, W are what is read, dy and its channels, and y, K, P, Q what is written, dx and
 * its own.  G evaluates the filter g, as a polynomial along each axis, in m + 1 points and infinity and
 * divides by the products of their distances; B and A are the transposed interpolation and evaluation:
 *
 *     B^T of a point   (d0 .. d[m])   the coefficients of the product of (x - p) over all points p but it
 *         ...                         (infinity: over all), applied to the pixels
 *     A^T, row i                      the i-th powers of the points; infinity: 1 in the last row
 *
 *     m  points                  used      for m = 2 that is (Lavin, Gray, but for two signs)
 *     2  0, 1, -1                forward   B^T: d2 - d0, d2 + d1, d2 - d1, d3 - d1
 *     4  0, a, -a, b, -b         dx        G: -g0, (g0 + g2 +- g1) / 2, g2    A^T: m0 + m1 + m2, m1 - m2 + m3
 *
 * Why forward has small tiles.  With m = 2 each output is a sum of products that see its own nine pixels and
 * no others.  So where those are all 0, as beside the thing in a picture, it is exactly its bias, and the
 * derivative of relu there is the one that the formulas give.  With m = 4 it is made of products that see
 * more and cancel but for rounding, and relu takes that for a value: of vgg-small's biases, which begin
 * at 0, four to twelve then go the other way in the first step of Adam, none with m = 2.  (From PyTorch's the
 * losses of its first 32 batches are at most 0.5e-3 away with direct sums and with m = 2, in the median
 * of 8 seeds, and 1.4e-3 where m = 4 along one axis alone.)  Gradients decide nothing.
 *
 * All transforms are elementwise over the batch.  What lies between them are (m+2)^2 products of matrices,
 *
 *     M[i] (K, columns) = U[i] (K, C) V[i] (C, columns)       column: a tile and a sample
 *
 * by a register block of output channels x 2 vectors, as in conv2d_direct.c.  So that V stays in the second
 * cache and M in the first, the columns are worked on in chunks:
 *
 *     U, once                       filters_transform
 *     chunk of tiles x samples
 *       V of each channel and tile  winograd_images     tiles at a border read 0 outside
 *       block of K
 *         M of each product         multiply
 *         y of each tile            outputs_transform   tiles may reach past y: what is past is not stored
 *
 * Order of sums: each M over c, one after the other; the transforms as they are written.  Nothing depends
 * on which columns share a chunk.
 *
 * Error: each number on the way is a sum, of rounded terms, in which no term is rounded more often than by B, G,
 * C times by products and sum, by A, and once by the bias.  So to first order
 *
 *     |error of y| <= terms 2^-24 (|A^T| [ sum over c of (|G||g||G^T|) * (|B^T||d||B|) ] |A| + |b|)
 *
 *     m  terms                         typical, of the largest y at 64 channels
 *     2  2 + 4 + C + 4 + 1 = C + 11    3 in 10^7, half of the direct sum's: a chain of C additions, not 9 C
 *     4  8 + 10 + C + 8    = C + 26    1 to 2 in 10^6, two to three times the direct sum's, with a = 5/8 and
 *                                      b = 3/2, about the best; with the usual 1 and 2 five times */
#include "trainer/kernels/conv2d_winograd.h"
#include "trainer/kernels/conv2d_methods.h"
#include "trainer/kernels/conv2d_multiply.h"

/* Forward, or the gradient as a convolution. */
struct conv {
    int N, C, H, W; // of x, what is read
    int K, P, Q;    // of y, what is written
    int pad;
    bool turned; // w is (C,K,3,3), to be turned around; else (K,C,3,3)
    int tiles_down, tiles_across;
};

/* ---- U = G g G^T; `size` as in conv2d_winograd.h ---- */

KERNEL_INLINE void filter_axis(int size, vec u[WINOGRAD_IN], const vec g[3]) {
    if (size == 2) {
        const vec even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
        u[0] = -g[0];
        u[1] = even + odd;
        u[2] = even - odd;
        u[3] = g[2];
        return;
    }
    const float scale_0 = 1.0f / (POINT_A2 * POINT_B2);
    const float scale_a = 1.0f / (2.0f * POINT_A2 * (POINT_A2 - POINT_B2));
    const float scale_b = 1.0f / (2.0f * POINT_B2 * (POINT_B2 - POINT_A2));
    const vec even_a = scale_a * (g[0] + POINT_A2 * g[2]), odd_a = (scale_a * POINT_A) * g[1];
    const vec even_b = scale_b * (g[0] + POINT_B2 * g[2]), odd_b = (scale_b * POINT_B) * g[1];
    u[0] = scale_0 * g[0];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
}

/* u[(size+2)*i + j], u_i floats apart, = (G g G^T)[i,j] of `count` filters, one a lane */
KERNEL_INLINE void filter_transform(int size, float *u, size_t u_i, float g[9][LANES],
                                    size_t count) {
    const int in = size + 2;
    vec half[WINOGRAD_IN][3];
    for (int s = 0; s < 3; s++) {
        const vec column[3] = {vec_load(g[s]), vec_load(g[3 + s]), vec_load(g[6 + s])};
        vec out[WINOGRAD_IN];
        filter_axis(size, out, column);
        for (int i = 0; i < in; i++) {
            half[i][s] = out[i];
        }
    }
    for (int i = 0; i < in; i++) {
        vec row[WINOGRAD_IN];
        filter_axis(size, row, half[i]);
        for (int j = 0; j < in; j++) {
            float *to = u + (size_t)(i * in + j) * u_i;
            if (count == LANES) {
                vec_store_any(to, row[j]);
            } else {
                for (size_t lane = 0; lane < count; lane++) {
                    to[lane] = row[j][lane];
                }
            }
        }
    }
}

/* w to (block of K, product, c, k) */
KERNEL_INLINE void filters_transform(int size, float *u, const float *w, const struct conv *conv) {
    const size_t K = (size_t)conv->K, C = (size_t)conv->C;
    const size_t w_k = conv->turned ? 9 : 9 * C, w_c = conv->turned ? 9 * K : 9;
    const int blocks = split_parts(conv->K, BLOCK);

    for (int i = 0; i < blocks; i++) {
        const size_t k0 = (size_t)split_start(conv->K, blocks, i);
        const size_t block = (size_t)split_start(conv->K, blocks, i + 1) - k0;
        const size_t len = C * block;
        for (size_t from = 0; from < len; from += LANES) {
            const size_t count = len - from < LANES ? len - from : LANES;
            float g[9][LANES] __attribute__((aligned(64))) = {{0.0f}};
            for (size_t lane = 0; lane < count; lane++) {
                const size_t c = (from + lane) / block, k = (from + lane) % block;
                const float *filter = w + c * w_c + (k0 + k) * w_k;
                for (size_t rs = 0; rs < 9; rs++) {
                    g[conv->turned ? 8 - rs : rs][lane] = filter[rs];
                }
            }
            filter_transform(size, u + from, len, g, count);
        }
        u += (size_t)winograd_area(size) * len;
    }
}

/* ---- Y = A^T M A + b ---- */

KERNEL_INLINE void output_axis(int size, vec y[WINOGRAD_OUT], const vec m[WINOGRAD_IN]) {
    const vec even_a = m[1] + m[2], odd_a = m[1] - m[2];
    if (size == 2) {
        y[0] = m[0] + even_a;
        y[1] = odd_a + m[3];
        return;
    }
    const vec even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + even_a + even_b;
    y[1] = POINT_A * odd_a + POINT_B * odd_b;
    y[2] = POINT_A2 * even_a + POINT_B2 * even_b;
    y[3] = POINT_A2 * POINT_A * odd_a + (POINT_B2 * POINT_B * odd_b + m[5]);
}

KERNEL_INLINE void output_transform(int size, float *y, const struct winograd_pixels *t,
                                    ptrdiff_t y_p, ptrdiff_t y_q, const float *m, ptrdiff_t m_i,
                                    const float *b, bool whole) {
    const int in = size + 2;
    vec half[WINOGRAD_OUT][WINOGRAD_IN]; // transposed
#pragma GCC unroll 6
    for (int i = 0; i < in; i++) {
        vec row[WINOGRAD_IN], out[WINOGRAD_OUT];
#pragma GCC unroll 6
        for (int j = 0; j < in; j++) {
            row[j] = vec_load(m + (i * in + j) * m_i);
        }
        output_axis(size, out, row);
#pragma GCC unroll 4
        for (int j = 0; j < size; j++) {
            half[j][i] = out[j];
        }
    }
#pragma GCC unroll 4
    for (int q = 0; q < size; q++) {
        vec out[WINOGRAD_OUT];
        output_axis(size, out, half[q]);
#pragma GCC unroll 4
        for (int p = 0; p < size; p++) {
            if (whole || (p < t->row_to && q < t->column_to)) {
                if (b) {
                    out[p] += *b;
                }
                vec_store(y + t->at + p * y_p + q * y_q, out[p]);
            }
        }
    }
}

/* The tiles of a chunk, of `block` channels from k0 on */
KERNEL_INLINE void outputs_transform(int size, float *y, const float *m, ptrdiff_t m_i,
                                     const float *b, const struct conv *conv, int k0, int block,
                                     const struct winograd_chunk *chunk) {
    const ptrdiff_t N = conv->N, columns = chunk->tiles * WINOGRAD_SAMPLES;
    const ptrdiff_t y_k = conv->P * conv->Q * N;
    for (int i = 0; i < chunk->tiles; i++) {
        const int down = (chunk->tile + i) / conv->tiles_across;
        const int across = (chunk->tile + i) % conv->tiles_across;
        const struct winograd_pixels t =
            winograd_pixels(down * size, across * size, size, conv->P, conv->Q, conv->N);
        const bool whole = is_whole(&t, size);
        for (int k = 0; k < block; k++) {
            const float *from = m + k * columns + i * WINOGRAD_SAMPLES;
            const float *b_k = b ? b + k0 + k : NULL;
            float *to = y + (k0 + k) * y_k + chunk->n;
            if (k + AHEAD < block) {
                tile_prefetch(to + AHEAD * y_k, &t, conv->Q * N, N);
            }
            for (int n = 0; n < WINOGRAD_SAMPLES; n += LANES) {
                if (whole) {
                    output_transform(size, to + n, &t, conv->Q * N, N, from + n, m_i, b_k, true);
                } else {
                    output_transform(size, to + n, &t, conv->Q * N, N, from + n, m_i, b_k, false);
                }
            }
        }
    }
}

/* ---- the whole ---- */

KERNEL_INLINE void convolve(int size, float *y, const float *x, const float *w, const float *b,
                            float *scratch, struct conv *conv) {
    conv->tiles_down = split_parts(conv->P, size);
    conv->tiles_across = split_parts(conv->Q, size);
    const int tiles = conv->tiles_down * conv->tiles_across, area = winograd_area(size);
    const int blocks = split_parts(conv->K, BLOCK);
    float *u = scratch, *v = u + winograd_filters_len(size, conv->C, conv->K);
    float *m = v + winograd_chunk_len(size, conv->C);

    filters_transform(size, u, w, conv);
    struct winograd_chunk chunk = {0};
    for (; chunk.n < conv->N; chunk.n += WINOGRAD_SAMPLES) {
        for (chunk.tile = 0; chunk.tile < tiles; chunk.tile += chunk.tiles) {
            chunk.tiles = int_min(winograd_tiles(size), tiles - chunk.tile);
            const int columns = chunk.tiles * WINOGRAD_SAMPLES;
            const ptrdiff_t v_i = (ptrdiff_t)winograd_plane(conv->C, columns);
            const ptrdiff_t m_i = (ptrdiff_t)winograd_plane(BLOCK, columns);
            winograd_images(size, v, v_i, x, conv->C, conv->H, conv->W, conv->N, conv->pad,
                            conv->tiles_across, &chunk);
            for (int j = 0; j < blocks; j++) {
                const int k0 = split_start(conv->K, blocks, j);
                const int block = split_start(conv->K, blocks, j + 1) - k0;
                const float *u_j = u + (ptrdiff_t)area * k0 * conv->C;
                for (int i = 0; i < area; i++) {
                    multiply[block](m + i * m_i, columns, u_j + (ptrdiff_t)i * block * conv->C,
                                    v + i * v_i, conv->C);
                }
                outputs_transform(size, y, m, m_i, b, conv, k0, block, &chunk);
            }
        }
    }
}

void KERNEL(winograd_forward)(float *y, const float *x, const float *w, const float *b,
                              float *scratch, const struct conv2d_shape *shape) {
    struct conv conv = {
        .N = shape->N,
        .C = shape->C,
        .H = shape->H,
        .W = shape->W,
        .K = shape->K,
        .P = shape->P,
        .Q = shape->Q,
        .pad = shape->pad,
    };
    convolve(2, y, x, w, b, scratch, &conv);
}

/* dx[h] is the sum over r of w[r] dy[h + pad - r]: a convolution with w turned around and with padding
 * 2 - pad, of which a negative one skips pixels of dy. */
void KERNEL(winograd_backward_data)(float *dx, const float *dy, const float *w, float *scratch,
                                    const struct conv2d_shape *shape) {
    struct conv conv = {
        .N = shape->N,
        .C = shape->K,
        .H = shape->P,
        .W = shape->Q,
        .K = shape->C,
        .P = shape->H,
        .Q = shape->W,
        .pad = 2 - shape->pad,
        .turned = true,
    };
    convolve(4, dx, dy, w, NULL, scratch, &conv);
}

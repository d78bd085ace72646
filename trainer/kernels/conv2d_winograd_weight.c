/* trainer/kernels/conv2d_winograd_weight.c - the gradient of 3x3 weights, stride 1, with a quarter of the
 * multiplications.
 *
 * The gradient is a convolution of x with dy, whose 3x3 outputs are dw; so Winograd's method, see
 * conv2d_winograd.c, applies with dy as the filter, cut into tiles of 4x4: F(3x3, 4x4).  It needs the same
 * number of points, so the transform B of the 6x6 pixels is the same, and the sum over all tiles can be
 * taken before the last step:
 *
 *     dw = A^T S { sum over tiles and n of (G g G^T) * (B^T d B) } S A      g of dy, d of x; S below
 *
 * G evaluates the 4 coefficients of g in the points; its division by the points' distances is left to S,
 * as it needs to be done once.  The sums are 36 products of matrices,
 *
 *     M[i] (K, C) += D[i] (K, columns) V[i]^T (columns, C)         column: a tile and a sample
 *
 * by a register block of output channels x 2 vectors of input channels: V, which has samples in its
 * vectors, is turned around on the way, and D is broadcast.  Chunks of columns as in conv2d_winograd.c.
 *
 * Order of sums: the columns of a chunk one after the other, by tile and sample; then the chunks.  The
 * lanes are never added up.  A chain of additions is as long as a chunk, or as there are chunks.
 *
 * Error: to first order
 *
 *     |error of dw| <= (32 + chunks + 28) 2^-24 |A^T| |S| { sum of (|G||g||G^T|) * (|B^T||d||B|) } |S| |A|
 *
 * for 32 columns a chunk, with 8 roundings each by B and G and 12 by S and A.  Typical errors are
 * 5 in 10^7 of the largest dw, no more than those of the direct sum. */
#include "trainer/kernels/conv2d_methods.h"
#include "trainer/kernels/conv2d_winograd.h"

enum {
    SIZE = 4, // of tiles, either axis
    AREA = WINOGRAD_IN * WINOGRAD_IN,
    BLOCK = KERNEL_BLOCK, // of output channels
    VECS = 2,             // of input channels
};

struct weight {
    const struct conv2d_shape *shape;
    ptrdiff_t C_up; // C, up to whole vectors
    int tiles_across;
};

/* ---- D = G g G^T, g a tile of dy; the scales of G are left to the end ---- */

KERNEL_INLINE void grad_axis(vec d[WINOGRAD_IN], vec g0, vec g1, vec g2, vec g3) {
    const vec even_a = g0 + POINT_A2 * g2, odd_a = g1 + POINT_A2 * g3;
    const vec even_b = g0 + POINT_B2 * g2, odd_b = g1 + POINT_B2 * g3;
    d[0] = g0;
    d[1] = even_a + POINT_A * odd_a;
    d[2] = even_a - POINT_A * odd_a;
    d[3] = even_b + POINT_B * odd_b;
    d[4] = even_b - POINT_B * odd_b;
    d[5] = g3;
}

KERNEL_INLINE void grad_transform(float *d, ptrdiff_t d_i, const float *dy,
                                  const struct winograd_pixels *t, ptrdiff_t y_p, ptrdiff_t y_q,
                                  bool whole) {
    vec half[WINOGRAD_IN][SIZE];
#define PIXEL(p) tile_load(dy, t, y_p, y_q, p, q, whole)
#pragma GCC unroll 4
    for (int q = 0; q < SIZE; q++) {
        vec column[WINOGRAD_IN];
        grad_axis(column, PIXEL(0), PIXEL(1), PIXEL(2), PIXEL(3));
#pragma GCC unroll 6
        for (int i = 0; i < WINOGRAD_IN; i++) {
            half[i][q] = column[i];
        }
    }
#undef PIXEL
#pragma GCC unroll 6
    for (int i = 0; i < WINOGRAD_IN; i++) {
        vec row[WINOGRAD_IN];
        grad_axis(row, half[i][0], half[i][1], half[i][2], half[i][3]);
#pragma GCC unroll 6
        for (int j = 0; j < WINOGRAD_IN; j++) {
            vec_store(d + (i * WINOGRAD_IN + j) * d_i, row[j]);
        }
    }
}

static void grads_transform(float *d, ptrdiff_t d_i, const float *dy, const struct weight *weight,
                            const struct winograd_chunk *chunk) {
    const struct conv2d_shape *s = weight->shape;
    const ptrdiff_t N = s->N, columns = chunk->tiles * WINOGRAD_SAMPLES;
    const ptrdiff_t y_k = s->P * s->Q * N;
    for (int i = 0; i < chunk->tiles; i++) {
        const int down = (chunk->tile + i) / weight->tiles_across;
        const int across = (chunk->tile + i) % weight->tiles_across;
        const struct winograd_pixels t =
            winograd_pixels(down * SIZE, across * SIZE, SIZE, s->P, s->Q, s->N);
        const bool whole = is_whole(&t, SIZE);
        for (int k = 0; k < s->K; k++) {
            const float *from = dy + k * y_k + chunk->n;
            float *to = d + k * columns + i * WINOGRAD_SAMPLES;
            if (k + AHEAD < s->K) {
                tile_prefetch(from + AHEAD * y_k, &t, s->Q * N, N);
            }
            for (int n = 0; n < WINOGRAD_SAMPLES; n += LANES) {
                if (whole) {
                    grad_transform(to + n, d_i, from + n, &t, s->Q * N, N, true);
                } else {
                    grad_transform(to + n, d_i, from + n, &t, s->Q * N, N, false);
                }
            }
        }
    }
}

/* ---- M += D V^T ---- */

/* v (C, columns) to t (columns, C_up); what is past C is 0 */
static void images_turn(float *t, const float *v, int C, ptrdiff_t C_up, ptrdiff_t columns) {
    for (int c = 0; c < C; c += LANES) {
        for (ptrdiff_t i = 0; i < columns; i += LANES) {
            vec rows[LANES];
#pragma GCC unroll 16
            for (int l = 0; l < LANES; l++) {
                rows[l] = c + l < C ? vec_load(v + (c + l) * columns + i) : vec_all(0.0f);
            }
            vec_transpose(rows);
#pragma GCC unroll 16
            for (int l = 0; l < LANES; l++) {
                vec_store(t + (i + l) * C_up + c, rows[l]);
            }
        }
    }
}

/* m[k][0 .. vecs*LANES) of a block += the sum over the columns, in order, of d[k] * t */
KERNEL_INLINE void block_add(int block, int vecs, float *m, const float *d, const float *t,
                             ptrdiff_t C_up, ptrdiff_t columns) {
    vec sum[BLOCK][VECS];
    for (int k = 0; k < block; k++) {
        for (int i = 0; i < vecs; i++) {
            sum[k][i] = vec_all(0.0f);
        }
    }
    for (ptrdiff_t column = 0; column < columns; column++) {
        vec image[VECS];
        for (int i = 0; i < vecs; i++) {
            image[i] = vec_load(t + column * C_up + i * LANES);
        }
        for (int k = 0; k < block; k++) {
            for (int i = 0; i < vecs; i++) {
                sum[k][i] += d[k * columns + column] * image[i];
            }
        }
    }
    for (int k = 0; k < block; k++) {
        for (int i = 0; i < vecs; i++) {
            float *to = m + k * C_up + i * LANES;
            vec_store(to, vec_load(to) + sum[k][i]);
        }
    }
}

typedef void add_fn(float *m, const float *d, const float *t, ptrdiff_t C_up, ptrdiff_t columns);

#define X(block)                                                                                   \
    static void add_##block(float *m, const float *d, const float *t, ptrdiff_t C_up,              \
                            ptrdiff_t columns) {                                                   \
        ptrdiff_t c = 0;                                                                           \
        for (; c + VECS * LANES <= C_up; c += VECS * LANES) {                                      \
            block_add(block, VECS, m + c, d, t + c, C_up, columns);                                \
        }                                                                                          \
        for (; c < C_up; c += LANES) {                                                             \
            block_add(block, 1, m + c, d, t + c, C_up, columns);                                   \
        }                                                                                          \
    }
KERNEL_BLOCKS(X)
#undef X

#define X(block) [block] = add_##block,
static add_fn *const add[BLOCK + 1] = {KERNEL_BLOCKS(X)};
#undef X

static void products_add(float *m, float *t, const float *d, ptrdiff_t d_i, const float *v,
                         ptrdiff_t v_i, ptrdiff_t columns, const struct weight *weight) {
    const int K = weight->shape->K, blocks = split_parts(K, BLOCK);
    for (int i = 0; i < AREA; i++) {
        images_turn(t, v + i * v_i, weight->shape->C, weight->C_up, columns);
        for (int j = 0; j < blocks; j++) {
            const int k0 = split_start(K, blocks, j);
            const int block = split_start(K, blocks, j + 1) - k0;
            add[block](m + ((ptrdiff_t)i * K + k0) * weight->C_up, d + i * d_i + k0 * columns, t,
                       weight->C_up, columns);
        }
    }
}

/* ---- dw = A^T M A ---- */

KERNEL_INLINE void weight_axis(vec w[3], const vec m[WINOGRAD_IN]) {
    const float scale_0 = 1.0f / (POINT_A2 * POINT_B2);
    const float scale_a = 1.0f / (2.0f * POINT_A2 * (POINT_A2 - POINT_B2));
    const float scale_b = 1.0f / (2.0f * POINT_B2 * (POINT_B2 - POINT_A2));
    const vec even_a = scale_a * (m[1] + m[2]), odd_a = scale_a * (m[1] - m[2]);
    const vec even_b = scale_b * (m[3] + m[4]), odd_b = scale_b * (m[3] - m[4]);
    w[0] = scale_0 * m[0] + even_a + even_b;
    w[1] = POINT_A * odd_a + POINT_B * odd_b;
    w[2] = POINT_A2 * even_a + POINT_B2 * even_b + m[5];
}

static void weights_transform(float *dw, const float *m, const struct weight *weight) {
    const int C = weight->shape->C, K = weight->shape->K;
    for (int k = 0; k < K; k++) {
        for (int c = 0; c < C; c += LANES) {
            vec half[3][WINOGRAD_IN];
            for (int i = 0; i < WINOGRAD_IN; i++) {
                vec row[WINOGRAD_IN], out[3];
                for (int j = 0; j < WINOGRAD_IN; j++) {
                    const ptrdiff_t at = ((ptrdiff_t)(i * WINOGRAD_IN + j) * K + k) * weight->C_up;
                    row[j] = vec_load(m + at + c);
                }
                weight_axis(out, row);
                for (int s = 0; s < 3; s++) {
                    half[s][i] = out[s];
                }
            }
            for (int s = 0; s < 3; s++) {
                vec out[3];
                weight_axis(out, half[s]);
                for (int r = 0; r < 3; r++) {
                    for (int l = 0; l < LANES && c + l < C; l++) {
                        dw[(((ptrdiff_t)k * C + c + l) * 3 + r) * 3 + s] = out[r][l];
                    }
                }
            }
        }
    }
}

/* ---- the whole ---- */

void KERNEL(winograd_backward_weight)(float *dw, float *db, const float *dy, const float *x,
                                      float *scratch, const struct conv2d_shape *shape) {
    const struct conv2d_shape *s = shape;
    const struct weight weight = {.shape = s,
                                  .C_up = split_parts(s->C, LANES) * LANES,
                                  .tiles_across = split_parts(s->Q, SIZE)};
    const int tiles = split_parts(s->P, SIZE) * weight.tiles_across;
    float *m = scratch, *t = m + AREA * s->K * weight.C_up,
          *v = t + winograd_tiles(SIZE) * WINOGRAD_SAMPLES * weight.C_up;

    for (ptrdiff_t i = 0; i < AREA * s->K * weight.C_up; i += LANES) {
        vec_store(m + i, vec_all(0.0f));
    }
    struct winograd_chunk chunk = {0};
    for (; chunk.n < s->N; chunk.n += WINOGRAD_SAMPLES) {
        for (chunk.tile = 0; chunk.tile < tiles; chunk.tile += chunk.tiles) {
            chunk.tiles = int_min(winograd_tiles(SIZE), tiles - chunk.tile);
            const int columns = chunk.tiles * WINOGRAD_SAMPLES;
            const ptrdiff_t v_i = (ptrdiff_t)winograd_plane(s->C, columns);
            const ptrdiff_t d_i = (ptrdiff_t)winograd_plane(s->K, columns);
            float *d = v + AREA * v_i;
            winograd_images(SIZE, v, v_i, x, s->C, s->H, s->W, s->N, s->pad, weight.tiles_across,
                            &chunk);
            grads_transform(d, d_i, dy, &weight, &chunk);
            products_add(m, t, d, d_i, v, v_i, columns, &weight);
        }
    }
    weights_transform(dw, m, &weight);
    KERNEL(bias_grad)(db, dy, s->K, (size_t)s->P * (size_t)s->Q * (size_t)s->N);
}

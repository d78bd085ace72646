/* trainer/kernels/conv2d_lines.c - convolutions with 5 columns of weights, stride 1, with 6 of 10 multiplications.
 *
 * Winograd's method, see conv2d_winograd.c, along the rows of the image alone: two outputs beside each other see 6
 * pixels d of a row, and with the five weights g of a row of a filter
 *
 *     y = A^T [ sum over c, r of (G g) * (B^T d) ] + b        * elementwise: 6 products, not 10
 *
 * The points are those of conv2d_winograd.h, so B is the same; G and A are for 5 taps and 2 outputs.  Along the
 * columns of the image the sum is the plain one, of the rows that exist.  The gradient of the data is the same three
 * matrices read the other way, with as many products, where a convolution with the filter turned around, whose
 * outputs are more, would need 7 of 10:
 *
 *     dx = B [ sum over k, r of (G g) * (A dy) ]              where neighbouring tiles overlap they are added
 *
 * A tile is 2 outputs of a row; the last one may reach past it: what is past is 0, or not stored.  The products of all
 * rows lie in one order, so that what an output sees is one stretch and a sum over r and c one loop:
 *
 *     M[i] (K, columns) of row p = U[i] (K; r, c) V[i] (row p - pad + r, c; columns)     column: a tile and a sample
 *
 *     U, once                            filters_transform
 *     chunk of tiles x samples
 *       V of each row and channel        pixels_transform      dx: grads_transform
 *       block of K
 *         row of the output
 *           M of each product            multiply
 *           y of each tile               outputs_store         dx: overlaps_add
 *
 * V stays in the second cache, and what a row reads of it, with M, in the first.
 *
 * Order of sums: over r, then c, one after the other; the transforms as they are written.  Nothing depends on which
 * columns share a chunk.
 *
 * Forward, an output is made of the pixels that it sees and of no others, as with the small tiles of
 * conv2d_winograd.c: of the six, only the product of 0 reads the first and only that of infinity the last.
 *
 * Error, to first order: as each number on the way is a sum in which no term is rounded more often than 4 times by B, 7
 * by G, C R times by products and sum, 4 times by A and once by the bias,
 *
 *     |error of y| <= (C R + 16) 2^-24 (|A^T| [ sum over c, r of (|G||g|) * (|B^T||d|) ] + |b|)
 *     |error of dx| <= (K R + 16) 2^-24 |B| [ sum over k, r of (|G||g|) * (|A||dy|) ]     three tiles meet in a pixel */
#include "trainer/kernels/conv2d_methods.h"
#include "trainer/kernels/conv2d_multiply.h"
#include "trainer/kernels/conv2d_winograd.h"

enum { POINTS = LINES_IN, TAPS = LINES_TAPS, OUT = LINES_OUT };

/* Forward, or the gradient of the data; letters as forward, in: what is read, out: what is written. */
struct lines {
    const struct conv2d_shape *shape;
    int in_channels, in_rows, out_channels, out_rows;
    int first; // row that output row 0 sees first; may be below 0
    int tiles; // of a row
};

/* Tiles of a row and samples that are worked on at once. */
struct chunk {
    int tile, tiles; // first, and how many
    int n, samples;
};

static struct chunk chunk_at(const struct lines *lines, int n, int tile) {
    const int samples = int_min(LINES_COLUMNS, lines->shape->N - n);
    const int tiles = samples > 0 ? int_min(LINES_COLUMNS / samples, lines->tiles - tile) : 0;
    return (struct chunk){.tile = tile, .tiles = tiles, .n = n, .samples = samples};
}

/* All tiles of some samples; then of the next.  The last one is followed by one of none. */
static struct chunk chunk_after(const struct lines *lines, const struct chunk *chunk) {
    const int tile = chunk->tile + chunk->tiles;
    return tile < lines->tiles ? chunk_at(lines, chunk->n, tile)
                               : chunk_at(lines, chunk->n + chunk->samples, 0);
}

/* ---- U = G g ---- */

KERNEL_INLINE void filter_transform(vec u[POINTS], const vec g[TAPS]) {
    const float scale_0 = 1.0f / (POINT_A2 * POINT_B2);
    const float scale_a = 1.0f / (2.0f * POINT_A2 * (POINT_A2 - POINT_B2));
    const float scale_b = 1.0f / (2.0f * POINT_B2 * (POINT_B2 - POINT_A2));
    const vec even_a = scale_a * (g[0] + POINT_A2 * (g[2] + POINT_A2 * g[4]));
    const vec even_b = scale_b * (g[0] + POINT_B2 * (g[2] + POINT_B2 * g[4]));
    const vec odd_a = (scale_a * POINT_A) * (g[1] + POINT_A2 * g[3]);
    const vec odd_b = (scale_b * POINT_B) * (g[1] + POINT_B2 * g[3]);
    u[0] = scale_0 * g[0];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[4];
}

/* w (K,C,R,TAPS) to (block of out channels, product, r, in channel, out channel); `turned`: the last r first */
static void filters_transform(float *u, const float *w, const struct lines *lines, bool turned) {
    const int R = lines->shape->R, ins = lines->in_channels;
    const int blocks = split_parts(lines->out_channels, BLOCK);
    const size_t row = TAPS, filter = (size_t)R * row, image = (size_t)lines->shape->C * filter;
    const size_t w_in = turned ? image : filter, w_out = turned ? filter : image;
    for (int b = 0; b < blocks; b++) {
        const int first = split_start(lines->out_channels, blocks, b);
        const int block = split_start(lines->out_channels, blocks, b + 1) - first;
        const int count = R * ins * block;
        for (int from = 0; from < count; from += LANES) {
            float g[TAPS][LANES] __attribute__((aligned(64))) = {{0.0f}};
            float out[POINTS][LANES] __attribute__((aligned(64)));
            const int lanes = int_min(LANES, count - from);
            for (int l = 0; l < lanes; l++) {
                const int at = from + l, r = at / block / ins;
                const float *taps = w + (size_t)(first + at % block) * w_out +
                                    (size_t)(at / block % ins) * w_in +
                                    (size_t)(turned ? R - 1 - r : r) * row;
                for (int s = 0; s < TAPS; s++) {
                    g[s][l] = taps[s];
                }
            }
            vec taps[TAPS], points[POINTS];
            for (int s = 0; s < TAPS; s++) {
                taps[s] = vec_load(g[s]);
            }
            filter_transform(points, taps);
            for (int i = 0; i < POINTS; i++) {
                vec_store(out[i], points[i]);
                for (int l = 0; l < lanes; l++) {
                    u[(size_t)i * (size_t)count + (size_t)(from + l)] = out[i][l];
                }
            }
        }
        u += (size_t)POINTS * (size_t)count;
    }
}

/* ---- V = B^T d ---- */

/* v[i], v_i floats apart; x points to pixel 0 of the row, the tile's first is `column`; pixels outside are 0.  B is that
 * of the tiles of 4 outputs, which see as many pixels. */
KERNEL_INLINE void pixels_transform(float *v, ptrdiff_t v_i, const float *x, int column, int W,
                                    ptrdiff_t N) {
    vec d[POINTS], middle[POINTS - 2];
#pragma GCC unroll 6
    for (int s = 0; s < POINTS; s++) {
        const int at = column + s;
        d[s] = at >= 0 && at < W ? vec_load(x + at * N) : vec_all(0.0f);
    }
    image_middle(WINOGRAD_OUT, middle, d);
    vec_store(v, image_end(WINOGRAD_OUT, d));
#pragma GCC unroll 4
    for (int i = 1; i < POINTS - 1; i++) {
        vec_store(v + i * v_i, middle[i - 1]);
    }
    vec_store(v + (POINTS - 1) * v_i, image_end(WINOGRAD_OUT, d + 1));
}

/* ---- A dy ---- */

/* Likewise of two pixels of dy. */
KERNEL_INLINE void grads_transform(float *v, ptrdiff_t v_i, const float *dy, int column, int Q,
                                   ptrdiff_t N) {
    const vec g0 = vec_load(dy + column * N);
    const vec g1 = column + 1 < Q ? vec_load(dy + (column + 1) * N) : vec_all(0.0f);
    vec_store(v, g0);
    vec_store(v + v_i, g0 + POINT_A * g1);
    vec_store(v + 2 * v_i, g0 - POINT_A * g1);
    vec_store(v + 3 * v_i, g0 + POINT_B * g1);
    vec_store(v + 4 * v_i, g0 - POINT_B * g1);
    vec_store(v + 5 * v_i, g1);
}

/* ---- y = A^T M + b ---- */

KERNEL_INLINE void outputs_store(float *y, int column, int Q, ptrdiff_t N, const float *m,
                                 ptrdiff_t m_i, float b) {
    const vec m1 = vec_load(m + m_i), m2 = vec_load(m + 2 * m_i);
    const vec m3 = vec_load(m + 3 * m_i), m4 = vec_load(m + 4 * m_i);
    const vec y0 = vec_load(m) + (m1 + m2) + (m3 + m4);
    vec_store(y + column * N, y0 + b);
    if (column + 1 < Q) {
        const vec odd = POINT_A * (m1 - m2) + (POINT_B * (m3 - m4) + vec_load(m + 5 * m_i));
        vec_store(y + (column + 1) * N, odd + b);
    }
}

/* ---- dx = B M ---- */

KERNEL_INLINE void pixel_add(float *dx, int column, int W, ptrdiff_t N, vec share, bool first) {
    if (column >= 0 && column < W) {
        float *to = dx + column * N;
        if (!first) {
            share += vec_load(to);
        }
        vec_store(to, share);
    }
}

/* The tiles of a row come from left to right: what an earlier one has reached is added to. */
KERNEL_INLINE void overlaps_add(float *dx, int column, int W, ptrdiff_t N, const float *m,
                                ptrdiff_t m_i, bool first) {
    const vec m0 = vec_load(m), m5 = vec_load(m + 5 * m_i);
    const vec m1 = vec_load(m + m_i), m2 = vec_load(m + 2 * m_i);
    const vec m3 = vec_load(m + 3 * m_i), m4 = vec_load(m + 4 * m_i);
    const vec even_a = m1 + m2, odd_a = POINT_A * (m1 - m2);
    const vec even_b = m3 + m4, odd_b = POINT_B * (m3 - m4);
    const float ends = POINT_A2 * POINT_B2, sum = POINT_A2 + POINT_B2;
    pixel_add(dx, column, W, N, ends * m0, first);
    pixel_add(dx, column + 1, W, N, ends * m5 - (POINT_B2 * odd_a + POINT_A2 * odd_b), first);
    pixel_add(dx, column + 2, W, N, -(sum * m0 + (POINT_B2 * even_a + POINT_A2 * even_b)), first);
    pixel_add(dx, column + 3, W, N, odd_a + odd_b - sum * m5, first);
    pixel_add(dx, column + 4, W, N, m0 + (even_a + even_b), true);
    pixel_add(dx, column + 5, W, N, m5, true);
}

/* ---- forward, and the gradient of the data ---- */

/* v (product, row, channel, columns) */
KERNEL_INLINE void inputs_transform(bool data, float *v, ptrdiff_t v_i, const float *x,
                                    const struct lines *lines, const struct chunk *chunk) {
    const struct conv2d_shape *s = lines->shape;
    const ptrdiff_t N = s->N, columns = chunk->tiles * chunk->samples;
    const int width = data ? s->Q : s->W;
    for (int row = 0; row < lines->in_rows; row++) {
        for (int c = 0; c < lines->in_channels; c++) {
            const float *from = x + (c * (ptrdiff_t)lines->in_rows + row) * width * N + chunk->n;
            float *to = v + (row * (ptrdiff_t)lines->in_channels + c) * columns;
            for (int t = 0; t < chunk->tiles; t++) {
                const int column = (chunk->tile + t) * OUT;
                for (int n = 0; n < chunk->samples; n += LANES) {
                    float *at = to + t * (ptrdiff_t)chunk->samples + n;
                    if (data) {
                        grads_transform(at, v_i, from + n, column, width, N);
                    } else {
                        pixels_transform(at, v_i, from + n, column - s->pad, width, N);
                    }
                }
            }
        }
    }
}

/* Asks for a row of what a chunk reads, and of what it writes: short pieces far apart, which the processor does not
 * foresee. */
KERNEL_INLINE void pixels_prefetch(const float *x, ptrdiff_t x_c, int channels, int from, int to,
                                   ptrdiff_t N, int samples, bool writes) {
    for (int c = 0; c < channels; c++, x += x_c) {
        for (int at = from; at < to; at++) {
            for (int n = 0; n < samples; n += WINOGRAD_SAMPLES) {
                if (writes) {
                    __builtin_prefetch(x + at * N + n, 1);
                } else {
                    __builtin_prefetch(x + at * N + n);
                }
            }
        }
    }
}

KERNEL_INLINE void input_prefetch(bool data, const float *x, const struct lines *lines, int row,
                                  const struct chunk *chunk) {
    const struct conv2d_shape *s = lines->shape;
    const int width = data ? s->Q : s->W, first = chunk->tile * OUT - (data ? 0 : s->pad);
    const int end = first + (chunk->tiles - 1) * OUT + (data ? OUT : POINTS);
    const ptrdiff_t row_len = width * (ptrdiff_t)s->N;
    pixels_prefetch(x + row * row_len + chunk->n, lines->in_rows * row_len, lines->in_channels,
                    int_max(0, first), int_min(width, end), s->N, chunk->samples, false);
}

KERNEL_INLINE void output_prefetch(bool data, float *y, const struct lines *lines, int row, int k0,
                                   int block, const struct chunk *chunk) {
    const struct conv2d_shape *s = lines->shape;
    const int width = data ? s->W : s->Q, first = chunk->tile * OUT - (data ? s->pad : 0);
    const int end = first + (chunk->tiles - 1) * OUT + (data ? POINTS : OUT);
    const ptrdiff_t row_len = width * (ptrdiff_t)s->N;
    pixels_prefetch(y + (k0 * (ptrdiff_t)lines->out_rows + row) * row_len + chunk->n,
                    lines->out_rows * row_len, block, int_max(0, first), int_min(width, end), s->N,
                    chunk->samples, true);
}

/* A row of `block` output channels from k0 on */
KERNEL_INLINE void row_store(bool data, float *y, const float *m, ptrdiff_t m_i, const float *b,
                             const struct lines *lines, int row, int k0, int block,
                             const struct chunk *chunk) {
    const struct conv2d_shape *s = lines->shape;
    const ptrdiff_t N = s->N;
    const int width = data ? s->W : s->Q;
    for (int k = 0; k < block; k++) {
        float *to = y + ((k0 + k) * (ptrdiff_t)lines->out_rows + row) * width * N + chunk->n;
        for (int t = 0; t < chunk->tiles; t++) {
            const int tile = chunk->tile + t, column = tile * OUT;
            const float *from = m + (k * chunk->tiles + t) * (ptrdiff_t)chunk->samples;
            for (int n = 0; n < chunk->samples; n += LANES) {
                if (data) {
                    overlaps_add(to + n, column - s->pad, width, N, from + n, m_i, tile == 0);
                } else {
                    outputs_store(to + n, column, width, N, from + n, m_i, b[k0 + k]);
                }
            }
        }
    }
}

KERNEL_INLINE void chunk_convolve(bool data, float *y, const float *u, const float *v,
                                  ptrdiff_t v_i, float *m, const float *b,
                                  const struct lines *lines, const struct chunk *chunk,
                                  const float *x, const struct chunk *next) {
    const int R = lines->shape->R, ins = lines->in_channels;
    const int blocks = split_parts(lines->out_channels, BLOCK);
    const ptrdiff_t columns = chunk->tiles * chunk->samples;
    for (int j = 0; j < blocks; j++) {
        const int k0 = split_start(lines->out_channels, blocks, j);
        const int block = split_start(lines->out_channels, blocks, j + 1) - k0;
        const ptrdiff_t u_i = (ptrdiff_t)R * ins * block, m_i = block * columns;
        const float *u_j = u + POINTS * (ptrdiff_t)R * ins * k0;
        for (int row = 0; row < lines->out_rows; row++) {
            const int first = lines->first + row;
            const int from = int_max(0, first), to = int_min(lines->in_rows, first + R);
            const int depth = int_max(0, to - from) * ins;
            output_prefetch(data, y, lines, row, k0, block, chunk);
            for (int r = row; j == 0 && r < lines->in_rows; r += lines->out_rows) {
                input_prefetch(data, x, lines, r, next);
            }
            for (int i = 0; i < POINTS; i++) {
                multiply[block](m + i * m_i, columns,
                                u_j + i * u_i + (from - first) * (ptrdiff_t)ins * block,
                                v + i * v_i + from * ins * columns, depth);
            }
            row_store(data, y, m, m_i, b, lines, row, k0, block, chunk);
        }
    }
}

KERNEL_INLINE void convolve(bool data, float *y, const float *x, const float *w, const float *b,
                            float *scratch, const struct lines *lines) {
    const struct conv2d_shape *s = lines->shape;
    float *u = scratch, *v = u + lines_filters_len(s);
    float *m = v + lines_chunk_len(lines->in_rows, lines->in_channels);

    filters_transform(u, w, lines, data);
    for (struct chunk chunk = chunk_at(lines, 0, 0), next; chunk.n < s->N; chunk = next) {
        const ptrdiff_t v_i =
            lines->in_rows * (ptrdiff_t)lines->in_channels * chunk.tiles * chunk.samples +
            CONV2D_LANES_MAX;
        next = chunk_after(lines, &chunk);
        inputs_transform(data, v, v_i, x, lines, &chunk);
        chunk_convolve(data, y, u, v, v_i, m, b, lines, &chunk, x, &next);
    }
}

void KERNEL(lines_forward)(float *y, const float *x, const float *w, const float *b, float *scratch,
                           const struct conv2d_shape *shape) {
    const struct lines lines = {.shape = shape,
                                .in_channels = shape->C,
                                .in_rows = shape->H,
                                .out_channels = shape->K,
                                .out_rows = shape->P,
                                .first = -shape->pad,
                                .tiles = split_parts(shape->Q, OUT)};
    convolve(false, y, x, w, b, scratch, &lines);
}

/* dx[h] is the sum over r of w[r] dy[h + pad - r]. */
void KERNEL(lines_backward_data)(float *dx, const float *dy, const float *w, float *scratch,
                                 const struct conv2d_shape *shape) {
    const struct lines lines = {.shape = shape,
                                .in_channels = shape->K,
                                .in_rows = shape->P,
                                .out_channels = shape->C,
                                .out_rows = shape->H,
                                .first = shape->pad - (shape->R - 1),
                                .tiles = split_parts(shape->Q, OUT)};
    convolve(true, dx, dy, w, NULL, scratch, &lines);
}

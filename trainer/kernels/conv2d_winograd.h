/* trainer/kernels/conv2d_winograd.h - what the two files of Winograd's method share: points, tiles and
 * the transform of an image.  Private to this folder; included once per instruction set. */
#ifndef TRAINER_KERNELS_CONV2D_WINOGRAD_H
#define TRAINER_KERNELS_CONV2D_WINOGRAD_H

#include "trainer/kernels/conv2d.h"
#include "trainer/kernels/isa.h"

#include <stdbool.h>

enum { AHEAD = 1 }; // channels from a prefetch to its use

/* The points of tiles of 4 are 0, a, -a, b, -b and infinity; a, b and what the transforms of images and
 * outputs make of them are exact.  With 1 and 2, which are usual, errors are twice as large. */
#define POINT_A  0.625f
#define POINT_B  1.5f
#define POINT_A2 (POINT_A * POINT_A)
#define POINT_B2 (POINT_B * POINT_B)

/* Tiles, row by row, of WINOGRAD_SAMPLES of the batch that are worked on at once. */
struct winograd_chunk {
    int tile, tiles; // first, and how many
    int n;           // first of the batch
};

/* The pixels of a tile that exist: rows and columns [from, to) of its own. */
struct winograd_pixels {
    ptrdiff_t at; // of its first pixel within a channel, in floats; below 0 where that is outside
    int row_from, row_to, column_from, column_to;
};

static inline struct winograd_pixels winograd_pixels(int row, int column, int size, int H, int W,
                                                     int N) {
    return (struct winograd_pixels){
        .at = (row * (ptrdiff_t)W + column) * N,
        .row_from = int_min(size, int_max(0, -row)),
        .row_to = int_max(0, int_min(size, H - row)),
        .column_from = int_min(size, int_max(0, -column)),
        .column_to = int_max(0, int_min(size, W - column)),
    };
}

KERNEL_INLINE bool is_whole(const struct winograd_pixels *t, int size) {
    return t->row_from == 0 && t->row_to == size && t->column_from == 0 && t->column_to == size;
}

/* Pixel (r, s) of a tile; 0 outside.  `whole`: there is no outside. */
KERNEL_INLINE vec tile_load(const float *x, const struct winograd_pixels *t, ptrdiff_t x_r,
                            ptrdiff_t x_s, int r, int s, bool whole) {
    if (!whole && (r < t->row_from || r >= t->row_to || s < t->column_from || s >= t->column_to)) {
        return vec_all(0.0f);
    }
    return vec_load(x + (t->at + r * x_r + s * x_s));
}

/* Asks for the pixels of a tile: they lie in short pieces far apart, which the processor does not foresee. */
KERNEL_INLINE void tile_prefetch(const float *x, const struct winograd_pixels *t, ptrdiff_t x_r,
                                 ptrdiff_t x_s) {
    for (int r = t->row_from; r < t->row_to; r++) {
        for (int s = t->column_from; s < t->column_to; s++) {
            __builtin_prefetch(x + (t->at + r * x_r + s * x_s)); // a line: WINOGRAD_SAMPLES
        }
    }
}

/* ---- B^T d B; `size`, the outputs of a tile along an axis, is a constant wherever it is handed on ---- */

/* Along one axis, the product of point 0; with d one pixel further, of infinity. */
KERNEL_INLINE vec image_end(int size, const vec d[WINOGRAD_OUT + 1]) {
    if (size == 2) {
        return d[2] - d[0];
    }
    return POINT_A2 * POINT_B2 * d[0] + (d[4] - (POINT_A2 + POINT_B2) * d[2]);
}

/* Those of the other points, as many as outputs; d[0] is not read. */
KERNEL_INLINE void image_middle(int size, vec v[WINOGRAD_OUT], const vec d[WINOGRAD_OUT + 1]) {
    if (size == 2) {
        v[0] = d[2] + d[1];
        v[1] = d[2] - d[1];
        return;
    }
    const vec even_a = d[4] - POINT_B2 * d[2], odd_a = d[3] - POINT_B2 * d[1];
    const vec even_b = d[4] - POINT_A2 * d[2], odd_b = d[3] - POINT_A2 * d[1];
    v[0] = even_a + POINT_A * odd_a;
    v[1] = even_a - POINT_A * odd_a;
    v[2] = even_b + POINT_B * odd_b;
    v[3] = even_b - POINT_B * odd_b;
}

KERNEL_INLINE void image_row_store(int size, float *v, ptrdiff_t v_i, const vec d[WINOGRAD_IN]) {
    vec middle[WINOGRAD_OUT];
    vec_store(v, image_end(size, d));
    image_middle(size, middle, d);
#pragma GCC unroll 4
    for (int i = 0; i < size; i++) {
        vec_store(v + (i + 1) * v_i, middle[i]);
    }
    vec_store(v + (size + 1) * v_i, image_end(size, d + 1));
}

/* v[(size+2)*i + j], v_i floats apart, = (B^T d B)[i,j].  Some pixels are loaded twice, so that what lies
 * between the two axes stays in registers. */
KERNEL_INLINE void image_transform(int size, float *v, ptrdiff_t v_i, const float *x,
                                   const struct winograd_pixels *t, ptrdiff_t x_r, ptrdiff_t x_s,
                                   bool whole) {
    const int in = size + 2;
    vec rows[WINOGRAD_OUT][WINOGRAD_IN], row[WINOGRAD_IN], d[WINOGRAD_OUT + 1];
#pragma GCC unroll 6
    for (int s = 0; s < in; s++) {
        vec middle[WINOGRAD_OUT];
#pragma GCC unroll 4
        for (int r = 1; r <= size; r++) {
            d[r] = tile_load(x, t, x_r, x_s, r, s, whole);
        }
        image_middle(size, middle, d);
#pragma GCC unroll 4
        for (int i = 0; i < size; i++) {
            rows[i][s] = middle[i];
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < size; i++) {
        image_row_store(size, v + (i + 1) * in * v_i, v_i, rows[i]);
    }
#pragma GCC unroll 2
    for (int end = 0; end <= 1; end++) { // 0, infinity
#pragma GCC unroll 6
        for (int s = 0; s < in; s++) {
#pragma GCC unroll 3
            for (int r = 0; r <= size; r += 2) {
                d[r] = tile_load(x, t, x_r, x_s, r + end, s, whole);
            }
            row[s] = image_end(size, d);
        }
        image_row_store(size, v + end * (size + 1) * in * v_i, v_i, row);
    }
}

/* v (product, C, columns): the transformed tiles of a chunk */
KERNEL_INLINE void winograd_images(int size, float *v, ptrdiff_t v_i, const float *x, int C, int H,
                                   int W, int N, int pad, int tiles_across,
                                   const struct winograd_chunk *chunk) {
    const ptrdiff_t columns = chunk->tiles * WINOGRAD_SAMPLES;
    const ptrdiff_t x_c = (ptrdiff_t)H * W * N, x_r = (ptrdiff_t)W * N;
    struct winograd_pixels tiles[WINOGRAD_TILES];
    for (int i = 0; i < chunk->tiles; i++) {
        const int down = (chunk->tile + i) / tiles_across;
        const int across = (chunk->tile + i) % tiles_across;
        tiles[i] = winograd_pixels(down * size - pad, across * size - pad, size + 2, H, W, N);
    }
    for (int c = 0; c < C; c++) {
        for (int i = 0; i < chunk->tiles; i++) {
            const struct winograd_pixels *t = &tiles[i];
            const float *from = x + c * x_c + chunk->n;
            float *to = v + c * columns + i * WINOGRAD_SAMPLES;
            const bool whole = is_whole(t, size + 2);
            if (c + AHEAD < C) {
                tile_prefetch(from + AHEAD * x_c, t, x_r, N);
            }
            for (int n = 0; n < WINOGRAD_SAMPLES; n += LANES) {
                if (whole) {
                    image_transform(size, to + n, v_i, from + n, t, x_r, N, true);
                } else {
                    image_transform(size, to + n, v_i, from + n, t, x_r, N, false);
                }
            }
        }
    }
}

#endif

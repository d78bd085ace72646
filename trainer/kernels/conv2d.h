/* trainer/kernels/conv2d.h - what the convolution kernels share.  Private to this folder. */
#ifndef TRAINER_KERNELS_CONV2D_H
#define TRAINER_KERNELS_CONV2D_H

#include "trainer/kernels/kernels.h"

/* The widest block of output channels, and the widest vector, of any instruction set. */
enum { CONV2D_BLOCK_MAX = 8, CONV2D_LANES_MAX = 16 };

/* `count` things in parts of at most `most`, as equal as can be: part i is [start(i), start(i+1)). */
static inline int split_parts(int count, int most) {
    return (count + most - 1) / most;
}

static inline int split_start(int count, int parts, int i) {
    return (int)((long long)count * i / parts);
}

static inline int int_min(int a, int b) {
    return a < b ? a : b;
}

static inline int int_max(int a, int b) {
    return a > b ? a : b;
}

/* ---- Winograd's method along the rows, see trainer/kernels/conv2d_lines.c ---- */

enum {
    LINES_OUT = 2, // outputs of a tile
    LINES_TAPS = 5,
    LINES_IN = LINES_OUT + LINES_TAPS - 1, // pixels that they see, products
    LINES_COLUMNS = 32, // pairs of a tile and a sample that are worked on at once
};

/* Floats of the transformed filters, a multiple of a vector. */
static inline size_t lines_filters_len(const struct conv2d_shape *s) {
    const size_t len = (size_t)LINES_IN * (size_t)s->R * (size_t)s->C * (size_t)s->K;
    return (len + CONV2D_LANES_MAX - 1) / CONV2D_LANES_MAX * CONV2D_LANES_MAX;
}

/* Floats of the products of so many rows and channels of a chunk, of each a line more. */
static inline size_t lines_chunk_len(int rows, int channels) {
    const size_t row = (size_t)channels * LINES_COLUMNS;
    return (size_t)LINES_IN * ((size_t)rows * row + CONV2D_LANES_MAX);
}

/* ---- Winograd's method, see trainer/kernels/conv2d_winograd.c ---- */

enum {
    WINOGRAD_OUT = 4,                    // most pixels of an output tile along either axis: 4, or 2
    WINOGRAD_IN = WINOGRAD_OUT + 2,      // pixels that they see
    WINOGRAD_SAMPLES = CONV2D_LANES_MAX, // of the batch: a line
    WINOGRAD_TILES = 4                   // most that are worked on at once
};

/* Products a tile of size*size outputs, for each pair of channels. */
static inline int winograd_area(int size) {
    return (size + 2) * (size + 2);
}

/* Columns, pairs of a tile and a sample, are worked on in chunks: what lies between the steps is to stay in
 * the second cache, a quarter of a megabyte for 64 channels.  Of a tile a line of samples is taken, and of a
 * chunk's tiles, which see some of the same pixels, one after the other. */
static inline int winograd_tiles(int size) {
    return size == 2 ? 4 : 2;
}

/* From one product of so many channels and columns to the next.  A line more than they fill: powers
 * of two apart, all products of a pixel would share one set of the first cache. */
static inline size_t winograd_plane(int channels, int columns) {
    return (size_t)channels * (size_t)columns + CONV2D_LANES_MAX;
}

/* Floats of the transformed filters, a multiple of a vector. */
static inline size_t winograd_filters_len(int size, int C, int K) {
    const size_t len = (size_t)winograd_area(size) * (size_t)C * (size_t)K;
    return (len + CONV2D_LANES_MAX - 1) / CONV2D_LANES_MAX * CONV2D_LANES_MAX;
}

/* Floats of the products of a chunk for so many channels. */
static inline size_t winograd_chunk_len(int size, int channels) {
    const int columns = winograd_tiles(size) * WINOGRAD_SAMPLES;
    return (size_t)winograd_area(size) * winograd_plane(channels, columns);
}

#endif

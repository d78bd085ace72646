/* trainer/kernels/conv2d_scratch.c - which method a convolution takes, and how much scratch, whatever the
 * set.  Compiled once. */
#include "trainer/kernels/conv2d.h"

#include <stdbool.h>

/* Pairs of an output and a tap that lie inside, along one axis. */
static double taps_inside(int in_len, int out_len, int pad, int filter_len) {
    double taps = 0.0;
    for (int t = 0; t < filter_len; t++) {
        taps += int_max(0, int_min(out_len, in_len + pad - t) - int_max(0, pad - t));
    }
    return taps;
}

/* The costs of both, in multiplications of a vector; what the transforms cost for each channel of a row of a tile was
 * measured as such, for 1 to 64 channels, images of 5x5 to 32x32 and 16 and 64 samples. */
static bool lines_pay(const struct conv2d_shape *s) {
    const double transform = 60.0, pairs = (double)s->C * s->K;
    const double rows = taps_inside(s->H, s->P, s->pad, s->R), tiles = split_parts(s->Q, LINES_OUT);
    const double direct = pairs * rows * taps_inside(s->W, s->Q, s->pad, s->S);
    const double ends = (double)s->H * s->C + (double)s->P * s->K;
    return tiles * (LINES_IN * pairs * rows + transform * ends) < direct;
}

/* One method for all three kernels, by the costs of a gradient, in multiplications of a vector, for all N
 * alike.  What the transforms cost for each channel of a tile was measured as such, for 4 to 32 channels
 * and images of 2x2 to 28x28.  Forward, whose tiles are smaller, breaks even near the same shapes: where
 * the rule says Winograd the three together were measured at 0.93 (8 -> 8 channels) to 2.3 times the
 * speed of direct ones, forward alone at 0.8 to 2.1 but for images of 3x3. */
enum conv2d_method conv2d_method(const struct conv2d_shape *s) {
    if (s->method != CONV2D_BY_SHAPE) {
        return s->method;
    }
    if (s->R == 5 && s->S == LINES_TAPS && s->stride == 1 && lines_pay(s)) {
        return CONV2D_LINES;
    }
    if (s->R != 3 || s->S != 3 || s->stride != 1) {
        return CONV2D_DIRECT;
    }
    const double transform = 350.0, pairs = (double)s->C * s->K;
    const double direct =
        pairs * taps_inside(s->H, s->P, s->pad, 3) * taps_inside(s->W, s->Q, s->pad, 3);
    const double tiles = (double)split_parts(s->P, WINOGRAD_OUT) * split_parts(s->Q, WINOGRAD_OUT);
    const double winograd =
        tiles * (winograd_area(WINOGRAD_OUT) * pairs + transform * (s->C + s->K));
    return winograd < direct ? CONV2D_WINOGRAD : CONV2D_DIRECT;
}

/* Forward and backward data pack the weights; backward weight keeps a vector of partial sums for
 * every weight of a block of output channels. */
static size_t direct_len(const struct conv2d_shape *shape) {
    const size_t filter = (size_t)shape->C * (size_t)shape->R * (size_t)shape->S;
    const size_t packed = (size_t)shape->K * filter;
    const size_t sums = (size_t)CONV2D_BLOCK_MAX * CONV2D_LANES_MAX * filter;
    return packed > sums ? packed : sums;
}

/* Forward and backward data: the filters, the images of a chunk, and its outputs of a block of channels. */
static size_t convolve_len(int size, int C, int K) {
    return winograd_filters_len(size, C, K) + winograd_chunk_len(size, C) +
           winograd_chunk_len(size, CONV2D_BLOCK_MAX);
}

/* Backward weight: the sums, a product's images turned around, the images and gradients of a chunk. */
static size_t weight_len(int size, int C, int K) {
    const size_t C_up = (size_t)split_parts(C, CONV2D_LANES_MAX) * CONV2D_LANES_MAX;
    const size_t columns = (size_t)winograd_tiles(size) * WINOGRAD_SAMPLES;
    return ((size_t)winograd_area(size) * (size_t)K + columns) * C_up +
           winograd_chunk_len(size, C) + winograd_chunk_len(size, K);
}

static size_t winograd_len(const struct conv2d_shape *s) {
    const size_t forward = convolve_len(2, s->C, s->K), data = convolve_len(4, s->K, s->C),
                 weight = weight_len(4, s->C, s->K);
    const size_t most = forward > data ? forward : data;
    return most > weight ? most : weight;
}

/* Forward and backward data: the filters, what is read of a chunk, and a row of products of a block of channels; or
 * backward weight, which is direct. */
static size_t lines_len(const struct conv2d_shape *s) {
    const size_t x = lines_chunk_len(s->H, s->C), dy = lines_chunk_len(s->P, s->K);
    const size_t convolve =
        lines_filters_len(s) + (x > dy ? x : dy) + lines_chunk_len(1, CONV2D_BLOCK_MAX);
    return convolve > direct_len(s) ? convolve : direct_len(s);
}

size_t conv2d_scratch_len(const struct conv2d_shape *shape) {
    switch (conv2d_method(shape)) {
    case CONV2D_WINOGRAD:
        return winograd_len(shape);
    case CONV2D_LINES:
        return lines_len(shape);
    default:
        return direct_len(shape);
    }
}

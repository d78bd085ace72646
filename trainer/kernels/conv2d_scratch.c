/* trainer/kernels/conv2d_scratch.c - one size of scratch for every set.  Compiled once. */
#include "trainer/kernels/conv2d.h"

/* Forward and backward data pack the weights; backward weight keeps a vector of partial sums for
 * every weight of a block of output channels. */
size_t conv2d_scratch_len(const struct conv2d_shape *shape) {
    const size_t filter = (size_t)shape->C * (size_t)shape->R * (size_t)shape->S;
    const size_t packed = (size_t)shape->K * filter;
    const size_t sums = (size_t)CONV2D_BLOCK_MAX * CONV2D_LANES_MAX * filter;
    return packed > sums ? packed : sums;
}

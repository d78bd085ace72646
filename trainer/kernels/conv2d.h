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

#endif

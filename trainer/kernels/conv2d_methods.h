/* trainer/kernels/conv2d_methods.h - the convolutions by each method, as in struct kernels: what conv2d.c
 * chooses from.  Private to this folder; included once per instruction set. */
#ifndef TRAINER_KERNELS_CONV2D_METHODS_H
#define TRAINER_KERNELS_CONV2D_METHODS_H

#include "trainer/kernels/isa.h"

#define X(method, pass)                                                                            \
    extern __typeof__(*((struct kernels *)NULL)->conv2d_##pass) KERNEL(method##_##pass);
X(direct, forward)
X(direct, backward_data)
X(direct, backward_weight)
X(lines, forward)
X(lines, backward_data)
X(winograd, forward)
X(winograd, backward_data)
X(winograd, backward_weight)
#undef X

#endif

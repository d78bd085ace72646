/* trainer/kernels/conv2d_multiply.h - the products between the transforms of Winograd's methods.
 *
 *     m (block, columns) = u (C, block)^T v (C, columns)
 *
 * in a register block of output channels x 2 vectors.  Private to this folder; included once per instruction set. */
#ifndef TRAINER_KERNELS_CONV2D_MULTIPLY_H
#define TRAINER_KERNELS_CONV2D_MULTIPLY_H

#include "trainer/kernels/isa.h"

enum {
    BLOCK =
        KERNEL_BLOCK, // of output channels: 2 vectors each, with 2 more for v and one for a weight
    VECS = 2,
};

/* m[k][0 .. vecs*LANES) of a block, summed over c in order */
KERNEL_INLINE void block_multiply(int block, int vecs, float *m, ptrdiff_t m_k, const float *u,
                                  const float *v, int C, ptrdiff_t v_c) {
    vec sum[BLOCK][VECS];
    for (int k = 0; k < block; k++) {
        for (int i = 0; i < vecs; i++) {
            sum[k][i] = vec_all(0.0f);
        }
    }
    for (int c = 0; c < C; c++) {
        vec pixel[VECS];
        for (int i = 0; i < vecs; i++) {
            pixel[i] = vec_load(v + i * LANES);
        }
        for (int k = 0; k < block; k++) {
            for (int i = 0; i < vecs; i++) {
                sum[k][i] += u[k] * pixel[i];
            }
        }
        u += block;
        v += v_c;
    }
    for (int k = 0; k < block; k++) {
        for (int i = 0; i < vecs; i++) {
            vec_store(m + k * m_k + i * LANES, sum[k][i]);
        }
    }
}

typedef void multiply_fn(float *m, ptrdiff_t columns, const float *u, const float *v, int C);

#define X(block)                                                                                   \
    static void multiply_##block(float *m, ptrdiff_t columns, const float *u, const float *v,      \
                                 int C) {                                                          \
        ptrdiff_t i = 0;                                                                           \
        for (; i + VECS * LANES <= columns; i += VECS * LANES) {                                   \
            block_multiply(block, VECS, m + i, columns, u, v + i, C, columns);                     \
        }                                                                                          \
        for (; i < columns; i += LANES) {                                                          \
            block_multiply(block, 1, m + i, columns, u, v + i, C, columns);                        \
        }                                                                                          \
    }
KERNEL_BLOCKS(X)
#undef X

#define X(block) [block] = multiply_##block,
static multiply_fn *const multiply[BLOCK + 1] = {KERNEL_BLOCKS(X)};
#undef X

#endif

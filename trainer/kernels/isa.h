/* trainer/kernels/isa.h - what the kernels of one instruction set share: names, vectors, loads.
 *
 * A source file of this folder is compiled once for each set, with -DKERNELS_ISA=v4 and the like.
 * KERNEL(relu) is then relu_v4, LANES the floats of its widest vector, and `vec` that vector as a
 * GCC vector type: + - * / are elementwise, comparisons give an `ivec` of 0 and -1.
 *
 *     set       LANES   registers   fused multiply-add
 *     v4        16      32          yes
 *     v3         8      16          yes
 *     v2         4      16          no
 *     plain      4      32          what the machine has (AArch64: yes)
 *
 * Private to this folder. */
#ifndef TRAINER_KERNELS_ISA_H
#define TRAINER_KERNELS_ISA_H

#include "trainer/kernels/kernels.h"

#include <stddef.h>
#include <stdint.h>

#define KERNEL_PASTE(name, isa)  name##_##isa
#define KERNEL_EXPAND(name, isa) KERNEL_PASTE(name, isa)
#define KERNEL(name)             KERNEL_EXPAND(name, KERNELS_ISA)

/* Inlined with constant block sizes, so that the blocks become registers. */
#define KERNEL_INLINE static inline __attribute__((always_inline))

#if defined __AVX512F__
#define KERNEL_LANES     16
#define KERNEL_REGISTERS 32
#elif defined __AVX2__
#define KERNEL_LANES     8
#define KERNEL_REGISTERS 16
#elif defined __SSE4_1__
#define KERNEL_LANES     4
#define KERNEL_REGISTERS 16
#else
#define KERNEL_LANES     4
#define KERNEL_REGISTERS 32
#endif
enum { LANES = KERNEL_LANES, REGISTERS = KERNEL_REGISTERS };

/* Output channels that a tile of 2 vectors each can hold, with 2 vectors more for what is read and at least one
 * for a weight; and an X(n) for each block of at most so many. */
#if KERNEL_REGISTERS == 32
#define KERNEL_BLOCK     8
#define KERNEL_BLOCKS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#else
#define KERNEL_BLOCK     6
#define KERNEL_BLOCKS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#endif

typedef float vec __attribute__((vector_size(LANES * sizeof(float)), may_alias));
typedef int32_t ivec __attribute__((vector_size(LANES * sizeof(int32_t)), may_alias));
typedef uint32_t uvec __attribute__((vector_size(LANES * sizeof(uint32_t)), may_alias)); // wraps
typedef uint16_t hvec __attribute__((vector_size(LANES * sizeof(uint16_t))));
typedef uint8_t bvec __attribute__((vector_size(LANES), may_alias, aligned(1))); // at any address

/* The same at any address, for parameters. */
typedef float vec_any __attribute__((vector_size(LANES * sizeof(float)), may_alias, aligned(4)));

/* Activations: the address is a multiple of the vector's size. */
KERNEL_INLINE vec vec_load(const float *from) {
    return *(const vec *)from;
}

KERNEL_INLINE void vec_store(float *to, vec v) {
    *(vec *)to = v;
}

KERNEL_INLINE vec vec_load_any(const float *from) {
    return *(const vec_any *)from;
}

KERNEL_INLINE void vec_store_any(float *to, vec v) {
    *(vec_any *)to = v;
}

/* x in every lane; x - 0 is x for every x, -0 included, where x + 0 is not. */
KERNEL_INLINE vec vec_all(float x) {
    return x - (vec){0};
}

KERNEL_INLINE ivec ivec_all(int32_t x) {
    return x - (ivec){0};
}

/* v, in a register: where it is used several times, gcc would rather load it again each time. */
KERNEL_INLINE vec vec_kept(vec v) {
#if defined __x86_64__
    __asm__("" : "+v"(v));
#endif
    return v;
}

/* a where the mask is set, b elsewhere; masks come from comparisons. */
KERNEL_INLINE vec vec_pick(ivec mask, vec a, vec b) {
#if KERNEL_LANES == 8
    return __builtin_ia32_blendvps256(b, a, (vec)mask); // gcc 12 would take three instructions
#elif defined __SSE4_1__ && KERNEL_LANES == 4
    return __builtin_ia32_blendvps(b, a, (vec)mask);
#else
    return (vec)((mask & (ivec)a) | (~mask & (ivec)b));
#endif
}

KERNEL_INLINE ivec ivec_pick(ivec mask, ivec a, ivec b) {
    return (ivec)vec_pick(mask, (vec)a, (vec)b);
}

/* Bytes to integers and back, a doubling at a time: in one step gcc 12 goes lane by lane. */
KERNEL_INLINE ivec ivec_load_bytes(const uint8_t *from) {
    return __builtin_convertvector(__builtin_convertvector(*(const bvec *)from, hvec), ivec);
}

KERNEL_INLINE void ivec_store_bytes(uint8_t *to, ivec v) {
    *(bvec *)to = __builtin_convertvector(__builtin_convertvector(v, hvec), bvec);
}

/* Sum of the lanes, by halves: a fixed order. */
KERNEL_INLINE float vec_sum(vec v) {
    float lane[LANES] __attribute__((aligned(64)));
    vec_store(lane, v);
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            lane[i] += lane[i + half];
        }
    }
    return lane[0];
}

/* Lane l of row i becomes lane i of row l: each round interleaves the first half of the rows with the
 * second, and lowers the place of a float among all by one bit. */
#if KERNEL_LANES == 16
#define LOW_HALVES  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif KERNEL_LANES == 8
#define LOW_HALVES  0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW_HALVES  0, 4, 1, 5
#define HIGH_HALVES 2, 6, 3, 7
#endif

KERNEL_INLINE void vec_transpose(vec rows[LANES]) {
#pragma GCC unroll 4
    for (int round = 1; round < LANES; round *= 2) {
        vec next[LANES];
#pragma GCC unroll 8
        for (int i = 0; i < LANES / 2; i++) {
            const vec a = rows[i], b = rows[i + LANES / 2];
            next[2 * i] = __builtin_shufflevector(a, b, LOW_HALVES);
            next[2 * i + 1] = __builtin_shufflevector(a, b, HIGH_HALVES);
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            rows[i] = next[i];
        }
    }
}

/* sum += x[0 .. len), in four chains, as an addition waits for the last one; len a multiple of LANES. */
KERNEL_INLINE void vec_add_up(vec sum[4], const float *x, ptrdiff_t len) {
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= len; i += 4 * LANES) {
        for (int j = 0; j < 4; j++) {
            sum[j] += vec_load(x + i + j * LANES);
        }
    }
    for (int j = 0; i < len; i += LANES, j++) {
        sum[j] += vec_load(x + i);
    }
}

/* Lane i is vec_sum() of row i, to the bit; spoils the rows. */
KERNEL_INLINE vec vec_sums(vec rows[LANES]) {
    vec_transpose(rows);
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            rows[i] += rows[i + half];
        }
    }
    return rows[0];
}

/* Every kernel of a set, one X(name) each: the members of struct kernels. */
#define KERNELS_MAP(X)                                                                             \
    X(conv2d_forward)                                                                              \
    X(conv2d_backward_data)                                                                        \
    X(conv2d_backward_weight)                                                                      \
    X(maxpool_forward)                                                                             \
    X(maxpool_backward)                                                                            \
    X(avgpool_forward)                                                                             \
    X(avgpool_backward)                                                                            \
    X(globalavgpool_forward)                                                                       \
    X(globalavgpool_backward)                                                                      \
    X(batch_norm_moments)                                                                          \
    X(batch_norm_forward)                                                                          \
    X(batch_norm_backward)                                                                         \
    X(activation_forward)                                                                          \
    X(activation_backward)                                                                         \
    X(prelu_forward)                                                                               \
    X(prelu_backward)                                                                              \
    X(maxout_forward)                                                                              \
    X(maxout_backward)                                                                             \
    X(dense_forward)                                                                               \
    X(dense_backward_data)                                                                         \
    X(dense_backward_weight)                                                                       \
    X(bias_add)                                                                                    \
    X(bias_grad)                                                                                   \
    X(softmax_xent)                                                                                \
    X(squared_error)                                                                               \
    X(dropout)                                                                                     \
    X(rotate)                                                                                      \
    X(adjust)                                                                                      \
    X(noise)                                                                                       \
    X(mix)                                                                                         \
    X(gather)                                                                                      \
    X(gather_floats)                                                                               \
    X(bytes_to_floats)                                                                             \
    X(normalize)                                                                                   \
    X(sgd)                                                                                         \
    X(momentum)                                                                                    \
    X(adagrad)                                                                                     \
    X(rmsprop)                                                                                     \
    X(adam)                                                                                        \
    X(momentum_damped)                                                                             \
    X(adamax)                                                                                      \
    X(nadam)                                                                                       \
    X(adadelta)                                                                                    \
    X(lion)                                                                                        \
    X(ema)                                                                                         \
    X(sum_squares)                                                                                 \
    X(add)                                                                                         \
    X(axpy)                                                                                        \
    X(scale)                                                                                       \
    X(clamp)                                                                                       \
    X(add_sign)

/* Their prototypes, each of the type that its member points to. */
#define X(name) extern __typeof__(*((struct kernels *)NULL)->name) KERNEL(name);
KERNELS_MAP(X)
#undef X

#endif

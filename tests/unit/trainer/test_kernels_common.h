/* tests/unit/trainer/test_kernels_common.h - what the tests of kernels share: every set that this
 * processor runs, random tensors, and comparisons that say where and by how much.
 *
 * Results are held against the double-precision twins of trainer/kernels/reference.h within a bound
 * on the rounding of a float32 sum of m products, m * 2^-24 * sum of |products|, which the twin gives
 * when it is fed absolute values.  An error in an index is larger by orders of magnitude. */
#ifndef TESTS_UNIT_TRAINER_TEST_KERNELS_COMMON_H
#define TESTS_UNIT_TRAINER_TEST_KERNELS_COMMON_H

#include "base/mem.h"
#include "trainer/kernels/kernels.h"
#include "trainer/kernels/reference.h"

// cmocka.h wants these four before it
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ULP 0x1p-24 // of a float32 operation, relative

/* SplitMix64 (Steele, Lea, Flood 2014), unrelated to base/rng.h */
static inline uint64_t random_u64(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* from [low, high] */
static inline int random_int(uint64_t *state, int low, int high) {
    return low + (int)(random_u64(state) % (uint64_t)(high - low + 1));
}

/* `n` floats on a cache line, uniform in [-scale, scale). */
static inline float *random_floats(uint64_t *state, size_t n, float scale) {
    float *to = mem_aligned(n + 1, sizeof *to);
    for (size_t i = 0; i < n; i++) {
        to[i] = ((float)(random_u64(state) >> 40) * 0x1p-23f - 1.0f) * scale;
    }
    return to;
}

/* `n` floats that are all NaN: what a kernel leaves unwritten, or reads before it wrote, shows. */
static inline float *poison_floats(size_t n) {
    float *to = mem_aligned(n + 1, sizeof *to);
    for (size_t i = 0; i < n; i++) {
        to[i] = NAN;
    }
    return to;
}

static inline float *absolute_floats(const float *from, size_t n) {
    float *to = mem_aligned(n + 1, sizeof *to);
    for (size_t i = 0; i < n; i++) {
        to[i] = fabsf(from[i]);
    }
    return to;
}

static inline double *zero_doubles(size_t n) {
    return mem_zalloc(n + 1, sizeof(double));
}

/* x (pixels, N) repeated to (pixels, times*N) */
static inline float *batch_repeat(const float *x, size_t pixels, size_t N, size_t times) {
    float *to = mem_aligned(pixels * N * times, sizeof *to);
    for (size_t i = 0; i < pixels * times; i++) {
        memcpy(to + i * N, x + i / times * N, N * sizeof *to);
    }
    return to;
}

/* |actual - expected| <= relative * magnitude + absolute, everywhere; a NaN only where one is
 * expected.  `magnitude` NULL is |expected|. */
#define CHECK_ALL_NEAR(what, set, actual, expected, magnitude, relative, absolute, n)              \
    check_all_near(what, set, actual, expected, magnitude, relative, absolute, n, __FILE__,        \
                   __LINE__)

static inline void check_all_near(const char *what, const struct kernels *set, const float *actual,
                                  const double *expected, const double *magnitude, double relative,
                                  double absolute, size_t n, const char *file, int line) {
    for (size_t i = 0; i < n; i++) {
        const double scale = magnitude ? magnitude[i] : fabs(expected[i]);
        const double error = fabs((double)actual[i] - expected[i]);
        const bool same = isnan(expected[i])   ? isnan(actual[i])
                          : isinf(expected[i]) ? (double)actual[i] == expected[i]
                                               : error <= relative * scale + absolute;
        if (!same) {
            print_error("%s, %s: [%zu] is %.9g, expected %.17g within %g\n", set->name, what, i,
                        (double)actual[i], expected[i], relative * scale + absolute);
            _fail(file, line);
        }
    }
}

/* The body runs once for each set, as `set`. */
#define EACH_SET(set)                                                                              \
    const struct kernels *sets_[4];                                                                \
    const int set_count_ = kernels_all(sets_);                                                     \
    assert_in_range(set_count_, 1, 4);                                                             \
    for (int set_ = 0; set_ < set_count_; set_++)                                                  \
        for (const struct kernels *set = sets_[set_]; set; set = NULL)

#endif

/* tests/unit/trainer/net_testing.h - what the tests of networks share: short names for layers, random
 * numbers that are not the product's, and checks that print what they compared. */
#ifndef TESTS_UNIT_TRAINER_NET_TESTING_H
#define TESTS_UNIT_TRAINER_NET_TESTING_H

#include "trainer/net.h"
#include "trainer/spec.h"

// cmocka.h wants these four before it
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

/* ---- layers ---- */

#define HE_NORMAL                                                                                  \
    { .kind = INIT_HE_NORMAL, .gain = 1.41421356 }

#define DENSE(n)                                                                                   \
    { .kind = LAYER_DENSE, .units = (n), .init = HE_NORMAL }
#define CONV2D(c, k, s, p)                                                                         \
    {                                                                                              \
        .kind = LAYER_CONV2D, .channels = (c), .kernel = (k), .stride = (s), .padding = (p),       \
        .init = HE_NORMAL                                                                          \
    }
#define MAXPOOL(k, s)                                                                              \
    { .kind = LAYER_MAXPOOL, .kernel = (k), .stride = (s) }
#define AVGPOOL(k, s)                                                                              \
    { .kind = LAYER_AVGPOOL, .kernel = (k), .stride = (s) }
#define GLOBALAVGPOOL                                                                              \
    { .kind = LAYER_GLOBALAVGPOOL }
#define BATCH_NORM(e, m)                                                                           \
    { .kind = LAYER_BATCH_NORM, .eps = (e), .momentum = (m) }
/* The marks of a residual block. */
#define RESIDUAL                                                                                   \
    { .kind = LAYER_RESIDUAL }
#define SHORTCUT                                                                                   \
    { .kind = LAYER_SHORTCUT }
#define JOIN                                                                                       \
    { .kind = LAYER_JOIN }
#define FLATTEN                                                                                    \
    { .kind = LAYER_FLATTEN }
#define DROPOUT(q)                                                                                 \
    { .kind = LAYER_DROPOUT, .p = (q) }
/* Parameters of an activation that are its own, not the defaults, so that ignoring one shows. */
#define ACTIVATION(name)                                                                           \
    {                                                                                              \
        .kind = LAYER_ACTIVATION, .activation = {                                                  \
            .kind = ACTIVATION_##name,                                                             \
            .negative_slope = 0.125f,                                                              \
            .alpha = 0.75f,                                                                        \
            .init = 0.25f,                                                                         \
            .pieces = 3                                                                            \
        }                                                                                          \
    }

/* Plain labels, for as long as the block lasts. */
#define LABELS(labels_) (&(struct net_targets){.labels = (labels_)})

/* ---- random numbers: SplitMix64 (Steele, Lea, Flood 2014), unrelated to base/rng.h ---- */

static inline uint64_t test_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* uniform in [-1, 1), exact in float32 */
static inline float test_uniform(uint64_t *state) {
    return (float)(test_random(state) >> 40) * 0x1p-23f - 1.0f;
}

/* ---- checks ---- */

/* |actual - expected| <= tolerance; false for NaN */
#define CHECK_NEAR(actual, expected, tolerance)                                                    \
    check_near((actual), (expected), (tolerance), #actual, __FILE__, __LINE__)

static inline void check_near(double actual, double expected, double tolerance, const char *what,
                              const char *file, int line) {
    if (!(fabs(actual - expected) <= tolerance)) {
        print_error("%s: %.17g, expected %.17g within %g\n", what, actual, expected, tolerance);
        _fail(file, line);
    }
}

#define CHECK_BELOW(actual, limit) check_below((actual), (limit), #actual, __FILE__, __LINE__)

static inline void check_below(double actual, double limit, const char *what, const char *file,
                               int line) {
    if (!(actual < limit)) {
        print_error("%s: %.17g, expected below %.17g\n", what, actual, limit);
        _fail(file, line);
    }
}

#endif

/* The kernels that change training samples, in every set, beside their twins in double. */
#include "tests/unit/trainer/test_kernels_common.h"

enum { STEPS = 1 << 16 };

/* A channel of random pixels in its frame of zeros: (H + 3, W + 3). */
static float *framed(uint64_t *random, int H, int W) {
    const size_t stride = (size_t)W + 3;
    float *x = mem_aligned(((size_t)H + 3) * stride, sizeof *x);
    for (int r = 0; r < H; r++) {
        for (int c = 0; c < W; c++) {
            x[(size_t)(r + 1) * stride + (size_t)c + 1] = (float)random_int(random, 0, 255) / 255;
        }
    }
    return x;
}

/* A position is a float32 of the size of the image, off by a few roundings; from one pixel to the next
 * the value changes by at most 1 in each direction. */
static double position_error(int H, int W) {
    return 8 * ULP * (H + W + 4);
}

static void rotate_matches_its_definition_at_every_size_and_angle(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 2}, {2, 1}, {3, 3}, {5, 40}, {28, 28}, {32, 31}};
    static const double degrees[] = {0,   1e-3, 7.5,  15,   30, 45,  60, 89.9,
                                     -10, -45,  -120, 90.1, 90, 135, 180};
    uint64_t random = 1;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int H = sizes[i][0], W = sizes[i][1];
        const size_t len = (size_t)H * (size_t)W;
        float *x = framed(&random, H, W);
        double *expected = zero_doubles(len);
        for (size_t j = 0; j < sizeof degrees / sizeof *degrees; j++) {
            const double angle = degrees[j] * M_PI / 180;
            reference_rotate(expected, x, H, W, cos(angle), sin(angle));
            EACH_SET(set) {
                float *y = poison_floats(len);
                set->rotate(y, x, H, W, cos(angle), sin(angle));
                CHECK_ALL_NEAR("rotate", set, y, expected, NULL, 0.0, position_error(H, W), len);
                free(y);
            }
        }
        free(x);
        free(expected);
    }
}

static void a_quarter_turn_brings_the_right_to_the_top(void **state) {
    (void)state;
    const float x[6 * 6] = {[1 * 6 + 1] = 1, [1 * 6 + 2] = 2, [1 * 6 + 3] = 3,  // a frame around
                            [2 * 6 + 1] = 4, [2 * 6 + 2] = 5, [2 * 6 + 3] = 6,  // 1 2 3
                            [3 * 6 + 1] = 7, [3 * 6 + 2] = 8, [3 * 6 + 3] = 9}; // 4 5 6
    static const double turned[9] = {3, 6, 9, 2, 5, 8, 1, 4, 7};                // 7 8 9
    static const double upside_down[9] = {9, 8, 7, 6, 5, 4, 3, 2, 1};
    EACH_SET(set) {
        float y[9];
        set->rotate(y, x, 3, 3, 0, 1);
        CHECK_ALL_NEAR("a quarter", set, y, turned, NULL, 0.0, 0.0, 9);
        set->rotate(y, x, 3, 3, -1, 0);
        CHECK_ALL_NEAR("a half", set, y, upside_down, NULL, 0.0, 0.0, 9);
    }
}

static void adjust_and_mix_match_their_definitions_at_every_length(void **state) {
    (void)state;
    static const float factors[][2] = {{1, 0}, {0, 0}, {0.5f, 0.25f}, {3, -1}, {1.5f, -0.125f}};
    uint64_t random = 2;
    for (size_t n = 1; n <= 100; n += n < 40 ? 1 : 20) {
        float *x = random_floats(&random, n, 1.5f), *other = random_floats(&random, n, 1.5f);
        double *expected = zero_doubles(n), *magnitude = zero_doubles(n);
        for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
            const float a = factors[i][0], b = factors[i][1], share = (float)i / 4;
            EACH_SET(set) {
                float *y = mem_aligned(n, sizeof *y);
                for (size_t j = 0; j < n; j++) {
                    magnitude[j] = fabs((double)a * (double)x[j]) + fabs((double)b);
                }
                memcpy(y, x, n * sizeof *y);
                set->adjust(y, a, b, n);
                reference_adjust(expected, x, a, b, n);
                CHECK_ALL_NEAR("adjust", set, y, expected, magnitude, 2 * ULP, 0.0, n);
                for (size_t j = 0; j < n; j++) {
                    magnitude[j] = fabs((double)x[j]) + fabs((double)other[j]);
                }
                memcpy(y, x, n * sizeof *y);
                set->mix(y, other, share, n);
                reference_mix(expected, x, other, share, n);
                CHECK_ALL_NEAR("mix", set, y, expected, magnitude, 3 * ULP, 0.0, n);
                free(y);
            }
        }
        free(x);
        free(other);
        free(expected);
        free(magnitude);
    }
}

static void adjust_leaves_a_nan_a_nan(void **state) {
    (void)state;
    EACH_SET(set) {
        float *x = poison_floats(40);
        set->adjust(x, 0.5f, 0.5f, 40);
        for (int i = 0; i < 40; i++) {
            assert_true(isnan(x[i]));
        }
        free(x);
    }
}

static void noise_matches_its_definition_at_every_length(void **state) {
    (void)state;
    uint64_t random = 3;
    uint32_t room[1 + 128] __attribute__((aligned(64)));
    uint32_t *numbers = room + 1; // of any alignment: here the least
    for (int i = 0; i < 128; i++) {
        numbers[i] = (uint32_t)random_u64(&random);
    }
    const uint32_t special[] = {0, 1, UINT32_MAX, UINT32_MAX - 1}; // of u: the ends of the range
    memcpy(numbers, special, sizeof special);
    memcpy(numbers + 20, special, sizeof special); // and of v
    for (size_t n = 1; n <= 128; n++) {
        float *x = random_floats(&random, n, 1.0f);
        double *expected = zero_doubles(n);
        reference_noise(expected, x, numbers, 0.5f, n);
        EACH_SET(set) {
            float *y = mem_aligned(n, sizeof *y);
            memcpy(y, x, n * sizeof *y);
            set->noise(y, numbers, 0.5f, n);
            CHECK_ALL_NEAR("noise", set, y, expected, NULL, ULP, 8 * ULP * 0.5 * 6.7, n);
            free(y);
        }
        free(x);
        free(expected);
    }
}

/* Every number from its own stream of SplitMix64: mean 0, variance 1, no skew, kurtosis 3, and tails. */
static void noise_is_normal(void **state) {
    (void)state;
    uint64_t random = 4;
    uint32_t *numbers = mem_aligned(STEPS, sizeof *numbers);
    for (int i = 0; i < STEPS; i++) {
        numbers[i] = (uint32_t)random_u64(&random);
    }
    EACH_SET(set) {
        float *z = mem_aligned(STEPS, sizeof *z);
        set->noise(z, numbers, 1.0f, STEPS);
        double m[5] = {0}, far = 0;
        for (int i = 0; i < STEPS; i++) {
            double power = 1;
            for (int k = 1; k < 5; k++) {
                power *= (double)z[i];
                m[k] += power / STEPS;
            }
            far += fabsf(z[i]) > 2.5758293f;
        }
        const double root = 4 / sqrt(STEPS); // 4 standard errors of each
        assert_true(fabs(m[1]) < root);
        assert_true(fabs(m[2] - 1) < root * sqrt(2));
        assert_true(fabs(m[3]) < root * sqrt(15));
        assert_true(fabs(m[4] - 3) < root * sqrt(96));
        assert_true(fabs(far / STEPS - 0.01) < root * sqrt(0.01 * 0.99));
        free(z);
    }
    free(numbers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotate_matches_its_definition_at_every_size_and_angle),
        cmocka_unit_test(a_quarter_turn_brings_the_right_to_the_top),
        cmocka_unit_test(adjust_and_mix_match_their_definitions_at_every_length),
        cmocka_unit_test(adjust_leaves_a_nan_a_nan),
        cmocka_unit_test(noise_matches_its_definition_at_every_length),
        cmocka_unit_test(noise_is_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

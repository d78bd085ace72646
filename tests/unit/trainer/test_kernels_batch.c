/* Gather, normalize and dropout. */
#include "tests/unit/trainer/test_kernels_common.h"

/* ---- dropout ---- */

static void dropout_keeps_what_is_drawn_at_or_above_p(void **state) {
    (void)state;
    enum { LEN = 1024 };
    static const float ps[] = {0.0f, 1e-10f, 0.2f, 0.5f, 0.9f, 0.99999994f};
    uint64_t random = 6;
    float *x = random_floats(&random, LEN, 1.0f);
    uint32_t *draws = mem_zalloc(LEN, sizeof *draws);
    double *expected = zero_doubles(LEN);
    for (size_t i = 0; i < sizeof ps / sizeof *ps; i++) {
        for (int j = 0; j < LEN; j++) {
            draws[j] = (uint32_t)random_u64(&random);
        }
        const uint32_t edge = (uint32_t)((double)ps[i] * 0x1p32);
        const uint32_t special[] = {0, 1, UINT32_MAX, edge, edge + 1, edge - 1};
        memcpy(draws, special, sizeof special);
        reference_dropout(expected, x, draws, ps[i], LEN);
        EACH_SET(set) {
            float *y = poison_floats(LEN);
            set->dropout(y, x, draws, ps[i], LEN);
            CHECK_ALL_NEAR("dropout", set, y, expected, NULL, 2 * ULP, 0.0, LEN);
            memcpy(y, x, LEN * sizeof *y);
            set->dropout(y, y, draws, ps[i], LEN);
            CHECK_ALL_NEAR("dropout in place", set, y, expected, NULL, 2 * ULP, 0.0, LEN);
            free(y);
        }
    }
    free(x);
    free(draws);
    free(expected);
}

static void dropout_leaves_a_nan_a_nan(void **state) {
    (void)state;
    EACH_SET(set) {
        float *x = poison_floats(16), *y = mem_aligned(16, sizeof *y);
        const uint32_t draws[16] = {[8] = UINT32_MAX}; // all but one are dropped
        set->dropout(y, x, draws, 0.5f, 16);
        for (int i = 0; i < 16; i++) {
            assert_true(isnan(y[i]));
        }
        free(x);
        free(y);
    }
}

/* ---- gather ---- */

static void gather_transposes_the_samples_and_clears_the_rest(void **state) {
    (void)state;
    enum { SAMPLES = 20 };
    static const int features[] = {1, 15, 16, 17, 33, 784};
    static const int counts[] = {1, 15, 16, 33, 48};
    uint64_t random = 7;
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
            const int f = features[i], n = counts[j], N = 48;
            const size_t len = (size_t)f * (size_t)N, held = (size_t)f * SAMPLES;
            uint8_t *bytes = mem_zalloc(held, 1); // to the byte: asan sees a read past it
            uint32_t *index = mem_zalloc((size_t)n, sizeof *index);
            double *expected = zero_doubles(len);
            for (size_t at = 0; at < held; at++) {
                bytes[at] = (uint8_t)random_u64(&random);
            }
            for (int at = 0; at < n; at++) {
                index[at] = (uint32_t)random_int(&random, 0, SAMPLES - 1);
            }
            index[0] = SAMPLES - 1;
            reference_gather(expected, bytes, index, f, n, N);
            EACH_SET(set) {
                float *x = poison_floats(len);
                set->gather(x, bytes, index, f, n, N);
                CHECK_ALL_NEAR("gather", set, x, expected, NULL, ULP, 0.0, len);
                free(x);
            }
            free(bytes);
            free(index);
            free(expected);
        }
    }
}

static void gather_rounds_every_byte_as_a_division_does(void **state) {
    (void)state;
    uint8_t bytes[256];
    for (int i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
    }
    const uint32_t index[] = {0};
    EACH_SET(set) {
        float *x = mem_aligned(256 * 16, sizeof *x);
        set->gather(x, bytes, index, 256, 1, 16);
        for (int i = 0; i < 256; i++) {
            const float expected = (float)(i / 255.0);
            assert_memory_equal(&x[i * 16], &expected, sizeof expected);
        }
        free(x);
    }
}

static void floats_are_gathered_as_they_are(void **state) {
    (void)state;
    enum { SAMPLES = 20 };
    static const int features[] = {1, 15, 16, 17, 33, 784};
    static const int counts[] = {1, 15, 16, 17, 20}; // with no index: at most the samples
    uint64_t random = 8;
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
            const int f = features[i], n = counts[j], N = 48;
            const size_t len = (size_t)f * (size_t)N, held = (size_t)f * SAMPLES;
            float *samples = random_floats(&random, held, 3);
            uint32_t *index = mem_zalloc((size_t)n, sizeof *index);
            double *expected = zero_doubles(len);
            for (int at = 0; at < n; at++) {
                index[at] = (uint32_t)random_int(&random, 0, SAMPLES - 1);
            }
            index[0] = SAMPLES - 1;
            for (int indexed = 0; indexed < 2; indexed++) {
                const uint32_t *used = indexed ? index : NULL;
                reference_gather_floats(expected, samples, used, f, n, N);
                EACH_SET(set) {
                    float *x = poison_floats(len);
                    set->gather_floats(x, samples, used, f, n, N);
                    CHECK_ALL_NEAR("gather_floats", set, x, expected, NULL, 0.0, 0.0, len);
                    free(x);
                }
            }
            free(samples);
            free(index);
            free(expected);
        }
    }
}

static void bytes_become_floats_as_a_division_does(void **state) {
    (void)state;
    enum { LEN = 256 + 37 };
    uint8_t *block = mem_zalloc(LEN + 1, 1), *bytes = block + 1; // at any address
    double expected[LEN];
    for (int i = 0; i < LEN; i++) {
        bytes[i] = (uint8_t)i;
    }
    reference_bytes_to_floats(expected, bytes, LEN);
    EACH_SET(set) {
        float *y = mem_zalloc(LEN + 1, sizeof *y);
        set->bytes_to_floats(y + 1, bytes, LEN); // likewise
        for (int i = 0; i < LEN; i++) {
            const float rounded = (float)expected[i];
            assert_memory_equal(&y[i + 1], &rounded, sizeof rounded);
        }
        free(y);
    }
    free(block);
}

static void normalize_subtracts_and_divides_channel_by_channel(void **state) {
    (void)state;
    enum { C = 3, M = 7 * 48 };
    const float mean[C] = {0.5f, -0.25f, 0.2860f}, std[C] = {0.25f, 3.0f, 0.3530f};
    uint64_t random = 9;
    EACH_SET(set) {
        float *x = random_floats(&random, C * M, 1);
        double *expected = zero_doubles(C * M);
        reference_normalize(expected, x, mean, std, C, M);
        float rounded[C * M]; // twice, as float32 has it
        for (int i = 0; i < C * M; i++) {
            const float difference = x[i] - mean[i / M];
            rounded[i] = difference / std[i / M];
        }
        set->normalize(x, mean, std, C, M);
        CHECK_ALL_NEAR("normalize", set, x, expected, NULL, 8 * ULP, 1e-6, C * M);
        assert_memory_equal(x, rounded, sizeof rounded);
        free(x);
        free(expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropout_keeps_what_is_drawn_at_or_above_p),
        cmocka_unit_test(dropout_leaves_a_nan_a_nan),
        cmocka_unit_test(gather_transposes_the_samples_and_clears_the_rest),
        cmocka_unit_test(gather_rounds_every_byte_as_a_division_does),
        cmocka_unit_test(floats_are_gathered_as_they_are),
        cmocka_unit_test(bytes_become_floats_as_a_division_does),
        cmocka_unit_test(normalize_subtracts_and_divides_channel_by_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

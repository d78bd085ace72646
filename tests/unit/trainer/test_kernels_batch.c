/* The kernels at the two ends of a step: gather and dropout, softmax with cross-entropy. */
#include "tests/unit/trainer/test_kernels_common.h"

/* ---- softmax and cross-entropy ---- */

struct xent {
    int classes, N, n;
    float *logits; // (classes, N)
    uint8_t *labels;
};

static struct xent xent_new(uint64_t *random, int classes, int N, int n, float scale) {
    struct xent x = {.classes = classes,
                     .N = N,
                     .n = n,
                     .logits = random_floats(random, (size_t)(classes * N), scale),
                     .labels =
                         mem_zalloc((size_t)n, 1)}; // no longer than n: asan sees a read past it
    for (int i = 0; i < n; i++) {
        x.labels[i] = (uint8_t)random_int(random, 0, classes - 1);
    }
    return x;
}

static void xent_release(struct xent *x) {
    free(x->logits);
    free(x->labels);
}

/* Every set against the twin, starting from sums that are not 0. */
static void check_xent(const struct xent *x, const char *what) {
    const size_t len = (size_t)(x->classes * x->N);
    double *expected = zero_doubles(len), loss_expected = 3.0;
    int64_t correct_expected = 7;
    reference_softmax_xent(expected, x->logits, x->labels, x->classes, x->N, x->n, &loss_expected,
                           &correct_expected);
    EACH_SET(set) {
        for (int with_gradient = 0; with_gradient <= 1; with_gradient++) {
            float *dlogits = poison_floats(len);
            double loss = 3.0;
            int64_t correct = 7;
            set->softmax_xent(with_gradient ? dlogits : NULL, x->logits, x->labels, x->classes,
                              x->N, x->n, &loss, &correct);
            if (!(fabs(loss - loss_expected) <= 1e-6 * loss_expected) &&
                !(isnan(loss) && isnan(loss_expected))) {
                fail_msg("%s, %s: loss %.17g, expected %.17g", set->name, what, loss,
                         loss_expected);
            }
            assert_int_equal(correct, correct_expected);
            if (with_gradient) {
                CHECK_ALL_NEAR(what, set, dlogits, expected, NULL, 32 * ULP, 4 * ULP / x->n, len);
            }
            free(dlogits);
        }
    }
    free(expected);
}

static void loss_gradient_and_hits_match_the_definition(void **state) {
    (void)state;
    static const int classes[] = {2, 3, 10, 100, 256};
    static const float scales[] = {0.01f, 1.0f, 30.0f, 3000.0f};
    uint64_t random = 1;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        for (size_t j = 0; j < sizeof scales / sizeof *scales; j++) {
            struct xent x = xent_new(&random, classes[i], 32, 32, scales[j]);
            check_xent(&x, "softmax");
            xent_release(&x);
        }
    }
}

static void columns_past_the_batch_count_for_nothing(void **state) {
    (void)state;
    static const int counts[] = {1, 7, 16, 17, 31, 47};
    uint64_t random = 2;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct xent x = xent_new(&random, 10, 48, counts[i], 2.0f);
        for (int at = 0; at < 10 * 48; at++) {
            x.logits[at] = at % 48 < counts[i] ? x.logits[at] : NAN;
        }
        check_xent(&x, "short batch"); // the twin has zeros past n, and no NaN in the loss
        xent_release(&x);
    }
}

static void the_first_of_equal_logits_is_the_prediction(void **state) {
    (void)state;
    uint64_t random = 3;
    struct xent x = xent_new(&random, 4, 16, 4, 1.0f);
    for (int i = 0; i < 16; i++) { // 1 2 2 0
        x.logits[0 * 16 + i] = 1.0f;
        x.logits[1 * 16 + i] = x.logits[2 * 16 + i] = 2.0f;
        x.logits[3 * 16 + i] = 0.0f;
    }
    memcpy(x.labels, (const uint8_t[]){0, 1, 2, 3}, 4);
    EACH_SET(set) {
        double loss = 0.0;
        int64_t correct = 0;
        set->softmax_xent(NULL, x.logits, x.labels, 4, 16, 4, &loss, &correct);
        assert_int_equal(correct, 1);
    }
    xent_release(&x);
}

static void a_nan_anywhere_in_a_column_makes_the_loss_nan_and_is_no_hit(void **state) {
    (void)state;
    uint64_t random = 4;
    for (int at = 0; at < 3; at++) {
        struct xent x = xent_new(&random, 3, 16, 2, 1.0f);
        x.logits[at * 16] = NAN; // of the first sample
        x.logits[0 * 16 + 1] = 9.0f;
        x.labels[0] = 1;
        x.labels[1] = 0;
        x.logits[1 * 16] += 5.0f; // right, but for the NaN
        EACH_SET(set) {
            double loss = 0.0;
            int64_t correct = 0;
            float *dlogits = poison_floats(3 * 16);
            set->softmax_xent(dlogits, x.logits, x.labels, 3, 16, 2, &loss, &correct);
            assert_true(isnan(loss));
            assert_int_equal(correct, 1);
            for (int k = 0; k < 3; k++) {
                assert_true(isnan(dlogits[k * 16]));
                assert_false(isnan(dlogits[k * 16 + 1]));
            }
            free(dlogits);
        }
        xent_release(&x);
    }
}

/* The loss of a sure and right sample is exp(-gap): far below what 1 + exp(-gap) shows in float32. */
static void the_loss_of_a_sure_sample_is_small_but_not_zero(void **state) {
    (void)state;
    uint64_t random = 5;
    struct xent x = xent_new(&random, 2, 16, 1, 1.0f);
    x.logits[0] = 25.0f;
    x.logits[16] = 0.0f;
    x.labels[0] = 0;
    EACH_SET(set) {
        double loss = 0.0;
        int64_t correct = 0;
        set->softmax_xent(NULL, x.logits, x.labels, 2, 16, 1, &loss, &correct);
        if (!(fabs(loss - exp(-25.0)) <= 1e-4 * exp(-25.0))) {
            fail_msg("%s: %.17g, expected %.17g", set->name, loss, exp(-25.0));
        }
    }
    xent_release(&x);
}

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_gradient_and_hits_match_the_definition),
        cmocka_unit_test(columns_past_the_batch_count_for_nothing),
        cmocka_unit_test(the_first_of_equal_logits_is_the_prediction),
        cmocka_unit_test(a_nan_anywhere_in_a_column_makes_the_loss_nan_and_is_no_hit),
        cmocka_unit_test(the_loss_of_a_sure_sample_is_small_but_not_zero),
        cmocka_unit_test(dropout_keeps_what_is_drawn_at_or_above_p),
        cmocka_unit_test(dropout_leaves_a_nan_a_nan),
        cmocka_unit_test(gather_transposes_the_samples_and_clears_the_rest),
        cmocka_unit_test(gather_rounds_every_byte_as_a_division_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

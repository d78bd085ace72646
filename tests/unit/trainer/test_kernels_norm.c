/* Batch normalization and what else residual networks need, against the definition in double, in every
 * set. */
#include "tests/unit/trainer/test_kernels_common.h"

static size_t len_of(const struct norm_shape *s) {
    return (size_t)s->C * s->pixels * (size_t)s->N;
}

/* Batches that end within a vector, with one, and several vectors before N; rows longer than a
 * stretch. */
static const struct norm_shape shapes[] = {
    {.C = 3, .pixels = 1, .N = 16, .n = 2},    {.C = 2, .pixels = 1, .N = 16, .n = 16},
    {.C = 1, .pixels = 6, .N = 16, .n = 1},    {.C = 5, .pixels = 4, .N = 32, .n = 17},
    {.C = 2, .pixels = 30, .N = 48, .n = 31},  {.C = 2, .pixels = 9, .N = 48, .n = 5},
    {.C = 2, .pixels = 49, .N = 128, .n = 99}, {.C = 1, .pixels = 2, .N = 4096, .n = 4090},
};
enum { SHAPE_COUNT = sizeof shapes / sizeof *shapes };

/* Values around `middle`; past the batch others, far from it. */
static float *make_input(uint64_t *random, const struct norm_shape *s, float middle, float spread) {
    float *x = random_floats(random, len_of(s), spread);
    for (size_t i = 0; i < len_of(s); i++) {
        x[i] = i % (size_t)s->N < (size_t)s->n ? x[i] + middle : 1e6f;
    }
    return x;
}

static void check_moments(const struct norm_shape *s, float middle, float spread) {
    uint64_t random = 1;
    float *x = make_input(&random, s, middle, spread);
    double *mean = zero_doubles((size_t)s->C), *var = zero_doubles((size_t)s->C);
    reference_batch_norm_moments(mean, var, x, s);
    EACH_SET(set) {
        double got_mean[8], got_var[8];
        set->batch_norm_moments(got_mean, got_var, x, s);
        for (int c = 0; c < s->C; c++) {
            // of the spread, not of the mean: a mean far from 0 costs nothing
            const double scale = (double)spread;
            if (!(fabs(got_mean[c] - mean[c]) <= 1e-6 * scale) ||
                !(fabs(got_var[c] - var[c]) <= 2e-6 * var[c])) {
                fail_msg(
                    "%s, middle %g: mean %.17g, expected %.17g; variance %.17g, expected %.17g",
                    set->name, (double)middle, got_mean[c], mean[c], got_var[c], var[c]);
            }
        }
    }
    free(x);
    free(mean);
    free(var);
}

static void moments_leave_out_what_is_past_the_batch_and_lose_no_digits(void **state) {
    (void)state;
    for (int i = 0; i < SHAPE_COUNT; i++) {
        check_moments(&shapes[i], 0.0f, 1.0f);
        check_moments(&shapes[i], -3.0f, 0.5f);
        check_moments(&shapes[i], 1000.0f,
                      1.0f); // the square of the mean is 10^6 times the variance
    }
}

static void moments_of_equal_values_have_no_variance(void **state) {
    (void)state;
    const struct norm_shape s = {.C = 1, .pixels = 100, .N = 16, .n = 9};
    float *x = mem_aligned(len_of(&s), sizeof *x);
    for (size_t i = 0; i < len_of(&s); i++) {
        x[i] = i % 16 < 9 ? 0.1f : -5.0f;
    }
    EACH_SET(set) {
        double mean = NAN, var = NAN;
        set->batch_norm_moments(&mean, &var, x, &s);
        assert_true(mean == (double)0.1f);
        assert_true(var == 0.0);
    }
    free(x);
}

static void a_nan_among_the_samples_is_in_the_moments_and_one_past_them_is_not(void **state) {
    (void)state;
    const struct norm_shape s = {.C = 2, .pixels = 3, .N = 16, .n = 5};
    EACH_SET(set) {
        double mean[2], var[2];
        float *x = mem_aligned(len_of(&s), sizeof *x);
        x[16 + 4] = NAN; // of the first channel
        x[64 + 5] = NAN; // past the batch, of the second
        set->batch_norm_moments(mean, var, x, &s);
        assert_true(isnan(mean[0]) && isnan(var[0]));
        assert_true(mean[1] == 0.0 && var[1] == 0.0);
        free(x);
    }
}

/* One channel's parameters each. */
struct norm {
    double mean[8], invstd[8];
    float weight[8], bias[8];
};

static struct norm make_norm(uint64_t *random, const struct norm_shape *s, const float *x) {
    struct norm norm;
    float *draws = random_floats(random, 16, 1.0f);
    reference_batch_norm_moments(norm.mean, norm.invstd, x, s);
    for (int c = 0; c < s->C; c++) {
        norm.invstd[c] = 1.0 / sqrt(norm.invstd[c] + 1e-5);
        norm.weight[c] = 1.0f + draws[c];
        norm.bias[c] = draws[8 + c];
    }
    free(draws);
    return norm;
}

static void check_forward(const struct norm_shape *s, float middle) {
    uint64_t random = 2;
    float *x = make_input(&random, s, middle, 1.0f);
    const struct norm norm = make_norm(&random, s, x);
    double *expected = zero_doubles(len_of(s));
    reference_batch_norm_forward(expected, x, norm.mean, norm.invstd, norm.weight, norm.bias, s);
    EACH_SET(set) {
        float *y = poison_floats(len_of(s));
        set->batch_norm_forward(y, x, norm.mean, norm.invstd, norm.weight, norm.bias, s);
        CHECK_ALL_NEAR("batch_norm", set, y, expected, NULL, 8 * ULP, 16 * ULP, len_of(s));
        free(y);
    }
    free(x);
    free(expected);
}

static void values_are_normalized_and_0_past_the_batch(void **state) {
    (void)state;
    for (int i = 0; i < SHAPE_COUNT; i++) {
        check_forward(&shapes[i], 0.0f);
        check_forward(&shapes[i], 100.0f); // rounding of the mean must not show
    }
}

static void check_backward(const struct norm_shape *s) {
    uint64_t random = 3;
    float *x = make_input(&random, s, 0.5f, 1.0f), *dy = random_floats(&random, len_of(s), 1.0f);
    for (size_t i = 0; i < len_of(s); i++) {
        dy[i] = i % (size_t)s->N < (size_t)s->n ? dy[i] + 0.25f : 0.0f;
    }
    const struct norm norm = make_norm(&random, s, x);
    const double m = (double)s->pixels * s->n;
    double *dx = zero_doubles(len_of(s)), dw[8], db[8];
    reference_batch_norm_backward(dx, dw, db, dy, x, norm.mean, norm.invstd, norm.weight, s);
    EACH_SET(set) {
        float *got = poison_floats(len_of(s)), got_dw[8], got_db[8];
        set->batch_norm_backward(got, got_dw, got_db, dy, x, norm.mean, norm.invstd, norm.weight,
                                 s);
        // what a sample gets is of the size of weight * invstd
        for (int c = 0; c < s->C; c++) {
            const size_t at = (size_t)c * s->pixels * (size_t)s->N;
            const double scale = fabs((double)norm.weight[c]) * norm.invstd[c];
            CHECK_ALL_NEAR("dx", set, got + at, dx + at, NULL, 32 * ULP, 32 * ULP * scale,
                           len_of(s) / (size_t)s->C);
        }
        CHECK_ALL_NEAR("dweight", set, got_dw, dw, NULL, 8 * ULP, 16 * ULP * sqrt(m), (size_t)s->C);
        CHECK_ALL_NEAR("dbias", set, got_db, db, NULL, 8 * ULP, 16 * ULP * sqrt(m), (size_t)s->C);

        float alone_dw[8], alone_db[8]; // the parameters' are the same without that of the data
        set->batch_norm_backward(NULL, alone_dw, alone_db, dy, x, norm.mean, norm.invstd,
                                 norm.weight, s);
        assert_memory_equal(alone_dw, got_dw, (size_t)s->C * sizeof(float));
        assert_memory_equal(alone_db, got_db, (size_t)s->C * sizeof(float));

        float *in_place = mem_aligned(len_of(s), sizeof *in_place);
        memcpy(in_place, dy, len_of(s) * sizeof *dy);
        set->batch_norm_backward(in_place, alone_dw, alone_db, in_place, x, norm.mean, norm.invstd,
                                 norm.weight, s);
        assert_memory_equal(in_place, got, len_of(s) * sizeof *got);
        assert_memory_equal(alone_dw, got_dw, (size_t)s->C * sizeof(float));
        assert_memory_equal(alone_db, got_db, (size_t)s->C * sizeof(float));
        free(in_place);
        free(got);
    }
    free(x);
    free(dy);
    free(dx);
}

static void gradients_match_the_definition_and_are_0_past_the_batch(void **state) {
    (void)state;
    for (int i = 0; i < SHAPE_COUNT; i++) {
        check_backward(&shapes[i]);
    }
}

static void a_single_value_passes_no_gradient(void **state) {
    (void)state;
    const struct norm_shape s = {.C = 1, .pixels = 1, .N = 16, .n = 1};
    EACH_SET(set) {
        float *x = mem_aligned(16, sizeof *x), *dy = mem_aligned(16, sizeof *dy);
        float *dx = poison_floats(16), dw = NAN, db = NAN;
        const float weight = 1.7f;
        double mean, var;
        x[0] = 0.3f;
        dy[0] = 0.7f;
        set->batch_norm_moments(&mean, &var, x, &s);
        assert_true(var == 0.0);
        const double invstd = 1.0 / sqrt(1e-5);
        set->batch_norm_backward(dx, &dw, &db, dy, x, &mean, &invstd, &weight, &s);
        for (int i = 0; i < 16; i++) {
            assert_true(dx[i] == 0.0f);
        }
        assert_true(dw == 0.0f);
        assert_true(db == 0.7f);
        free(x);
        free(dy);
        free(dx);
    }
}

/* ---- mean over all pixels, sum ---- */

static void the_mean_over_all_pixels_and_its_gradient_match_the_definition(void **state) {
    (void)state;
    static const size_t pixels[] = {1, 7, 64, 65, 49, 784};
    uint64_t random = 4;
    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++) {
        enum { C = 3, N = 48 };
        const size_t len = C * pixels[i] * N;
        float *x = random_floats(&random, len, 1.0f), *dy = random_floats(&random, C * N, 1.0f);
        double *expected_y = zero_doubles(C * N), *expected_dx = zero_doubles(len);
        reference_globalavgpool_forward(expected_y, x, C, pixels[i], N);
        reference_globalavgpool_backward(expected_dx, dy, C, pixels[i], N);
        EACH_SET(set) {
            float *y = poison_floats(C * N), *dx = poison_floats(len);
            set->globalavgpool_forward(y, x, C, pixels[i], N);
            CHECK_ALL_NEAR("globalavgpool", set, y, expected_y, NULL, 0.0, 16 * ULP, C * N);
            set->globalavgpool_backward(dx, dy, C, pixels[i], N);
            CHECK_ALL_NEAR("globalavgpool dx", set, dx, expected_dx, NULL, ULP, 0.0, len);
            free(y);
            free(dx);
        }
        free(x);
        free(dy);
        free(expected_y);
        free(expected_dx);
    }
}

static void sums_are_those_of_the_elements(void **state) {
    (void)state;
    enum { LEN = 1024 };
    uint64_t random = 5;
    float *a = random_floats(&random, LEN, 1.0f), *b = random_floats(&random, LEN, 100.0f);
    double *expected = zero_doubles(LEN);
    reference_add(expected, a, b, LEN);
    EACH_SET(set) {
        float *y = poison_floats(LEN);
        set->add(y, a, b, LEN);
        CHECK_ALL_NEAR("add", set, y, expected, NULL, ULP, 0.0, LEN);
        free(y);
    }
    free(a);
    free(b);
    free(expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_leave_out_what_is_past_the_batch_and_lose_no_digits),
        cmocka_unit_test(moments_of_equal_values_have_no_variance),
        cmocka_unit_test(a_nan_among_the_samples_is_in_the_moments_and_one_past_them_is_not),
        cmocka_unit_test(values_are_normalized_and_0_past_the_batch),
        cmocka_unit_test(gradients_match_the_definition_and_are_0_past_the_batch),
        cmocka_unit_test(a_single_value_passes_no_gradient),
        cmocka_unit_test(the_mean_over_all_pixels_and_its_gradient_match_the_definition),
        cmocka_unit_test(sums_are_those_of_the_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

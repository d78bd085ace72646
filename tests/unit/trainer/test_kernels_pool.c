/* Pools against their definition in double, in every set. */
#include "tests/unit/trainer/test_kernels_common.h"

static size_t x_len(const struct pool_shape *s) {
    return (size_t)s->C * s->H * s->W * s->N;
}

static size_t y_len(const struct pool_shape *s) {
    return (size_t)s->C * s->P * s->Q * s->N;
}

typedef void check_fn(const struct pool_shape *shape, uint64_t *random);

/* Kernels below, at and above the stride, on sides that they do and do not divide. */
static void each_shape(check_fn *check) {
    uint64_t random = 11;
    for (int kernel = 1; kernel <= 4; kernel++) {
        for (int stride = 1; stride <= 4; stride++) {
            const int H = random_int(&random, kernel, 9), W = random_int(&random, kernel, 9);
            const struct pool_shape shape = {.N = 16 * random_int(&random, 1, 3),
                                             .C = random_int(&random, 1, 3),
                                             .H = H,
                                             .W = W,
                                             .kernel = kernel,
                                             .stride = stride,
                                             .P = (H - kernel) / stride + 1,
                                             .Q = (W - kernel) / stride + 1};
            check(&shape, &random);
        }
    }
    const struct pool_shape even = {
        .N = 32, .C = 2, .H = 8, .W = 6, .kernel = 2, .stride = 2, .P = 4, .Q = 3};
    const struct pool_shape whole = {
        .N = 16, .C = 2, .H = 16, .W = 16, .kernel = 16, .stride = 16, .P = 1, .Q = 1};
    check(&even, &random);
    check(&whole, &random);
}

static void check_max(const struct pool_shape *s, uint64_t *random) {
    float *x = random_floats(random, x_len(s), 1.0f), *dy = random_floats(random, y_len(s), 1.0f);
    double *expected_y = zero_doubles(y_len(s)), *expected_dx = zero_doubles(x_len(s));
    uint8_t *expected_arg = mem_zalloc(y_len(s), 1);
    for (size_t i = 0; i < x_len(s); i++) {
        x[i] = roundf(x[i] * 3.0f); // so that there are ties
    }
    reference_maxpool_forward(expected_y, expected_arg, x, s);
    reference_maxpool_backward(expected_dx, dy, expected_arg, s);

    EACH_SET(set) {
        float *y = poison_floats(y_len(s)), *dx = poison_floats(x_len(s));
        uint8_t *arg = mem_aligned(y_len(s), 1);
        set->maxpool_forward(y, arg, x, s);
        CHECK_ALL_NEAR("maxpool", set, y, expected_y, NULL, 0.0, 0.0, y_len(s));
        assert_memory_equal(arg, expected_arg, y_len(s));
        float *alone = poison_floats(y_len(s));
        set->maxpool_forward(alone, NULL, x, s);
        assert_memory_equal(alone, y, y_len(s) * sizeof *y);
        free(alone);
        set->maxpool_backward(dx, dy, arg, s);
        CHECK_ALL_NEAR("maxpool dx", set, dx, expected_dx, NULL, 0.0, 16 * ULP, x_len(s));
        free(y);
        free(dx);
        free(arg);
    }
    free(x);
    free(dy);
    free(expected_y);
    free(expected_dx);
    free(expected_arg);
}

static void check_mean(const struct pool_shape *s, uint64_t *random) {
    float *x = random_floats(random, x_len(s), 1.0f), *dy = random_floats(random, y_len(s), 1.0f);
    double *expected_y = zero_doubles(y_len(s)), *expected_dx = zero_doubles(x_len(s));
    const double area = s->kernel * s->kernel;
    reference_avgpool_forward(expected_y, x, s);
    reference_avgpool_backward(expected_dx, dy, s);

    EACH_SET(set) {
        float *y = poison_floats(y_len(s)), *dx = poison_floats(x_len(s));
        set->avgpool_forward(y, x, s);
        CHECK_ALL_NEAR("avgpool", set, y, expected_y, NULL, 0.0, area * ULP, y_len(s));
        set->avgpool_backward(dx, dy, s);
        CHECK_ALL_NEAR("avgpool dx", set, dx, expected_dx, NULL, 0.0, 16 * ULP, x_len(s));
        free(y);
        free(dx);
    }
    free(x);
    free(dy);
    free(expected_y);
    free(expected_dx);
}

static void the_maximum_and_its_gradient_match_the_definition(void **state) {
    (void)state;
    each_shape(check_max);
}

static void the_mean_and_its_gradient_match_the_definition(void **state) {
    (void)state;
    each_shape(check_mean);
}

static void a_nan_in_the_window_is_its_maximum_wherever_it_stands(void **state) {
    (void)state;
    const struct pool_shape s = {
        .N = 16, .C = 1, .H = 2, .W = 2, .kernel = 2, .stride = 2, .P = 1, .Q = 1};
    EACH_SET(set) {
        for (int at = 0; at < 4; at++) {
            float *x = mem_aligned(64, sizeof *x), *y = mem_aligned(16, sizeof *y);
            uint8_t *arg = mem_aligned(16, 1);
            x[at * 16 + 5] = NAN;
            set->maxpool_forward(y, arg, x, &s);
            for (int n = 0; n < 16; n++) {
                assert_int_equal(isnan(y[n]) != 0, n == 5);
                assert_int_equal(arg[n], n == 5 ? at : 0);
            }
            free(x);
            free(y);
            free(arg);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_maximum_and_its_gradient_match_the_definition),
        cmocka_unit_test(the_mean_and_its_gradient_match_the_definition),
        cmocka_unit_test(a_nan_in_the_window_is_its_maximum_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

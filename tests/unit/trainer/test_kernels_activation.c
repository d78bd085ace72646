/* Nonlinearities and biases against their definition in double, in every set.
 *
 * The tolerance of sigmoid, tanh and elu is that of the exponential and a few roundings. */
#include "tests/unit/trainer/test_kernels_common.h"

#include <float.h>

enum { COUNT = 12, LEN = 4096 };

static const struct activation_spec specs[COUNT] = {
    {.kind = ACTIVATION_SIGMOID},
    {.kind = ACTIVATION_TANH},
    {.kind = ACTIVATION_RELU},
    {.kind = ACTIVATION_LEAKY_RELU, .negative_slope = 0.125f, .alpha = 3.0f},
    {.kind = ACTIVATION_ELU, .negative_slope = 3.0f, .alpha = 0.75f},
    {.kind = ACTIVATION_SELU},
    {.kind = ACTIVATION_SOFTPLUS},
    {.kind = ACTIVATION_RELU6},
    {.kind = ACTIVATION_GELU}, // from here on -INFINITY gives a NaN, as in PyTorch
    {.kind = ACTIVATION_SILU},
    {.kind = ACTIVATION_MISH},
    {.kind = ACTIVATION_HARDSWISH},
};
enum { WITH_LIMITS = 8 };

/* Magnitudes from 1e-6 to 100, both signs, zeros and the ends of the range. */
static float *inputs(uint64_t *random) {
    float *x = random_floats(random, LEN, 1.0f);
    for (int i = 0; i < LEN; i++) {
        x[i] = copysignf(powf(10.0f, -2.0f + 4.0f * x[i]), i % 2 ? 1.0f : -1.0f);
    }
    const float special[] = {0.0f, -0.0f, 1e-30f, -1e-30f, 88.0f, -88.0f, 1e30f, -1e30f};
    memcpy(x, special, sizeof special);
    return x;
}

/* ---- elementwise ---- */

/* What a float32 result is relative to: its size.  The argument of gelu's tail, x / sqrt(2), is off by
 * a rounding, which d log(erfc) makes x^2 times as large; hardswish rounds x + 3 near its zero. */
static void tail_scale(double *scale, const double *y, const float *x, enum activation_kind kind) {
    for (int i = 0; i < LEN; i++) {
        const double size = fabs((double)x[i]);
        scale[i] = fabs(y[i]);
        if (kind == ACTIVATION_GELU) {
            scale[i] *= fmax(1.0, size * size / 4.0);
        } else if (kind == ACTIVATION_HARDSWISH) {
            scale[i] = size;
        }
    }
}

/* Below it results are subnormal, or factors of them were. */
static const double LEAST = 64 * (double)FLT_MIN;

static void forward_matches_the_definition(void **state) {
    (void)state;
    uint64_t random = 1;
    float *x = inputs(&random);
    double *expected = zero_doubles(LEN), *magnitude = zero_doubles(LEN);
    for (int kind = 0; kind < COUNT; kind++) {
        reference_activation_forward(expected, x, LEN, &specs[kind]);
        tail_scale(magnitude, expected, x, specs[kind].kind);
        EACH_SET(set) {
            float *y = poison_floats(LEN);
            set->activation_forward(y, x, LEN, &specs[kind]);
            CHECK_ALL_NEAR(activation_names[specs[kind].kind], set, y, expected, magnitude, 8 * ULP,
                           LEAST, LEN);
            free(y);
        }
    }
    free(x);
    free(expected);
    free(magnitude);
}

static void forward_in_place_gives_the_same_bits(void **state) {
    (void)state;
    uint64_t random = 2;
    float *x = inputs(&random);
    for (int kind = 0; kind < COUNT; kind++) {
        EACH_SET(set) {
            float *y = poison_floats(LEN), *in_place = mem_aligned(LEN, sizeof *in_place);
            memcpy(in_place, x, LEN * sizeof *x);
            set->activation_forward(y, x, LEN, &specs[kind]);
            set->activation_forward(in_place, in_place, LEN, &specs[kind]);
            assert_memory_equal(in_place, y, LEN * sizeof *y);
            free(y);
            free(in_place);
        }
    }
    free(x);
}

/* A kernel that sees y alone sees it rounded: near 1 a sigmoid's 1 - y is off by ulp(1), so the error
 * is relative to dy. */
static void backward_matches_the_derivative(void **state) {
    (void)state;
    uint64_t random = 3;
    float *x = inputs(&random), *dy = random_floats(&random, LEN, 1.0f);
    double *expected = zero_doubles(LEN), *magnitude = zero_doubles(LEN);
    for (int i = 0; i < LEN; i++) {
        magnitude[i] = fabs((double)dy[i]);
    }
    for (int kind = 0; kind < COUNT; kind++) {
        reference_activation_backward(expected, dy, x, LEN, &specs[kind]);
        EACH_SET(set) {
            float *y = poison_floats(LEN), *dx = poison_floats(LEN);
            set->activation_forward(y, x, LEN, &specs[kind]);
            set->activation_backward(dx, dy, x, y, LEN, &specs[kind]);
            CHECK_ALL_NEAR(activation_names[specs[kind].kind], set, dx, expected, magnitude,
                           16 * ULP, 0.0, LEN);
            float *in_place = mem_aligned(LEN, sizeof *in_place);
            memcpy(in_place, dy, LEN * sizeof *dy);
            set->activation_backward(in_place, in_place, x, y, LEN, &specs[kind]);
            assert_memory_equal(in_place, dx, LEN * sizeof *dx);
            free(y);
            free(dx);
            free(in_place);
        }
    }
    free(x);
    free(dy);
    free(expected);
    free(magnitude);
}

static void a_nan_stays_a_nan_and_touches_no_neighbour(void **state) {
    (void)state;
    for (int kind = 0; kind < COUNT; kind++) {
        EACH_SET(set) {
            float *x = mem_aligned(32, sizeof *x), *y = mem_aligned(32, sizeof *y);
            x[7] = NAN;
            x[21] = -NAN;
            set->activation_forward(y, x, 32, &specs[kind]);
            for (int i = 0; i < 32; i++) {
                assert_int_equal(isnan(y[i]) != 0, i == 7 || i == 21);
            }
            free(x);
            free(y);
        }
    }
}

static void infinities_go_to_the_limits(void **state) {
    (void)state;
    static const double limits[WITH_LIMITS][2] = {
        {0.0, 1.0},        {-1.0, 1.0},
        {0.0, INFINITY},   {-INFINITY, INFINITY},
        {-0.75, INFINITY}, {-1.7580993408473766, INFINITY},
        {0.0, INFINITY},   {0.0, 6.0}};
    for (int kind = 0; kind < WITH_LIMITS; kind++) {
        EACH_SET(set) {
            float *x = mem_aligned(16, sizeof *x), *y = mem_aligned(16, sizeof *y);
            x[0] = -INFINITY;
            x[1] = INFINITY;
            set->activation_forward(y, x, 16, &specs[kind]);
            CHECK_ALL_NEAR(activation_names[specs[kind].kind], set, y, limits[kind], NULL, ULP, 0.0,
                           2);
            free(x);
            free(y);
        }
    }
}

/* ---- over all floats ---- */

/* The distance of floats near y. */
static double ulp_of(double y) {
    int exponent;
    (void)frexp(y, &exponent);
    return fmax(ldexp(1.0, exponent - 24), 0x1p-149);
}

static double logistic(double x) {
    return 1.0 / (1.0 + exp(-x));
}

/* A prime number of floats apart, from 0 to infinity, and their negatives beside them. */
enum { STRIDE = 20011, FLOATS = 0x7f800000 / STRIDE / 16 * 16 };

static void float_inputs(float *x) {
    for (uint32_t i = 0; i < FLOATS; i++) {
        const uint32_t bits = i * STRIDE;
        memcpy(&x[i], &bits, sizeof bits);
        x[i] = i % 2 ? -x[i] : x[i];
    }
}

static void check_ulps(const struct kernels *set, const struct activation_spec *spec,
                       double (*reference)(double), double most) {
    float *x = mem_aligned(FLOATS, sizeof *x), *y = mem_aligned(FLOATS, sizeof *y);
    float_inputs(x);
    set->activation_forward(y, x, FLOATS, spec);
    for (int i = 0; i < FLOATS; i++) {
        const double expected = reference((double)x[i]), error = fabs((double)y[i] - expected);
        if (!(error <= most * ulp_of(expected))) {
            print_error("%s, %s(%.9g) is %.9g, not %.17g: %.3f ulp\n", set->name,
                        activation_names[spec->kind], (double)x[i], (double)y[i], expected,
                        error / ulp_of(expected));
            fail();
        }
    }
    free(x);
    free(y);
}

/* Elu of the negative ones alone: the others are as they were. */
static double elu(double x) {
    return x < 0.0 ? expm1(x) : x;
}

static void exponentials_are_as_exact_as_they_say(void **state) {
    (void)state;
    EACH_SET(set) {
        check_ulps(set, &(struct activation_spec){.kind = ACTIVATION_TANH}, tanh, 2.7);
        check_ulps(set, &(struct activation_spec){.kind = ACTIVATION_ELU, .alpha = 1.0f}, elu, 1.5);
        check_ulps(set, &(struct activation_spec){.kind = ACTIVATION_SIGMOID}, logistic, 3.0);
    }
}

/* Odd to the bit, also -0; itself below 2^-25; 1 from 9.02 on and never more. */
static void tanh_is_odd_and_ends_at_one(void **state) {
    (void)state;
    const struct activation_spec spec = {.kind = ACTIVATION_TANH};
    float *x = mem_aligned(FLOATS, sizeof *x), *y = mem_aligned(FLOATS, sizeof *y);
    float *negative = mem_aligned(FLOATS, sizeof *negative);
    EACH_SET(set) {
        float_inputs(x);
        set->activation_forward(y, x, FLOATS, &spec);
        for (int i = 0; i < FLOATS; i++) {
            x[i] = -x[i];
        }
        set->activation_forward(negative, x, FLOATS, &spec);
        for (int i = 0; i < FLOATS; i++) {
            const float size = fabsf(x[i]);
            assert_true(negative[i] == -y[i] && signbit(negative[i]) == signbit(x[i]));
            assert_true(fabsf(y[i]) <= 1.0f && (size < 9.02f || fabsf(y[i]) == 1.0f));
            assert_true(size >= 0x1p-25f || y[i] == -x[i]);
        }
    }
    free(x);
    free(y);
    free(negative);
}

/* ---- by rows ---- */

enum { ROWS = 5 };
static const size_t widths[] = {16, 48, 2048,
                                5008}; // 5008: more than one stretch of a sum, and not two

static void prelu_matches_its_definition(void **state) {
    (void)state;
    uint64_t random = 4;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        const size_t M = widths[i], len = ROWS * M;
        float *x = random_floats(&random, len, 2.0f), *dy = random_floats(&random, len, 1.0f);
        float *dy_abs = absolute_floats(dy, len), *slope = random_floats(&random, ROWS, 1.0f);
        double *y_ = zero_doubles(len), *dx_ = zero_doubles(len), *dslope_ = zero_doubles(ROWS);
        double *magnitude = zero_doubles(ROWS);
        reference_prelu_forward(y_, x, slope, ROWS, M);
        reference_prelu_backward(dx_, magnitude, dy_abs, x, slope, ROWS, M); // every term negative
        reference_prelu_backward(dx_, dslope_, dy, x, slope, ROWS, M);
        for (int c = 0; c < ROWS; c++) {
            magnitude[c] = fabs(magnitude[c]);
        }
        EACH_SET(set) {
            float *y = poison_floats(len), *dx = poison_floats(len), *dslope = poison_floats(ROWS);
            set->prelu_forward(y, x, slope, ROWS, M);
            CHECK_ALL_NEAR("prelu", set, y, y_, NULL, ULP, 0.0, len);
            set->prelu_backward(dx, dslope, dy, x, slope, ROWS, M);
            CHECK_ALL_NEAR("prelu dx", set, dx, dx_, NULL, ULP, 0.0, len);
            float *in_place = mem_aligned(len, sizeof *in_place), again[ROWS];
            memcpy(in_place, dy, len * sizeof *dy);
            set->prelu_backward(in_place, again, in_place, x, slope, ROWS, M);
            assert_memory_equal(in_place, dx, len * sizeof *dx);
            assert_memory_equal(again, dslope, sizeof again);
            free(in_place);
            CHECK_ALL_NEAR("prelu dslope", set, dslope, dslope_, magnitude, 64 * ULP, 0.0, ROWS);
            free(y);
            free(dx);
            free(dslope);
        }
        free(x);
        free(dy);
        free(dy_abs);
        free(slope);
        free(y_);
        free(dx_);
        free(dslope_);
        free(magnitude);
    }
}

static void maxout_matches_its_definition(void **state) {
    (void)state;
    uint64_t random = 5;
    for (int pieces = 2; pieces <= 256; pieces = pieces == 5 ? 256 : pieces + 1) {
        const size_t M = 48, len = ROWS * M, wide = len * (size_t)pieces;
        float *x = random_floats(&random, wide, 1.0f), *dy = random_floats(&random, len, 1.0f);
        double *y_ = zero_doubles(len), *dx_ = zero_doubles(wide);
        uint8_t *arg_ = mem_zalloc(len, 1);
        for (size_t i = 0; i < wide; i++) {
            x[i] = roundf(x[i] * 4.0f); // so that there are ties
        }
        x[17] = NAN;
        reference_maxout_forward(y_, arg_, x, ROWS, pieces, M);
        reference_maxout_backward(dx_, dy, arg_, ROWS, pieces, M);
        assert_true(isnan(y_[17]));
        EACH_SET(set) {
            float *y = poison_floats(len), *dx = poison_floats(wide);
            uint8_t *arg = mem_aligned(len, 1);
            set->maxout_forward(y, arg, x, ROWS, pieces, M);
            CHECK_ALL_NEAR("maxout", set, y, y_, NULL, 0.0, 0.0, len);
            assert_memory_equal(arg, arg_, len);
            set->maxout_backward(dx, dy, arg, ROWS, pieces, M);
            CHECK_ALL_NEAR("maxout dx", set, dx, dx_, NULL, 0.0, 0.0, wide);
            free(y);
            free(dx);
            free(arg);
        }
        free(x);
        free(dy);
        free(y_);
        free(dx_);
        free(arg_);
    }
}

static void biases_match_their_definition(void **state) {
    (void)state;
    uint64_t random = 6;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        const size_t M = widths[i], len = ROWS * M;
        float *x = random_floats(&random, len, 1.0f), *x_abs = absolute_floats(x, len);
        float *b = random_floats(&random, ROWS, 1.0f);
        double *y_ = zero_doubles(len), *db_ = zero_doubles(ROWS), *magnitude = zero_doubles(ROWS);
        reference_bias_add(y_, x, b, ROWS, M);
        reference_bias_grad(db_, x, ROWS, M);
        reference_bias_grad(magnitude, x_abs, ROWS, M);
        EACH_SET(set) {
            float *y = mem_aligned(len, sizeof *y), *db = poison_floats(ROWS);
            memcpy(y, x, len * sizeof *y);
            set->bias_add(y, b, ROWS, M);
            CHECK_ALL_NEAR("bias_add", set, y, y_, NULL, ULP, 0.0, len);
            set->bias_grad(db, x, ROWS, M);
            CHECK_ALL_NEAR("bias_grad", set, db, db_, magnitude, 64 * ULP, 0.0, ROWS);
            free(y);
            free(db);
        }
        free(x);
        free(x_abs);
        free(b);
        free(y_);
        free(db_);
        free(magnitude);
    }
}

/* Sixteen chains of float32 would be off by a thousandth: the terms shrink beside the sum. */
static void a_long_sum_keeps_its_small_terms(void **state) {
    (void)state;
    const size_t M = (size_t)1 << 22;
    float *dy = mem_aligned(M, sizeof *dy);
    for (size_t i = 0; i < M; i++) {
        dy[i] = 0.1f;
    }
    const double expected[] = {(double)0.1f * (double)M};
    EACH_SET(set) {
        float db;
        set->bias_grad(&db, dy, 1, M);
        CHECK_ALL_NEAR("bias_grad", set, &db, expected, NULL, 64 * ULP, 0.0, 1);
    }
    free(dy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_matches_the_definition),
        cmocka_unit_test(forward_in_place_gives_the_same_bits),
        cmocka_unit_test(backward_matches_the_derivative),
        cmocka_unit_test(a_nan_stays_a_nan_and_touches_no_neighbour),
        cmocka_unit_test(infinities_go_to_the_limits),
        cmocka_unit_test(exponentials_are_as_exact_as_they_say),
        cmocka_unit_test(tanh_is_odd_and_ends_at_one),
        cmocka_unit_test(prelu_matches_its_definition),
        cmocka_unit_test(maxout_matches_its_definition),
        cmocka_unit_test(biases_match_their_definition),
        cmocka_unit_test(a_long_sum_keeps_its_small_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

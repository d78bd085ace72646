/* Convolution by the direct method against its definition in double, in every set, over shapes that do and
 * do not fill the blocks of the kernels. */
#include "tests/unit/trainer/test_kernels_conv2d.h"

/* ---- shapes ---- */

static struct conv2d_shape shape_of(int N, int C, int H, int W, int K, int R, int S, int stride,
                                    int pad) {
    return conv2d_shape_of(CONV2D_DIRECT, N, C, H, W, K, R, S, stride, pad);
}

typedef void check_fn(const struct conv2d_shape *shape, uint64_t *random);

/* Strides, paddings and filters in all combinations, the rest drawn; then a few by hand. */
static void each_shape(check_fn *check) {
    static const int filters[][2] = {{1, 1}, {2, 2}, {3, 3}, {5, 5}, {1, 4}, {4, 1}, {3, 7}};
    static const int batches[] = {16, 32, 48};
    uint64_t random = 7;
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++) {
        for (int stride = 1; stride <= 3; stride++) {
            for (int pad = 0; pad <= 2; pad++) {
                struct conv2d_shape shape =
                    shape_of(batches[random_int(&random, 0, 2)], random_int(&random, 1, 4),
                             random_int(&random, 5, 10), random_int(&random, 7, 11),
                             random_int(&random, 1, 11), filters[f][0], filters[f][1], stride, pad);
                check(&shape, &random);
            }
        }
    }
    const struct conv2d_shape more[] = {
        shape_of(16, 1, 12, 12, 6, 5, 5, 1, 2),  // the first layer of LeNet, smaller
        shape_of(32, 6, 14, 14, 16, 5, 5, 1, 0), // its second
        shape_of(16, 9, 5, 6, 17, 3, 3, 1, 1),   // one more than full blocks
        shape_of(64, 2, 9, 9, 8, 3, 3, 2, 1),    //
        shape_of(16, 3, 1, 1, 5, 1, 1, 1, 0),    // a dense layer
        shape_of(16, 2, 2, 3, 3, 5, 5, 1, 2),    // a filter larger than the image
        shape_of(16, 2, 6, 7, 3, 1, 1, 3, 0),    // pixels that nothing sees
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        check(&more[i], &random);
    }
}

/* ---- each kernel against its twin ---- */

static void check_forward(const struct conv2d_shape *s, uint64_t *random) {
    float *x = random_floats(random, x_len(s), 1.0f), *x_abs = absolute_floats(x, x_len(s));
    float *w = random_floats(random, w_len(s), 1.0f), *w_abs = absolute_floats(w, w_len(s));
    float *b = random_floats(random, (size_t)s->K, 1.0f), *b_abs = absolute_floats(b, (size_t)s->K);
    double *expected = zero_doubles(y_len(s)), *magnitude = zero_doubles(y_len(s));
    char what[128];
    describe(what, "forward", s);
    reference_conv2d_forward(expected, x, w, b, s);
    reference_conv2d_forward(magnitude, x_abs, w_abs, b_abs, s);

    EACH_SET(set) {
        float *y = poison_floats(y_len(s)), *scratch = poison_floats(conv2d_scratch_len(s));
        set->conv2d_forward(y, x, w, b, scratch, s);
        CHECK_ALL_NEAR(what, set, y, expected, magnitude, (s->C * s->R * s->S + 1) * ULP, 0.0,
                       y_len(s));
        free(y);
        free(scratch);
    }
    free(x);
    free(x_abs);
    free(w);
    free(w_abs);
    free(b);
    free(b_abs);
    free(expected);
    free(magnitude);
}

static void check_backward_data(const struct conv2d_shape *s, uint64_t *random) {
    float *dy = random_floats(random, y_len(s), 1.0f), *dy_abs = absolute_floats(dy, y_len(s));
    float *w = random_floats(random, w_len(s), 1.0f), *w_abs = absolute_floats(w, w_len(s));
    double *expected = zero_doubles(x_len(s)), *magnitude = zero_doubles(x_len(s));
    char what[128];
    describe(what, "backward_data", s);
    reference_conv2d_backward_data(expected, dy, w, s);
    reference_conv2d_backward_data(magnitude, dy_abs, w_abs, s);

    EACH_SET(set) {
        float *dx = poison_floats(x_len(s)), *scratch = poison_floats(conv2d_scratch_len(s));
        set->conv2d_backward_data(dx, dy, w, scratch, s);
        CHECK_ALL_NEAR(what, set, dx, expected, magnitude, (s->K * s->R * s->S + 1) * ULP, 0.0,
                       x_len(s));
        free(dx);
        free(scratch);
    }
    free(dy);
    free(dy_abs);
    free(w);
    free(w_abs);
    free(expected);
    free(magnitude);
}

static void check_backward_weight(const struct conv2d_shape *s, uint64_t *random) {
    const size_t K = (size_t)s->K;
    float *dy = random_floats(random, y_len(s), 1.0f), *dy_abs = absolute_floats(dy, y_len(s));
    float *x = random_floats(random, x_len(s), 1.0f), *x_abs = absolute_floats(x, x_len(s));
    double *expected_w = zero_doubles(w_len(s)), *magnitude_w = zero_doubles(w_len(s));
    double *expected_b = zero_doubles(K), *magnitude_b = zero_doubles(K);
    char what[128];
    describe(what, "backward_weight", s);
    reference_conv2d_backward_weight(expected_w, expected_b, dy, x, s);
    reference_conv2d_backward_weight(magnitude_w, magnitude_b, dy_abs, x_abs, s);

    EACH_SET(set) {
        float *dw = poison_floats(w_len(s)), *db = poison_floats(K);
        float *scratch = poison_floats(conv2d_scratch_len(s));
        const double bound = s->P * s->Q * s->N * ULP;
        set->conv2d_backward_weight(dw, db, dy, x, scratch, s);
        CHECK_ALL_NEAR(what, set, dw, expected_w, magnitude_w, fmin(bound, 1e-5), 0.0, w_len(s));
        CHECK_ALL_NEAR(what, set, db, expected_b, magnitude_b, fmin(bound, 1e-5), 0.0, K);
        free(dw);
        free(db);
        free(scratch);
    }
    free(dy);
    free(dy_abs);
    free(x);
    free(x_abs);
    free(expected_w);
    free(magnitude_w);
    free(expected_b);
    free(magnitude_b);
}

static void forward_matches_the_definition(void **state) {
    (void)state;
    each_shape(check_forward);
}

static void backward_data_matches_the_definition(void **state) {
    (void)state;
    each_shape(check_backward_data);
}

static void backward_weight_matches_the_definition(void **state) {
    (void)state;
    each_shape(check_backward_weight);
}

/* ---- properties ---- */

static void a_nan_pixel_reaches_the_outputs_that_see_it_and_no_others(void **state) {
    (void)state;
    const struct conv2d_shape s = shape_of(32, 2, 8, 9, 5, 3, 3, 1, 1);
    uint64_t random = 3;
    float *x = random_floats(&random, x_len(&s), 1.0f);
    float *w = random_floats(&random, w_len(&s), 1.0f), *b = random_floats(&random, 5, 1.0f);
    double *expected = zero_doubles(y_len(&s)), *magnitude = zero_doubles(y_len(&s));
    x[((1 * 8 + 0) * 9 + 4) * 32 + 17] = NAN;
    reference_conv2d_forward(expected, x, w, b, &s);
    size_t nan_count = 0;
    for (size_t i = 0; i < y_len(&s); i++) {
        nan_count += isnan(expected[i]);
        magnitude[i] = 20.0;
    }
    assert_int_equal(nan_count, 5 * 2 * 3); // 5 channels, a corner cut from 3x3 at the upper border

    EACH_SET(set) {
        float *y = poison_floats(y_len(&s)), *scratch = poison_floats(conv2d_scratch_len(&s));
        set->conv2d_forward(y, x, w, b, scratch, &s);
        CHECK_ALL_NEAR("NaN", set, y, expected, magnitude, 1e-6, 0.0, y_len(&s));
        free(y);
        free(scratch);
    }
    free(x);
    free(w);
    free(b);
    free(expected);
    free(magnitude);
}

static void a_sample_gives_the_same_bits_in_a_batch_of_any_size(void **state) {
    (void)state;
    const struct conv2d_shape s = shape_of(16, 3, 7, 8, 13, 3, 3, 1, 1);
    check_bits_in_a_larger_batch(&s);
}

static void repeating_a_gradient_gives_the_same_bits(void **state) {
    (void)state;
    const struct conv2d_shape s = shape_of(48, 3, 15, 15, 7, 5, 5, 1, 2);
    uint64_t random = 9;
    float *x = random_floats(&random, x_len(&s), 1.0f);
    float *dy = random_floats(&random, y_len(&s), 1.0f);
    EACH_SET(set) {
        float *dw[2], *db[2], *scratch = poison_floats(conv2d_scratch_len(&s));
        for (int i = 0; i < 2; i++) { // the second time with what the first left in the scratch
            dw[i] = poison_floats(w_len(&s));
            db[i] = poison_floats(7);
            set->conv2d_backward_weight(dw[i], db[i], dy, x, scratch, &s);
        }
        assert_memory_equal(dw[0], dw[1], w_len(&s) * sizeof **dw);
        assert_memory_equal(db[0], db[1], 7 * sizeof **db);
        for (int i = 0; i < 2; i++) {
            free(dw[i]);
            free(db[i]);
        }
        free(scratch);
    }
    free(x);
    free(dy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_matches_the_definition),
        cmocka_unit_test(backward_data_matches_the_definition),
        cmocka_unit_test(backward_weight_matches_the_definition),
        cmocka_unit_test(a_nan_pixel_reaches_the_outputs_that_see_it_and_no_others),
        cmocka_unit_test(a_sample_gives_the_same_bits_in_a_batch_of_any_size),
        cmocka_unit_test(repeating_a_gradient_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Convolution by Winograd's method against its definition in double, in every set; and which shapes take it.
 */
#include "tests/unit/trainer/test_kernels_winograd.h"

/* ---- shapes ---- */

static struct conv2d_shape shape_of(int N, int C, int H, int W, int K, int pad) {
    return conv2d_shape_of(CONV2D_WINOGRAD, N, C, H, W, K, 3, 3, 1, pad);
}

typedef void check_fn(const struct conv2d_shape *shape, uint64_t *random);

/* Every padding, height from 1 to 9 and number of channels from 1 to 9; then a few by hand. */
static void each_shape(check_fn *check) {
    static const int batches[] = {16, 32, 48};
    uint64_t random = 11;
    for (int pad = 0; pad <= 3; pad++) {
        for (int H = 1; H <= 9; H++) {
            if (H + 2 * pad < 3) {
                continue;
            }
            const int C = (H + 4 * pad) % 9 + 1, narrowest = pad == 0 ? 3 : 1;
            const struct conv2d_shape shape =
                shape_of(batches[random_int(&random, 0, 2)], C, H,
                         random_int(&random, narrowest, 10), random_int(&random, 1, 9), pad);
            check(&shape, &random);
        }
    }
    const struct conv2d_shape more[] = {
        shape_of(16, 32, 14, 14, 33, 1), // whole blocks, and one more
        shape_of(32, 33, 7, 8, 32, 1),   //
        shape_of(80, 3, 6, 5, 4, 1),     // more samples and fewer tiles than a chunk
        shape_of(144, 17, 4, 4, 16, 0),  //
        shape_of(16, 70, 5, 5, 66, 1),   // many channels
        shape_of(16, 8, 28, 28, 8, 1),   //
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        check(&more[i], &random);
    }
}

/* The gradient of the data as a forward pass: dy in, filters exchanged and turned around. */
static struct conv2d_shape turned(const struct conv2d_shape *s) {
    return shape_of(s->N, s->K, s->P, s->Q, s->C, 2 - s->pad);
}

static float *filters_turned(const float *w, const struct conv2d_shape *s) {
    float *to = mem_aligned(w_len(s), sizeof *to);
    for (int k = 0; k < s->K; k++) {
        for (int c = 0; c < s->C; c++) {
            for (int rs = 0; rs < 9; rs++) {
                to[((size_t)c * s->K + k) * 9 + 8 - rs] = w[((size_t)k * s->C + c) * 9 + rs];
            }
        }
    }
    return to;
}

/* ---- each kernel against its twin ---- */

/* In addition errors are held to a part of the largest result: typical ones are far below the bound. */
static double largest(const double *of, size_t n) {
    double most = 0.0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs(of[i]));
    }
    return most;
}

static void check_forward(const struct conv2d_shape *s, uint64_t *random) {
    float *x = random_floats(random, x_len(s), 1.0f), *w = random_floats(random, w_len(s), 1.0f);
    float *b = random_floats(random, (size_t)s->K, 1.0f);
    double *expected = zero_doubles(y_len(s)), *magnitude = zero_doubles(y_len(s));
    const size_t channel = y_len(s) / (size_t)s->K;
    char what[128];
    describe(what, "forward", s);
    reference_conv2d_forward(expected, x, w, b, s);
    forward_magnitude(&forward_by, magnitude, x, w, s);
    for (size_t i = 0; i < y_len(s); i++) {
        magnitude[i] += fabs((double)b[i / channel]);
    }
    const double usual = 6e-7 * largest(expected, y_len(s));

    EACH_SET(set) {
        float *y = poison_floats(y_len(s)), *scratch = poison_floats(conv2d_scratch_len(s));
        set->conv2d_forward(y, x, w, b, scratch, s);
        CHECK_ALL_NEAR(what, set, y, expected, magnitude, (s->C + 11) * ULP, 0.0, y_len(s));
        CHECK_ALL_NEAR(what, set, y, expected, NULL, 0.0, usual, y_len(s));
        free(y);
        free(scratch);
    }
    free(x);
    free(w);
    free(b);
    free(expected);
    free(magnitude);
}

static void check_backward_data(const struct conv2d_shape *s, uint64_t *random) {
    float *dy = random_floats(random, y_len(s), 1.0f), *w = random_floats(random, w_len(s), 1.0f);
    float *w_turned = filters_turned(w, s);
    const struct conv2d_shape as_forward = turned(s);
    double *expected = zero_doubles(x_len(s)), *magnitude = zero_doubles(x_len(s));
    char what[128];
    describe(what, "backward_data", s);
    reference_conv2d_backward_data(expected, dy, w, s);
    forward_magnitude(&gradient_by, magnitude, dy, w_turned, &as_forward);
    const double usual = 3e-6 * largest(expected, x_len(s));

    EACH_SET(set) {
        float *dx = poison_floats(x_len(s)), *scratch = poison_floats(conv2d_scratch_len(s));
        set->conv2d_backward_data(dx, dy, w, scratch, s);
        CHECK_ALL_NEAR(what, set, dx, expected, magnitude, (s->K + 26) * ULP, 0.0, x_len(s));
        CHECK_ALL_NEAR(what, set, dx, expected, NULL, 0.0, usual, x_len(s));
        free(dx);
        free(scratch);
    }
    free(dy);
    free(w);
    free(w_turned);
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
    reference_conv2d_backward_weight(expected_w, magnitude_b, dy_abs, x_abs, s);
    reference_conv2d_backward_weight(expected_w, expected_b, dy, x, s);
    weight_magnitude(magnitude_w, dy, x, s);
    const double usual = 3e-6 * largest(expected_w, w_len(s));
    const int tiles = ((s->P + 3) / 4) * ((s->Q + 3) / 4);
    const int terms = 32 + tiles * s->N / 16 + 28; // of a part, parts, transforms

    EACH_SET(set) {
        float *dw = poison_floats(w_len(s)), *db = poison_floats(K);
        float *scratch = poison_floats(conv2d_scratch_len(s));
        const double bound = s->P * s->Q * s->N * ULP;
        set->conv2d_backward_weight(dw, db, dy, x, scratch, s);
        CHECK_ALL_NEAR(what, set, dw, expected_w, magnitude_w, terms * ULP, 0.0, w_len(s));
        CHECK_ALL_NEAR(what, set, dw, expected_w, NULL, 0.0, usual, w_len(s));
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

static void a_nan_reaches_what_sees_it_and_nothing_beyond_its_tiles(void **state) {
    (void)state;
    const struct conv2d_shape s = shape_of(32, 5, 13, 13, 2, 1);
    const int row = 6, column = 0, sample = 17;
    uint64_t random = 3;
    float *dy = random_floats(&random, y_len(&s), 1.0f);
    float *w = random_floats(&random, w_len(&s), 1.0f);
    dy[((13 + row) * 13 + column) * 32 + sample] = NAN;

    EACH_SET(set) {
        float *dx = poison_floats(x_len(&s)), *scratch = poison_floats(conv2d_scratch_len(&s));
        set->conv2d_backward_data(dx, dy, w, scratch, &s);
        for (int i = 0; i < (int)x_len(&s); i++) {
            const int n = i % 32, v = i / 32 % 13, h = i / 32 / 13 % 13;
            const bool sees = n == sample && abs(h - row) <= 1 && abs(v - column) <= 1;
            // row 6 lies in the tiles of rows 4 to 7 alone, column 0 in those of columns 0 to 3
            const bool may = n == sample && h / 4 == 1 && v / 4 == 0;
            assert_true(isnan(dx[i]) ? may : !sees);
        }
        free(dx);
        free(scratch);
    }
    free(dy);
    free(w);
}

static void a_forward_output_is_made_of_what_it_sees(void **state) {
    (void)state;
    const struct conv2d_shape s = shape_of(16, 5, 13, 13, 3, 1);
    check_outputs_see_their_pixels(&s);
}

static void a_sample_gives_the_same_bits_in_a_batch_of_any_size(void **state) {
    (void)state;
    const struct conv2d_shape s = shape_of(16, 13, 7, 9, 3, 1);
    check_bits_in_a_larger_batch(&s);
}

static void repeating_a_gradient_gives_the_same_bits(void **state) {
    (void)state;
    const struct conv2d_shape s = shape_of(48, 9, 15, 15, 7, 1);
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

/* ---- which shapes ---- */

static enum conv2d_method method_of(struct conv2d_shape shape) {
    shape.method = CONV2D_BY_SHAPE;
    return conv2d_method(&shape);
}

static void the_method_is_that_for_the_shape(void **state) {
    (void)state;
    assert_int_equal(method_of(shape_of(16, 32, 28, 28, 32, 1)), CONV2D_WINOGRAD);
    assert_int_equal(method_of(shape_of(16, 32, 14, 14, 64, 1)), CONV2D_WINOGRAD);
    assert_int_equal(method_of(shape_of(256, 64, 14, 14, 64, 1)), CONV2D_WINOGRAD);
    assert_int_equal(method_of(shape_of(16, 1, 28, 28, 32, 1)), CONV2D_DIRECT); // one channel
    assert_int_equal(method_of(shape_of(16, 64, 2, 2, 64, 1)), CONV2D_DIRECT);  // half of a tile
    struct conv2d_shape other = shape_of(16, 32, 28, 28, 32, 1);
    other.stride = 2;
    other.P = other.Q = 14;
    assert_int_equal(method_of(other), CONV2D_DIRECT);
    other = shape_of(16, 32, 28, 28, 32, 1);
    other.R = other.S = 5;
    other.pad = 2;
    assert_int_equal(method_of(other), CONV2D_LINES);
    other.method = CONV2D_DIRECT; // what is named stays
    assert_int_equal(conv2d_method(&other), CONV2D_DIRECT);
}

static void the_kernels_take_the_method_for_the_shape(void **state) {
    (void)state;
    const struct conv2d_shape named = shape_of(16, 32, 8, 8, 32, 1);
    struct conv2d_shape by_shape = named;
    by_shape.method = CONV2D_BY_SHAPE;
    uint64_t random = 13;
    float *x = random_floats(&random, x_len(&named), 1.0f); // y, dx and dy are of the same size
    float *w = random_floats(&random, w_len(&named), 1.0f);
    assert_int_equal(conv2d_scratch_len(&named), conv2d_scratch_len(&by_shape));
    EACH_SET(set) {
        float *scratch = poison_floats(conv2d_scratch_len(&named));
        float *y[2], *dx[2], *dw[2], db[32];
        for (int i = 0; i < 2; i++) {
            const struct conv2d_shape *s = i == 0 ? &named : &by_shape;
            y[i] = poison_floats(y_len(s));
            dx[i] = poison_floats(x_len(s));
            dw[i] = poison_floats(w_len(s));
            set->conv2d_forward(y[i], x, w, w, scratch, s);
            set->conv2d_backward_data(dx[i], x, w, scratch, s);
            set->conv2d_backward_weight(dw[i], db, x, x, scratch, s);
        }
        assert_memory_equal(y[0], y[1], y_len(&named) * sizeof **y);
        assert_memory_equal(dx[0], dx[1], x_len(&named) * sizeof **dx);
        assert_memory_equal(dw[0], dw[1], w_len(&named) * sizeof **dw);
        for (int i = 0; i < 2; i++) {
            free(y[i]);
            free(dx[i]);
            free(dw[i]);
        }
        free(scratch);
    }
    free(x);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_matches_the_definition),
        cmocka_unit_test(backward_data_matches_the_definition),
        cmocka_unit_test(backward_weight_matches_the_definition),
        cmocka_unit_test(a_nan_reaches_what_sees_it_and_nothing_beyond_its_tiles),
        cmocka_unit_test(a_forward_output_is_made_of_what_it_sees),
        cmocka_unit_test(a_sample_gives_the_same_bits_in_a_batch_of_any_size),
        cmocka_unit_test(repeating_a_gradient_gives_the_same_bits),
        cmocka_unit_test(the_method_is_that_for_the_shape),
        cmocka_unit_test(the_kernels_take_the_method_for_the_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

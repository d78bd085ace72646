/* Convolution by Winograd's method along the rows against its definition in double, in every set; and which shapes take it.
 */
#include "tests/unit/trainer/test_kernels_winograd.h"

enum { TAPS = 5, OUT = 2 };

/* ---- shapes ---- */

static struct conv2d_shape shape_of(int N, int C, int H, int W, int K, int R, int pad) {
    return conv2d_shape_of(CONV2D_LINES, N, C, H, W, K, R, TAPS, 1, pad);
}

typedef void check_fn(const struct conv2d_shape *shape, uint64_t *random);

/* Every padding, width from 1 to 10 and number of channels from 1 to 9; then a few by hand. */
static void each_shape(check_fn *check) {
    static const int batches[] = {16, 32, 48, 80};
    uint64_t random = 17;
    for (int pad = 0; pad <= 4; pad++) {
        for (int W = 1; W <= 10; W++) {
            if (W + 2 * pad < TAPS) {
                continue;
            }
            const int C = (W + 4 * pad) % 9 + 1, lowest = pad == 0 ? 5 : pad == 1 ? 3 : 1;
            const struct conv2d_shape shape =
                shape_of(batches[random_int(&random, 0, 3)], C, random_int(&random, lowest, 9), W,
                         random_int(&random, 1, 9), 5, pad);
            check(&shape, &random);
        }
    }
    const struct conv2d_shape more[] = {
        shape_of(16, 1, 12, 12, 6, 5, 2),  // the first layer of LeNet, smaller
        shape_of(64, 6, 14, 14, 16, 5, 0), // its second
        shape_of(16, 17, 7, 9, 33, 5, 2),  // whole blocks, and one more
        shape_of(32, 33, 5, 6, 32, 5, 1),  //
        shape_of(16, 3, 6, 9, 4, 1, 0),    // filters that are not square
        shape_of(48, 3, 6, 9, 4, 7, 3),    //
        shape_of(16, 2, 3, 8, 3, 1, 2),    // outputs that see no row
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        check(&more[i], &random);
    }
}

/* ---- the method in double, with absolute values: what the bound on its errors is a part of ---- */

static void one_axis(double to[TILE], double m[TILE][TILE], const double from[TILE]) {
    for (int i = 0; i < TILE; i++) {
        to[i] = 0.0;
        for (int j = 0; j < TILE; j++) {
            to[i] += m[i][j] * from[j];
        }
    }
}

/* |pixels| of a row (width, N) of one sample, from `column` on; 0 outside */
static void row_of(double to[TILE], const float *row, int width, int N, int column, int count) {
    for (int i = 0; i < TILE; i++) {
        const bool inside = i < count && column + i >= 0 && column + i < width;
        to[i] = inside ? fabs((double)row[(size_t)(column + i) * (size_t)N]) : 0.0;
    }
}

/* |G||g| of every row of every filter */
static double (*filters_of(const float *w, const struct conv2d_shape *s))[TILE] {
    double matrix[TILE][TILE], row[TILE];
    const size_t rows = w_len(s) / TAPS;
    double(*u)[TILE] = mem_zalloc(rows, sizeof *u);
    points_matrix(&gradient_by, matrix, TAPS, true);
    for (size_t i = 0; i < rows; i++) {
        row_of(row, w + i * TAPS, TAPS, 1, 0, TAPS);
        one_axis(u[i], matrix, row);
    }
    return u;
}

/* One tile of a row of y, or, `data`, of dx: reads `in` (channels, rows, width, N), adds to `out`. */
struct step {
    const struct conv2d_shape *s;
    double (*u)[TILE]; // (K, C, R)
    double before[TILE][TILE], after[TILE][TILE];
};

static void forward_tile(double *y, const float *x, const struct step *of, int k, int p, int q,
                         int n) {
    const struct conv2d_shape *s = of->s;
    double m[TILE] = {0.0}, out[TILE], row[TILE], v[TILE];
    for (int c = 0; c < s->C; c++) {
        for (int r = 0; r < s->R; r++) {
            const int h = p + r - s->pad;
            if (h < 0 || h >= s->H) {
                continue;
            }
            row_of(row, x + ((size_t)c * s->H + h) * s->W * s->N + n, s->W, s->N, q - s->pad, TILE);
            one_axis(v, (double(*)[TILE])of->before, row);
            for (int i = 0; i < TILE; i++) {
                m[i] += of->u[((size_t)k * s->C + c) * s->R + r][i] * v[i];
            }
        }
    }
    one_axis(out, (double(*)[TILE])of->after, m);
    for (int i = 0; i < OUT && q + i < s->Q; i++) {
        y[(((size_t)k * s->P + p) * s->Q + q + i) * s->N + n] = out[i];
    }
}

static void data_tile(double *dx, const float *dy, const struct step *of, int c, int h, int q,
                      int n) {
    const struct conv2d_shape *s = of->s;
    double m[TILE] = {0.0}, out[TILE], row[TILE], v[TILE];
    for (int k = 0; k < s->K; k++) {
        for (int r = 0; r < s->R; r++) {
            const int p = h + s->pad - r;
            if (p < 0 || p >= s->P) {
                continue;
            }
            row_of(row, dy + ((size_t)k * s->P + p) * s->Q * s->N + n, s->Q, s->N, q, OUT);
            one_axis(v, (double(*)[TILE])of->before, row);
            for (int i = 0; i < TILE; i++) {
                m[i] += of->u[((size_t)k * s->C + c) * s->R + r][i] * v[i];
            }
        }
    }
    one_axis(out, (double(*)[TILE])of->after, m);
    for (int i = 0; i < TILE; i++) {
        const int column = q + i - s->pad;
        if (column >= 0 && column < s->W) {
            dx[(((size_t)c * s->H + h) * s->W + column) * s->N + n] += out[i];
        }
    }
}

static void forward_magnitude_of(double *y, const float *x, const float *w, const float *b,
                                 const struct conv2d_shape *s) {
    struct step of = {.s = s, .u = filters_of(w, s)};
    double by_point[TILE][TILE];
    image_matrix(&gradient_by, of.before);
    points_matrix(&gradient_by, by_point, OUT, false);
    transposed(of.after, by_point);
    for (int k = 0; k < s->K; k++) {
        for (int i = 0; i < s->P * s->N; i++) {
            for (int q = 0; q < s->Q; q += OUT) {
                forward_tile(y, x, &of, k, i / s->N, q, i % s->N);
            }
        }
    }
    for (size_t i = 0; i < y_len(s); i++) {
        y[i] += fabs((double)b[i / ((size_t)s->P * s->Q * s->N)]);
    }
    free(of.u);
}

static void data_magnitude_of(double *dx, const float *dy, const float *w,
                              const struct conv2d_shape *s) {
    struct step of = {.s = s, .u = filters_of(w, s)};
    double image[TILE][TILE];
    points_matrix(&gradient_by, of.before, OUT, false);
    image_matrix(&gradient_by, image);
    transposed(of.after, image);
    for (int c = 0; c < s->C; c++) {
        for (int i = 0; i < s->H * s->N; i++) {
            for (int q = 0; q < s->Q; q += OUT) {
                data_tile(dx, dy, &of, c, i / s->N, q, i % s->N);
            }
        }
    }
    free(of.u);
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
    char what[128];
    describe(what, "forward", s);
    reference_conv2d_forward(expected, x, w, b, s);
    forward_magnitude_of(magnitude, x, w, b, s);
    const double usual = 1e-6 * largest(expected, y_len(s));

    EACH_SET(set) {
        float *y = poison_floats(y_len(s)), *scratch = poison_floats(conv2d_scratch_len(s));
        set->conv2d_forward(y, x, w, b, scratch, s);
        CHECK_ALL_NEAR(what, set, y, expected, magnitude, (s->C * s->R + 16) * ULP, 0.0, y_len(s));
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
    double *expected = zero_doubles(x_len(s)), *magnitude = zero_doubles(x_len(s));
    char what[128];
    describe(what, "backward_data", s);
    reference_conv2d_backward_data(expected, dy, w, s);
    data_magnitude_of(magnitude, dy, w, s);
    const double usual = 2e-6 * largest(expected, x_len(s));

    EACH_SET(set) {
        float *dx = poison_floats(x_len(s)), *scratch = poison_floats(conv2d_scratch_len(s));
        set->conv2d_backward_data(dx, dy, w, scratch, s);
        CHECK_ALL_NEAR(what, set, dx, expected, magnitude, (s->K * s->R + 16) * ULP, 0.0, x_len(s));
        CHECK_ALL_NEAR(what, set, dx, expected, NULL, 0.0, usual, x_len(s));
        free(dx);
        free(scratch);
    }
    free(dy);
    free(w);
    free(expected);
    free(magnitude);
}

static void forward_matches_the_definition(void **state) {
    (void)state;
    each_shape(check_forward);
}

static void backward_data_matches_the_definition(void **state) {
    (void)state;
    each_shape(check_backward_data);
}

/* ---- properties ---- */

static void a_forward_output_is_made_of_what_it_sees(void **state) {
    (void)state;
    const struct conv2d_shape s = shape_of(16, 5, 9, 9, 3, 5, 2);
    check_outputs_see_their_pixels(&s);
}

static void a_nan_of_dy_reaches_what_sees_it_and_nothing_beyond_its_tile(void **state) {
    (void)state;
    const struct conv2d_shape s = shape_of(32, 5, 13, 13, 2, 5, 2);
    const int row = 6, column = 5, sample = 17; // of the tile that is columns 4 and 5
    uint64_t random = 3;
    float *dy = random_floats(&random, y_len(&s), 1.0f);
    float *w = random_floats(&random, w_len(&s), 1.0f);
    dy[((13 + row) * 13 + column) * 32 + sample] = NAN;

    EACH_SET(set) {
        float *dx = poison_floats(x_len(&s)), *scratch = poison_floats(conv2d_scratch_len(&s));
        set->conv2d_backward_data(dx, dy, w, scratch, &s);
        for (int i = 0; i < (int)x_len(&s); i++) {
            const int n = i % 32, v = i / 32 % 13, h = i / 32 / 13 % 13;
            const bool near = n == sample && abs(h - row) <= 2;
            assert_true(isnan(dx[i]) ? near && v >= 2 && v <= 7 : !near || abs(v - column) > 2);
        }
        free(dx);
        free(scratch);
    }
    free(dy);
    free(w);
}

static void a_sample_gives_the_same_bits_in_a_batch_of_any_size(void **state) {
    (void)state;
    const struct conv2d_shape s = shape_of(16, 13, 7, 9, 3, 5, 1);
    check_bits_in_a_larger_batch(&s);
}

/* ---- which shapes ---- */

static enum conv2d_method method_of(struct conv2d_shape shape) {
    shape.method = CONV2D_BY_SHAPE;
    return conv2d_method(&shape);
}

static void the_method_is_that_for_the_shape(void **state) {
    (void)state;
    assert_int_equal(method_of(shape_of(64, 6, 14, 14, 16, 5, 0)), CONV2D_LINES);
    assert_int_equal(method_of(shape_of(16, 32, 28, 28, 32, 5, 2)), CONV2D_LINES);
    assert_int_equal(method_of(shape_of(64, 1, 28, 28, 6, 5, 2)), CONV2D_DIRECT); // one channel
    assert_int_equal(method_of(shape_of(16, 16, 5, 5, 16, 5, 0)), CONV2D_DIRECT); // half of a tile
    assert_int_equal(method_of(shape_of(16, 16, 14, 14, 16, 3, 1)), CONV2D_DIRECT);
    struct conv2d_shape other = shape_of(16, 32, 28, 28, 32, 5, 2);
    other.stride = 2;
    other.P = other.Q = 14;
    assert_int_equal(method_of(other), CONV2D_DIRECT);
}

static void the_kernels_take_the_method_for_the_shape(void **state) {
    (void)state;
    const struct conv2d_shape named = shape_of(16, 32, 8, 8, 32, 5, 2);
    struct conv2d_shape by_shape = named;
    by_shape.method = CONV2D_BY_SHAPE;
    struct conv2d_shape direct = named;
    direct.method = CONV2D_DIRECT; // what backward_weight takes
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
            set->conv2d_backward_weight(dw[i], db, x, x, scratch, i == 0 ? &direct : s);
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
        cmocka_unit_test(a_forward_output_is_made_of_what_it_sees),
        cmocka_unit_test(a_nan_of_dy_reaches_what_sees_it_and_nothing_beyond_its_tile),
        cmocka_unit_test(a_sample_gives_the_same_bits_in_a_batch_of_any_size),
        cmocka_unit_test(the_method_is_that_for_the_shape),
        cmocka_unit_test(the_kernels_take_the_method_for_the_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

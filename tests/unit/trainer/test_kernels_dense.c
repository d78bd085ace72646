/* Dense layers against their definition in double, in every set. */
#include "tests/unit/trainer/test_kernels_common.h"

#include <stdio.h>

/* A dense layer with numbers in it, the size of each, and its text. */
struct dense {
    struct dense_shape shape;
    size_t x_len, y_len, w_len;
    float *x, *dy, *w, *b;
    char text[64];
};

/* A parameter may start anywhere: these are off by one float. */
static float *unaligned(uint64_t *random, size_t n) {
    return random_floats(random, n + 1, 1.0f) + 1;
}

static struct dense dense_new(int N, int in, int out, uint64_t *random) {
    struct dense d = {.shape = {.N = N, .in = in, .out = out},
                      .x_len = (size_t)in * (size_t)N,
                      .y_len = (size_t)out * (size_t)N,
                      .w_len = (size_t)in * (size_t)out};
    d.x = random_floats(random, d.x_len, 1.0f);
    d.dy = random_floats(random, d.y_len, 1.0f);
    d.w = unaligned(random, d.w_len);
    d.b = unaligned(random, (size_t)out);
    (void)snprintf(d.text, sizeof d.text, "N %d, %d -> %d", N, in, out); // fits
    return d;
}

/* The same with every number's absolute value. */
static struct dense dense_absolute(const struct dense *from) {
    struct dense d = *from;
    d.x = absolute_floats(from->x, d.x_len);
    d.dy = absolute_floats(from->dy, d.y_len);
    d.w = absolute_floats(from->w - 1, d.w_len + 1) + 1;
    d.b = absolute_floats(from->b - 1, (size_t)d.shape.out + 1) + 1;
    return d;
}

static void dense_free(struct dense *d) {
    free(d->x);
    free(d->dy);
    free(d->w - 1);
    free(d->b - 1);
}

static float *scratch_for(const struct dense *d) {
    return poison_floats(dense_scratch_len(&d->shape) - 1); // which adds one
}

typedef void check_fn(const struct dense *d, const struct dense *absolute);

/* Sizes about every block, panel and stretch, with one, two and more panels of samples. */
static void each_shape(check_fn *check) {
    static const int sizes[] = {1, 2, 5, 6, 7, 8, 9, 13, 16, 17, 31, 32, 33, 47, 63, 65, 129, 200};
    static const int batches[] = {16, 32, 48, 64, 80, 256};
    enum { SIZES = sizeof sizes / sizeof *sizes, BATCHES = sizeof batches / sizeof *batches };
    uint64_t random = 23;
    for (int i = 0; i < SIZES; i++) {
        for (int j = 0; j < SIZES; j++) {
            const int N = batches[(i + j) % BATCHES];
            struct dense d = dense_new(N, sizes[i], sizes[j], &random);
            struct dense absolute = dense_absolute(&d);
            check(&d, &absolute);
            dense_free(&d);
            dense_free(&absolute);
        }
    }
}

static void check_forward(const struct dense *d, const struct dense *absolute) {
    double *expected = zero_doubles(d->y_len), *magnitude = zero_doubles(d->y_len);
    reference_dense_forward(expected, d->x, d->w, d->b, &d->shape);
    reference_dense_forward(magnitude, absolute->x, absolute->w, absolute->b, &d->shape);
    EACH_SET(set) {
        float *y = poison_floats(d->y_len - 1), *scratch = scratch_for(d);
        set->dense_forward(y, d->x, d->w, d->b, scratch, &d->shape);
        CHECK_ALL_NEAR(d->text, set, y, expected, magnitude, (d->shape.in + 1) * ULP, 0.0,
                       d->y_len);
        free(y);
        free(scratch);
    }
    free(expected);
    free(magnitude);
}

static void check_backward_data(const struct dense *d, const struct dense *absolute) {
    double *expected = zero_doubles(d->x_len), *magnitude = zero_doubles(d->x_len);
    reference_dense_backward_data(expected, d->dy, d->w, &d->shape);
    reference_dense_backward_data(magnitude, absolute->dy, absolute->w, &d->shape);
    EACH_SET(set) {
        float *dx = poison_floats(d->x_len - 1), *scratch = scratch_for(d);
        set->dense_backward_data(dx, d->dy, d->w, scratch, &d->shape);
        CHECK_ALL_NEAR(d->text, set, dx, expected, magnitude, (d->shape.out + 1) * ULP, 0.0,
                       d->x_len);
        free(dx);
        free(scratch);
    }
    free(expected);
    free(magnitude);
}

static void check_backward_weight(const struct dense *d, const struct dense *absolute) {
    double *expected = zero_doubles(d->w_len), *magnitude = zero_doubles(d->w_len);
    reference_dense_backward_weight(expected, d->dy, d->x, &d->shape);
    reference_dense_backward_weight(magnitude, absolute->dy, absolute->x, &d->shape);
    EACH_SET(set) {
        float *dw = poison_floats(d->w_len), *scratch = scratch_for(d); // one more: starts anywhere
        set->dense_backward_weight(dw + 1, d->dy, d->x, scratch, &d->shape);
        CHECK_ALL_NEAR(d->text, set, dw + 1, expected, magnitude, (d->shape.N + 1) * ULP, 0.0,
                       d->w_len);
        assert_true(isnan(dw[0]));
        free(dw);
        free(scratch);
    }
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

static void backward_weight_matches_the_definition(void **state) {
    (void)state;
    each_shape(check_backward_weight);
}

/* 16 samples alone, and as the first and the last of a larger batch. */
static void check_alone(const struct kernels *set, const struct dense *d, int times) {
    struct dense_shape larger = d->shape;
    larger.N *= times;
    const size_t many = (size_t)times, N = (size_t)d->shape.N;
    float *x = batch_repeat(d->x, (size_t)d->shape.in, N, many);
    float *dy = batch_repeat(d->dy, (size_t)d->shape.out, N, many);
    float *y = poison_floats(d->y_len), *dx = poison_floats(d->x_len);
    float *y_many = poison_floats(d->y_len * many), *dx_many = poison_floats(d->x_len * many);
    float *scratch = poison_floats(dense_scratch_len(&larger));
    set->dense_forward(y, d->x, d->w, d->b, scratch, &d->shape);
    set->dense_backward_data(dx, d->dy, d->w, scratch, &d->shape);
    set->dense_forward(y_many, x, d->w, d->b, scratch, &larger);
    set->dense_backward_data(dx_many, dy, d->w, scratch, &larger);
    for (size_t i = 0; i < (size_t)d->shape.out * many; i++) {
        assert_memory_equal(y_many + i * N, y + i / many * N, N * sizeof *y);
    }
    for (size_t i = 0; i < (size_t)d->shape.in * many; i++) {
        assert_memory_equal(dx_many + i * N, dx + i / many * N, N * sizeof *dx);
    }
    free(x);
    free(dy);
    free(y);
    free(dx);
    free(y_many);
    free(dx_many);
    free(scratch);
}

static void a_sample_has_the_same_bits_in_a_batch_of_any_size(void **state) {
    (void)state;
    uint64_t random = 29;
    for (int times = 2; times <= 5; times++) {
        struct dense d = dense_new(16, 150, 67, &random);
        EACH_SET(set) {
            check_alone(set, &d, times);
        }
        dense_free(&d);
    }
}

static void a_nan_reaches_what_it_is_in_and_nothing_else(void **state) {
    (void)state;
    uint64_t random = 31;
    struct dense d = dense_new(32, 40, 20, &random);
    d.x[7 * 32 + 3] = NAN; // input 7 of sample 3
    EACH_SET(set) {
        float *y = poison_floats(d.y_len), *dw = poison_floats(d.w_len), *scratch = scratch_for(&d);
        set->dense_forward(y, d.x, d.w, d.b, scratch, &d.shape);
        set->dense_backward_weight(dw, d.dy, d.x, scratch, &d.shape);
        for (size_t i = 0; i < d.y_len; i++) {
            assert_int_equal(isnan(y[i]) != 0, i % 32 == 3);
        }
        for (size_t i = 0; i < d.w_len; i++) {
            assert_int_equal(isnan(dw[i]) != 0, i % 40 == 7);
        }
        free(y);
        free(dw);
        free(scratch);
    }
    dense_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_matches_the_definition),
        cmocka_unit_test(backward_data_matches_the_definition),
        cmocka_unit_test(backward_weight_matches_the_definition),
        cmocka_unit_test(a_sample_has_the_same_bits_in_a_batch_of_any_size),
        cmocka_unit_test(a_nan_reaches_what_it_is_in_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

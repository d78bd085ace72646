/* Initial weights, as distributions: whatever is drawn is compared with theory by tests whose limits
 * follow from the number of draws.  Five standard errors are missed by chance once in two million
 * times, and the seeds are fixed. */
#include "net_testing.h"

#include "base/err.h"
#include "base/rng.h"
#include "trainer/init.h"
#include "trainer/net.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 200000, FAN_IN = 200, FAN_OUT = 300 };

/* With fans of 200 and 300.  `scale` is the standard deviation, or the bound of a uniform one. */
static const struct distribution {
    struct init_spec spec;
    bool uniform;
    double scale;
} distributions[] = {
    {{.kind = INIT_NORMAL, .std = 0.02}, false, 0.02},
    {{.kind = INIT_NORMAL, .std = 1.0}, false, 1.0},
    {{.kind = INIT_UNIFORM, .bound = 0.3}, true, 0.3},
    {{.kind = INIT_XAVIER_NORMAL, .gain = 1.0}, false, 0.0632455532033676}, // sqrt(2 / 500)
    {{.kind = INIT_XAVIER_UNIFORM, .gain = 1.0}, true, 0.109544511501033},  // sqrt(6 / 500)
    {{.kind = INIT_XAVIER_UNIFORM, .gain = 3.0}, true, 0.328633534503100},
    {{.kind = INIT_HE_NORMAL, .gain = 1.4142135623730951}, false, 0.1}, // sqrt(2 / 200)
    {{.kind = INIT_HE_NORMAL, .gain = 1.0}, false, 0.0707106781186548}, // sqrt(1 / 200)
    {{.kind = INIT_HE_UNIFORM, .gain = 1.4142135623730951},
     true,
     0.173205080756888}, // sqrt(6 / 200)
    {{.kind = INIT_LECUN_NORMAL}, false, 0.0707106781186548},
    {{.kind = INIT_LECUN_UNIFORM}, true, 0.122474487139159},  // sqrt(3 / 200)
    {{.kind = INIT_TORCH_DEFAULT}, true, 0.0707106781186548}, // sqrt(1 / 200)
};
enum { DISTRIBUTIONS = sizeof distributions / sizeof *distributions };

static float *draw(const struct init_spec *spec, uint32_t stream) {
    float *w = malloc(DRAWS * sizeof *w);
    assert_non_null(w);
    struct rng rng;
    rng_init(&rng, 1234, RNG_TEST, 0, stream);
    init_fill(w, DRAWS, spec, FAN_IN, FAN_OUT, &rng);
    return w;
}

/* Mean of x^power over n values. */
static double moment(const float *w, size_t n, int power) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += pow((double)w[i], power);
    }
    return sum / (double)n;
}

static void moments_are_those_of_the_distribution(void **state) {
    (void)state;
    for (int k = 0; k < DISTRIBUTIONS; k++) {
        const struct distribution *d = &distributions[k];
        float *w = draw(&d->spec, (uint32_t)k);
        // Moments of N(0, s) and U(-b, b); the standard error of the mean of x^j is
        // sqrt((E x^2j - (E x^j)^2) / n).
        const double s2 = d->scale * d->scale;
        const double m2 = d->uniform ? s2 / 3.0 : s2;
        const double m4 = d->uniform ? s2 * s2 / 5.0 : 3.0 * s2 * s2;
        const double m6 = d->uniform ? pow(s2, 3) / 7.0 : 15.0 * pow(s2, 3);
        const double m8 = d->uniform ? pow(s2, 4) / 9.0 : 105.0 * pow(s2, 4);
        print_message("%s\n", init_names[d->spec.kind]);
        CHECK_NEAR(moment(w, DRAWS, 1), 0.0, 5.0 * sqrt(m2 / DRAWS));
        CHECK_NEAR(moment(w, DRAWS, 2), m2, 5.0 * sqrt((m4 - m2 * m2) / DRAWS));
        CHECK_NEAR(moment(w, DRAWS, 3), 0.0, 5.0 * sqrt(m6 / DRAWS));
        CHECK_NEAR(moment(w, DRAWS, 4), m4, 5.0 * sqrt((m8 - m4 * m4) / DRAWS));
        free(w);
    }
}

static int by_value(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double cdf(const struct distribution *d, double x) {
    if (d->uniform) {
        return fmin(1.0, fmax(0.0, (x / d->scale + 1.0) / 2.0));
    }
    return 0.5 * erfc(-x / d->scale * 0.70710678118654752);
}

static void shape_is_that_of_the_distribution(void **state) {
    (void)state;
    // Kolmogorov-Smirnov: sqrt(n) * D exceeds 2.2 with probability 2 exp(-2 * 2.2^2) = 1.2e-4.
    for (int k = 0; k < DISTRIBUTIONS; k++) {
        const struct distribution *d = &distributions[k];
        float *w = draw(&d->spec, (uint32_t)k);
        qsort(w, DRAWS, sizeof *w, by_value);
        double distance = 0.0;
        for (int i = 0; i < DRAWS; i++) {
            double f = cdf(d, (double)w[i]);
            distance = fmax(distance, fmax(f - (double)i / DRAWS, (double)(i + 1) / DRAWS - f));
        }
        print_message("%s\n", init_names[d->spec.kind]);
        CHECK_BELOW(sqrt(DRAWS) * distance, 2.2);
        free(w);
    }
}

static void uniform_draws_reach_their_bounds_and_stay_within(void **state) {
    (void)state;
    for (int k = 0; k < DISTRIBUTIONS; k++) {
        const struct distribution *d = &distributions[k];
        if (!d->uniform) {
            continue;
        }
        float *w = draw(&d->spec, (uint32_t)k);
        double low = 0.0, high = 0.0;
        for (int i = 0; i < DRAWS; i++) {
            low = fmin(low, (double)w[i]);
            high = fmax(high, (double)w[i]);
        }
        // None in the outermost 1e-4 of the range: probability e^-10 a side.
        CHECK_NEAR(low, -d->scale * (1 - 1e-4), d->scale * 1.0001e-4);
        CHECK_NEAR(high, d->scale * (1 - 1e-4), d->scale * 1.0001e-4);
        free(w);
    }
}

static void normal_draws_have_tails(void **state) {
    (void)state;
    // P(|x| > 3 s) = 0.0026998, P(|x| > 4 s) = 6.334e-5: 540 and 12.7 of 200,000
    float *w = draw(&distributions[1].spec, 1);
    int three = 0, four = 0;
    for (int i = 0; i < DRAWS; i++) {
        three += fabsf(w[i]) > 3.0f;
        four += fabsf(w[i]) > 4.0f;
    }
    free(w);
    CHECK_NEAR(three, 540.0, 5.0 * sqrt(540.0));
    CHECK_NEAR(four, 12.7, 3.4 * sqrt(12.7)); // at least one
}

static void zeros_are_zeros(void **state) {
    (void)state;
    const struct init_spec spec = {.kind = INIT_ZEROS, .std = 1, .bound = 1, .gain = 1};
    float *w = draw(&spec, 0);
    CHECK_NEAR(moment(w, DRAWS, 2), 0.0, 0.0);
    free(w);
}

/* ---- in a network: which fans, which streams ---- */

enum { DENSE_UNITS = 300, CHANNELS = 60, MIDDLE = 40, KERNEL = 3 };

/* (40, 5, 5) from a conv2d of 60 filters over 40 channels, then two dense layers. */
static struct net *make(struct init_spec init, uint64_t seed) {
    const struct layer_spec layers[] = {
        {.kind = LAYER_CONV2D,
         .channels = CHANNELS,
         .kernel = KERNEL,
         .stride = 1,
         .padding = 0,
         .init = init},
        ACTIVATION(PRELU),
        FLATTEN,
        {.kind = LAYER_DENSE, .units = DENSE_UNITS, .init = init},
        {.kind = LAYER_DENSE, .units = DENSE_UNITS, .init = init},
        {.kind = LAYER_DENSE, .units = 10, .init = init},
    };
    struct net *net = NULL;
    struct err err = {0};
    if (net_new(&net, layers, 6, (struct shape){MIDDLE, 5, 5}, 10, NULL, 1, &err) < 0) {
        fail_msg("%s", err.msg);
    }
    net_init(net, seed);
    return net;
}

/* The tensors: conv2d weight, bias, slopes, then weight and bias of three dense layers. */
enum {
    CONV_WEIGHT = 0,
    CONV_BIAS = 1,
    SLOPES = 2,
    DENSE_WEIGHT = 3,
    DENSE_BIAS = 4,
    SECOND_WEIGHT = 5,
    TENSORS = 9
};

static void check_variance(const struct net_tensor *tensor, double expected) {
    print_message("%s\n", tensor->name);
    // of a normal variance over n draws: expected * sqrt(2 / n)
    CHECK_NEAR(moment(tensor->value, tensor->len, 2), expected,
               5.0 * expected * sqrt(2.0 / (double)tensor->len));
}

static void fans_are_counted_as_in_pytorch(void **state) {
    (void)state;
    // conv2d (60, 40, 3, 3): fan_in 40 * 9 = 360, fan_out 60 * 9 = 540
    // dense (300, 540): fan_in 60 * 3 * 3 = 540, fan_out 300
    struct net *net = make((struct init_spec){.kind = INIT_HE_NORMAL, .gain = 1.0}, 1);
    check_variance(net_tensor(net, CONV_WEIGHT), 1.0 / 360.0);
    check_variance(net_tensor(net, DENSE_WEIGHT), 1.0 / 540.0);
    check_variance(net_tensor(net, SECOND_WEIGHT), 1.0 / 300.0);
    net_free(net);

    net = make((struct init_spec){.kind = INIT_XAVIER_NORMAL, .gain = 1.0}, 1);
    check_variance(net_tensor(net, CONV_WEIGHT), 2.0 / 900.0);
    check_variance(net_tensor(net, DENSE_WEIGHT), 2.0 / 840.0);
    check_variance(net_tensor(net, SECOND_WEIGHT), 2.0 / 600.0);
    net_free(net);
}

static void biases_start_at_zero_and_slopes_at_their_own_value(void **state) {
    (void)state;
    struct net *net = make((struct init_spec){.kind = INIT_NORMAL, .std = 1.0}, 1);
    static const struct {
        int tensor;
        double value;
    } expected[] = {{CONV_BIAS, 0.0}, {SLOPES, 0.25}, {4, 0.0}, {6, 0.0}, {8, 0.0}};
    assert_int_equal(net_tensor_count(net), TENSORS);
    for (int k = 0; k < 5; k++) {
        const struct net_tensor *tensor = net_tensor(net, expected[k].tensor);
        for (size_t i = 0; i < tensor->len; i++) {
            CHECK_NEAR((double)tensor->value[i], expected[k].value, 0.0);
        }
    }
    net_free(net);
}

static void same_seed_gives_the_same_bits_and_another_seed_others(void **state) {
    (void)state;
    const struct init_spec init = {.kind = INIT_NORMAL, .std = 1.0};
    struct net *first = make(init, 5), *second = make(init, 5), *third = make(init, 6);
    const size_t bytes = net_param_count(first) * sizeof(float);
    assert_memory_equal(net_params(first), net_params(second), bytes);
    assert_memory_not_equal(net_params(first), net_params(third), bytes);

    memset(net_params(second), 1, bytes); // whatever was there before
    net_init(second, 5);
    assert_memory_equal(net_params(first), net_params(second), bytes);
    net_free(first);
    net_free(second);
    net_free(third);
}

static void the_default_of_pytorch_draws_biases_as_it_draws_weights(void **state) {
    (void)state;
    struct net *net = make((struct init_spec){.kind = INIT_TORCH_DEFAULT}, 1);
    // U(-b, b) with b^2 = 1 / fan_in: 360, 540 and 300; variance b^2 / 3, of which n draws are within
    // a share of sqrt(0.8 / n)
    static const struct {
        int tensor;
        double fan_in;
    } expected[] = {{CONV_WEIGHT, 360},   {CONV_BIAS, 360},     {DENSE_WEIGHT, 540},
                    {DENSE_BIAS, 540},    {SECOND_WEIGHT, 300}, {SECOND_WEIGHT + 1, 300},
                    {TENSORS - 2, 300.0}, {TENSORS - 1, 300.0}};
    for (size_t k = 0; k < sizeof expected / sizeof *expected; k++) {
        const struct net_tensor *tensor = net_tensor(net, expected[k].tensor);
        print_message("%s\n", tensor->name);
        const double n = (double)tensor->len, b2 = 1.0 / expected[k].fan_in;
        CHECK_NEAR(moment(tensor->value, tensor->len, 2), b2 / 3.0, 5.0 * b2 / 3.0 * sqrt(0.8 / n));
        for (size_t i = 0; i < tensor->len; i++) {
            CHECK_BELOW(fabs((double)tensor->value[i]), sqrt(b2) * (1 + 1e-7));
        }
        assert_true(tensor->len < 2 || tensor->value[0] != tensor->value[1]);
    }
    net_free(net);
}

/* ---- orthogonal ---- */

/* Row a times row b of m (rows, cols); of its transpose where `columns`. */
static double product(const float *m, size_t rows, size_t cols, bool columns, size_t a, size_t b) {
    double sum = 0.0;
    for (size_t i = 0; i < (columns ? rows : cols); i++) {
        sum += columns ? (double)m[i * cols + a] * (double)m[i * cols + b]
                       : (double)m[a * cols + i] * (double)m[b * cols + i];
    }
    return sum;
}

static void the_fewer_of_rows_and_columns_are_orthonormal(void **state) {
    (void)state;
    static const size_t shapes[][2] = {{30, 50}, {50, 30}, {40, 40}, {1, 7},
                                       {7, 1},   {1, 1},   {3, 200}};
    static const double gains[] = {1.0, 1.4142135623730951, 0.25};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const size_t rows = shapes[s][0], cols = shapes[s][1];
        const bool tall = rows > cols;
        const struct init_spec spec = {.kind = INIT_ORTHOGONAL, .gain = gains[s % 3]};
        float w[2048];
        struct rng rng;
        rng_init(&rng, 7, RNG_TEST, 0, (uint32_t)s);
        init_fill(w, rows * cols, &spec, (int)cols, (int)rows, &rng);
        for (size_t a = 0; a < (tall ? cols : rows); a++) {
            for (size_t b = 0; b <= a; b++) {
                CHECK_NEAR(product(w, rows, cols, tall, a, b), a == b ? spec.gain * spec.gain : 0.0,
                           1e-6);
            }
        }
    }
}

/* Q^T W is R: it has nothing below the diagonal, and nothing negative on it.  That makes it the one
 * factorization there is, and Q as likely as any other orthogonal matrix (Mezzadri 2007). */
static void it_is_the_q_of_the_normal_matrix_of_the_same_stream(void **state) {
    (void)state;
    enum { ROWS = 40, COLS = 25, LEN = ROWS * COLS };
    float w[LEN], q[LEN];
    struct rng rng;
    for (int wide = 0; wide < 2; wide++) {
        const struct init_spec normal = {.kind = INIT_NORMAL, .std = 1.0};
        const struct init_spec orthogonal = {.kind = INIT_ORTHOGONAL, .gain = 1.0};
        const int fan_in = wide ? ROWS : COLS;
        rng_init(&rng, 8, RNG_TEST, 0, 0);
        init_fill(w, LEN, &normal, fan_in, LEN / fan_in, &rng);
        rng_init(&rng, 8, RNG_TEST, 0, 0);
        init_fill(q, LEN, &orthogonal, fan_in, LEN / fan_in, &rng);
        for (int a = 0; a < COLS; a++) {
            for (int b = 0; b <= a; b++) { // R[a, b]: vector a of Q with vector b of W
                double sum = 0.0;
                for (int i = 0; i < ROWS; i++) {
                    sum += wide ? (double)q[a * ROWS + i] * (double)w[b * ROWS + i]
                                : (double)q[i * COLS + a] * (double)w[i * COLS + b];
                }
                if (a == b) {
                    assert_true(sum > 0.1);
                } else {
                    CHECK_NEAR(sum, 0.0, 1e-6);
                }
            }
        }
    }
}

static void filters_are_rows_of_all_their_inputs(void **state) {
    (void)state;
    struct net *net = make((struct init_spec){.kind = INIT_ORTHOGONAL, .gain = 2.0}, 1);
    const struct net_tensor *w = net_tensor(net, CONV_WEIGHT); // (60, 40, 3, 3)
    for (size_t a = 0; a < CHANNELS; a++) {
        for (size_t b = 0; b <= a; b++) {
            CHECK_NEAR(product(w->value, CHANNELS, 360, false, a, b), a == b ? 4.0 : 0.0, 1e-6);
        }
    }
    net_free(net);
}

/* Of the first n values of each. */
static double correlation(const float *a, const float *b, size_t n) {
    double ab = 0.0, aa = 0.0, bb = 0.0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static void tensors_and_seeds_draw_from_unrelated_streams(void **state) {
    (void)state;
    const struct init_spec init = {.kind = INIT_NORMAL, .std = 1.0};
    struct net *net = make(init, 5), *other = make(init, 6);
    const float *conv = net_tensor(net, CONV_WEIGHT)->value;
    const float *dense = net_tensor(net, DENSE_WEIGHT)->value;
    const float *second = net_tensor(net, SECOND_WEIGHT)->value;
    const size_t n = net_tensor(net, CONV_WEIGHT)->len; // 21,600, the smallest of the three
    const double limit = 5.0 / sqrt((double)n);
    CHECK_NEAR(correlation(conv, dense, n), 0.0, limit);
    CHECK_NEAR(correlation(dense, second, n), 0.0, limit);
    CHECK_NEAR(correlation(conv, net_tensor(other, CONV_WEIGHT)->value, n), 0.0, limit);
    net_free(net);
    net_free(other);
}

static void truncated_normal_ends_at_two_sigma_and_is_narrower_for_it(void **state) {
    (void)state;
    const struct init_spec spec = {.kind = INIT_TRUNCATED_NORMAL, .std = 0.5};
    float *w = draw(&spec, 40);
    float most = 0.0f;
    for (int i = 0; i < DRAWS; i++) {
        most = fmaxf(most, fabsf(w[i]));
    }
    assert_true(most <= 1.0f && most > 0.999f);
    CHECK_NEAR(moment(w, DRAWS, 1), 0.0, 5.0 * 0.44 / sqrt(DRAWS));
    // variance 1 - 4 phi(2) / (2 Phi(2) - 1) = 0.7737413 of an untruncated one
    CHECK_NEAR(moment(w, DRAWS, 2) / 0.25, 0.7737413, 5.0 * 1.2 / sqrt(DRAWS));
    free(w);
}

static void a_constant_is_everywhere(void **state) {
    (void)state;
    const struct init_spec spec = {.kind = INIT_CONSTANT, .value = -0.25};
    float *w = draw(&spec, 41);
    for (int i = 0; i < DRAWS; i++) {
        assert_true(w[i] == -0.25f);
    }
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_those_of_the_distribution),
        cmocka_unit_test(shape_is_that_of_the_distribution),
        cmocka_unit_test(uniform_draws_reach_their_bounds_and_stay_within),
        cmocka_unit_test(normal_draws_have_tails),
        cmocka_unit_test(zeros_are_zeros),
        cmocka_unit_test(truncated_normal_ends_at_two_sigma_and_is_narrower_for_it),
        cmocka_unit_test(a_constant_is_everywhere),
        cmocka_unit_test(fans_are_counted_as_in_pytorch),
        cmocka_unit_test(biases_start_at_zero_and_slopes_at_their_own_value),
        cmocka_unit_test(the_default_of_pytorch_draws_biases_as_it_draws_weights),
        cmocka_unit_test(the_fewer_of_rows_and_columns_are_orthonormal),
        cmocka_unit_test(it_is_the_q_of_the_normal_matrix_of_the_same_stream),
        cmocka_unit_test(filters_are_rows_of_all_their_inputs),
        cmocka_unit_test(same_seed_gives_the_same_bits_and_another_seed_others),
        cmocka_unit_test(tensors_and_seeds_draw_from_unrelated_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

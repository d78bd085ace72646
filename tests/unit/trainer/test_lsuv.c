/* Initial weights that are scaled to the data: against the paper's procedure in double, and in a training. */
#include "tests/unit/trainer/net_testing.h"
#include "tests/unit/trainer/train_testing.h"

#include "trainer/layer.h"
#include "trainer/lsuv.h"
#include "trainer/net.h"

enum { N = 37, LANES_OF_N = 48, IN = 12, HIDDEN = 20, OUT = 10, BATCH_MAX = 64 };

#define LSUV_DENSE(n)                                                                              \
    {                                                                                              \
        .kind = LAYER_DENSE, .units = (n), .init = {.kind = INIT_LSUV }                            \
    }

static struct net *make(const struct layer_spec *layers, int count, struct shape input) {
    struct net *net = NULL;
    struct err err;
    if (net_new(&net, layers, count, input, OUT, NULL, BATCH_MAX, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    net_init(net, 3);
    return net;
}

/* Numbers of mean 0.5 and of standard deviation `scale`, about; 0 past the batch. */
static void fill_input(struct net *net, int values, float scale) {
    uint64_t random = 5;
    for (int i = 0; i < values * LANES_OF_N; i++) {
        const float x = scale * (1.7f * test_uniform(&random) + 0.5f);
        net_input(net)[i] = i % LANES_OF_N < N ? x : 0.0f;
    }
}

static double variance_of(const double *y, int count) {
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < count; i++) {
        sum += y[i];
    }
    for (int i = 0; i < count; i++) {
        squares += (y[i] - sum / count) * (y[i] - sum / count);
    }
    return squares / count;
}

/* y (rows, N) = w (rows, cols) x (cols, N), by definition */
static void multiply(double *y, const double *w, const double *x, int rows, int cols) {
    for (int r = 0; r < rows; r++) {
        for (int n = 0; n < N; n++) {
            y[r * N + n] = 0.0;
            for (int c = 0; c < cols; c++) {
                y[r * N + n] += w[r * cols + c] * x[c * N + n];
            }
        }
    }
}

/* w becomes w / sqrt(variance of w x), and y = w x: what one round of the paper does where there is no
 * bias, and no second is needed. */
static void scale_in_double(double *y, double *w, const double *x, int rows, int cols) {
    multiply(y, w, x, rows, cols);
    const double v = variance_of(y, rows * N);
    assert_true(fabs(v - 1.0) > 0.1); // else this case tests nothing
    for (int i = 0; i < rows * cols; i++) {
        w[i] /= sqrt(v);
    }
    multiply(y, w, x, rows, cols);
}

static void each_layer_is_scaled_behind_the_ones_before_it(void **state) {
    (void)state;
    const struct layer_spec layers[] = {LSUV_DENSE(HIDDEN), ACTIVATION(TANH), DROPOUT(0.5f),
                                        LSUV_DENSE(OUT)};
    struct net *net = make(layers, 4, (struct shape){IN, 1, 1});
    fill_input(net, IN, 3.0f);
    static double first[HIDDEN * IN], second[OUT * HIDDEN], x[IN * N], y[HIDDEN * N], z[OUT * N];
    for (int i = 0; i < HIDDEN * IN; i++) {
        first[i] = (double)net_tensor(net, 0)->value[i];
    }
    for (int i = 0; i < OUT * HIDDEN; i++) {
        second[i] = (double)net_tensor(net, 2)->value[i];
    }
    for (int i = 0; i < IN * N; i++) {
        x[i] = (double)net_input(net)[i / N * LANES_OF_N + i % N];
    }
    scale_in_double(y, first, x, HIDDEN, IN);
    for (int i = 0; i < HIDDEN * N; i++) {
        y[i] = tanh(y[i]);
    }
    scale_in_double(z, second, y, OUT, HIDDEN);

    lsuv_scale(net, N);
    for (int i = 0; i < HIDDEN * IN; i++) {
        CHECK_NEAR((double)net_tensor(net, 0)->value[i], first[i], 1e-6);
    }
    for (int i = 0; i < OUT * HIDDEN; i++) {
        CHECK_NEAR((double)net_tensor(net, 2)->value[i], second[i], 1e-6);
    }
    net_free(net);
}

static void convolutions_and_deep_ones_get_unit_variance(void **state) {
    (void)state;
    struct layer_spec layers[] = {CONV2D(5, 3, 1, 1), ACTIVATION(RELU), MAXPOOL(2, 2),
                                  CONV2D(7, 3, 1, 0), ACTIVATION(ELU),  FLATTEN,
                                  LSUV_DENSE(30),     ACTIVATION(RELU), LSUV_DENSE(OUT)};
    layers[0].init.kind = layers[3].init.kind = INIT_LSUV;
    struct net *net = make(layers, 9, (struct shape){3, 8, 8});
    fill_input(net, 3 * 8 * 8, 0.05f);
    lsuv_scale(net, N);
    fill_input(net, 3 * 8 * 8, 0.05f);
    net_forward(net, N);
    static const int scaled[] = {0, 3, 6, 8};
    for (int k = 0; k < 4; k++) {
        const struct net_layer layer = net_layer(net, scaled[k]);
        static double y[5 * 8 * 8 * N];
        const int values = (int)shape_len(layer.out);
        for (int i = 0; i < values * N; i++) {
            y[i] = (double)layer.y[i / N * LANES_OF_N + i % N];
        }
        CHECK_NEAR(variance_of(y, values * N), 1.0, 0.1);
    }
    net_free(net);
}

/* Whether lsuv_scale() moves the weights of tensor `index`. */
static bool is_moved(struct net *net, int index) {
    const struct net_tensor *w = net_tensor(net, index);
    float *before = mem_zalloc(w->len, sizeof *before);
    memcpy(before, w->value, w->len * sizeof *before);
    lsuv_scale(net, N);
    bool moved = memcmp(before, w->value, w->len * sizeof *before) != 0;
    free(before);
    return moved;
}

static void only_layers_with_this_init_are_scaled(void **state) {
    (void)state;
    struct layer_spec layers[] = {DENSE(HIDDEN), ACTIVATION(TANH), LSUV_DENSE(OUT)};
    struct net *net = make(layers, 3, (struct shape){IN, 1, 1});
    fill_input(net, IN, 3.0f);
    assert_false(is_moved(net, 0));
    net_init(net, 3);
    fill_input(net, IN, 3.0f);
    assert_true(is_moved(net, 2));
    net_free(net);
}

/* The variance of what the one layer makes of its input. */
static double output_variance(struct net *net) {
    static double y[OUT * N];
    net_forward(net, N);
    for (int i = 0; i < OUT * N; i++) {
        y[i] = (double)net_output(net)[i / N * LANES_OF_N + i % N];
    }
    return variance_of(y, OUT * N);
}

static void what_is_near_enough_is_left_alone(void **state) {
    (void)state;
    static const struct {
        double variance;
        bool moved;
    } cases[] = {{0.89, true}, {0.91, false}, {1.0, false}, {1.09, false}, {1.11, true}};
    const struct layer_spec layers[] = {LSUV_DENSE(OUT)};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct net *net = make(layers, 1, (struct shape){IN, 1, 1});
        fill_input(net, IN, 1.0f);
        const double share = sqrt(cases[k].variance / output_variance(net));
        for (int i = 0; i < IN * LANES_OF_N; i++) {
            net_input(net)[i] *= (float)share;
        }
        CHECK_NEAR(output_variance(net), cases[k].variance, 1e-5);
        assert_int_equal(is_moved(net, 0), cases[k].moved);
        net_free(net);
    }
}

static void without_any_variance_there_is_nothing_to_scale_by(void **state) {
    (void)state;
    const struct layer_spec layers[] = {LSUV_DENSE(OUT)};
    struct net *net = make(layers, 1, (struct shape){IN, 1, 1});
    fill_input(net, IN, 0.0f);
    assert_false(is_moved(net, 0));
    net_free(net);
}

static void lsuv_draws_orthogonal_weights_first(void **state) {
    (void)state;
    struct layer_spec layers[] = {LSUV_DENSE(OUT)};
    struct net *net = make(layers, 1, (struct shape){IN, 1, 1});
    layers[0].init = (struct init_spec){.kind = INIT_ORTHOGONAL, .gain = 1.0};
    struct net *orthogonal = make(layers, 1, (struct shape){IN, 1, 1});
    assert_memory_equal(net_params(net), net_params(orthogonal),
                        net_param_count(net) * sizeof(float));
    net_free(net);
    net_free(orthogonal);
}

/* ---- in a training ---- */

#define LENET                                                                                      \
    "\"model\": \"lenet5\", \"batch_size\": 32, \"epochs\": 2, \"dropout\": 0.1, \"ema\": 0.5, "   \
    "\"init\": "

static void a_training_begins_with_it_and_resumes_bit_for_bit(void **state) {
    (void)state;
    struct run whole = train(LENET "\"lsuv\"", "whole", 0);
    assert_int_equal(whole.result, TRAIN_DONE);
    for (long stop_at = 1; stop_at <= whole.asked; stop_at++) {
        char dir[32];
        (void)snprintf(dir, sizeof dir, "stop%ld", stop_at);
        train_to(TRAIN_SAVED, LENET "\"lsuv\"", dir, stop_at);
        train_to(TRAIN_DONE, LENET "\"lsuv\"", dir, 0);
        assert_same_file("whole", dir, "cp-0002.safetensors");
    }
    struct run other = train(LENET "\"orthogonal\"", "orthogonal", 0);
    char *a = records_of(whole.out), *b = records_of(other.out);
    assert_string_not_equal(a, b); // the scaling took place
    free(a);
    free(b);
    free(other.out);
    free(whole.out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_layer_is_scaled_behind_the_ones_before_it),
        cmocka_unit_test(convolutions_and_deep_ones_get_unit_variance),
        cmocka_unit_test(only_layers_with_this_init_are_scaled),
        cmocka_unit_test(what_is_near_enough_is_left_alone),
        cmocka_unit_test(without_any_variance_there_is_nothing_to_scale_by),
        cmocka_unit_test(lsuv_draws_orthogonal_weights_first),
        TRAIN_CASE(a_training_begins_with_it_and_resumes_bit_for_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
